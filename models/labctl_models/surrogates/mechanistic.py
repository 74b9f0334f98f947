"""A Gaussian process about a law with named constants, which are learnt together with what it misses."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.card import Card, library_versions
from labctl_models.surrogates.basis import VAGUE, BasisProblem, Constants, Law, least_squares
from labctl_models.surrogates.data import checked, checked_rows, standardisation
from labctl_models.surrogates.evidence import NotPositiveDefiniteError, lengthscale_prior
from labctl_models.surrogates.gp import CHUNK_ENTRIES, LIBRARIES
from labctl_models.surrogates.kernel import correlation, scaled_distances
from labctl_models.surrogates.protocol import Prediction
from labctl_models.surrogates.search import most_probable, usual_starts
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.card import Hyperparameter
    from labctl_models.surrogates.basis import BasisEvidence
    from labctl_models.surrogates.protocol import Array

SMALLEST_SHARE = 1e-6


@dataclass(frozen=True, slots=True)
class MechanisticGaussianProcess:
    """Law plus discrepancy plus noise: y = Σ b_j h_j(x) + f(x) + e.

    f is a Gaussian process of mean 0 with Matérn-5/2 covariance, a lengthscale per column and the variance
    that least squares leaves over; its priors are those of `GaussianProcess`. The constants are integrated
    out (Rasmussen and Williams 2006, section 2.7). A long lengthscale can take over part of the law's trend
    (Kennedy and O'Hagan's confounding), so `FittedMechanistic` gives the constants with and without f.

    Attributes:
        law: The law.
        starts: From how many places the hyperparameters are searched; None decides by the number of rows.
    """

    law: Law
    starts: int | None = None

    def fit(
        self, X: Array, y: Array, *, seed: int, start: Mapping[str, Hyperparameter] | None = None
    ) -> FittedMechanistic:
        """Fit X (n x d, unit cube) and y (n,).

        Raises:
            ValueError: X or y is empty, not finite, or of mismatched shape, or so is the law's basis.
        """
        began = time.process_time()
        X, y = checked(X, y)
        H = self.law.values(X)
        _, spread, remarks = standardisation(y)
        alone = least_squares(self.law, H, y)
        left = y - H @ alone.mean
        scale = max(math.sqrt(float(left @ left) / max(1, len(y) - H.shape[1])), SMALLEST_SHARE * spread)
        units = _units(self.law, H, y, scale)
        with one_thread():
            problem = BasisProblem(
                X - X.mean(axis=0), y / scale, H * units.column, units.mean, 1.0 / units.sd**2
            )
            starts = usual_starts(len(y)) if self.starts is None else max(1, self.starts)
            found = most_probable(problem, seed=seed, start=start, starts=starts)
            lengthscales, noise_variance = found.lengthscales, found.noise_variance
            try:
                evidence = problem.evidence(lengthscales, noise_variance)
            except NotPositiveDefiniteError:
                lengthscales, noise_variance = np.full(X.shape[1], lengthscale_prior(X.shape[1]).median), 1.0
                evidence = problem.evidence(lengthscales, noise_variance)
                remarks = (*remarks, "The covariance could not be inverted; typical values were used.")
        back = units.column * scale
        covariance = evidence.precision.solve(np.eye(len(back))) * np.outer(back, back)
        constants = Constants(self.law.names, evidence.constants * back, covariance)
        values: dict[str, Hyperparameter] = {
            "lengthscales": tuple(lengthscales.tolist()),
            "noise_variance": noise_variance,
            "y_scale": scale,
            "constants": tuple(constants.mean.tolist()),
            "constants_sd": tuple(constants.sd.tolist()),
        }
        card = Card(
            kind="gp-mechanistic",
            hyperparameters=values,
            n=X.shape[0],
            d=X.shape[1],
            log_marginal_likelihood=evidence.log_likelihood,
            log_posterior=evidence.log_posterior,
            remarks=(*remarks, *found.remarks),
            versions=library_versions(LIBRARIES),
            seconds=time.process_time() - began,
        )
        return FittedMechanistic(
            law=self.law,
            X=X,
            column=units.column,
            lengthscales=lengthscales,
            noise_variance=noise_variance,
            scale=scale,
            evidence=evidence,
            constants=constants,
            constants_alone=alone,
            card=card,
        )


@dataclass(frozen=True, slots=True, eq=False)
class FittedMechanistic:
    """A law and its discrepancy that have seen X (n x d).

    Attributes:
        constants: Posterior of the law's constants beside the discrepancy.
        constants_alone: The same by least squares, as if the law missed nothing but noise.
        scale: sd of what least squares left over; the Gaussian process lives in these units.
    """

    law: Law
    X: Array
    column: Array
    lengthscales: Array
    noise_variance: float
    scale: float
    evidence: BasisEvidence
    constants: Constants
    constants_alone: Constants
    card: Card

    @property
    def noise_sd(self) -> float:
        """Standard deviation of one measurement about the response, in the units of y."""
        return math.sqrt(self.noise_variance) * self.scale

    def predict(self, X: Array) -> Prediction:
        """Belief about the response at the rows of X (q x d), the constants' uncertainty included.

        Raises:
            ValueError: the law has no finite value at a row.
        """
        X = checked_rows(X, self.card.d)
        mean, variance = np.empty(len(X)), np.empty(len(X))
        rows = max(1, CHUNK_ENTRIES // len(self.X))
        with one_thread():
            for begin in range(0, len(X), rows):
                block = slice(begin, begin + rows)
                mean[block], variance[block] = self._block(X[block])
        return Prediction(mean * self.scale, np.sqrt(np.maximum(variance, 0.0)) * self.scale)

    def _block(self, X: Array) -> tuple[Array, Array]:
        centre = self.X.mean(axis=0)
        k = correlation(
            scaled_distances((X - centre) / self.lengthscales, (self.X - centre) / self.lengthscales)
        )
        h = self.law.values(X) * self.column
        found = self.evidence
        unexplained = 1.0 - np.einsum("qn,nq->q", k, found.factor.solve(np.ascontiguousarray(k.T)))
        R = h - k @ found.weighted
        by_constants = np.einsum("qb,bq->q", R, found.precision.solve(np.ascontiguousarray(R.T)))
        return h @ found.constants + k @ found.alpha, unexplained + by_constants


@dataclass(frozen=True, slots=True)
class _Units:
    """Units in which all constants are of order one: a factor for each column, prior mean and sd in them."""

    column: Array
    mean: Array
    sd: Array


def _units(law: Law, H: Array, y: Array, scale: float) -> _Units:
    # A column of size 1 times a constant of size 1 then makes a contribution of the size of y.
    reach = float(np.sqrt(np.mean(y**2))) / scale or 1.0
    size = np.sqrt(np.mean(H**2, axis=0))
    column = np.asarray(reach / np.where(size > 0.0, size, 1.0), dtype=np.float64)
    zeros = (0.0,) * len(law.names)
    mean = np.asarray(law.prior_mean or zeros, dtype=np.float64) / (column * scale)
    sd = np.asarray(law.prior_sd or (math.inf,) * len(law.names), dtype=np.float64) / (column * scale)
    return _Units(column, mean, np.minimum(sd, VAGUE))
