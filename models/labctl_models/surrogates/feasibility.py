"""How probable it is that a recipe makes a sample at all: a Gaussian process of labels."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri

from labctl_models.card import Card, library_versions
from labctl_models.surrogates.data import checked_labels
from labctl_models.surrogates.evidence import (
    LOG_2PI,
    SMALLEST_LENGTHSCALE,
    LogNormal,
    factorise,
    lengthscale_prior,
)
from labctl_models.surrogates.expectation import Sites, propagate
from labctl_models.surrogates.gp import FittedGP
from labctl_models.surrogates.kernel import matern52, scaled_distances
from labctl_models.surrogates.search import LARGEST_LOG
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from labctl_models.surrogates.protocol import Array

USUAL_RATE = 0.9
"""Median of the prior of the share of recipes that make a sample: most do, or nobody would vary them."""
BASE_SCORE, BASE_SPREAD = float(ndtri(USUAL_RATE)), 0.75
"""Normal prior of the probit of that share; 95 % of it lies between shares of 0.43 and 0.997."""
AMPLITUDE_PRIOR = LogNormal(math.log(4.0), 1.0)
"""Prior of the signal variance beside a label noise of 1: how much of a failure the recipe decides."""
AMPLITUDE_BOUNDS = (math.log(0.01), math.log(100.0))
MAX_STEPS = 30
CLOSE = 1e-3
"""How far the sites may be from settled during the search, which costs it less than 0.01 of log posterior."""


@dataclass(frozen=True, slots=True)
class Feasibility:
    """Gaussian process classification with a probit, fitted by expectation propagation.

    A recipe x makes a sample if f(x) + e > 0, with e standard normal and f a Gaussian process with constant
    mean, Matérn-5/2 covariance and a lengthscale per column under the prior of the regression surrogate.
    Lengthscales, signal variance and base rate are set to their most probable values.
    """

    def fit(self, X: ArrayLike, made: ArrayLike) -> FittedFeasibility:
        """Fit X (n x d, unit cube) and made (n,): whether a sample came of each recipe, n >= 1.

        Raises:
            ValueError: X is empty or not finite, or the labels are not one truth value a row.
        """
        began = time.process_time()
        X, labels = checked_labels(X, made, 2)
        with one_thread():
            problem = _Problem.of(X, labels == 1)
            theta = problem.best()
            negative, sites = problem.height(theta)
            return _fitted(problem, theta, sites, -negative, began)


@dataclass(frozen=True, slots=True, eq=False)
class FittedFeasibility:
    """A feasibility surrogate that has seen its labels; `latent` is the process f in probit units."""

    latent: FittedGP
    made: Array

    @property
    def card(self) -> Card:
        """What this model is."""
        return self.latent.card

    def probability(self, X: Array) -> Array:
        """Probability (q,) that each row of X (q x d) makes a sample, in blocks as a surrogate predicts."""
        belief = self.latent.predict(X)
        return np.asarray(ndtr(belief.mean / np.hypot(1.0, belief.sd)), dtype=np.float64)

    def probability_with_slopes(self, X: Array) -> tuple[Array, Array]:
        """The probability (q,) at the rows of X (q x d) and its slope by x (q x d); for few rows."""
        belief, slope_mean, slope_sd = self.latent.predict_with_slopes(X)
        width = np.hypot(1.0, belief.sd)
        z = belief.mean / width
        slope_z = (slope_mean - (z * belief.sd / width)[:, None] * slope_sd) / width[:, None]
        density = np.exp(-0.5 * z * z - 0.5 * LOG_2PI)
        return np.asarray(ndtr(z), dtype=np.float64), density[:, None] * slope_z


@dataclass(slots=True, eq=False)
class _Problem:
    """The search over theta = (log lengthscales (d), log signal variance, probit of the base rate).

    `last` keeps the sites of the last step, from which the next ones are found in few sweeps.
    """

    X: Array
    low: Array
    high: Array
    last: Sites | None = None

    @classmethod
    def of(cls, X: Array, made: Array) -> _Problem:
        return cls(X, np.where(made, 0.0, -np.inf), np.where(made, np.inf, 0.0))

    def best(self) -> Array:
        """The most probable theta, climbed from the mode of the prior."""
        d = self.X.shape[1]
        start = np.full(d + 2, math.log(lengthscale_prior(d).mode))
        start[d:] = math.log(AMPLITUDE_PRIOR.mode), BASE_SCORE
        bounds = [(math.log(SMALLEST_LENGTHSCALE), LARGEST_LOG)] * d
        options = {"maxiter": MAX_STEPS, "ftol": 1e-4, "gtol": 1e-2}
        found = minimize(
            self.negative,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[*bounds, AMPLITUDE_BOUNDS, (-5.0, 5.0)],
            options=options,
        )
        return np.asarray(found.x if np.isfinite(found.x).all() else start, dtype=np.float64)

    def negative(self, theta: Array) -> tuple[float, Array]:
        """Minus the log posterior at theta and its gradient, both (d + 2,).

        Where expectation propagation has settled, its evidence changes with the covariance K as a normal
        likelihood of the sites would: ½ tr((bb' - A⁻¹) dK), Rasmussen and Williams (2006), section 5.5.2.
        """
        d = self.X.shape[1]
        scaled, C, D = self._correlation(theta)
        signal, score = math.exp(theta[d]), theta[d + 1]
        sites = self._sites(C, signal, score, CLOSE)
        self.last = sites
        prior, gradient = self._prior(theta)
        M = np.outer(sites.pull, sites.pull) - sites.inverse()
        level, pulled = math.sqrt(1.0 + signal), float(sites.pull.sum())
        gradient[d] += 0.5 * signal * (float((M * C).sum()) + pulled * score / level)
        gradient[d + 1] += pulled * level
        M *= signal * D
        gradient[:d] += M.sum(axis=1) @ (scaled * scaled) - np.einsum("ij,ij->j", scaled, M @ scaled)
        return -(sites.log_evidence + prior), -gradient

    def height(self, theta: Array) -> tuple[float, Sites]:
        """Minus the log posterior at theta, and the sites there, found from nothing but theta."""
        _, C, _ = self._correlation(theta)
        d = self.X.shape[1]
        self.last = None
        sites = self._sites(C, math.exp(theta[d]), theta[d + 1], 0.01 * CLOSE)
        return -(sites.log_evidence + self._prior(theta)[0]), sites

    def _correlation(self, theta: Array) -> tuple[Array, Array, Array]:
        scaled = (self.X - self.X.mean(axis=0)) * np.exp(-theta[: self.X.shape[1]])
        return scaled, *matern52(scaled_distances(scaled))

    def _sites(self, C: Array, signal: float, score: float, close: float) -> Sites:
        mean = np.full(len(C), score * math.sqrt(1.0 + signal))
        return propagate(mean, signal * C, 1.0, self.low, self.high, start=self.last, close=close)

    def _prior(self, theta: Array) -> tuple[float, Array]:
        d = self.X.shape[1]
        lengths, length_slopes = lengthscale_prior(d).log_density(theta[:d])
        amplitude, amplitude_slope = AMPLITUDE_PRIOR.log_density(theta[d : d + 1])
        z = (theta[d + 1] - BASE_SCORE) / BASE_SPREAD
        value = float(lengths.sum() + amplitude.sum()) - 0.5 * z * z - math.log(BASE_SPREAD) - 0.5 * LOG_2PI
        return value, np.concatenate([length_slopes, amplitude_slope, [-z / BASE_SPREAD]])


def _fitted(
    problem: _Problem, theta: Array, sites: Sites, log_posterior: float, began: float
) -> FittedFeasibility:
    """The process at theta with its sites as readings, in units of the signal's standard deviation."""
    n, d = problem.X.shape
    lengthscales, signal, score = np.exp(theta[:d]), math.exp(theta[d]), float(theta[d + 1])
    size, mean = math.sqrt(signal), score * math.sqrt((1.0 + signal) / signal)
    _, C, _ = problem._correlation(theta)  # noqa: SLF001  the two are one
    C.flat[:: n + 1] += 1.0 / (signal * sites.precision)
    factor = factorise(C)
    card = Card(
        kind="feasibility-gp-probit",
        hyperparameters={
            "lengthscales": tuple(lengthscales.tolist()),
            "signal_variance": signal,
            "base_rate": float(ndtr(score)),
        },
        n=n,
        d=d,
        log_marginal_likelihood=sites.log_evidence,
        log_posterior=log_posterior,
        versions=library_versions(("numpy", "scipy")),
        seconds=time.process_time() - began,
    )
    latent = FittedGP(
        X=problem.X,
        y=sites.location,
        lengthscales=lengthscales,
        noise_variance=1.0 / signal,
        mean=mean,
        shift=0.0,
        scale=size,
        factor=factor,
        alpha=factor.solve(sites.location / size - mean),
        card=card,
    )
    return FittedFeasibility(latent, np.isfinite(problem.low))
