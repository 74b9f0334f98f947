"""The law in a mechanistic surrogate: its basis, its constants, and the evidence with a law for a mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.linalg.blas import dsymm

from labctl_models.surrogates.evidence import LOG_2PI, Factor, Problem, factorise
from labctl_models.surrogates.kernel import matern52, scaled_distances
from labctl_models.surrogates.protocol import Array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Basis: TypeAlias = Callable[[Array], Array]
VAGUE = 1_000.0


@dataclass(frozen=True, slots=True)
class Law:
    """A law linear in its constants: y = Σ_j b_j h_j(x).

    Attributes:
        names: (b,) names of the constants, such as ("s0", "k").
        basis: Maps X (q x d, as the surrogate gets it) to the values h (q x b). An additive constant is a
            column of ones like any other.
        prior_mean: (b,) what the constants are believed to be, in their own units; None for zeros.
        prior_sd: (b,) how surely; inf for no opinion, which is computed as 1,000 times the size that the
            constant would have if its term alone made up y. None for no opinion on any.
    """

    names: tuple[str, ...]
    basis: Basis
    prior_mean: tuple[float, ...] | None = None
    prior_sd: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a law whose parts do not match."""
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError("a law needs at least one constant, each with a name of its own")
        for values in (self.prior_mean, self.prior_sd):
            if values is not None and len(values) != len(self.names):
                raise ValueError(f"the law has {len(self.names)} constants but {len(values)} prior values")
        if self.prior_sd is not None and not all(sd > 0.0 for sd in self.prior_sd):
            raise ValueError("the prior sd of a constant must be positive; use inf for no opinion")

    def values(self, X: Array) -> Array:
        """The basis (q x b) at the rows of X (q x d).

        Raises:
            ValueError: it has another shape, or a value is not finite.
        """
        with np.errstate(all="ignore"):  # what overflows is refused below, in words
            H = np.asarray(self.basis(X), dtype=np.float64)
        if H.shape != (len(X), len(self.names)):
            raise ValueError(f"the law's basis has shape {H.shape}, not {(len(X), len(self.names))}")
        bad = np.flatnonzero(~np.isfinite(H).all(axis=1))
        if bad.size:
            raise ValueError(f"the law has no finite value at row {bad[0] + 1}; keep it within its range")
        return H


@dataclass(frozen=True, slots=True, eq=False)
class Constants:
    """Belief about a law's constants: normal with mean (b,) and covariance (b x b), in their own units."""

    names: tuple[str, ...]
    mean: Array
    covariance: Array

    @property
    def sd(self) -> Array:
        """(b,) standard deviations."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance), 0.0))


def least_squares(law: Law, H: Array, y: ArrayLike) -> Constants:
    """The constants by ordinary least squares: what they would be if the law missed nothing but noise.

    With no more rows than constants the noise cannot be estimated and the covariance is infinite.
    """
    y = np.asarray(y, dtype=np.float64)
    size = np.sqrt(np.mean(H**2, axis=0))
    size = np.where(size > 0.0, size, 1.0)
    mean, _, rank, _ = np.linalg.lstsq(H / size, y, rcond=None)
    spare = len(y) - H.shape[1]
    if spare < 1 or rank < H.shape[1]:
        return Constants(law.names, mean / size, np.full((H.shape[1], H.shape[1]), np.inf))
    variance = float(np.sum((y - (H / size) @ mean) ** 2)) / spare
    inverse = np.linalg.inv((H / size).T @ (H / size))
    return Constants(law.names, mean / size, variance * inverse / np.outer(size, size))


@dataclass(frozen=True, slots=True, eq=False)
class BasisEvidence:
    """What the data say at one setting of the hyperparameters, with the constants integrated out.

    Attributes:
        log_likelihood: Log marginal likelihood of z.
        log_posterior: The same plus the log prior densities of the hyperparameters.
        constants: (b,) their posterior mean, in the units of the scaled problem.
        precision: Factor of A (b x b), the inverse of their posterior covariance.
        alpha: (n,) K⁻¹ (z - H constants).
        factor: The covariance K of z about the law, factorised.
        weighted: (n x b) K⁻¹ H.
    """

    log_likelihood: float
    log_posterior: float
    constants: Array
    precision: Factor
    alpha: Array
    factor: Factor
    weighted: Array


@dataclass(frozen=True, slots=True, eq=False)
class BasisProblem(Problem):
    """The fit with mean H b, b ~ N(prior mean, diag(1 / precision)); z is not centred.

    Rasmussen and Williams (2006), section 2.7. The constants are integrated out: z ~ N(H b0, K + H B H'),
    whose inverse is P = K⁻¹ - K⁻¹H A⁻¹H'K⁻¹ with A = B⁻¹ + H'K⁻¹H, so no vague prior enters a matrix that
    has to be inverted.
    """

    H: Array
    prior_mean: Array
    prior_precision: Array

    def evidence(self, lengthscales: Array, noise_variance: float) -> BasisEvidence:
        """Evidence at the given hyperparameters.

        Raises:
            NotPositiveDefiniteError: see `factorise`.
        """
        K, _ = matern52(scaled_distances(self.X / lengthscales))
        K.flat[:: len(K) + 1] += noise_variance
        likelihood, step, precision, factor, weighted = self._solve(K)
        constants = self.prior_mean + step
        alpha = factor.solve(self.z - self.H @ constants)
        theta = np.append(np.log(lengthscales), math.log(noise_variance))
        priors, _ = self._priors(theta)
        return BasisEvidence(likelihood, likelihood + priors, constants, precision, alpha, factor, weighted)

    def negative(self, theta: Array) -> tuple[float, Array]:
        """Minus the log posterior at theta (d + 1,), and its gradient; as `Problem.negative` with P for K⁻¹.

        Raises:
            NotPositiveDefiniteError: see `factorise`.
        """
        n, d = self.X.shape
        A = self.X * np.exp(-theta[:d])
        noise_variance = math.exp(theta[d])
        K, D = matern52(scaled_distances(A))
        K.flat[:: n + 1] += noise_variance
        likelihood, step, precision, factor, weighted = self._solve(K)
        alpha = factor.solve(self.z - self.H @ (self.prior_mean + step))
        priors, gradient = self._priors(theta)
        M = np.outer(alpha, alpha)
        M -= factor.upper_inverse()
        M += weighted @ precision.solve(np.ascontiguousarray(weighted.T))
        gradient[d] += 0.5 * noise_variance * float(np.trace(M))
        M *= D
        product = dsymm(1.0, M.T, np.column_stack([A, np.ones(n)]), lower=1)
        gradient[:d] += product[:, d] @ (A * A) - np.einsum("ij,ij->j", A, product[:, :d])
        return -(likelihood + priors), -gradient

    def _solve(self, K: Array) -> tuple[float, Array, Factor, Factor, Array]:
        """Log likelihood, posterior less prior mean of the constants, factors of A and K, and K⁻¹H."""
        factor = factorise(K)
        weighted = factor.solve(self.H)
        precision = factorise(np.diag(self.prior_precision) + self.H.T @ weighted)
        residual = self.z - self.H @ self.prior_mean
        pulled = weighted.T @ residual
        step = precision.solve(pulled)
        fit = float(residual @ factor.solve(residual) - pulled @ step)
        determinant = (
            factor.log_determinant() + precision.log_determinant() - float(np.log(self.prior_precision).sum())
        )
        return -0.5 * (fit + determinant + len(K) * LOG_2PI), step, precision, factor, weighted
