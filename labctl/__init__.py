"""The controller of a self-driving materials lab."""
