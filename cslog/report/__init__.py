"""Finished rows → terminal, CSV, XLSX, Parquet, JSON, HTML. Formatting only, no arithmetic."""
