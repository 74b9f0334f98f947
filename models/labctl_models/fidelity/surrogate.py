"""A Gaussian process over recipes and sources, in which each source teaches what it knows of the others."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.blas import dtrsm

from labctl_models.card import Card, Hyperparameter, library_versions
from labctl_models.fidelity.evidence import MEAN_VARIANCE, FidelityProblem, Unknowns
from labctl_models.fidelity.search import most_probable, usual_starts
from labctl_models.surrogates.data import checked, checked_labels, checked_rows, standardisation
from labctl_models.surrogates.evidence import Factor, factorise
from labctl_models.surrogates.kernel import correlation, matern52, scaled_distances
from labctl_models.surrogates.protocol import Prediction
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from labctl_models.surrogates.protocol import Array

LIBRARIES = ("numpy", "scipy")
CHUNK_ENTRIES = 2_000_000
"""Entries of one block of the pool-by-data covariance: 16 MB a block, a few blocks at a time."""


@dataclass(frozen=True, slots=True)
class FidelityProcess:
    """Gaussian process over recipes x sources by intrinsic coregionalisation; the last source is the target.

    cov(f_s(x), f_t(x')) = B_st k(x, x') with one Matérn-5/2 covariance k, a lengthscale per column, and a
    free matrix B (Goovaerts, Geostatistics for Natural Resources Evaluation (1997); Bonilla, Chai and
    Williams, NeurIPS 2007). The autoregressive form of Kennedy and O'Hagan, Biometrika 87, 1 (2000), asks
    the sources to be in order and gives each step lengthscales of its own. A dozen target measurements
    cannot settle those, while here every cheap reading also teaches along which columns the target varies.
    Measurements come as one list, so any source may be missing at any recipe.

    Attributes:
        m: How many sources there are, numbered 0 to m - 1.
        starts: From how many places the hyperparameters are searched; None decides by the number of rows.
    """

    m: int
    starts: int | None = None

    def fit(
        self,
        X: ArrayLike,
        source: ArrayLike,
        y: ArrayLike,
        *,
        seed: int,
        start: Mapping[str, Hyperparameter] | None = None,
    ) -> FittedFidelities:
        """Fit recipes X (n x d, unit cube), source numbers (n,) and y (n,), each in its source's units.

        `start` is `card.hyperparameters` of an earlier fit. A source without a measurement is believed to
        go with the others as the priors say.

        Raises:
            ValueError: an argument is empty, not finite or of mismatched shape, or a source is not below m.
        """
        began = time.process_time()
        X, y = checked(X, y)
        X, source = checked_labels(X, source, self.m)
        shift, scale, remarks = _standardisations(y, source, self.m)
        z = y / scale[source] - shift[source] / scale[source]
        problem = FidelityProblem(X - X.mean(axis=0), source, z, self.m)
        with one_thread():
            starts = usual_starts(len(y)) if self.starts is None else max(1, self.starts)
            theta, more = most_probable(problem, seed=seed, start=start, starts=starts)
            unknowns = problem.unknowns(theta)
            factor = factorise(problem.covariance(unknowns))
            alpha = factor.solve(z)
            prior, _ = problem.log_prior(theta)
            likelihood = problem.log_likelihood(factor, alpha)
        amplitude = np.sqrt(np.diagonal(unknowns.B))
        card = Card(
            kind="gp-matern52-fidelities",
            hyperparameters={
                "lengthscales": tuple(unknowns.lengthscales.tolist()),
                "noise_variances": tuple(unknowns.noise.tolist()),
                "phi": tuple(theta[X.shape[1] + self.m :].tolist()),
                "correlation_with_target": tuple(
                    (unknowns.B[-1] / amplitude / amplitude[-1])[: self.m - 1].tolist()
                ),
                "y_shift": tuple(shift.tolist()),
                "y_scale": tuple(scale.tolist()),
            },
            n=len(y),
            d=X.shape[1],
            log_marginal_likelihood=likelihood,
            log_posterior=likelihood + prior,
            remarks=(*remarks, *more),
            versions=library_versions(LIBRARIES),
            seconds=time.process_time() - began,
        )
        return FittedFidelities(X, source, y, unknowns, shift, scale, factor, alpha, card)


@dataclass(frozen=True, slots=True)
class Joint:
    """Belief, at q recipes, about a reading of one source beside the response of the target.

    Attributes:
        mean, sd: (q,) the noise-free response of the target.
        reading_sd: (q,) the next reading of the source, its noise included.
        correlation: (q,) between that reading and the target's response.
    """

    mean: Array
    sd: Array
    reading_sd: Array
    correlation: Array


@dataclass(frozen=True, slots=True, eq=False)
class FittedFidelities:
    """A process over sources that has seen X (n x d), source (n,) and y (n,).

    `unknowns` are in units of each source's (y - shift) / scale; `factor` is the covariance of the n
    measurements and `alpha` its inverse times them.
    """

    X: Array
    source: NDArray[np.intp]
    y: Array
    unknowns: Unknowns
    shift: Array
    scale: Array
    factor: Factor
    alpha: Array
    card: Card

    @property
    def m(self) -> int:
        """How many sources there are; the last is the target."""
        return len(self.scale)

    @property
    def correlations(self) -> Array:
        """Correlation (m,) of each source with the target, recipes alike; the last is 1."""
        amplitude = np.sqrt(np.diagonal(self.unknowns.B))
        return np.asarray(self.unknowns.B[-1] / amplitude / amplitude[-1], dtype=np.float64)

    def noise_sd(self, source: int) -> float:
        """Standard deviation of one measurement of a source about its response, in the units of its y."""
        return float(np.sqrt(self.unknowns.noise[source]) * self.scale[source])

    def predict(self, X: ArrayLike, source: ArrayLike) -> Prediction:
        """Belief about the noise-free response of a source, or one per row (q,), at the rows of X (q x d)."""
        X, source = self._query(X, source)
        mean, variance = np.empty(len(X)), np.empty(len(X))
        with one_thread():
            for block in self._blocks(len(X)):
                k = self._with_data(X[block], source[block])
                mean[block] = k @ self.alpha
                v = dtrsm(1.0, self.factor.lower, k.T, lower=1)
                variance[block] = self._own(source[block]) - np.einsum("ij,ij->j", v, v)
        scale = self.scale[source]
        return Prediction(mean * scale + self.shift[source], np.sqrt(np.maximum(variance, 0.0)) * scale)

    def covariance(self, X: ArrayLike, source: ArrayLike) -> Array:
        """Posterior covariance (q x q) of the responses at the rows of X (q x d), each in its own units."""
        X, source = self._query(X, source)
        with one_thread():
            k, _ = matern52(scaled_distances((X - self._centre()) / self.unknowns.lengthscales))
            among = np.ix_(source, source)
            prior = self.unknowns.B[among] * k + MEAN_VARIANCE * np.eye(self.m)[among]
            v = dtrsm(1.0, self.factor.lower, self._with_data(X, source).T, lower=1)
            scale = self.scale[source]
            return np.asarray((prior - v.T @ v) * np.outer(scale, scale), dtype=np.float64)

    def joint(self, X: ArrayLike, source: int) -> Joint:
        """Belief about a source's next reading and the target's response, at the same recipes X (q x d)."""
        X, sources = self._query(X, source)
        target = np.full(len(X), self.m - 1)
        mean, variance, reading, shared = np.empty((4, len(X)))
        with one_thread():
            for block in self._blocks(len(X)):
                k = self._correlation(X[block])
                k_target = self._with_data(X[block], target[block], k)
                v_target = dtrsm(1.0, self.factor.lower, k_target.T, lower=1)
                v = dtrsm(1.0, self.factor.lower, self._with_data(X[block], sources[block], k).T, lower=1)
                mean[block] = k_target @ self.alpha
                variance[block] = self._own(target[block]) - np.einsum("ij,ij->j", v_target, v_target)
                reading[block] = self._own(sources[block]) - np.einsum("ij,ij->j", v, v)
                shared[block] = np.einsum("ij,ij->j", v, v_target)
        shared = self.unknowns.B[source, -1] + MEAN_VARIANCE * (source == self.m - 1) - shared
        sd = np.sqrt(np.maximum(variance, 0.0))
        reading_sd = np.sqrt(np.maximum(reading, 0.0) + self.unknowns.noise[source])
        correlation = np.divide(shared, sd * reading_sd, out=np.zeros(len(X)), where=sd > 0.0)
        return Joint(
            mean * self.scale[-1] + self.shift[-1],
            sd * self.scale[-1],
            reading_sd * self.scale[source],
            np.clip(correlation, -1.0, 1.0),
        )

    def leave_one_out(self) -> Prediction:
        """Belief (n,) about each measurement's response from all the others, at the hyperparameters of all.

        Rasmussen and Williams (2006), equation 5.12; the means of the sources are left out with their
        reading, the standardisation and the hyperparameters are not.
        """
        with one_thread():
            precision = np.diagonal(self.factor.upper_inverse())
        z = self.y / self.scale[self.source] - self.shift[self.source] / self.scale[self.source]
        variance = np.maximum(1.0 / precision - self.unknowns.noise[self.source], 0.0)
        scale = self.scale[self.source]
        return Prediction(
            (z - self.alpha / precision) * scale + self.shift[self.source], np.sqrt(variance) * scale
        )

    def with_rows(self, rows: NDArray[np.intp]) -> FittedFidelities:
        """The same hyperparameters and units with only these of the measurements."""
        remark = f"Made with {len(rows)} of {len(self.y)} measurements without fitting again."
        card = replace(self.card, n=len(rows), remarks=(*self.card.remarks, remark))
        return self._with(self.X[rows], self.source[rows], self.y[rows], card)

    def condition_on(self, X_new: ArrayLike, source: ArrayLike, y_new: ArrayLike) -> FittedFidelities:
        """The same hyperparameters with further measurements, real or supposed (pending experiments).

        Raises:
            ValueError: the shapes do not match, or a value is not finite.
        """
        X_new, y_new = checked(X_new, y_new)
        X_new, new_source = self._query(X_new, source)
        remark = f"Conditioned on {len(y_new)} further measurements without fitting again."
        card = replace(self.card, n=len(self.y) + len(y_new), remarks=(*self.card.remarks, remark))
        source = np.concatenate([self.source, new_source])
        return self._with(np.vstack([self.X, X_new]), source, np.concatenate([self.y, y_new]), card)

    def _with(self, X: Array, source: NDArray[np.intp], y: Array, card: Card) -> FittedFidelities:
        z = y / self.scale[source] - self.shift[source] / self.scale[source]
        problem = FidelityProblem(X - X.mean(axis=0), source, z, self.m)
        with one_thread():
            factor = factorise(problem.covariance(self.unknowns))
            alpha = factor.solve(z)
        return replace(self, X=X, source=source, y=y, factor=factor, alpha=alpha, card=card)

    def at_target(self) -> AtTarget:
        """The belief about the target alone, which every acquisition function can use."""
        return AtTarget(self)

    def slopes(self, X: ArrayLike, source: int) -> tuple[Prediction, Array, Array]:
        """Belief at X (q x d), d mean / d x (q x d) and d sd / d x (q x d); for few rows, unblocked."""
        X, sources = self._query(X, source)
        with one_thread():
            lengths = self.unknowns.lengthscales
            A, D_rows = (X - self._centre()) / lengths, (self.X - self._centre()) / lengths
            _, D = matern52(scaled_distances(A, D_rows))
            D *= self.unknowns.B[source, self.source]
            w = self.factor.solve(self._with_data(X, sources).T).T
            belief = self.predict(X, source)
            slope_mean = -_contract(D * self.alpha, A, D_rows) / lengths
            half_variance = _contract(D * w, A, D_rows) / lengths
        sd = belief.sd[:, None] / self.scale[source]
        slope_sd = np.divide(half_variance, sd, out=np.zeros_like(half_variance), where=sd > 0.0)
        return belief, slope_mean * self.scale[source], slope_sd * self.scale[source]

    def _query(self, X: ArrayLike, source: ArrayLike) -> tuple[Array, NDArray[np.intp]]:
        X = checked_rows(X, self.X.shape[1])
        sources = np.broadcast_to(np.asarray(source, dtype=np.intp), (len(X),))
        if len(X) and (sources.min() < 0 or sources.max() >= self.m):
            raise ValueError(f"sources are numbered from 0 to {self.m - 1}")
        return X, sources

    def _blocks(self, q: int) -> list[slice]:
        rows = max(1, CHUNK_ENTRIES // len(self.X))
        return [slice(begin, begin + rows) for begin in range(0, q, rows)]

    def _centre(self) -> Array:
        return np.asarray(self.X.mean(axis=0), dtype=np.float64)

    def _own(self, source: NDArray[np.intp]) -> Array:
        return np.asarray(np.diagonal(self.unknowns.B)[source] + MEAN_VARIANCE, dtype=np.float64)

    def _correlation(self, X: Array) -> Array:
        lengths, centre = self.unknowns.lengthscales, self._centre()
        return correlation(scaled_distances((X - centre) / lengths, (self.X - centre) / lengths))

    def _with_data(self, X: Array, source: NDArray[np.intp], k: Array | None = None) -> Array:
        among = np.ix_(source, self.source)
        k = self._correlation(X) if k is None else k
        return np.asarray(self.unknowns.B[among] * k + MEAN_VARIANCE * np.eye(self.m)[among])


@dataclass(frozen=True, slots=True)
class AtTarget:
    """The target of a process over sources: a fitted surrogate like any other, with slopes."""

    of: FittedFidelities

    @property
    def noise_sd(self) -> float:
        """Standard deviation of one measurement of the target, in its units."""
        return self.of.noise_sd(self.of.m - 1)

    @property
    def card(self) -> Card:
        """The card of the whole process."""
        return self.of.card

    @property
    def X(self) -> Array:  # noqa: N802  a matrix has a capital
        """The recipes (n x d) at which the target was measured."""
        return np.asarray(self.of.X[self.of.source == self.of.m - 1], dtype=np.float64)

    @property
    def y(self) -> Array:
        """The measurements (n,) of the target."""
        return np.asarray(self.of.y[self.of.source == self.of.m - 1], dtype=np.float64)

    def predict(self, X: Array) -> Prediction:
        """Belief about the target's response at the rows of X (q x d)."""
        return self.of.predict(X, self.of.m - 1)

    def predict_with_slopes(self, X: Array) -> tuple[Prediction, Array, Array]:
        """Prediction at X (q x d), d mean / d x (q x d) and d sd / d x (q x d); for few rows."""
        return self.of.slopes(X, self.of.m - 1)

    def covariance(self, X: Array) -> Array:
        """Posterior covariance (q x q, units of y squared) of the target at the rows of X (q x d)."""
        return self.of.covariance(X, self.of.m - 1)

    def leave_one_out(self) -> Prediction:
        """Belief about the target at each recipe where it was measured, from all other measurements."""
        belief, own = self.of.leave_one_out(), self.of.source == self.of.m - 1
        return Prediction(belief.mean[own], belief.sd[own])

    def condition_on(self, X_new: Array, y_new: Array) -> AtTarget:
        """The same with further measurements of the target, real or supposed."""
        return AtTarget(self.of.condition_on(X_new, self.of.m - 1, y_new))


def _contract(weights: Array, A: Array, B: Array) -> Array:
    """Σ_i weights_qi (a_q - b_i), q x d, without the q x n x d array."""
    return np.asarray(weights.sum(axis=1)[:, None] * A - weights @ B, dtype=np.float64)


def _standardisations(y: Array, source: NDArray[np.intp], m: int) -> tuple[Array, Array, tuple[str, ...]]:
    """Shift (m,) and scale (m,) of each source's y, and remarks; 0 and 1 for a source not yet measured."""
    shift, scale = np.zeros(m), np.ones(m)
    remarks: list[str] = []
    for s in range(m):
        own = y[source == s]
        if len(own) == 0:
            remarks.append(f"Source {s} has no measurement yet; its units are taken as they are.")
            continue
        shift[s], scale[s], more = standardisation(own)
        remarks += [f"Source {s}: {remark}" for remark in more]
    return shift, scale, tuple(remarks)
