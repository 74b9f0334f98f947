"""One pass of a Gaussian process over a pool of any size, in blocks that stay in the processor's cache."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.blas import dtrsm

from labctl_models.surrogates.kernel import SQRT5

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl_models.surrogates.evidence import Factor
    from labctl_models.surrogates.protocol import Array

BLOCK_ENTRIES = 131_072
"""Entries of one block of the covariance of data and pool: 1 MB, of which a core's cache holds a few."""
LEAST_ROWS = 256
"""Recipes of a block at least: with fewer, products of matrices run at the speed of memory."""
FEW = 4
"""Fewer recipes than one for so many rows of data are solved for one by one."""
SLICES = 8
"""Into how many slices L⁻¹ is cut, so that all but a few of the zeros above its diagonal are skipped."""


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """What the data say about q recipes, standardised.

    Attributes:
        mean: (q,) posterior mean less the constant mean.
        explained: (q,) prior variance 1 less the posterior variance.
        whitened: V = L⁻¹ k(data, X), as columns of V (n x b) and the rows of X that they belong to; none
            where it was not to be kept.
    """

    mean: Array
    explained: Array
    whitened: tuple[tuple[slice, Array], ...]


def sweep(
    X: Array,
    data: Array,
    lengthscales: Array,
    factor: Factor,
    alpha: Array,
    *,
    keep: bool = False,
    entries: int = BLOCK_ENTRIES,
) -> Swept:
    """Posterior at the rows of X (q x d) given `data` (n x d), by the inverse of the Cholesky factor L.

    The mean is k(X, data) alpha and the explained variance the sum of the squares in each column of V. All
    memory beside the results is a few blocks of `entries` numbers and L⁻¹, and with `keep` the 8 n q bytes
    of V.
    """
    q, n = len(X), len(data)
    mean, explained = np.empty(q), np.zeros(q)
    # For few recipes the inverse costs more than it saves.
    slices = _slices(factor.inverse_lower()) if FEW * q > n else []
    # In one piece, because that is what the system gives in large pages.
    kept = np.empty(n * q if keep else 0)
    whitened: list[tuple[slice, Array]] = []
    for block, k in correlations(X, data, lengthscales, entries=entries):
        mean[block] = alpha @ k
        V = kept[n * block.start : n * block.stop].reshape(n, -1) if keep else np.empty_like(k)
        if slices:
            for begin, rows in slices:
                np.matmul(rows, k[: rows.shape[1]], out=V[begin : begin + len(rows)])
        else:
            V[:] = dtrsm(1.0, factor.lower, k, lower=1)
        explained[block] = np.einsum("ij,ij->j", V, V)
        if keep:
            whitened.append((block, V))
    return Swept(mean, explained, tuple(whitened))


def _slices(inverse: Array) -> list[tuple[int, Array]]:
    """Slices of the rows of L⁻¹ (n x n), each with the row it begins at, without their zeros at the end."""
    edges = np.linspace(0, len(inverse), min(SLICES, len(inverse)) + 1).astype(np.intp)
    return [(int(a), np.ascontiguousarray(inverse[a:b, :b])) for a, b in pairwise(edges)]


def correlations(
    X: Array, data: Array, lengthscales: Array, *, entries: int = BLOCK_ENTRIES
) -> Iterator[tuple[slice, Array]]:
    """Matérn-5/2 correlation k (n x b) of the data (n x d) with b rows of X at a time, and which rows.

    √5 and the squares of both lengths go into one product of matrices, (-2a, 1, |a|²)·(b, |b|², 1), so that
    few passes over the block remain. The array is overwritten by the next one.
    """
    n, d = data.shape
    centre, unit = data.mean(axis=0), SQRT5 / lengthscales
    left = _augmented(data, centre, unit, np.empty((n, d + 2)))[:, [*range(d), d + 1, d]]
    left[:, :d] *= -2.0
    rows = max(1, min(max(entries // max(n, d), min(LEAST_ROWS, entries // LEAST_ROWS)), len(X)))
    space, recipes = np.empty((3, n * rows)), np.empty((rows, d + 2))
    for begin in range(0, len(X), rows):
        block = slice(begin, min(begin + rows, len(X)))
        right = _augmented(X[block], centre, unit, recipes[: block.stop - begin])
        s, decay, k = (part[: n * len(right)].reshape(n, len(right)) for part in space)
        np.matmul(left, right.T, out=s)
        np.maximum(s, 0.0, out=s)
        np.sqrt(s, out=s)
        np.negative(s, out=decay)
        np.exp(decay, out=decay)
        # 1 + s + s²/3 by Horner's rule
        np.multiply(s, 1.0 / 3.0, out=k)
        k += 1.0
        k *= s
        k += 1.0
        k *= decay
        yield block, k


def _augmented(X: Array, centre: Array, unit: Array, out: Array) -> Array:
    """Rows (b, |b|², 1) with b = (x - centre) · unit for each row x of X (q x d), into out (q x (d + 2))."""
    scaled = out[:, :-2]
    np.subtract(X, centre, out=scaled)
    scaled *= unit
    np.einsum("ij,ij->i", scaled, scaled, out=out[:, -2])
    out[:, -1] = 1.0
    return out
