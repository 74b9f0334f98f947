"""The default surrogate: a Gaussian process, fitted and evaluated in NumPy for one fit per experiment."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.blas import dtrsm

from labctl_models.card import Card, Hyperparameter, library_versions
from labctl_models.surrogates.data import checked, standardisation
from labctl_models.surrogates.evidence import (
    Evidence,
    Factor,
    NotPositiveDefiniteError,
    Problem,
    lengthscale_prior,
)
from labctl_models.surrogates.kernel import correlation, matern52, scaled_distances
from labctl_models.surrogates.protocol import Prediction
from labctl_models.surrogates.search import most_probable, usual_starts
from labctl_models.surrogates.sweep import BLOCK_ENTRIES, sweep
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botorch.models import SingleTaskGP

    from labctl_models.surrogates.protocol import Array

LIBRARIES = ("numpy", "scipy", "torch", "botorch", "gpytorch")
CHUNK_ENTRIES = BLOCK_ENTRIES
"""Entries of one block of the covariance of pool and data; a few such blocks are needed at a time."""


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """Gaussian process with constant mean, Matérn-5/2 covariance with a lengthscale per column, and noise.

    y is standardised (mean 0, sample sd 1); the signal variance is then fixed at 1, the noise variance is
    learned, and hyperparameters are set to their most probable values under the priors of Hvarfner et al.
    (ICML 2024). This is botorch's SingleTaskGP with
    `get_covar_module_with_dim_scaled_prior(use_rbf_kernel=False)`, and `FittedGP.to_botorch` returns it.

    Attributes:
        starts: From how many places the hyperparameters are searched; None decides by the number of rows.
    """

    starts: int | None = None

    def fit(
        self, X: Array, y: Array, *, seed: int, start: Mapping[str, Hyperparameter] | None = None
    ) -> FittedGP:
        """Fit X (n x d, unit cube) and y (n,); `start` is `card.hyperparameters` of an earlier fit.

        Raises:
            ValueError: X or y is empty, not finite, or of mismatched shape.
        """
        began = time.process_time()
        X, y = checked(X, y)
        shift, scale, remarks = standardisation(y)
        with one_thread():
            problem = Problem(X - X.mean(axis=0), (y / scale) - (shift / scale))
            starts = usual_starts(*X.shape) if self.starts is None else max(1, self.starts)
            found = most_probable(problem, seed=seed, start=start, starts=starts)
            lengthscales, noise_variance, evidence, more = _evidence_at_last(
                problem, found.lengthscales, found.noise_variance
            )
        remarks = (*remarks, *found.remarks, *more)
        return fitted_at(
            X,
            y,
            lengthscales,
            noise_variance,
            evidence,
            kind="gp-matern52",
            shift=shift,
            scale=scale,
            log_posterior=evidence.log_posterior,
            remarks=remarks,
            began=began,
        )


@dataclass(frozen=True, slots=True, eq=False)
class FittedGP:
    """A Gaussian process that has seen X (n x d) and y (n,).

    `lengthscales` are in the units of the cube; `noise_variance` and `mean` in those of the standardised
    (y - shift) / scale; `factor` is the covariance of the n measurements and `alpha` its inverse times them.
    """

    X: Array
    y: Array
    lengthscales: Array
    noise_variance: float
    mean: float
    shift: float
    scale: float
    factor: Factor
    alpha: Array
    card: Card

    @property
    def noise_sd(self) -> float:
        """Standard deviation of one measurement about the response, in the units of y."""
        return math.sqrt(self.noise_variance) * self.scale

    def predict(self, X: Array) -> Prediction:
        """Belief about the response at the rows of X (q x d); a pool of any size is taken in blocks."""
        X = self._query(X)
        with one_thread():
            swept = sweep(X, self.X, self.lengthscales, self.factor, self.alpha, entries=CHUNK_ENTRIES)
        sd = np.sqrt(np.maximum(1.0 - swept.explained, 0.0))
        return Prediction((swept.mean + self.mean) * self.scale + self.shift, sd * self.scale)

    def predict_with_slopes(self, X: Array) -> tuple[Prediction, Array, Array]:
        """Prediction at X (q x d), d mean / d x (q x d) and d sd / d x (q x d); for few rows, unblocked.

        Where the sd is 0 its slope is given as 0.
        """
        X = self._query(X)
        with one_thread():
            centre = self.X.mean(axis=0)
            A, B = (X - centre) / self.lengthscales, (self.X - centre) / self.lengthscales
            k, D = matern52(scaled_distances(A, B))
            w = self.factor.solve(k.T).T
            mean = k @ self.alpha + self.mean
            sd = np.sqrt(np.maximum(1.0 - np.einsum("ij,ij->i", k, w), 0.0))
            # dk_i/dx = -D_i (x - x_i) / l², contracted with alpha for the mean and with K⁻¹k for the variance
            slope_mean = -self._contract(D * self.alpha, A, B) / self.lengthscales
            slope_variance = 2.0 * self._contract(D * w, A, B) / self.lengthscales
        slope_sd = np.divide(
            slope_variance, 2.0 * sd[:, None], out=np.zeros_like(slope_variance), where=sd[:, None] > 0.0
        )
        belief = Prediction(mean * self.scale + self.shift, sd * self.scale)
        return belief, slope_mean * self.scale, slope_sd * self.scale

    def covariance(self, X: Array) -> Array:
        """Posterior covariance (q x q, units of y squared) of the response at the rows of X (q x d)."""
        X = self._query(X)
        with one_thread():
            centre = self.X.mean(axis=0)
            own, _ = matern52(scaled_distances((X - centre) / self.lengthscales))
            k = self._covariance_with_data(X)
            v = dtrsm(1.0, self.factor.lower, k.T, lower=1, overwrite_b=1)
            return np.asarray((own - v.T @ v) * self.scale**2, dtype=np.float64)

    def leave_one_out(self) -> Prediction:
        """Belief (n,) about the response at each measured recipe, from all the other measurements.

        With M = K⁻¹, mean_i = y_i - [M(y - m)]_i / M_ii and reading variance 1 / M_ii, of which the noise
        is taken off; Rasmussen and Williams (2006), equation 5.12. The hyperparameters, constant mean and
        standardisation stay as fitted to all. A replicate leaves its twins in.
        """
        with one_thread():
            precision = np.diagonal(self.factor.upper_inverse())
        mean = (self.y - self.shift) / self.scale - self.alpha / precision
        sd = np.sqrt(np.maximum(1.0 / precision - self.noise_variance, 0.0))
        return Prediction(mean * self.scale + self.shift, sd * self.scale)

    def condition_on(self, X_new: Array, y_new: Array) -> FittedGP:
        """The same hyperparameters with further measurements, real or supposed (pending experiments).

        Constant mean and standardisation stay too. The card keeps the likelihood of the original fit and
        says how many rows were added.

        Raises:
            ValueError: the shapes do not match, or a value is not finite.
        """
        X_new, y_new = checked(X_new, y_new)
        X = np.vstack([self.X, self._query(X_new)])
        y = np.concatenate([self.y, y_new])
        with one_thread():
            problem = Problem(X - X.mean(axis=0), (y / self.scale) - (self.shift / self.scale))
            factor = self._extended(X_new)
            if factor is None:
                factor = problem.evaluate(self.lengthscales, self.noise_variance).factor
            alpha = factor.solve(problem.z - self.mean)
        remark = f"Conditioned on {len(y_new)} further measurements without fitting again."
        card = replace(self.card, n=len(y), remarks=(*self.card.remarks, remark))
        return replace(self, X=X, y=y, factor=factor, alpha=alpha, card=card)

    def _extended(self, X_new: Array) -> Factor | None:
        """The factor with further rows, or None where it has to be computed anew, being near singular."""
        cross = self._covariance_with_data(X_new)
        own, _ = matern52(scaled_distances((X_new - self.X.mean(axis=0)) / self.lengthscales))
        own.flat[:: len(own) + 1] += self.noise_variance
        try:
            return self.factor.extended(cross, own)
        except NotPositiveDefiniteError:
            return None

    def to_botorch(self) -> SingleTaskGP:
        """The same model as a botorch SingleTaskGP in evaluation mode (double precision, CPU)."""
        from labctl_models.surrogates.botorch_twin import twin_of  # noqa: PLC0415  torch takes seconds to load

        return twin_of(self)

    def _query(self, X: Array) -> Array:
        X = np.ascontiguousarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != self.X.shape[1]:  # noqa: PLR2004  a matrix has 2 axes
            raise ValueError(f"X has shape {X.shape}; this surrogate was fitted to {self.X.shape[1]} columns")
        return X

    def _covariance_with_data(self, X: Array) -> Array:
        centre = self.X.mean(axis=0)
        return correlation(
            scaled_distances((X - centre) / self.lengthscales, (self.X - centre) / self.lengthscales)
        )

    @staticmethod
    def _contract(weights: Array, A: Array, B: Array) -> Array:
        """Σ_i weights_qi (a_q - b_i), q x d, without the q x n x d array."""
        return np.asarray(weights.sum(axis=1)[:, None] * A - weights @ B, dtype=np.float64)


def fitted_at(
    X: Array,
    y: Array,
    lengthscales: Array,
    noise_variance: float,
    evidence: Evidence,
    *,
    kind: str,
    shift: float,
    scale: float,
    log_posterior: float,
    remarks: tuple[str, ...],
    began: float,
) -> FittedGP:
    """The process at these hyperparameters, with its card; `began` is the processor time at the start."""
    card = Card(
        kind=kind,
        hyperparameters={
            "lengthscales": tuple(lengthscales.tolist()),
            "noise_variance": noise_variance,
            "mean": evidence.mean,
            "y_shift": shift,
            "y_scale": scale,
        },
        n=X.shape[0],
        d=X.shape[1],
        log_marginal_likelihood=evidence.log_likelihood,
        log_posterior=log_posterior,
        remarks=remarks,
        versions=library_versions(LIBRARIES),
        seconds=time.process_time() - began,
    )
    return FittedGP(
        X=X,
        y=y,
        lengthscales=lengthscales,
        noise_variance=noise_variance,
        mean=evidence.mean,
        shift=shift,
        scale=scale,
        factor=evidence.factor,
        alpha=evidence.alpha,
        card=card,
    )


def _evidence_at_last(
    problem: Problem, lengthscales: Array, noise_variance: float
) -> tuple[Array, float, Evidence, tuple[str, ...]]:
    """Evidence where the search ended; where that fails, at ever safer places, with a remark each time."""
    typical = np.full(problem.X.shape[1], lengthscale_prior(problem.X.shape[1]).median)
    tries = [(lengthscales, noise_variance), (typical, max(noise_variance, 0.1)), (typical, 1.0)]
    remarks: list[str] = []
    for lengths, noise in tries:
        try:
            evidence = problem.evaluate(lengths, noise)
        except NotPositiveDefiniteError:
            remarks.append("The covariance could not be inverted; typical lengthscales, more noise follow.")
            continue
        if evidence.factor.jitter:
            remarks.append(f"A jitter of {evidence.factor.jitter:g} was added to the covariance.")
        return lengths, noise, evidence, tuple(remarks)
    raise AssertionError("unreachable: a unit covariance plus a unit noise variance is positive definite")
