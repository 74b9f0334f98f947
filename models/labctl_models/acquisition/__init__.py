"""Acquisition: how much a recipe is worth trying, by improvement."""
