"""Intervals from held-out residuals: CV+, the same with whole clusters held out, and a weighted kind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

FEWEST_EFFECTIVE = 20.0


def upper_quantile(scores: Array, coverage: float) -> float:
    """The ⌈coverage (n + 1)⌉-th smallest of n scores; inf when there are too few for it.

    90 % needs 9 scores, 95 % needs 19.

    Raises:
        ValueError: coverage is not between 0 and 1.
    """
    _check(coverage)
    place = _place(len(scores), coverage)
    if place > len(scores):
        return math.inf
    return float(np.partition(np.asarray(scores, dtype=np.float64), place - 1)[place - 1])


def cv_plus(
    means: Array, residuals: Array, fold: NDArray[np.intp], coverage: float = 0.9
) -> tuple[Array, Array]:
    """CV+ intervals (q,) and (q,) of readings at q recipes.

    From the prediction `means` (q x folds) of the model trained without each fold, and the held-out
    residuals |y_i - mean| (n,) of the rows of each `fold` (n,): from the ⌊(1 - coverage)(n + 1)⌋-th smallest
    of mean - residual to the ⌈coverage (n + 1)⌉-th smallest of mean + residual. Barber, Candès, Ramdas and
    Tibshirani, Ann. Stat. 49, 486 (2021).

    With shuffled folds the coverage is at least 1 - 2 (1 - coverage), about `coverage` as a rule, for recipes
    that come from where the data came from; recipes that an optimiser chose do not. With folds that are
    clusters the residuals are those of leaving the known region: wider, but no guarantee unless the next
    region is exchangeable with the known ones.

    Raises:
        ValueError: coverage is not between 0 and 1, or shapes do not match.
    """
    _check(coverage)
    means, residuals = np.asarray(means, dtype=np.float64), np.asarray(residuals, dtype=np.float64)
    if means.ndim != 2 or residuals.shape != np.shape(fold) or np.max(fold) >= means.shape[1]:  # noqa: PLR2004  a matrix
        raise ValueError("means must be q x folds, and residuals and folds n, each fold with its column")
    n = len(residuals)
    place = _place(n, coverage)
    if place > n:
        return np.full(len(means), -np.inf), np.full(len(means), np.inf)
    low, high = np.empty(len(means)), np.empty(len(means))
    for row, by_fold in enumerate(means):
        centre = by_fold[fold]
        high[row] = np.partition(centre + residuals, place - 1)[place - 1]
        # Mirrored, so that low is to -y what high is to y.
        low[row] = -np.partition(residuals - centre, place - 1)[place - 1]
    return low, high


def weighted_quantile(scores: Array, weights: Array, own: Array, coverage: float = 0.9) -> Array:
    """Half widths (q,) for recipes drawn otherwise than the data, by likelihood ratios.

    `weights` (n,) are the ratios new density / data density at the scored rows and `own` (q,) those at the
    recipes asked for; the quantile is that of the scores with a point mass at infinity for the recipe itself.
    Tibshirani, Barber, Candès and Ramdas, NeurIPS 2019.

    Raises:
        ValueError: coverage is not between 0 and 1, a weight is negative or not finite, or the effective
            count of scores (Σ w)² / Σ w² is below 20.
    """
    _check(coverage)
    weights, own = np.asarray(weights, dtype=np.float64), np.asarray(own, dtype=np.float64)
    if not (
        np.isfinite(weights).all() and np.isfinite(own).all() and (weights >= 0).all() and (own >= 0).all()
    ):
        raise ValueError("density ratios must be finite and not negative")
    squares = float(np.sum(weights**2))
    effective = float(weights.sum()) ** 2 / squares if squares > 0.0 else 0.0
    if effective < FEWEST_EFFECTIVE:
        raise ValueError(
            f"the weights leave {effective:.1f} effective scores; below {FEWEST_EFFECTIVE:.0f} say nothing"
        )
    order = np.argsort(scores)
    filled = np.cumsum(weights[order])
    # The first score at which the mass below reaches the coverage; past the last one only infinity is left.
    place = np.searchsorted(filled, coverage * (filled[-1] + own) * (1.0 - 1e-12), side="left")
    ranked = np.append(np.asarray(scores, dtype=np.float64)[order], np.inf)
    return np.asarray(ranked[place], dtype=np.float64)


def _place(n: int, coverage: float) -> int:
    # Without the slack 0.9 * 10 = 9.000000000000002 would ask for the tenth.
    return max(1, math.ceil(coverage * (n + 1) - 1e-9))


def _check(coverage: float) -> None:
    if not 0.0 < coverage < 1.0:
        raise ValueError(f"the coverage is {coverage:g}; it must be between 0 and 1")
