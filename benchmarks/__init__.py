"""Invented data for tests and measurements; not part of the installed package."""
