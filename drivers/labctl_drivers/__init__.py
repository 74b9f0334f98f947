"""Instruments: everything that turns a recipe into a reading, and knows nothing of the controller."""
