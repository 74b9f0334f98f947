"""The posterior density of lengthscales and noise with the scale and the mean of y integrated out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.blas import dsymm
from scipy.special import gammainc, gammaincinv, ndtri

from labctl_models.surrogates.evidence import NOISE_PRIOR, Factor, LogNormal, factorise, lengthscale_prior
from labctl_models.surrogates.kernel import matern52, scaled_distances

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

SCALE_WORTH = 2.0
"""For how many measurements the prior of the scale counts: it says that the variance expected among the
measured recipes is about the one seen."""
LEAST_FREEDOM = 3.0
"""The fewest degrees of freedom, a whole number, with which Student's t has a variance."""


@dataclass(frozen=True, slots=True)
class Given:
    """What is left open at one setting of lengthscales and noise: the scale and the mean.

    The signal variance is inverse-gamma(shape, rate), and the mean is normal about `mean` with the signal
    variance times `mean_variance`. `seen` is the sample variance expected at a signal
    variance of 1, and `square` that of the residuals in units of their covariance.
    """

    factor: Factor
    mean: float
    mean_variance: float
    shape: float
    rate: float
    seen: float
    square: float


@dataclass(frozen=True, slots=True)
class Marginal:
    """The unknowns theta = (log lengthscales (d), log noise share) of X (n x d, centred) and z (n,).

    z = c + s (f + e), with f of unit variance and e of the noise share as variance. c has a flat prior and
    s² an inverse-gamma one; both are integrated in closed form (Rasmussen and Williams (2006), section
    2.7; O'Hagan, J. R. Stat. Soc. B 40, 1 (1978)), which makes predictions Student-t. Densities are those
    of theta itself, not of its exponential.

    The prior of s² is scaled inverse chi-squared about 1 / v, where v is the sample variance that the n
    recipes would have on average if s were 1. A response that changes slowly over the cube shows little of
    its variance there, so the variance seen says nothing about s alone; it speaks of s² v. With
    `scale_known`, s is 1 instead, as in `Problem`, and only the mean is integrated.
    """

    X: Array
    z: Array
    scale_known: bool = False

    @property
    def prior(self) -> LogNormal:
        """Prior of every lengthscale."""
        return lengthscale_prior(self.X.shape[1])

    @property
    def prior_location(self) -> Array:
        """Prior mean of theta (d + 1,)."""
        return np.append(np.full(self.X.shape[1], self.prior.location), NOISE_PRIOR.location)

    @property
    def prior_scale(self) -> Array:
        """Prior standard deviation of theta (d + 1,), which is normal with independent parts."""
        return np.append(np.full(self.X.shape[1], self.prior.scale), NOISE_PRIOR.scale)

    @property
    def worth(self) -> float:
        """For how many measurements the prior of the scale counts here."""
        return max(SCALE_WORTH, LEAST_FREEDOM - (len(self.z) - 1))

    def given(self, theta: Array) -> Given:
        """What theta leaves open.

        Raises:
            NotPositiveDefiniteError: see `factorise`.
        """
        K, _ = matern52(scaled_distances(self.X * np.exp(-theta[:-1])))
        K.flat[:: len(K) + 1] += math.exp(theta[-1])
        factor = factorise(K)
        solved = factor.solve(np.column_stack([np.ones(len(K)), self.z]))
        return self._given(K, factor, solved)

    def _given(self, K: Array, factor: Factor, solved: Array) -> Given:
        """From K⁻¹1 and K⁻¹z, the columns of `solved` (n x 2)."""
        n = len(self.z)
        ones, alpha = solved[:, 0], solved[:, 1]
        precision = float(ones.sum())
        mean = float(alpha.sum()) / precision
        # The residual's own square, because the difference of two squares may come out negative.
        residual = self.z - mean
        square = max(0.0, float(residual @ (alpha - mean * ones)))
        diagonal = float(K[0, 0])
        seen = (n * diagonal - float(K.sum()) / n) / (n - 1) if n > 1 else diagonal
        shape, rate = 0.5 * (self.worth + n - 1), 0.5 * (self.worth / seen + square)
        return Given(factor, mean, 1.0 / precision, shape, rate, seen, square)

    def _height(self, given: Given) -> float:
        spread = -0.5 * given.factor.log_determinant() + 0.5 * math.log(given.mean_variance)
        if self.scale_known:
            return spread - 0.5 * given.square
        return spread - given.shape * math.log(given.rate) - 0.5 * self.worth * math.log(given.seen)

    def log_likelihood(self, theta: Array) -> float:
        """Log marginal likelihood of z at theta, up to a constant.

        Raises:
            NotPositiveDefiniteError: see `factorise`.
        """
        return self._height(self.given(theta))

    def log_prior(self, theta: Array) -> float:
        """Log prior density at theta, up to a constant."""
        return -0.5 * float((((theta - self.prior_location) / self.prior_scale) ** 2).sum())

    def negative(self, theta: Array) -> tuple[float, Array]:
        """Minus the log posterior at theta, up to a constant, and its gradient (d + 1,).

        As `Problem.negative`, where the integrals change M to w αα' + uu' / 1'u - K⁻¹ with u = K⁻¹1 and w
        the ratio of shape and rate.

        Raises:
            NotPositiveDefiniteError: see `factorise`.
        """
        n, d = self.X.shape
        A = self.X * np.exp(-theta[:d])
        share = math.exp(theta[d])
        K, D = matern52(scaled_distances(A))
        K.flat[:: n + 1] += share
        factor = factorise(K)
        solved = factor.solve(np.column_stack([np.ones(n), self.z]))
        ones = solved[:, 0]
        given = self._given(K, factor, solved)
        alpha = solved[:, 1] - given.mean * ones
        weight = 1.0 if self.scale_known else given.shape / given.rate
        M = np.outer(weight * alpha, alpha)
        M += np.outer(ones * given.mean_variance, ones)
        M -= factor.upper_inverse()
        if not self.scale_known:
            by_seen = self.worth / given.seen * (weight / given.seen - 1.0)
            # d seen / d K, which for a single measurement is 1.
            M -= by_seen / (n * (n - 1)) if n > 1 else -by_seen
            M.flat[:: n + 1] += by_seen / (n - 1) if n > 1 else 0.0
        gradient = -(theta - self.prior_location) / self.prior_scale**2
        gradient[d] += 0.5 * share * float(np.trace(M))
        M *= D
        product = dsymm(1.0, M.T, np.column_stack([A, np.ones(n)]), lower=1)
        gradient[:d] += product[:, d] @ (A * A) - np.einsum("ij,ij->j", A, product[:, :d])
        return -(self._height(given) + self.log_prior(theta)), -gradient


def signal_variance(given: Given, part: int, parts: int) -> float:
    """Mean of the signal variance over one of `parts` equally probable slices of its distribution.

    The slices' average is the distribution's own mean, rate / (shape - 1), however few they are.
    """
    # With s² = rate / g, g is gamma(shape) and E[1/g; g < a] is P(shape - 1, a) / (shape - 1).
    edges = gammaincinv(given.shape, np.array([part, part + 1.0]) / parts)
    below, above = gammainc(given.shape - 1.0, edges)
    return float(given.rate / (given.shape - 1.0) * (above - below) * parts)


def normal_scores(parts: int) -> Array:
    """`parts` numbers with the shape of a standard normal sample, of mean 0 and variance 1; one is 0."""
    if parts == 1:
        return np.zeros(1)
    scores = ndtri((np.arange(parts) + 0.5) / parts)
    return np.asarray(scores / scores.std(), dtype=np.float64)
