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
"""Into how many slices L⁻¹ is cut: its zeros above the diagonal are then skipped but for 1 / SLICES of them."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What the data say about q recipes, standardised: the mean less its constant (q,) and 1 - variance (q,)."""

    mean: Array
    explained: Array


def sweep(
    X: Array,
    data: Array,
    lengthscales: Array,
    factor: Factor,
    alpha: Array,
    *,
    whitened: Array | None = None,
    entries: int = BLOCK_ENTRIES,
) -> Swept:
    """Posterior at the rows of X (q x d) given `data` (n x d), by the inverse of the Cholesky factor L.

    With V = L⁻¹ k(data, X), the mean is k(X, data) alpha and the explained variance the sum of V's squares
    over each column. All memory beside the results is a few blocks of `entries` numbers and L⁻¹; `whitened`
    (n x q) takes V where it is given.
    """
    q, n = len(X), len(data)
    swept = Swept(np.empty(q), np.zeros(q))
    # For few recipes the inverse costs more than it saves.
    slices = _slices(factor.inverse_lower()) if FEW * q > n else []
    for block, k in correlations(X, data, lengthscales, entries=entries):
        swept.mean[block] = alpha @ k
        if not slices:
            pieces = [(0, np.asarray(dtrsm(1.0, factor.lower, k, lower=1)))]
        else:
            pieces = [(begin, rows @ k[: rows.shape[1]]) for begin, rows in slices]
        for begin, v in pieces:
            swept.explained[block] += np.einsum("ij,ij->j", v, v)
            if whitened is not None:
                whitened[begin : begin + len(v), block] = v
    return swept


def _slices(inverse: Array) -> list[tuple[int, Array]]:
    """Slices of the rows of L⁻¹ (n x n), each with the row it begins at, without their zeros at the end."""
    edges = np.linspace(0, len(inverse), min(SLICES, len(inverse)) + 1).astype(np.intp)
    return [(int(a), np.ascontiguousarray(inverse[a:b, :b])) for a, b in pairwise(edges)]


def correlations(
    X: Array, data: Array, lengthscales: Array, *, entries: int = BLOCK_ENTRIES
) -> Iterator[tuple[slice, Array]]:
    """Matérn-5/2 correlation k (n x b) of the data (n x d) with b rows of X at a time, and which rows.

    √5 and the squares of both lengths go into one product of matrices, (-2a, |a|², 1)·(b, 1, |b|²), so that
    few passes over the block remain. The array is overwritten by the next one.
    """
    centre, unit = data.mean(axis=0), SQRT5 / lengthscales
    n = len(data)
    left = _with_squares((data - centre) * unit, -2.0)
    rows = max(1, entries // n) if entries < BLOCK_ENTRIES else max(LEAST_ROWS, entries // n)
    rows = max(1, min(rows, len(X)))
    space = np.empty((3, n * rows))
    for begin in range(0, len(X), rows):
        block = slice(begin, min(begin + rows, len(X)))
        right = _with_squares((X[block] - centre) * unit, 1.0)
        # The columns of |a|² and 1 meet 1 and |b|².
        right[:, [-2, -1]] = right[:, [-1, -2]]
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


def _with_squares(A: Array, factor: float) -> Array:
    """(factor · a, |a|², 1) for each row a of A (q x d): q x (d + 2)."""
    return np.column_stack([factor * A, np.einsum("ij,ij->i", A, A), np.ones(len(A))])
