"""What a measurement costs, learned from what measurements took."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t

from labctl_models.surrogates.data import checked_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from labctl_models.surrogates.protocol import Array

PSEUDO = 2.0
"""For how many measurements the stated cost counts."""
PRIOR_SD = 0.5
"""Sd of the log of a cost before any was measured: most of them within a factor of 2.7."""
PRIOR_FREEDOM = 4.0
"""For how many measurements that sd counts."""
FEWEST = 10
"""Measurements, besides two for each setting, before the cost may depend on the recipe."""
SLOPE_SD = 1.0
"""Prior sd of the change of the log cost across the whole range of a setting."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the next measurement at q recipes is expected to cost, in the unit of the stated cost.

    Attributes:
        mean: (q,) expected cost.
        low, high: (q,) interval that holds the cost of the next measurement with the probability asked.
    """

    mean: Array
    low: Array
    high: Array


@dataclass(frozen=True, slots=True, eq=False)
class CostModel:
    """The cost of one source: log-normal about a stated cost, which measured ones outweigh.

    The stated cost stands for `PSEUDO` measurements and the sd of the log, `PRIOR_SD`, for `PRIOR_FREEDOM`:
    a normal-inverse-gamma prior (Gelman et al., Bayesian Data Analysis, 3rd ed. (2013), section 3.3). From
    10 + 2 d measurements on, the log cost may rise or fall linearly with each setting, by ridge
    regression, if that predicts left-out log costs with a smaller square error than a constant does.

    Attributes:
        stated: What a measurement is said to cost, positive.
        X: (n x d) recipes measured, in the unit cube.
        measured: (n,) what each took, positive, in the same unit; durations and the price of consumables
            are to be put into one unit before.

    Raises:
        ValueError: a cost is not positive and finite, or the shapes do not match.
    """

    stated: float
    X: Array = field(default_factory=lambda: np.empty((0, 1)))
    measured: Array = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        """Check the parts against each other."""
        measured = np.array(self.measured, dtype=np.float64)
        X = checked_rows(self.X, np.asarray(self.X).shape[-1])
        if measured.shape != (len(X),):
            raise ValueError(
                f"X must be n x d and measured n; their shapes are {X.shape} and {measured.shape}"
            )
        if not (math.isfinite(self.stated) and self.stated > 0.0):
            raise ValueError(f"the stated cost is {self.stated}; a cost must be a positive number")
        if not (np.isfinite(measured).all() and (measured > 0.0).all()):
            raise ValueError("a measured cost must be a positive number")
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "measured", measured)

    @property
    def depends_on_recipe(self) -> bool:
        """Whether the measured costs are predicted better by the settings than by a constant."""
        n, d = self.X.shape
        if n < FEWEST + 2 * d:
            return False
        about = np.log(self.measured / self.stated)
        design = self._design(self.X)
        # Left-out errors are residuals over 1 - leverage, also for a ridge (Allen, Technometrics 16 (1974)).
        hat = design @ np.linalg.solve(self._precision(), design.T)
        linear = (about - hat @ about) / (1.0 - np.diagonal(hat))
        constant = (about - about.sum() / (n + PSEUDO)) / (1.0 - 1.0 / (n + PSEUDO))
        return bool((linear**2).mean() < (constant**2).mean())

    def predict(self, X: ArrayLike, *, level: float = 0.9) -> Cost:
        """Cost of the next measurement at the rows of X (q x d), with an interval of the given level.

        The mean is exp(location + half the variance), with the variance as estimated: were it integrated
        out too, the mean would be infinite. Intervals are Student's.
        """
        rows = checked_rows(X, self.X.shape[1] if len(self.X) else None)
        about = np.log(self.measured / self.stated)
        n = len(about)
        if self.depends_on_recipe:
            design, covariance = self._design(rows), np.linalg.inv(self._precision())
            pull = self._design(self.X).T @ about
            middle = design @ (covariance @ pull)
            spread = np.einsum("ij,jk,ik->i", design, covariance, design)
            square = float(about @ about - pull @ covariance @ pull)
        else:
            mean = float(about.sum()) / (n + PSEUDO)
            middle, spread = np.full(len(rows), mean), np.full(len(rows), 1.0 / (n + PSEUDO))
            square = float(about @ about) - (n + PSEUDO) * mean**2
        freedom = n + PRIOR_FREEDOM
        variance = (PRIOR_FREEDOM * PRIOR_SD**2 + square) / freedom * (1.0 + spread)
        reach = float(t.ppf(0.5 + 0.5 * level, freedom)) * np.sqrt(variance)
        typical = self.stated * np.exp(middle)
        return Cost(typical * np.exp(0.5 * variance), typical * np.exp(-reach), typical * np.exp(reach))

    def _design(self, X: Array) -> Array:
        return np.column_stack([np.ones(len(X)), X - self.X.mean(axis=0)])

    def _precision(self) -> Array:
        """Posterior precision of (constant, slopes), in units of the variance of the log cost."""
        ridge = np.full(self.X.shape[1] + 1, (PRIOR_SD / SLOPE_SD) ** 2)
        ridge[0] = PSEUDO
        design = self._design(self.X)
        return np.asarray(design.T @ design + np.diag(ridge), dtype=np.float64)
