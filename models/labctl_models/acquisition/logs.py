"""Sums and differences of numbers that are known by their logarithms, exact where the numbers are near 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array


def log_difference(larger: Array, smaller: Array) -> Array:
    """log(exp(larger) - exp(smaller)) element by element; -inf where the first is not the larger one."""
    larger, smaller = np.broadcast_arrays(
        np.asarray(larger, dtype=np.float64), np.asarray(smaller, dtype=np.float64)
    )
    ordered = larger > smaller
    gap = np.where(
        ordered & np.isfinite(smaller), larger - np.where(np.isfinite(smaller), smaller, 0.0), np.inf
    )
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        # log(1 - exp(-gap)) by whichever form keeps its digits; Maechler, Rmpfr note (2012).
        rest = np.where(gap < np.log(2.0), np.log(-np.expm1(-gap)), np.log1p(-np.exp(-gap)))
    return np.where(ordered, np.where(ordered, larger, 0.0) + rest, -np.inf)


def log_sum(terms: Array, axis: int = 0) -> Array:
    """log(sum of exp(terms)) along an axis; -inf only where every term is."""
    highest = terms.max(axis=axis, keepdims=True)
    safe = np.where(np.isfinite(highest), highest, 0.0)
    with np.errstate(divide="ignore", under="ignore"):
        return np.asarray(
            np.squeeze(safe, axis) + np.log(np.exp(terms - safe).sum(axis=axis)), dtype=np.float64
        )
