"""Scores that rank recipes, as logarithms that add up: a gain, times each chance that it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from labctl_models.acquisition.approach import log_expected_approach_slopes
from labctl_models.acquisition.hypervolume import (
    Boxes,
    log_expected_growth,
    log_expected_growth_slopes,
)
from labctl_models.acquisition.improvement import (
    log_expected_improvement_at,
    log_expected_improvement_slopes_at,
)
from labctl_models.acquisition.limits import log_chance_kept_slopes
from labctl_models.acquisition.logs import log_sum
from labctl_models.surrogates.protocol import Averaged, Differentiable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labctl_models.surrogates.protocol import Array, Fitted

Slopes = tuple["Array", "Array", "Array"]
DIFFERENCE = 6e-6
"""Central differences lose the least to rounding at about the cube root of the double's precision."""
FLAT = -1e25


class Score(Protocol):
    """A number above 0 for each recipe, told as its logarithm: the higher, the sooner it is measured.

    Logarithms because what a recipe may gain can be too small for a double and still rank it above others,
    and because a gain times the chance that it is had is then a sum. ``-inf``: nothing can be gained.
    """

    def log(self, X: Array) -> Array:
        """Logarithm (q,) at the rows of X (q x d)."""
        ...

    def log_with_slopes(self, X: Array) -> tuple[Array, Array]:
        """The same and its slope by x (q x d); for few rows."""
        ...


@dataclass(frozen=True, slots=True)
class Improvement:
    """Expected improvement of a response that is to be large over the best one known."""

    fitted: Fitted
    incumbent: float

    def log(self, X: Array) -> Array:
        """Logarithm (q,) at the rows of X (q x d)."""
        return log_expected_improvement_at(self.fitted, X, self.incumbent)

    def log_with_slopes(self, X: Array) -> tuple[Array, Array]:
        """The same and its slope by x (q x d)."""
        if isinstance(self.fitted, Averaged | Differentiable):
            return log_expected_improvement_slopes_at(self.fitted, X, self.incumbent)
        return by_differences(self, X)


@dataclass(frozen=True, slots=True)
class Approach:
    """Expected approach of a response to a target value, from the nearest one known."""

    fitted: Fitted
    target: float
    miss: float

    def log(self, X: Array) -> Array:
        """Logarithm (q,) at the rows of X (q x d)."""
        return _averaged(self.fitted, X, self._slopes)

    def log_with_slopes(self, X: Array) -> tuple[Array, Array]:
        """The same and its slope by x (q x d)."""
        return _averaged_with_slopes(self, self.fitted, X, self._slopes)

    def _slopes(self, mean: Array, sd: Array) -> Slopes:
        return log_expected_approach_slopes(mean, sd, self.target, self.miss)


@dataclass(frozen=True, slots=True)
class Kept:
    """The chance that a response keeps its limits."""

    fitted: Fitted
    low: float
    high: float

    def log(self, X: Array) -> Array:
        """Logarithm (q,) at the rows of X (q x d)."""
        return _averaged(self.fitted, X, self._slopes)

    def log_with_slopes(self, X: Array) -> tuple[Array, Array]:
        """The same and its slope by x (q x d)."""
        return _averaged_with_slopes(self, self.fitted, X, self._slopes)

    def _slopes(self, mean: Array, sd: Array) -> Slopes:
        return log_chance_kept_slopes(mean, sd, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Growth:
    """Expected growth of the volume that the Pareto front dominates; one surrogate a goal, all maximised."""

    fitted: Sequence[Fitted]
    free: Boxes

    def log(self, X: Array) -> Array:
        """Logarithm (q,) at the rows of X (q x d)."""
        means, sds = self._members(X)
        each = [
            log_expected_growth([m[s % len(m)] for m in means], [v[s % len(v)] for v in sds], self.free)
            for s in range(max(len(m) for m in means))
        ]
        return np.asarray(log_sum(np.array(each)) - np.log(len(each)), dtype=np.float64)

    def log_with_slopes(self, X: Array) -> tuple[Array, Array]:
        """The same and its slope by x (q x d)."""
        smooth = [f for f in self.fitted if isinstance(f, Averaged | Differentiable)]
        if len(smooth) < len(self.fitted):
            return by_differences(self, X)
        sloped = [_components_with_slopes(f, X) for f in smooth]
        count = max(len(mean) for mean, _, _, _ in sloped)
        values, slopes = [], []
        for s in range(count):
            own = [tuple(part[s % len(part)] for part in parts) for parts in sloped]
            value, by_mean, by_sd = log_expected_growth_slopes(
                [o[0] for o in own], [o[1] for o in own], self.free
            )
            values.append(value)
            slopes.append(
                sum(
                    bm[:, None] * o[2] + bs[:, None] * o[3]
                    for o, bm, bs in zip(own, by_mean, by_sd, strict=True)
                )
            )
        return _mixed(np.array(values), np.array(slopes))

    def _members(self, X: Array) -> tuple[list[Array], list[Array]]:
        each = [f.components(X) if isinstance(f, Averaged) else f.predict(X) for f in self.fitted]
        return [np.atleast_2d(p.mean) for p in each], [np.atleast_2d(p.sd) for p in each]


@dataclass(frozen=True, slots=True)
class Product:
    """Several scores multiplied: what may be gained, weighed by each chance that it is had."""

    factors: tuple[Score, ...]

    def log(self, X: Array) -> Array:
        """Logarithm (q,) at the rows of X (q x d)."""
        return np.asarray(sum((factor.log(X) for factor in self.factors), np.zeros(len(X))), dtype=np.float64)

    def log_with_slopes(self, X: Array) -> tuple[Array, Array]:
        """The same and its slope by x (q x d)."""
        each = [factor.log_with_slopes(X) for factor in self.factors]
        value = sum((value for value, _ in each), np.zeros(len(X)))
        return np.asarray(value), np.asarray(sum((slope for _, slope in each), np.zeros_like(X)))


def by_differences(score: Score, X: Array) -> tuple[Array, Array]:
    """A score's logarithm (q,) and its slope (q x d) by central differences."""
    d = X.shape[1]
    shifts = DIFFERENCE * np.eye(d)
    slopes = np.empty_like(X)
    value = np.maximum(score.log(X), FLAT)
    for row, x in enumerate(X):
        around = np.maximum(score.log(np.vstack([x + shifts, x - shifts])), FLAT)
        slopes[row] = (around[:d] - around[d:]) / (2.0 * DIFFERENCE)
    return value, slopes


def _averaged(fitted: Fitted, X: Array, of: Callable[[Array, Array], Slopes]) -> Array:
    """Logarithm (q,) of the mean over a surrogate's members of what ``of`` gives for their mean and sd."""
    if not isinstance(fitted, Averaged):
        belief = fitted.predict(X)
        return of(belief.mean, belief.sd)[0]
    each = fitted.components(X)
    values = np.array([of(mean, sd)[0] for mean, sd in zip(each.mean, each.sd, strict=True)])
    return np.asarray(log_sum(values) - np.log(len(values)), dtype=np.float64)


def _averaged_with_slopes(
    score: Score, fitted: Fitted, X: Array, of: Callable[[Array, Array], Slopes]
) -> tuple[Array, Array]:
    if not isinstance(fitted, Averaged | Differentiable):
        return by_differences(score, X)
    values, slopes = [], []
    for mean, sd, slope_mean, slope_sd in zip(*_components_with_slopes(fitted, X), strict=True):
        value, by_mean, by_sd = of(mean, sd)
        values.append(value)
        slopes.append(by_mean[:, None] * slope_mean + by_sd[:, None] * slope_sd)
    return _mixed(np.array(values), np.array(slopes))


def _components_with_slopes(fitted: Averaged | Differentiable, X: Array) -> tuple[Array, Array, Array, Array]:
    """Mean and sd (S x q) of each member, and their slopes (S x q x d); of one where none are averaged."""
    if isinstance(fitted, Averaged):
        each, slope_mean, slope_sd = fitted.components_with_slopes(X)
        return each.mean, each.sd, slope_mean, slope_sd
    belief, slope_mean, slope_sd = fitted.predict_with_slopes(X)
    return belief.mean[None], belief.sd[None], slope_mean[None], slope_sd[None]


def _mixed(values: Array, slopes: Array) -> tuple[Array, Array]:
    """Log of the mean over members (S x q), and its slope from theirs (S x q x d)."""
    value = np.asarray(log_sum(values) - np.log(len(values)), dtype=np.float64)
    shares = np.exp(values - np.where(np.isfinite(value), value, 0.0)) / len(values)
    return value, np.einsum("sq,sqd->qd", shares, slopes)
