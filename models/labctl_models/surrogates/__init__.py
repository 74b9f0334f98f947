"""Surrogates: what is believed about recipes that were not measured."""
