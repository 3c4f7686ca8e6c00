"""Engines map tasks to partials and merge them, nothing else."""
