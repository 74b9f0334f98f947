"""Thompson sampling over a pool: try each recipe as often as it is believed to be the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from labctl_models.surrogates.sweep import BLOCK_ENTRIES, correlations
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.acquisition.pool import PoolScores
    from labctl_models.surrogates.gp import FittedGP
    from labctl_models.surrogates.protocol import Array

MOST = 2000
"""Recipes drawn jointly at most: their covariance takes 32 MB and its factor a fraction of a second."""
DOUBT = 1e-3
"""With what probability the best recipe may be left out."""
FEATURES = 1024
"""Cosines that make up a draw of the prior."""


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The rows (m,) among which the best recipe is, but for a probability of at most `missed`."""

    rows: NDArray[np.intp]
    missed: float


def shortlist(mean: Array, sd: Array, *, most: int = MOST, doubt: float = DOUBT) -> Shortlist:
    """Rows that may be the best of N jointly normal responses with these means and sds (N,).

    The best response is not below that of the row b with the highest mean, and row i beats b with
    probability Φ(-(m_b - m_i) / sd(f_i - f_b)), at most that with sd_i + sd_b for the sd of the difference,
    however they are correlated. Rows are left out, the least likely first, while the sum of these bounds
    is within `doubt`, and beyond that until `most` remain; `missed` is the sum, at most 1.
    """
    mean, sd = np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64)
    best = int(np.argmax(mean))
    behind, apart = mean[best] - mean, sd + sd[best]
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = np.where(behind > 0.0, ndtr(-behind / apart), 1.0)
    chance[best] = 2.0  # it stays, whatever else does
    order = np.argsort(chance, kind="stable")
    left_out = int(np.searchsorted(np.cumsum(chance[order]), doubt, side="right"))
    left_out = max(left_out, len(order) - most)
    missed = float(chance[order[:left_out]].sum())
    return Shortlist(np.sort(order[left_out:]), min(1.0, missed))


def joint_draws(mean: Array, covariance: Array, count: int, seed: int) -> Array:
    """Draws (count x m) of m jointly normal responses with this mean (m,) and covariance (m x m).

    By eigenvectors, because the covariance of near recipes is singular to rounding and needs no jitter so.
    """
    rng = np.random.default_rng(seed)
    with one_thread():
        values, vectors = np.linalg.eigh(covariance)
        axes = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.asarray(mean + rng.standard_normal((count, len(mean))) @ axes.T, dtype=np.float64)


def pathwise_draws(fitted: FittedGP, X: Array, count: int, seed: int, *, features: int = FEATURES) -> Array:
    """Draws (count x q) of the response at all rows of X (q x d) at once, in O(q (features + n) count).

    A draw of the prior is corrected by what the data say against it, f + k(x, data) K⁻¹(z - f(data) - noise)
    (Matheron's rule; Wilson et al., ICML 2020). The correction is exact. The prior is a sum of random cosines
    (Rahimi and Recht, NeurIPS 2007), for Matérn-5/2 with frequencies from Student's t with 5 degrees of
    freedom, whose covariance is off by about 1 / √features. All draws of one call share the cosines.
    """
    rng = np.random.default_rng(seed)
    n, d = fitted.X.shape
    centre = fitted.X.mean(axis=0)
    frequencies = rng.standard_normal((d, features)) / np.sqrt(rng.chisquare(5, features) / 5.0)
    frequencies /= fitted.lengthscales[:, None]
    phases = rng.uniform(0.0, 2.0 * np.pi, features)
    weights = rng.standard_normal((features, count)) * np.sqrt(2.0 / features)
    noise_sd = np.sqrt(fitted.noise_variance + fitted.factor.jitter)

    def prior(rows: Array) -> Array:
        return np.asarray(np.cos((rows - centre) @ frequencies + phases) @ weights, dtype=np.float64)

    draws = np.empty((count, len(X)))
    with one_thread():
        z = (fitted.y / fitted.scale) - (fitted.shift / fitted.scale) - fitted.mean
        against = z[:, None] - prior(fitted.X) - noise_sd * rng.standard_normal((n, count))
        correction = fitted.factor.solve(against)
        entries = min(BLOCK_ENTRIES, BLOCK_ENTRIES * n // features)
        for block, k in correlations(X, fitted.X, fitted.lengthscales, entries=max(1, entries)):
            draws[:, block] = prior(X[block]).T + correction.T @ k
    return np.asarray((draws + fitted.mean) * fitted.scale + fitted.shift, dtype=np.float64)


def thompson_rows(
    pool: PoolScores, count: int, seed: int, *, allowed: NDArray[np.bool_] | None = None, most: int = MOST
) -> NDArray[np.intp]:
    """Rows (count,) of the pool, each the best in one draw of the response; the same for the same seed.

    Thompson, Biometrika 25, 285 (1933). Where the shortlist holds all that may win, draws are exact and
    joint over it. Where far more rows may win than can be drawn exactly, they are drawn along paths over
    the whole pool: leaving rows out would then falsify the choice more than the cosines do. An average
    draws a member first, so that what the data leave open about the hyperparameters is drawn too. A row
    may come twice.

    Args:
        pool: The pool's beliefs.
        count: How many draws.
        seed: Of the draws.
        allowed: (N,) rows that may be chosen; None for all.
        most: Rows drawn jointly at most.

    Raises:
        ValueError: no row is allowed.
    """
    among = np.arange(len(pool.X)) if allowed is None else np.flatnonzero(allowed)
    if len(among) == 0:
        raise ValueError("Thompson sampling needs at least one recipe that may be chosen")
    rng = np.random.default_rng(seed)
    member = rng.integers(len(pool.beliefs), size=count)
    chosen = np.empty(count, dtype=np.intp)
    for which in np.unique(member):
        belief = pool.beliefs[which]
        prediction = belief.prediction
        short = shortlist(prediction.mean[among], prediction.sd[among], most=most)
        mine = member == which
        part = int(rng.integers(2**32))
        if short.missed > DOUBT:
            rows = among
            draws = pathwise_draws(belief.fitted, pool.X[rows], int(mine.sum()), part)
        else:
            rows = among[short.rows]
            covariance = belief.fitted.covariance(pool.X[rows])
            draws = joint_draws(prediction.mean[rows], covariance, int(mine.sum()), part)
        chosen[mine] = rows[draws.argmax(axis=1)]
    return chosen
