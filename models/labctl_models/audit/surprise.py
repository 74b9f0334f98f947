"""How surprising a held-out outcome is, for models that do not say themselves how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit, ndtri
from scipy.stats import t as student

from labctl_models.audit.platt import platt

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

TREES = 50
LEAF = 20
TAIL = 0.05
"""Share of the rows, the most surprising, that may be faults; how far off they are does not count."""
FREEDOMS = np.array([2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 30.0, 100.0])
WIDTHS = np.geomspace(0.3, 3.0, 70)
ROUNDS = 50
SETTLED = 1e-6
LEAST = 1e-300


def regression_z(X: Array, unseen: Array, y: Array, *, seed: int) -> Array:
    """How surprising each value y (n,) is after held-out predictions (n,), as a normal deviate z (n,).

    Each residual is divided by the typical one of its neighbourhood, which a forest predicts from the other
    rows of X (n x d) and from the prediction, so that a noisy region is no region of faults. What remains
    is heavier in its tails than a normal distribution; a Student distribution is fitted to it, with the
    largest twentieth counted as large but not measured, and each quotient becomes the normal deviate of
    the same tail probability.
    """
    residuals = y - unseen
    ratio = residuals / _local_size(np.column_stack([X, unseen]), residuals, seed=seed)
    df, width = _student(ratio)
    tail = np.maximum(student.sf(np.abs(ratio) / width, df), LEAST)
    return np.asarray(-np.sign(ratio) * ndtri(tail), dtype=np.float64)


def _local_size(X: Array, residuals: Array, *, seed: int) -> Array:
    """Typical size (n,) of the residual at each row, as the trees that had not seen the row say it."""
    from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415  takes a second to load

    size = np.abs(residuals)
    # One huge residual must not hide its neighbours'.
    size = np.minimum(size, np.quantile(size, 1.0 - TAIL))
    forest = RandomForestRegressor(
        TREES, max_features=0.5, min_samples_leaf=LEAF, oob_score=True, random_state=seed
    )
    found = np.asarray(forest.fit(X, size).oob_prediction_, dtype=np.float64)
    typical = float(np.median(found[found > 0.0])) if np.any(found > 0.0) else 1.0
    # A region where the forest is exact by luck says little about its next reading.
    return np.maximum(found, 0.1 * typical)


def _student(ratio: Array) -> tuple[float, float]:
    """Degrees of freedom and width of a centred Student distribution, by censored maximum likelihood."""
    size = np.sort(np.abs(ratio))
    beyond = int(TAIL * len(size))
    kept = size[: len(size) - beyond]
    unit = float(np.median(size)) / 0.6745 or 1.0
    best, found = -np.inf, (float(FREEDOMS[-1]), unit)
    for df in FREEDOMS:
        scaled = kept / (unit * WIDTHS[:, None])
        told = student.logpdf(scaled, df).sum(axis=1) - len(kept) * np.log(WIDTHS)
        told += beyond * np.log(np.maximum(student.sf(scaled[:, -1], df), LEAST))
        if told.max() > best:
            best, found = float(told.max()), (float(df), float(unit * WIDTHS[told.argmax()]))
    return found


def class_z(score: Array, y: Array) -> Array:
    """How surprising each recorded class y (n, 0 or 1) is, as a normal deviate: positive for a 1 too many.

    `score` (n,) in [0, 1] is a held-out probability of class 1. It is calibrated by a logistic line in its
    log-odds, beside which a share of the classes, a twentieth at most, may be recorded wrongly: otherwise
    wrong ones would make the line so flat that they hide in it. The two-sided p of a row is the calibrated
    probability of its recorded class where that is the unlikely one, else 1: a class of probability q is
    recorded with probability q, so this p is as rare as it says wherever the calibration holds.
    """
    x = logit(score)
    wrong, right = TAIL / 5.0, np.ones(len(y))
    for _ in range(ROUNDS):
        line = platt(x, y, right[None, :])
        given = expit((2.0 * y - 1.0) * (line[0, 0] + line[0, 1] * x))
        before, right = right, (1.0 - wrong) * given / ((1.0 - wrong) * given + wrong * (1.0 - given))
        wrong = min(TAIL, float(np.mean(1.0 - right)))
        if float(np.abs(right - before).max()) < SETTLED:
            break
    p = np.where(given < 0.5, given, 1.0)  # noqa: PLR2004  the likely class surprises nobody
    return np.asarray(np.where(y > 0.5, -1.0, 1.0) * ndtri(np.maximum(p, LEAST) / 2.0), dtype=np.float64)  # noqa: PLR2004  classes are 0 and 1
