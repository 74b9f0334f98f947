"""What every surrogate does to X and y before it fits them: check the shapes, find the scale of y."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labctl_models.surrogates.protocol import Prediction

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from labctl_models.surrogates.protocol import Array


def checked(X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """X (n x d) and y (n,) as float64 copies.

    Raises:
        ValueError: X or y is empty, not finite, or of mismatched shape.
    """
    X = checked_rows(X)
    y = np.array(y, dtype=np.float64)
    if y.shape != (X.shape[0],):
        raise ValueError(f"X must be n x d and y n; their shapes are {X.shape} and {y.shape}")
    if not np.isfinite(y).all():
        raise ValueError("y must be finite numbers; leave failed experiments out of the fit")
    return X, y


def checked_labels(X: ArrayLike, labels: ArrayLike, classes: int) -> tuple[Array, NDArray[np.intp]]:
    """X (n x d) and class numbers (n,) from 0 to classes - 1.

    Raises:
        ValueError: X is empty or not finite, or a label is no whole number below `classes`.
    """
    X = checked_rows(X)
    found = np.array(labels)
    if found.shape != (X.shape[0],):
        raise ValueError(f"X must be n x d and the labels n; their shapes are {X.shape} and {found.shape}")
    whole = found.astype(np.intp)
    if (whole != found).any() or whole.min() < 0 or whole.max() >= classes:
        raise ValueError(f"class labels must be whole numbers from 0 to {classes - 1}")
    return X, whole


def checked_rows(X: ArrayLike, columns: int | None = None) -> Array:
    """X (q x d) as a contiguous float64 copy, of the stated number of columns where one is stated.

    Raises:
        ValueError: X is no matrix, is empty, is not finite, or has another number of columns.
    """
    X = np.array(X, dtype=np.float64, order="C")
    if X.ndim != 2 or X.shape[1] == 0:  # noqa: PLR2004  a matrix has 2 axes
        raise ValueError(f"X must be a matrix with at least 1 column; its shape is {X.shape}")
    if columns is None and len(X) == 0:
        raise ValueError("X has no rows; a fit needs at least 1 measurement")
    if columns is not None and X.shape[1] != columns:
        raise ValueError(f"X has shape {X.shape}; this surrogate was fitted to {columns} columns")
    if not np.isfinite(X).all():
        raise ValueError("X must be finite numbers; leave recipes with unknown settings out")
    return X


def standardisation(y: Array) -> tuple[float, float, tuple[str, ...]]:
    """Shift and scale that give y mean 0 and sample sd 1, safe for any magnitude, and remarks."""
    size = float(np.abs(y).max())
    if size < np.finfo(np.float64).tiny:
        return 0.0, 1.0, ("All measurements are 0, so the scale of y is unknown and taken as 1.",)
    shift = float((y / size).mean()) * size
    spread = float((y / size).std(ddof=1)) * size if len(y) > 1 else 0.0
    if spread <= 1e-12 * size:
        # Nothing varies, so the readings' own size is the only scale there is.
        return shift, size, ("The measurements do not vary, so the scale of y is taken as their size.",)
    return shift, spread, ()


def constant_prediction(mean: float, sd: float, q: int) -> Prediction:
    """The same belief q times."""
    return Prediction(np.full(q, mean), np.full(q, sd))
