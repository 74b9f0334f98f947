"""What a table must be before anything is said about it, and its columns in the unit cube."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from labctl_models.surrogates.basis import Law
from labctl_models.validation.heldout import Task

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from labctl_models.surrogates.protocol import Array

FEWEST_ROWS = 20
CLASS_KINDS = "biuUSO"
LARGEST = 1e100
"""Outcomes beyond it, and differences below its inverse, have squares that no double holds."""


def checked_table(
    X: ArrayLike, y: ArrayLike, *, classify: bool | None = None
) -> tuple[Array, Task, tuple[str, ...]]:
    """X (n x d) as float64, the task, and the names of its classes, none for numbers.

    Raises:
        ValueError: one sentence: shapes do not match, fewer than 20 rows, a value missing or infinite, a
            constant outcome, one beyond 1e100 or all within 1e-100, a class with one member, or all recipes
            the same.
    """
    X = np.array(X, dtype=np.float64, order="C")
    outcome = np.array(y)
    if X.ndim != 2 or X.shape[1] == 0 or outcome.shape != (len(X),):  # noqa: PLR2004  a matrix has 2 axes
        raise ValueError(f"X must be n x d and y n; their shapes are {X.shape} and {outcome.shape}")
    if len(X) < FEWEST_ROWS:
        raise ValueError(f"{len(X)} rows are too few to hold any out; validation needs {FEWEST_ROWS}")
    empty = np.flatnonzero(np.isnan(X).all(axis=0))
    if empty.size:
        raise ValueError(f"column {empty[0] + 1} of X has no value at all; leave it out")
    bad = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if bad.size:
        raise ValueError(f"row {bad[0] + 1} of X has a value that is missing or infinite; leave the row out")
    if not np.ptp(X, axis=0).any():
        raise ValueError("all recipes are the same, so there is one cluster only and none to hold out")
    classify = outcome.dtype.kind in CLASS_KINDS if classify is None else classify
    return (X, *_classes(outcome)) if classify else (X, _numbers(outcome), ())


def _numbers(outcome: NDArray[Any]) -> Task:
    try:
        y = outcome.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError("the outcome must be numbers; for labels, validate it as classes") from None
    bad = np.flatnonzero(~np.isfinite(y))
    if bad.size:
        raise ValueError(f"row {bad[0] + 1} has no finite outcome; leave failed experiments out")
    huge = np.flatnonzero(np.abs(y) > LARGEST)
    if huge.size:
        raise ValueError(
            f"row {huge[0] + 1} has the outcome {y[huge[0]]:g}, and none beyond {LARGEST:g} can be judged; "
            "correct it, or leave the row out"
        )
    if np.ptp(y) <= 1e-12 * np.abs(y).max():
        raise ValueError("the outcome is the same in all rows, so there is nothing to predict")
    if np.ptp(y) < 1.0 / LARGEST:
        raise ValueError(f"the outcomes differ by {np.ptp(y):g} at most; give them in a smaller unit")
    return Task(y)


def _classes(outcome: NDArray[Any]) -> tuple[Task, tuple[str, ...]]:
    if outcome.dtype.kind == "f" and not np.isfinite(outcome).all():
        raise ValueError("a row has no label; leave failed experiments out")
    # Text sorts labels of mixed types too; numbers keep their own order.
    labels = outcome.astype(str) if outcome.dtype.kind == "O" else outcome
    found, number, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(found) < 2:  # noqa: PLR2004  one class is no question
        raise ValueError("all rows are of one class, so there is nothing to predict")
    if counts.min() < 2:  # noqa: PLR2004  one to train on and one to test on
        raise ValueError(
            f"class {found[counts.argmin()]} has one member only; leave it out or join it to another class"
        )
    return Task(number.astype(np.float64), len(found)), tuple(str(name) for name in found)


def unit_cube(X: Array) -> tuple[Array, Array, Array]:
    """X (n x d) brought to [0, 1] by column, and the lowest value (d,) and spread (d,) of each column."""
    low, spread = X.min(axis=0), np.ptp(X, axis=0)
    return (X - low) / np.where(spread > 0.0, spread, 1.0), low, spread


def cube_law(law: Law | None, low: Array, spread: Array) -> Law | None:
    """The same law of recipes in the unit cube."""
    if law is None:
        return None
    basis = law.basis
    return Law(law.names, lambda cube: basis(low + cube * spread), law.prior_mean, law.prior_sd)
