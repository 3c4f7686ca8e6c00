"""Readers of export formats: one short class per format."""
