"""The log posterior of the hyperparameters of several sources, and its analytic gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.blas import dsymm

from labctl_models.fidelity.coregion import Coregion
from labctl_models.surrogates.evidence import (
    LOG_2PI,
    NOISE_PRIOR,
    Factor,
    LogNormal,
    factorise,
    lengthscale_prior,
)
from labctl_models.surrogates.kernel import matern52, scaled_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

MEAN_VARIANCE = 1.0
"""Prior variance of each source's mean about its sample mean, in units of its sample variance."""


@dataclass(frozen=True, slots=True)
class Unknowns:
    """One setting: lengthscales (d,), noise variance of each source (m,), and their covariance B (m x m)."""

    lengthscales: Array
    noise: Array
    B: Array


@dataclass(frozen=True, slots=True)
class FidelityProblem:
    """The fit to solve: recipes X (n x d, centred), source (n,) and z (n,), standardised source by source.

    z_i = c_s + f_s(x_i) + noise of source s, where cov(f_s(x), f_t(x')) = B_st k(x, x') and each mean c_s is
    normal with variance `MEAN_VARIANCE` and integrated out. The unknowns are
    theta = (log lengthscales (d), log noise variances (m), phi of `Coregion`).
    """

    X: Array
    source: NDArray[np.intp]
    z: Array
    m: int

    @property
    def coregion(self) -> Coregion:
        """How the sources go together."""
        return Coregion(self.m)

    @property
    def prior(self) -> LogNormal:
        """Prior of every lengthscale."""
        return lengthscale_prior(self.X.shape[1])

    def unknowns(self, theta: Array) -> Unknowns:
        """Theta in its own units."""
        d = self.X.shape[1]
        return Unknowns(
            np.exp(theta[:d]), np.exp(theta[d : d + self.m]), self.coregion.matrix(theta[d + self.m :])
        )

    def covariance(self, unknowns: Unknowns) -> Array:
        """Covariance (n x n) of the n measurements."""
        k, _ = matern52(scaled_distances(self.X / unknowns.lengthscales))
        return self._covariance(unknowns, k)

    def _covariance(self, unknowns: Unknowns, k: Array) -> Array:
        among = np.ix_(self.source, self.source)
        K = unknowns.B[among] * k
        K += MEAN_VARIANCE * np.eye(self.m)[among]
        K.flat[:: len(K) + 1] += unknowns.noise[self.source]
        return np.asarray(K, dtype=np.float64)

    def log_likelihood(self, factor: Factor, alpha: Array) -> float:
        """Log marginal likelihood of z, from its factorised covariance K and K⁻¹z."""
        return -0.5 * (float(self.z @ alpha) + factor.log_determinant() + len(self.z) * LOG_2PI)

    def log_prior(self, theta: Array) -> tuple[float, Array]:
        """Log prior density at theta and its slope; for phi that of phi itself."""
        d, m, coregion = self.X.shape[1], self.m, self.coregion
        lengths, by_lengths = self.prior.log_density(theta[:d])
        noise, by_noise = NOISE_PRIOR.log_density(theta[d : d + m])
        away = (theta[d + m :] - coregion.location) / coregion.scale
        value = float(lengths.sum() + noise.sum() - 0.5 * (away @ away))
        return value, np.concatenate([by_lengths, by_noise, -away / coregion.scale])

    def negative(self, theta: Array) -> tuple[float, Array]:
        """Minus the log posterior at theta, up to a constant, and its gradient.

        With M = αα' - K⁻¹, the slope by any hyperparameter h is ½ Σ_ij M_ij dK_ij/dh (Rasmussen and
        Williams (2006), equation 5.9). Slopes by B are sums of M ∘ k over pairs of sources.

        Raises:
            NotPositiveDefiniteError: the covariance could not be factorised.
        """
        n, d = self.X.shape
        unknowns = self.unknowns(theta)
        A = self.X / unknowns.lengthscales
        k, D = matern52(scaled_distances(A))
        factor = factorise(self._covariance(unknowns, k))
        alpha = factor.solve(self.z)
        prior, gradient = self.log_prior(theta)
        # Only upper triangles count from here on, as in the fit of a single source.
        M = np.outer(alpha, alpha)
        M -= factor.upper_inverse()
        of_source = np.eye(self.m)[self.source]
        gradient[d : d + self.m] += 0.5 * unknowns.noise * (np.diagonal(M) @ of_source)
        upper = np.triu(M * k, 1)
        by_B = of_source.T @ upper @ of_source
        by_B = 0.5 * (by_B + by_B.T + np.diag(np.diagonal(M) @ of_source))
        gradient[d + self.m :] += self.coregion.pull_back(theta[d + self.m :], by_B)
        M *= D
        M *= unknowns.B[np.ix_(self.source, self.source)]
        product = dsymm(1.0, M.T, np.column_stack([A, np.ones(n)]), lower=1)
        gradient[:d] += product[:, d] @ (A * A) - np.einsum("ij,ij->j", A, product[:, :d])
        return -(self.log_likelihood(factor, alpha) + prior), -gradient
