"""Tests and intervals that several checks share, each by its plain definition."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

CHUNK_ENTRIES = 2_000_000
"""Entries of one block of an array that grows with rows times rows or rows times permutations: 16 MB."""


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for a share seen as successes of n (Wilson, J. Am. Stat. Assoc. 22, 209 (1927)); n >= 1."""
    z = float(ndtri(0.5 + confidence / 2.0))
    share, z2 = successes / n, z * z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def holm(p: Array) -> Array:
    """Holm's adjusted p (m,): below a level, it is rejected with that family-wise error rate."""
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def benjamini_hochberg(p: Array) -> Array:
    """Adjusted p (m,): those below q hold at most a share q of false discoveries, on average."""
    m = len(p)
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p)[order] * m / np.arange(1, m + 1)
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return adjusted


def two_sided(z: Array) -> Array:
    """P(|Z| >= |z|) of a standard normal Z, elementwise."""
    return np.asarray(2.0 * ndtr(-np.abs(z)), dtype=np.float64)


def upper_tail(observed: float, null: Array) -> float:
    """Permutation p of a statistic that is large when something is wrong; never 0 (Phipson, Smyth 2010)."""
    # Equal statistics differ in their last digits by the order of summation.
    slack = 1e-9 * max(1.0, abs(observed))
    return float((1 + np.count_nonzero(null >= observed - slack)) / (1 + len(null)))


def auc(scores: Array, positive: NDArray[np.bool_]) -> float:
    """P(a positive scores above a negative), ties counted half; NaN without both kinds."""
    k, n = int(np.count_nonzero(positive)), len(scores)
    if k in {0, n}:
        return math.nan
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - k * (k + 1) / 2) / (k * (n - k)))


def gini(counts: Array) -> float:
    """Gini coefficient of counts >= 0: 0 where all are equal, towards 1 where one has everything."""
    ordered = np.sort(np.asarray(counts, dtype=np.float64))
    k, total = len(ordered), float(ordered.sum())
    if total == 0.0:
        return 0.0
    return float(2.0 * (np.arange(1, k + 1) @ ordered) / (k * total) - (k + 1) / k)


def spread(values: Array) -> float:
    """Standard deviation from the median absolute deviation; 0 where most values are equal."""
    return float(np.median(np.abs(values - np.median(values)))) / 0.6744897501960817


def permutations(
    n: int, count: int, seed: int, blocks: NDArray[np.intp] | None = None
) -> Iterator[NDArray[np.intp]]:
    """Permutations of n rows in batches (b x n) of index arrays, `count` in all, within blocks if given."""
    rng = np.random.default_rng(seed)
    places = None if blocks is None else np.argsort(blocks, kind="stable")
    size = max(1, CHUNK_ENTRIES // n)
    for begin in range(0, count, size):
        keys = rng.random((min(size, count - begin), n))
        if blocks is None or places is None:
            yield np.argsort(keys, axis=1)
            continue
        mixed = np.argsort(keys + blocks, axis=1)
        found = np.empty_like(mixed)
        found[:, places] = mixed
        yield found


def nearest(X: Array, archive: Array | None = None, k: int = 1) -> tuple[Array, NDArray[np.intp]]:
    """Distances and row numbers (q x k, ascending) of the k nearest rows, of X itself if alone.

    Plain Euclidean distances, so that equal rows are at distance exactly 0. Fewer rows than k give as many
    columns as there are.
    """
    other = X if archive is None else archive
    k = min(k, len(other) - (archive is None))
    distances, rows = np.empty((len(X), k)), np.empty((len(X), k), dtype=np.intp)
    size = max(1, CHUNK_ENTRIES // max(1, len(other)))
    for begin in range(0, len(X), size):
        block = cdist(X[begin : begin + size], other)
        if archive is None:
            block[np.arange(len(block)), begin + np.arange(len(block))] = np.inf
        found = np.argpartition(block, k - 1, axis=1)[:, :k] if k < block.shape[1] else np.argsort(block)
        near = np.take_along_axis(block, found, axis=1)
        order = np.argsort(near, axis=1, kind="stable")
        distances[begin : begin + size] = np.take_along_axis(near, order, axis=1)
        rows[begin : begin + size] = np.take_along_axis(found, order, axis=1)
    return distances, rows
