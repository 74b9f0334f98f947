"""Strategies against a historical table: the same loop, the same starts, and exact chance beside them."""

from labctl.replay.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
