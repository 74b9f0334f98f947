"""Distances and clusters in standardised features, for folds that hold out whole regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labctl_models.surrogates.kernel import scaled_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

CHUNK_ENTRIES = 4_000_000
SPARE = 4
RESTARTS = 10
HEURISTIC_ROWS = 1_000
FOURIER_FEATURES = 200


def standardised(X: Array) -> Array:
    """X (n x d) with mean 0 and sd 1 in each column; a column that does not vary becomes 0.

    It reads all rows, held-out ones included, but no outcome.
    """
    X = np.asarray(X, dtype=np.float64)
    # First onto [0, 1], so that neither huge nor tiny units overflow or drown in rounding.
    low, spread = X.min(axis=0), np.ptp(X, axis=0)
    Z = (X - low) / np.where(spread > 0.0, spread, 1.0)
    Z -= Z.mean(axis=0)
    sd = Z.std(axis=0)
    return np.asarray(Z / np.where(sd > 0.0, sd, 1.0), dtype=np.float64)


def nearest(Q: Array, known: Array, k: int = 1) -> tuple[Array, NDArray[np.intp]]:
    """Distances (q x k) from the rows of Q to their k nearest known rows (n x d), ascending, and which.

    In blocks, so memory stays bounded. Distances between near-equal rows carry the rounding of one matrix
    product; the nearest is measured again exactly.
    """
    k = min(k, len(known))
    distance, index = np.empty((len(Q), k)), np.empty((len(Q), k), dtype=np.intp)
    rows = _block_rows(known, k)
    for begin in range(0, len(Q), rows):
        block = slice(begin, begin + rows)
        distance[block], index[block] = _smallest(Q[block], known, scaled_distances(Q[block], known), k)
    return distance, index


def farthest(Q: Array, known: Array) -> float:
    """The largest distance between a row of Q (q x d) and a known row (n x d)."""
    rows = max(1, CHUNK_ENTRIES // len(known))
    return max(
        float(scaled_distances(Q[begin : begin + rows], known).max()) for begin in range(0, len(Q), rows)
    )


def nearest_other(Z: Array, k: int = 1) -> tuple[Array, NDArray[np.intp]]:
    """Distances (n x k) from each row to its k nearest other rows, ascending, and which rows those are.

    Repeated rows are others: a row's twin is at distance 0.
    """
    n = len(Z)
    k = min(k, n - 1)
    distance, index = np.empty((n, k)), np.empty((n, k), dtype=np.intp)
    rows = _block_rows(Z, k)
    for begin in range(0, n, rows):
        block = slice(begin, begin + rows)
        D = scaled_distances(Z[block], Z)
        D[np.arange(len(D)), np.arange(begin, begin + len(D))] = np.inf
        distance[block], index[block] = _smallest(Z[block], Z, D, k)
    return distance, index


def _block_rows(known: Array, k: int) -> int:
    n, d = int(known.shape[0]), int(known.shape[1])
    return max(1, CHUNK_ENTRIES // max(n, (k + SPARE) * d))


def _smallest(Q: Array, known: Array, D: Array, k: int) -> tuple[Array, NDArray[np.intp]]:
    # A few more than asked, because rounding may have exchanged neighbours at almost the same distance.
    some = min(D.shape[1], k + SPARE)
    index = np.argpartition(D, some - 1, axis=1)[:, :some] if some < D.shape[1] else _all_columns(D)
    away = known[index] - Q[:, None]
    exact = np.sqrt(np.einsum("qkd,qkd->qk", away, away))
    exact[~np.isfinite(np.take_along_axis(D, index, axis=1))] = np.inf
    order = np.lexsort((index, exact), axis=1)[:, :k]
    return np.take_along_axis(exact, order, axis=1), np.take_along_axis(index, order, axis=1)


def _all_columns(D: Array) -> NDArray[np.intp]:
    return np.broadcast_to(np.arange(D.shape[1]), D.shape)


def kmeans(Z: Array, k: int, seed: int, *, restarts: int = RESTARTS) -> NDArray[np.intp]:
    """Cluster number (n,) of each row of Z (n x d) by k-means, the best of several seeded beginnings.

    Raises:
        ValueError: there are fewer than k different rows.
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415  half a second, which other surrogates do not need

    if len(np.unique(Z, axis=0)) < k:
        raise ValueError(f"there are fewer than {k} different rows, so they cannot form {k} clusters")
    labels = KMeans(k, n_init=restarts, random_state=seed).fit_predict(Z)
    return np.asarray(labels, dtype=np.intp)


def median_gamma(Z: Array, seed: int) -> float:
    """Width of an RBF kernel exp(-gamma |a - b|²) by the median heuristic: 1 / median squared distance.

    On at most 1,000 rows drawn with the seed.
    """
    if len(Z) > HEURISTIC_ROWS:
        Z = Z[np.random.default_rng(seed).choice(len(Z), HEURISTIC_ROWS, replace=False)]
    squares = scaled_distances(Z)[np.triu_indices(len(Z), 1)] ** 2
    positive = squares[squares > 0.0]
    return 1.0 / float(np.median(positive)) if positive.size else 1.0


def fourier_features(Z: Array, gamma: float, seed: int) -> Array:
    """Random features (n x 200) whose products approximate exp(-gamma |a - b|²).

    Rahimi and Recht, Random Features for Large-Scale Kernel Machines, NIPS 2007.
    """
    rng = np.random.default_rng(seed)
    frequencies = rng.standard_normal((Z.shape[1], FOURIER_FEATURES)) * np.sqrt(2.0 * gamma)
    phases = rng.uniform(0.0, 2.0 * np.pi, FOURIER_FEATURES)
    return np.asarray(np.sqrt(2.0 / FOURIER_FEATURES) * np.cos(Z @ frequencies + phases), dtype=np.float64)
