"""Readings known only to lie within bounds, as likelihoods: a Tobit model about a fitted Gaussian process."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.surrogates.data import checked, checked_rows
from labctl_models.surrogates.evidence import Factor, factorise
from labctl_models.surrogates.expectation import Sites, propagate
from labctl_models.surrogates.gp import FittedGP
from labctl_models.surrogates.gp_averaged import FittedAverage
from labctl_models.surrogates.kernel import matern52, scaled_distances
from labctl_models.surrogates.protocol import Prediction
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from botorch.models import SingleTaskGP

    from labctl_models.surrogates.protocol import Array

NARROWEST = 1e-6
"""Bounds closer than this share of the noise are moved apart to it; no reading can tell the difference."""

FARTHEST = 1e6
"""Standard deviations of the measurements beyond which a bound says no more than that it is far away."""
FARTHEST_UNIT = 1e150
"""A scale of which the square, and that of its inverse, are still numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class CensoredGP(FittedGP):
    """A Gaussian process of readings, of which some stand for bounds and have an error of their own.

    X and y hold the measurements first, then for each bound the reading that says the same; `row_noise`
    (n,) are the variances of their errors in the standardised units. Everything else is as in `FittedGP`.
    """

    row_noise: Array

    def leave_one_out(self) -> Prediction:
        """Belief (n,) at each row of X from all the others; see `FittedGP.leave_one_out`."""
        with one_thread():
            precision = np.diagonal(self.factor.upper_inverse())
        mean = (self.y - self.shift) / self.scale - self.alpha / precision
        sd = np.sqrt(np.maximum(1.0 / precision - self.row_noise, 0.0))
        return Prediction(mean * self.scale + self.shift, sd * self.scale)

    def condition_on(self, X_new: Array, y_new: Array) -> CensoredGP:
        """The same process with further measurements; what the bounds say is kept as it is.

        Raises:
            ValueError: the shapes do not match, or a value is not finite.
        """
        X_new, y_new = checked(checked_rows(X_new, self.X.shape[1]), y_new)
        told = np.full(len(y_new), self.noise_variance)
        remark = f"Conditioned on {len(y_new)} further measurements without fitting again."
        extended = _extended(self, X_new, y_new, told, self.row_noise)
        return replace(extended, card=replace(self.card, remarks=(*self.card.remarks, remark)))

    def to_botorch(self) -> SingleTaskGP:
        """There is no such twin.

        Raises:
            ValueError: always; the twin has one noise for all rows.
        """
        raise ValueError("a surrogate with censored readings has no botorch twin; use it as it is")


def with_bounds(
    fitted: FittedGP | FittedAverage, X: Array, low: Array, high: Array
) -> FittedGP | FittedAverage:
    """`fitted`, and a reading at each row of X (m x d) that lies within [low, high] (m,), infinite if open.

    The likelihood of a bound is the probability that response plus noise lies within it (Tobin,
    Econometrica 26, 24 (1958)); no value is made up for it. The posterior is that of expectation
    propagation, which is exact in the limits of bounds that tell nothing and of bounds that meet.

    Lengthscales, noise, mean and scale are those fitted to the measurements alone. Of an average, the
    members are drawn again in proportion to how probable each made the bounds: they are then draws from
    the posterior given the measurements and the bounds.

    Raises:
        ValueError: the shapes do not match, X is not finite, or a bound has low > high.
    """
    X = checked_rows(X, fitted.X.shape[1])
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    if low.shape != (len(X),) or high.shape != (len(X),) or not (low <= high).all():
        raise ValueError("each bound needs a row of X, a low end and a high end that is not below it")
    closed = np.isfinite(low) | np.isfinite(high)
    if not closed.any():
        return fitted
    X, low, high = X[closed], low[closed], high[closed]
    with one_thread():
        if isinstance(fitted, FittedGP):
            return _told(fitted, X, low, high)[0]
        each = [_told(member, X, low, high) for member in fitted.members]
    return _drawn_again(fitted, each, len(X))


def _told(fitted: FittedGP, X: Array, low: Array, high: Array) -> tuple[CensoredGP, float]:
    """One process with its bounds, and the log probability that it gave them."""
    noise = fitted.noise_variance
    a, b = (_standardised(ends, fitted) for ends in (low, high))
    b = np.maximum(b, a + NARROWEST * math.sqrt(noise))
    mean = (fitted.predict(X).mean - fitted.shift) / fitted.scale
    # Of very small or large units the square is no number, and the covariance in them is none either.
    small, large = 1.0 / FARTHEST_UNIT, FARTHEST_UNIT
    known = fitted if small < fitted.scale < large else replace(fitted, scale=1.0)
    covariance = known.covariance(X) / known.scale**2
    np.fill_diagonal(covariance, np.maximum(np.diagonal(covariance), 1e-12))
    sites: Sites = propagate(mean, covariance, noise, a, b)
    told = sites.informative
    y = sites.location[told] * fitted.scale + fitted.shift
    before = fitted.row_noise if isinstance(fitted, CensoredGP) else np.full(len(fitted.y), noise)
    extended = _extended(fitted, X[told], y, 1.0 / sites.precision[told], before)
    card = replace(
        fitted.card,
        kind=f"{fitted.card.kind}-censored",
        hyperparameters={
            **fitted.card.hyperparameters,
            "bounds_location": tuple(y.tolist()),
            "bounds_log_probability": sites.log_evidence,
        },
        n=len(fitted.y) + len(X),
        remarks=(*fitted.card.remarks, _remark(len(X))),
    )
    return replace(extended, card=card), sites.log_evidence


def _standardised(ends: Array, fitted: FittedGP) -> Array:
    """Ends of intervals in the process's own units, the closed ones no farther out than `FARTHEST`."""
    with np.errstate(over="ignore"):
        own = (ends - fitted.shift) / fitted.scale
    return np.where(np.isfinite(ends), np.clip(own, -FARTHEST, FARTHEST), ends)


def _extended(fitted: FittedGP, X_new: Array, y_new: Array, noise_new: Array, noise: Array) -> CensoredGP:
    """The process with further rows, each with the variance of its own error."""
    X, y = np.vstack([fitted.X, X_new]), np.concatenate([fitted.y, y_new])
    row_noise = np.concatenate([noise, noise_new])
    with one_thread():
        K, _ = matern52(scaled_distances((X - X.mean(axis=0)) / fitted.lengthscales))
        K.flat[:: len(K) + 1] += row_noise
        factor: Factor = factorise(K)
        alpha = factor.solve((y / fitted.scale) - (fitted.shift / fitted.scale) - fitted.mean)
    return CensoredGP(
        X=X,
        y=y,
        lengthscales=fitted.lengthscales,
        noise_variance=fitted.noise_variance,
        mean=fitted.mean,
        shift=fitted.shift,
        scale=fitted.scale,
        factor=factor,
        alpha=alpha,
        card=replace(fitted.card, n=len(y)),
        row_noise=row_noise,
    )


def _drawn_again(fitted: FittedAverage, each: list[tuple[CensoredGP, float]], bounds: int) -> FittedAverage:
    """The members, each as often as its share of the evidence says: systematic resampling, without chance."""
    heights = np.array([height for _, height in each])
    weights = np.exp(heights - heights.max())
    weights /= weights.sum()
    places = (np.arange(len(each)) + 0.5) / len(each)
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), places), len(each) - 1)
    effective = 1.0 / float((weights**2).sum())
    remark = f"The bounds left {effective:.1f} of {len(each)} draws of the hyperparameters in effect."
    card = replace(
        fitted.card,
        kind=f"{fitted.card.kind}-censored",
        hyperparameters={
            **fitted.card.hyperparameters,
            "members_drawn": tuple(float(c) for c in chosen),
            "bounds_log_probability": float(np.log(np.exp(heights - heights.max()).mean()) + heights.max()),
        },
        n=fitted.card.n + bounds,
        remarks=(*fitted.card.remarks, _remark(bounds), *((remark,) if effective < 0.5 * len(each) else ())),
    )
    return FittedAverage(tuple(replace(each[c][0], card=card) for c in chosen), card)


def _remark(bounds: int) -> str:
    return f"{bounds} censored readings entered as probabilities; hyperparameters are those of the others."
