"""Novelty: how unlike the known a recipe or its outcome is, and how much of a space has been seen."""
