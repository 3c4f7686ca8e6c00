"""cslog: customer-service KPIs from chat logs and order exports (客服绩效)."""

__version__ = "0.1.0"
