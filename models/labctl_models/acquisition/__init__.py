"""Acquisition: how much a recipe is worth trying, by improvement or by novelty."""
