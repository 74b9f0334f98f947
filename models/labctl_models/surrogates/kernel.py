"""The Matérn-5/2 covariance with one lengthscale per column, and its slopes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

SQRT5 = math.sqrt(5.0)


def scaled_distances(A: Array, B: Array | None = None) -> Array:
    """Distances (a x b) between the rows of A (a x d) and B (b x d), both already divided by lengthscales.

    Uses |a|² + |b|² - 2 a·b, one matrix product. Its rounding reaches the covariance only in second order,
    because Matérn-5/2 is flat at distance 0. Without B, distances within A, with an exact zero diagonal.
    """
    other = A if B is None else B
    squares = A @ (-2.0 * other.T)
    squares += np.einsum("ij,ij->i", A, A)[:, None]
    squares += np.einsum("ij,ij->i", other, other)[None, :]
    np.maximum(squares, 0.0, out=squares)
    if B is None:
        np.fill_diagonal(squares, 0.0)
    return np.asarray(np.sqrt(squares, out=squares), dtype=np.float64)


def matern52(r: Array) -> tuple[Array, Array]:
    """Correlation k(r) and the factor -k'(r)/r, both of the shape of r (lengthscales are within r).

    k(r) = (1 + √5 r + 5r²/3) exp(-√5 r) and -k'(r)/r = 5/3 (1 + √5 r) exp(-√5 r), which is finite at 0.
    Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), equation 4.17.
    """
    s = r * SQRT5
    decay = np.negative(s)
    np.exp(decay, out=decay)
    slope = s + 1.0
    slope *= decay
    s *= s
    s *= decay
    s /= 3.0
    s += slope
    slope *= 5.0 / 3.0
    return s, slope


def correlation(r: Array) -> Array:
    """Correlation k(r) alone, overwriting r, for the large blocks of a prediction over a pool."""
    r *= SQRT5
    decay = np.exp(-r)
    # 1 + s + s²/3 with s = √5 r, by Horner's rule
    polynomial = r / 3.0
    polynomial += 1.0
    polynomial *= r
    polynomial += 1.0
    polynomial *= decay
    return polynomial
