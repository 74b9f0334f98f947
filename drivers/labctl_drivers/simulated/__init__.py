"""Simulated instruments whose physics is written down, for trying out campaigns without a lab."""
