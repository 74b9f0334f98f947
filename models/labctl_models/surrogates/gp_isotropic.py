"""A Gaussian process with one lengthscale for all columns: two numbers to learn instead of d + 1."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from labctl_models.surrogates.data import checked, standardisation
from labctl_models.surrogates.evidence import (
    LOG_2PI,
    NOISE_PRIOR,
    SMALLEST_LENGTHSCALE,
    SMALLEST_NOISE_VARIANCE,
    NotPositiveDefiniteError,
    Problem,
    factorise,
    lengthscale_prior,
)
from labctl_models.surrogates.gp import FittedGP, fitted_at
from labctl_models.surrogates.kernel import matern52, scaled_distances
from labctl_models.surrogates.search import HOPELESS, LARGEST_LOG, LARGEST_NOISE_LOG
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.card import Hyperparameter
    from labctl_models.surrogates.evidence import LogNormal
    from labctl_models.surrogates.protocol import Array


@dataclass(frozen=True, slots=True)
class IsotropicGaussianProcess:
    """Gaussian process with constant mean, Matérn-5/2 covariance of one lengthscale, and noise.

    Priors, standardisation and predictions are those of `GaussianProcess`; the prior of the lengthscale
    counts once. Distances do not change during the search, so a step costs one factorisation.
    """

    def fit(
        self,
        X: Array,
        y: Array,
        *,
        seed: int,  # noqa: ARG002  the two starts are fixed
        start: Mapping[str, Hyperparameter] | None = None,  # noqa: ARG002  two numbers are found quickly
    ) -> FittedGP:
        """Fit X (n x d, unit cube) and y (n,).

        Raises:
            ValueError: X or y is empty, not finite, or of mismatched shape.
        """
        began = time.process_time()
        X, y = checked(X, y)
        d = X.shape[1]
        shift, scale, remarks = standardisation(y)
        with one_thread():
            centred = X - X.mean(axis=0)
            z = (y / scale) - (shift / scale)
            search = _Search(scaled_distances(centred), z, lengthscale_prior(d))
            theta, height = search.best()
            lengthscales, noise_variance = np.full(d, math.exp(theta[0])), math.exp(theta[1])
            evidence = Problem(centred, z).evaluate(lengthscales, noise_variance)
        return fitted_at(
            X,
            y,
            lengthscales,
            noise_variance,
            evidence,
            kind="gp-matern52-isotropic",
            shift=shift,
            scale=scale,
            log_posterior=height,
            remarks=remarks,
            began=began,
        )


@dataclass(frozen=True, slots=True)
class _Search:
    """Distances (n x n) in the cube, z (n,) and the prior of the one lengthscale."""

    R: Array
    z: Array
    prior: LogNormal

    def best(self) -> tuple[Array, float]:
        """Log lengthscale and log noise variance, and the log posterior there; the higher of two climbs."""
        bounds = [
            (math.log(SMALLEST_LENGTHSCALE), LARGEST_LOG),
            (math.log(SMALLEST_NOISE_VARIANCE), LARGEST_NOISE_LOG),
        ]
        starts = (
            (math.log(self.prior.mode), math.log(NOISE_PRIOR.mode)),
            (self.prior.location, math.log(3.0 * SMALLEST_NOISE_VARIANCE)),
        )
        ends = []
        for start in starts:
            inside = [min(max(value, low), high) for value, (low, high) in zip(start, bounds, strict=True)]
            ends.append(minimize(self.negative, inside, jac=True, method="L-BFGS-B", bounds=bounds))
        end = min(ends, key=lambda found: float(found.fun))
        return np.asarray(end.x, dtype=np.float64), -float(end.fun)

    def negative(self, theta: Array) -> tuple[float, Array]:
        """Minus the log posterior and its gradient (2,); as `Problem.negative`, with all lengthscales one."""
        r = self.R * math.exp(-theta[0])
        K, D = matern52(r)
        noise_variance = math.exp(theta[1])
        n = len(self.z)
        K.flat[:: n + 1] += noise_variance
        try:
            factor = factorise(K)
        except NotPositiveDefiniteError:
            return HOPELESS, np.zeros(2)
        ones = factor.solve(np.ones(n))
        residual = self.z - float(ones @ self.z / ones.sum())
        alpha = factor.solve(residual)
        likelihood = -0.5 * (float(residual @ alpha) + factor.log_determinant() + n * LOG_2PI)
        length, length_slope = self.prior.log_density(theta[:1])
        noise, noise_slope = NOISE_PRIOR.log_density(theta[1:])
        # The upper triangle twice is the whole: r is 0 on the diagonal.
        M = np.triu(np.outer(alpha, alpha) - factor.upper_inverse())
        by_length = float(np.einsum("ij,ij,ij,ij->", M, D, r, r))
        by_noise = 0.5 * noise_variance * float(np.trace(M))
        gradient = np.array([by_length + length_slope[0], by_noise + noise_slope[0]])
        return -(likelihood + float(length[0] + noise[0])), -gradient
