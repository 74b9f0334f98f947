"""A finite pool of recipes scored exactly, and scored again at once when a measurement arrived."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.blas import dtrsm
from scipy.special import logsumexp

from labctl_models.acquisition.improvement import log_expected_improvement
from labctl_models.surrogates.data import checked_rows
from labctl_models.surrogates.gp_averaged import FittedAverage, mixed
from labctl_models.surrogates.protocol import Prediction
from labctl_models.surrogates.sweep import correlations, sweep
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from labctl_models.surrogates.gp import FittedGP
    from labctl_models.surrogates.protocol import Array

KEPT_BYTES = 512 * 2**20
"""Memory for what makes the next update quick; 100,000 recipes and 500 measurements take 400 MB a member."""
SCORED_AT_ONCE = 8192
"""Recipes whose improvement is computed at once, so that the many steps of it stay in the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """What one Gaussian process believes about N recipes, standardised.

    Attributes:
        fitted: The process.
        mean: (N,) posterior mean less the constant mean.
        explained: (N,) prior variance 1 less the posterior variance.
        whitened: V = L⁻¹ k(data, pool) of the first measurements, as `Swept.whitened`; None where it was
            not to be kept.
        later: The rows of V of each later lot of measurements (m x N), kept with it.
    """

    fitted: FittedGP
    mean: Array
    explained: Array
    whitened: tuple[tuple[slice, Array], ...] | None
    later: tuple[Array, ...] = ()

    @property
    def prediction(self) -> Prediction:
        """Mean and sd (N,) in the units of y."""
        fitted = self.fitted
        sd = np.sqrt(np.maximum(1.0 - self.explained, 0.0))
        return Prediction((self.mean + fitted.mean) * fitted.scale + fitted.shift, sd * fitted.scale)


@dataclass(frozen=True, slots=True, eq=False)
class PoolScores:
    """Beliefs of a Gaussian process, or of each member of an average of them, about a pool X (N x d).

    Made by `pool_scores`; it never changes. `updated` gives the next one and shares what stays the same.
    """

    fitted: FittedGP | FittedAverage
    X: Array
    beliefs: tuple[Belief, ...]

    @property
    def components(self) -> Prediction:
        """Mean and sd of every member: S x N, in the units of y; S is 1 for a single process."""
        each = [belief.prediction for belief in self.beliefs]
        return Prediction(np.array([e.mean for e in each]), np.array([e.sd for e in each]))

    @property
    def prediction(self) -> Prediction:
        """Mean and sd (N,) of the response, as `fitted.predict(X)`."""
        return self.beliefs[0].prediction if len(self.beliefs) == 1 else mixed(self.components)

    @property
    def incumbent(self) -> float:
        """The highest posterior mean among the measured recipes, as `noisy_incumbent`, without predicting.

        K alpha = z - mean, so the noise-free part of K times alpha is z - mean - noise · alpha.
        """
        means = [
            belief.fitted.y
            - (belief.fitted.noise_variance + belief.fitted.factor.jitter)
            * belief.fitted.alpha
            * belief.fitted.scale
            for belief in self.beliefs
        ]
        return float(np.mean(means, axis=0).max())

    def log_expected_improvement(self, incumbent: float | None = None) -> Array:
        """Log expected improvement (N,) over the incumbent, which is by default the pool's own.

        It is the closed form, not an estimate by samples; of an average, the mean of the members' expected
        improvements, as in `log_expected_improvement_at`.
        """
        target = self.incumbent if incumbent is None else incumbent
        each = [_improvement(belief.prediction, target) for belief in self.beliefs]
        if len(each) == 1:
            return each[0]
        return np.asarray(logsumexp(np.array(each), axis=0) - math.log(len(each)), dtype=np.float64)

    def updated(self, X_new: Array, y_new: Array) -> PoolScores:
        """The same hyperparameters with further measurements X_new (m x d) and y_new (m,), in O(N n m).

        The Cholesky factor gains m rows, l and c, and so does V: v = c⁻¹(k(x_new, pool) - l V). The mean
        gains c' alpha_new · v and the explained variance v². Equal to starting afresh but for rounding.
        Where V is not kept, l V = (L⁻ᵀl)' k(data, pool) costs the covariance of data and pool once more.

        Raises:
            ValueError: the shapes do not match, or a value is not finite.
        """
        fitted = self.fitted.condition_on(X_new, y_new)
        beliefs: list[Belief] = []
        with one_thread():
            for belief, now in zip(self.beliefs, _members(fitted), strict=True):
                if now.factor.jitter == belief.fitted.factor.jitter:
                    beliefs.append(_extended(belief, now, self.X))
                else:  # the whole factor is another one
                    beliefs.append(_believed(now, self.X, keep=belief.whitened is not None))
        return PoolScores(fitted, self.X, tuple(beliefs))


def pool_scores(fitted: FittedGP | FittedAverage, X: Array, *, kept_bytes: int = KEPT_BYTES) -> PoolScores:
    """What `fitted` believes about the pool X (N x d, unit cube), exactly, in O(N n²) for each member.

    Args:
        fitted: A Gaussian process or an average of them.
        X: The pool.
        kept_bytes: Memory that may be spent on quick updates. Members for which it does not suffice are
            updated more slowly; with 0 nothing is kept beside the beliefs themselves.

    Raises:
        ValueError: X is no matrix of finite numbers with the columns that were fitted.
    """
    members = _members(fitted)
    X = checked_rows(X, members[0].X.shape[1])
    affordable = kept_bytes // max(1, 8 * len(members[0].X) * len(X))
    with one_thread():
        beliefs = tuple(_believed(member, X, keep=i < affordable) for i, member in enumerate(members))
    return PoolScores(fitted, X, beliefs)


def _members(fitted: FittedGP | FittedAverage) -> tuple[FittedGP, ...]:
    return fitted.members if isinstance(fitted, FittedAverage) else (fitted,)


def _believed(fitted: FittedGP, X: Array, *, keep: bool) -> Belief:
    swept = sweep(X, fitted.X, fitted.lengthscales, fitted.factor, fitted.alpha, keep=keep)
    return Belief(fitted, swept.mean, swept.explained, swept.whitened if keep else None)


def _extended(belief: Belief, now: FittedGP, X: Array) -> Belief:
    """The belief after the measurements that `now` has seen beyond those of `belief.fitted`."""
    before = belief.fitted
    n = len(before.X)
    m = len(now.X) - n
    rows, corner = now.factor.lower[n:, :n], now.factor.lower[n:, n:]
    v = np.empty((m, len(X)))
    for block, k in correlations(X, now.X[n:], before.lengthscales):
        v[:, block] = k
    if belief.whitened is None:
        weights = dtrsm(1.0, before.factor.lower, np.asfortranarray(rows.T), lower=1, trans_a=1)
        for block, k in correlations(X, before.X, before.lengthscales):
            v[:, block] -= weights.T @ k
    else:
        first = n - sum(len(V) for V in belief.later)
        for block, V in belief.whitened:
            v[:, block] -= rows[:, :first] @ V
        for V in belief.later:
            v -= rows[:, first : first + len(V)] @ V
            first += len(V)
    v = np.ascontiguousarray(dtrsm(1.0, corner, v, lower=1))
    gain = corner.T @ now.alpha[n:]
    return Belief(
        now,
        belief.mean + gain @ v,
        belief.explained + np.einsum("ij,ij->j", v, v),
        belief.whitened,
        () if belief.whitened is None else (*belief.later, v),
    )


def _improvement(belief: Prediction, incumbent: float) -> Array:
    scores = np.empty(len(belief.mean))
    for begin in range(0, len(scores), SCORED_AT_ONCE):
        block = slice(begin, begin + SCORED_AT_ONCE)
        scores[block] = log_expected_improvement(belief.mean[block], belief.sd[block], incumbent)
    return scores
