"""Space-filling first experiments: in the whole cube, or out of a list of candidates that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import qmc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

CHUNK_ROWS = 65_536


def sobol(n: int, d: int, seed: int) -> Array:
    """The first n points (n x d, unit cube) of a scrambled Sobol' sequence; a longer one begins the same.

    A whole block of 2^m points is drawn and its beginning kept: the sequence loses its balance when it is
    thinned or skipped, not when it is cut (Owen, On dropping the first Sobol' point, 2020).

    Raises:
        ValueError: n is negative, or d is not between 1 and 21201.
    """
    if n < 0:
        raise ValueError(f"n is {n}; a design has at least 0 points")
    sequence = qmc.Sobol(d, scramble=True, rng=np.random.default_rng(seed))
    return np.asarray(sequence.random_base2(max(n - 1, 0).bit_length())[:n], dtype=np.float64)


def maximin_subset(X_pool: Array, n: int, seed: int, *, known: Array | None = None) -> NDArray[np.intp]:
    """Row numbers (n,) of pool rows far from each other and, where given, from the known recipes (m x d).

    Each next row is the one farthest from all before it (Gonzalez, Theor. Comput. Sci. 38, 293 (1985): its
    smallest distance is at least half the best possible). The first is drawn with the seed when nothing is
    known. Ties go to the lower row; a row is chosen twice never, an equal row only when nothing else is left.

    Raises:
        ValueError: n is negative or larger than the pool.
    """
    pool = np.asarray(X_pool, dtype=np.float64)
    if not 0 <= n <= len(pool):
        raise ValueError(f"{n} rows were asked of a pool of {len(pool)}")
    chosen = np.empty(n, dtype=np.intp)
    if n == 0:
        return chosen
    # Squared distance of every pool row to the nearest row chosen or known; -1 once chosen itself.
    gap = np.full(len(pool), np.inf)
    for row in np.empty((0, pool.shape[1])) if known is None else np.asarray(known, dtype=np.float64):
        _approach(gap, pool, row)
    # With nothing known every gap is infinite, and the first choice is the seed's.
    choice = int(np.random.default_rng(seed).integers(len(pool))) if np.isinf(gap[0]) else int(gap.argmax())
    for step in range(n):
        chosen[step] = choice
        _approach(gap, pool, pool[choice])
        gap[choice] = -1.0
        choice = int(gap.argmax())
    return chosen


def _approach(gap: Array, pool: Array, row: Array) -> None:
    """Lower each gap (N,) to the squared distance from that pool row to `row` where that is nearer."""
    for begin in range(0, len(pool), CHUNK_ROWS):
        block = slice(begin, begin + CHUNK_ROWS)
        np.minimum(gap[block], cdist(pool[block], row[None], "sqeuclidean")[:, 0], out=gap[block])
