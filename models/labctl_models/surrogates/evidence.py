"""The log marginal likelihood of a Gaussian process, its priors, and the analytic gradient of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.blas import dsymm, dtrsm
from scipy.linalg.lapack import dlauum, dpotrf, dpotrs, dtrtri

from labctl_models.surrogates.kernel import matern52, scaled_distances

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

LOG_2PI = math.log(2.0 * math.pi)
# Below these the covariance matrix of repeated recipes is singular to double precision, and nothing in the
# data can tell the difference; they are botorch's limits too, so that both search the same space.
SMALLEST_LENGTHSCALE = 0.025
SMALLEST_NOISE_VARIANCE = 1e-4
SMALLEST_PIVOT = 1e-5
JITTERS = (0.0, 1e-8, 1e-6, 1e-4)
# Up to this size LAPACK's own inverse of a triangle is quicker than halving it.
SMALL_TRIANGLE = 64


class NotPositiveDefiniteError(ArithmeticError):
    """No jitter on the list made the covariance matrix invertible."""


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A log-normal prior density of a positive number x: log x has mean `location` and sd `scale`."""

    location: float
    scale: float

    @property
    def mode(self) -> float:
        """Where the density of x is highest."""
        return math.exp(self.location - self.scale**2)

    @property
    def median(self) -> float:
        """The value that is too large as often as too small."""
        return math.exp(self.location)

    def log_density(self, log_x: Array) -> tuple[Array, Array]:
        """Log density of x at log x, and its derivative by log x.

        The density is that of x itself, so the most probable x does not depend on searching in log x.
        """
        z = (log_x - self.location) / self.scale
        value = -0.5 * z * z - log_x - math.log(self.scale) - 0.5 * LOG_2PI
        return value, -z / self.scale - 1.0


def lengthscale_prior(d: int) -> LogNormal:
    """Prior of every lengthscale for d columns: log-normal(√2 + ½ log d, √3).

    Typical distances in the unit cube grow as √d, so the lengthscales must too, or a surrogate of many
    columns believes that nothing is near anything. Hvarfner, Hellsten and Nardi, Vanilla Bayesian
    Optimization Performs Great in High Dimensions, ICML 2024.
    """
    return LogNormal(math.sqrt(2.0) + 0.5 * math.log(d), math.sqrt(3.0))


NOISE_PRIOR = LogNormal(-4.0, 1.0)
"""Prior of the noise variance as a share of the variance of y; the same source."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A covariance matrix made ready: lower Cholesky factor (n x n), and the jitter that it took."""

    lower: Array
    jitter: float

    def solve(self, b: Array) -> Array:
        """K⁻¹ b for b (n,) or (n x m)."""
        x, _ = dpotrs(self.lower, b, lower=1)
        return np.asarray(x, dtype=np.float64)

    def inverse_lower(self) -> Array:
        """L⁻¹ (n x n), lower triangular; for many right-hand sides its product is quicker than a solve."""
        inverse = np.zeros_like(self.lower, order="F")
        _invert_triangle(self.lower, inverse, 0, len(inverse))
        return inverse

    def upper_inverse(self) -> Array:
        """K⁻¹ (n x n) in the upper triangle, diagonal included; the rest is not to be read."""
        half, _ = dlauum(self.inverse_lower(), lower=1, overwrite_c=1)
        return np.asarray(half.T, dtype=np.float64)

    def extended(self, cross: Array, own: Array) -> Factor:
        """Factor of [[K, cross'], [cross, own]] for cross (m x n) and own (m x m), in O(n² m) for few m.

        The first n rows of the factor stay as they are, and so does the jitter.

        Raises:
            NotPositiveDefiniteError: the whole would need a jitter, or more of it; factorise it anew.
        """
        n, m = len(self.lower), len(own)
        rows = dtrsm(1.0, self.lower, np.asfortranarray(cross.T), lower=1).T
        rest = own - rows @ rows.T
        rest.flat[:: m + 1] += self.jitter
        corner, info = dpotrf(rest.T, lower=1, clean=1)
        # A pivot that is all rounding would spoil every row after it.
        if info != 0 or not (np.diagonal(corner) > SMALLEST_PIVOT).all():
            raise NotPositiveDefiniteError(f"{m} further measurements could not be added to {n}")
        lower = np.zeros((n + m, n + m), order="F")
        lower[:n, :n], lower[n:, :n], lower[n:, n:] = self.lower, rows, corner
        return Factor(lower, self.jitter)

    def log_determinant(self) -> float:
        """Log determinant of K."""
        return float(2.0 * np.log(np.diagonal(self.lower)).sum())


def _invert_triangle(lower: Array, inverse: Array, begin: int, end: int) -> None:
    """Write the inverse of the diagonal block [begin, end) of `lower`, by halves, into that of `inverse`."""
    if end - begin <= SMALL_TRIANGLE:
        inverse[begin:end, begin:end], _ = dtrtri(lower[begin:end, begin:end], lower=1)
        return
    half = (begin + end) // 2
    _invert_triangle(lower, inverse, begin, half)
    _invert_triangle(lower, inverse, half, end)
    between = lower[half:end, begin:half] @ inverse[begin:half, begin:half]
    np.matmul(-inverse[half:end, half:end], between, out=inverse[half:end, begin:half])


def factorise(K: Array) -> Factor:
    """Cholesky factor of K (n x n), with the smallest jitter on the diagonal that makes it possible.

    Raises:
        NotPositiveDefiniteError: even the largest jitter of the list was not enough.
    """
    for jitter in JITTERS:
        # K is symmetric, so its transpose is the copy in LAPACK's own order that is made without shuffling.
        padded = np.array(K.T, order="F")
        if jitter > 0.0:
            padded += jitter * np.eye(len(K))
        lower, info = dpotrf(padded, lower=1, clean=1, overwrite_a=1)
        if info == 0 and math.isfinite(lower[-1, -1]):
            return Factor(lower, jitter)
    raise NotPositiveDefiniteError(f"the covariance of {len(K)} measurements could not be inverted")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the data say about one setting of the hyperparameters.

    Attributes:
        log_likelihood: Log marginal likelihood of z.
        log_posterior: The same plus the log prior densities.
        mean: The constant mean that maximises both (generalised least squares).
        alpha: (n,) K⁻¹ (z - mean).
        factor: The covariance of z, factorised.
    """

    log_likelihood: float
    log_posterior: float
    mean: float
    alpha: Array
    factor: Factor


@dataclass(frozen=True, slots=True)
class Problem:
    """The fit to solve: X (n x d, centred for accuracy) and z (n,), the standardised y.

    The unknowns are theta = (log lengthscales (d), log noise variance). The constant mean has no prior and
    enters the likelihood as a square, so it is solved for exactly instead of searched.
    """

    X: Array
    z: Array

    @property
    def prior(self) -> LogNormal:
        """Prior of the lengthscales for this number of columns."""
        return lengthscale_prior(self.X.shape[1])

    def evaluate(self, lengthscales: Array, noise_variance: float) -> Evidence:
        """Evidence at the given hyperparameters, accurate rather than quick.

        Raises:
            NotPositiveDefiniteError: see `factorise`.
        """
        K, _ = matern52(scaled_distances(self.X / lengthscales))
        K.flat[:: len(K) + 1] += noise_variance
        factor = factorise(K)
        ones = factor.solve(np.ones(len(K)))
        mean = float(ones @ self.z / ones.sum())
        alpha = factor.solve(self.z - mean)
        fit = float((self.z - mean) @ alpha)
        likelihood = -0.5 * (fit + factor.log_determinant() + len(K) * LOG_2PI)
        priors, _ = self._priors(np.append(np.log(lengthscales), math.log(noise_variance)))
        return Evidence(likelihood, likelihood + priors, mean, alpha, factor)

    def negative(self, theta: Array) -> tuple[float, Array]:
        """Minus the log posterior at theta (d + 1,), and its gradient (d + 1,).

        With M = αα' - K⁻¹, d logL / d log l_k = ½ Σ_ij M_ij D_ij (x_ik - x_jk)² / l_k², D = -k'(r)/r, and
        the sum over pairs is one product with the n x d matrix. The mean contributes nothing, because the
        likelihood is flat in it at its best value. Rasmussen and Williams (2006), equation 5.9.

        Raises:
            NotPositiveDefiniteError: see `factorise`.
        """
        n, d = self.X.shape
        A = self.X * np.exp(-theta[:d])
        noise_variance = math.exp(theta[d])
        K, D = matern52(scaled_distances(A))
        K.flat[:: n + 1] += noise_variance
        factor = factorise(K)
        ones = factor.solve(np.ones(n))
        mean = float(ones @ self.z / ones.sum())
        residual = self.z - mean
        alpha = factor.solve(residual)
        likelihood = -0.5 * (float(residual @ alpha) + factor.log_determinant() + n * LOG_2PI)
        priors, gradient = self._priors(theta)
        # From here on only the upper triangles count: half the inverse is all that LAPACK computes, and
        # filling the other half costs as much again.
        M = np.outer(alpha, alpha)
        M -= factor.upper_inverse()
        gradient[d] += 0.5 * noise_variance * float(np.trace(M))
        M *= D
        # One symmetric product for M A and, by a column of ones, for the row sums of M.
        product = dsymm(1.0, M.T, np.column_stack([A, np.ones(n)]), lower=1)
        gradient[:d] += product[:, d] @ (A * A) - np.einsum("ij,ij->j", A, product[:, :d])
        return -(likelihood + priors), -gradient

    def _priors(self, theta: Array) -> tuple[float, Array]:
        lengths, length_slopes = self.prior.log_density(theta[:-1])
        noise, noise_slope = NOISE_PRIOR.log_density(theta[-1:])
        return float(lengths.sum() + noise.sum()), np.concatenate([length_slopes, noise_slope])
