"""Residuals of rows that a model had not seen, for a table that brings none of its own."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.audit.anomalies import leave_one_out_z
from labctl_models.audit.surprise import class_z, regression_z
from labctl_models.surrogates.gp import GaussianProcess
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

FEWEST_ROWS = 10
MOST_FOR_A_PROCESS = 500
TREES = 100
FEWEST_FOR_A_SCALE = 100
FEWEST_OF_A_CLASS = 20
FEWEST_TO_LEARN = 3
"""Of the rarer class: with fewer, most trees have seen none of it and say nothing about it."""


def with_residuals(table: AuditTable, *, seed: int) -> AuditTable:
    """The table with residuals and z (n, NaN where there is no outcome), unless it has them already.

    Up to 500 measured quantities: leave-one-out predictions of the default Gaussian process, with their own
    uncertainty. Beyond, and for classes: predictions of a random forest by those of its trees that had not
    seen the row; how far each may be off is then learned from these residuals, and there is no z where
    they are too few for that. Without ten outcomes that vary, or three of each class, the table stays.
    """
    rows = np.flatnonzero(table.measured)
    y = table.y[rows]
    if table.residuals is not None or len(rows) < FEWEST_ROWS or np.ptp(y) == 0.0 or table.X.shape[1] == 0:
        return table
    if table.outcome == "classification" and _of_the_rarer(y) < FEWEST_TO_LEARN:
        return table
    X = table.X[rows]
    # A Gaussian process expects the unit cube; its prior on lengthscales knows no other scale.
    low, width = X.min(axis=0), np.ptp(X, axis=0)
    X = (X - low) / np.where(width > 0.0, width, 1.0)
    z: Array | None
    if table.outcome == "regression" and len(rows) <= MOST_FOR_A_PROCESS:
        fitted = GaussianProcess().fit(X, y, seed=seed)
        residuals, z = y - fitted.leave_one_out().mean, leave_one_out_z(fitted)
    else:
        unseen = _unseen_by_forest(X, y, seed=seed)
        residuals, z = y - unseen, None
        if len(rows) >= FEWEST_FOR_A_SCALE and table.z is None:
            z = (
                _class_z(unseen, y)
                if table.outcome == "classification"
                else regression_z(X, unseen, y, seed=seed)
            )
    return replace(
        table,
        residuals=_spread_out(residuals, rows, table.n),
        z=table.z if z is None or table.z is not None else _spread_out(z, rows, table.n),
    )


def _unseen_by_forest(X: Array, y: Array, *, seed: int) -> Array:
    from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415  takes a second to load

    forest = RandomForestRegressor(
        TREES, max_features=1 / 3, min_samples_leaf=3, oob_score=True, random_state=seed
    )
    with one_thread():
        return np.asarray(forest.fit(X, y).oob_prediction_, dtype=np.float64)


def _class_z(unseen: Array, y: Array) -> Array | None:
    """Surprise of each class, or None where a class has too few rows for its scores to be calibrated."""
    if _of_the_rarer(y) < FEWEST_OF_A_CLASS:
        return None
    # About so many trees had not seen a row; none of so few votes is no proof of impossibility.
    votes = TREES / math.e
    return class_z((np.clip(unseen, 0.0, 1.0) * votes + 0.5) / (votes + 1.0), y)


def _of_the_rarer(y: Array) -> int:
    return min(int(y.sum()), int(len(y) - y.sum()))


def _spread_out(values: Array, rows: NDArray[np.intp], n: int) -> Array:
    found = np.full(n, np.nan)
    found[rows] = values
    return found
