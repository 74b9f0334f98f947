"""The Gaussian process averaged over the hyperparameters that few data leave open."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dtrtri

from labctl_models.card import Card, Hyperparameter, library_versions
from labctl_models.surrogates.data import checked, standardisation
from labctl_models.surrogates.evidence import NotPositiveDefiniteError
from labctl_models.surrogates.gp import FittedGP
from labctl_models.surrogates.kernel import matern52
from labctl_models.surrogates.marginal import Given, Marginal, normal_scores, signal_variance
from labctl_models.surrogates.protocol import Prediction
from labctl_models.surrogates.sampling import draws
from labctl_models.surrogates.search import most_probable
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.surrogates.protocol import Array

LIBRARIES = ("numpy", "scipy")


def usual_samples(n: int) -> int:
    """How many members n rows are worth: twelve up to 100 rows, falling as 1200 / n to four.

    A member costs a factorisation of the data, and members grow alike as data accumulate.
    """
    return max(4, min(12, 1200 // n))


@dataclass(frozen=True, slots=True)
class AveragedGaussianProcess:
    """`GaussianProcess` with lengthscales, noise and mean drawn from their posterior, at wish the scale too.

    The most probable hyperparameters of a few measurements are one guess among many; standard deviations
    that take them for the truth are too small. Here predictions are the average over draws, as in Snoek,
    Larochelle and Adams, NeurIPS 2012. Lengthscales and noise have the priors of `GaussianProcess` and are
    drawn by elliptical slices; mean and signal variance then have their closed forms (`Marginal`).

    Attributes:
        samples: How many draws; None decides by the number of rows.
        scale_known: Take the sample variance of y for the signal variance, as `GaussianProcess` does. With
            False it is learned as well: then intervals of 95 % cover close to that, but expected
            improvement explores more, and skewed outcomes are found later than with True.
    """

    samples: int | None = None
    scale_known: bool = True

    def fit(
        self, X: Array, y: Array, *, seed: int, start: Mapping[str, Hyperparameter] | None = None
    ) -> FittedAverage:
        """Fit X (n x d, unit cube) and y (n,); `start` is `card.hyperparameters` of an earlier fit.

        Raises:
            ValueError: X or y is empty, not finite, or of mismatched shape.
        """
        began = time.process_time()
        X, y = checked(X, y)
        n, d = X.shape
        shift, scale, remarks = standardisation(y)
        count = usual_samples(n) if self.samples is None else max(1, self.samples)
        with one_thread():
            marginal = Marginal(X - X.mean(axis=0), (y / scale) - (shift / scale), self.scale_known)
            found = most_probable(marginal, seed=seed, start=start, starts=_starts(n))
            mode = np.append(np.log(found.lengthscales), math.log(found.noise_variance))
            remarks = (*remarks, *found.remarks)
            try:
                thetas = draws(marginal, mode, count, seed)
            except NotPositiveDefiniteError:
                mode = np.append(marginal.prior_location[:-1], 0.0)
                thetas = np.tile(mode, (count, 1))
                remarks = (*remarks, "The covariance could not be inverted; typical values are used.")
            members = _members((X, y), marginal, thetas, (shift, scale), seed)
            best = marginal.given(mode)
        card = Card(
            kind="gp-matern52-averaged" if self.scale_known else "gp-matern52-averaged-scale",
            hyperparameters={
                "lengthscales": tuple(np.exp(mode[:-1]).tolist()),
                "noise_variance": math.exp(mode[-1]),
                "mean": best.mean,
                "y_shift": shift,
                "y_scale": scale,
                "members_lengthscales": tuple(float(v) for m in members for v in m.lengthscales),
                "members_noise_variance": tuple(m.noise_variance for m in members),
                "members_mean": tuple(m.mean for m in members),
                "members_scale": tuple(m.scale for m in members),
            },
            n=n,
            d=d,
            log_marginal_likelihood=marginal.log_likelihood(mode),
            log_posterior=-marginal.negative(mode)[0],
            remarks=remarks,
            versions=library_versions(LIBRARIES),
            seconds=time.process_time() - began,
        )
        members = tuple(replace(member, card=card) for member in members)
        return FittedAverage(members, card)


def _starts(n: int) -> int:
    """Ascents before the chain; it is the chain that finds the other peaks."""
    return max(1, min(3, 600 // n))


def _members(
    data: tuple[Array, Array], marginal: Marginal, thetas: Array, units: tuple[float, float], seed: int
) -> tuple[FittedGP, ...]:
    """One Gaussian process for each theta, with a signal variance and a mean of its own.

    Those two are spread evenly over their distributions rather than drawn, each in a random order, so
    that a dozen members have nearly the moments of all.
    """
    (X, y), (shift, scale) = data, units
    count = len(thetas)
    rng = np.random.default_rng([seed, count])
    parts, scores = rng.permutation(count), rng.permutation(normal_scores(count))
    members = []
    for theta, part, score in zip(thetas, parts, scores, strict=True):
        given: Given = marginal.given(theta)
        known = marginal.scale_known
        size = 1.0 if known else math.sqrt(signal_variance(given, int(part), count))
        mean = given.mean / size + score * math.sqrt(given.mean_variance)
        members.append(
            FittedGP(
                X=X,
                y=y,
                lengthscales=np.exp(theta[:-1]),
                noise_variance=math.exp(theta[-1]),
                mean=mean,
                shift=shift,
                scale=scale * size,
                factor=given.factor,
                alpha=given.factor.solve(marginal.z / size - mean),
                card=_NO_CARD,
            )
        )
    return tuple(members)


_NO_CARD = Card("member", {}, 0, 0, math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class FittedAverage:
    """Gaussian processes of equal weight that have seen the same data, each one draw of the unknown."""

    members: tuple[FittedGP, ...]
    card: Card

    @property
    def X(self) -> Array:  # noqa: N802  a matrix has a capital
        """The measured recipes (n x d)."""
        return self.members[0].X

    @property
    def y(self) -> Array:
        """The measurements (n,)."""
        return self.members[0].y

    @property
    def noise_sd(self) -> float:
        """Standard deviation of a measurement about the response, in the units of y (root mean square)."""
        sds = np.array([member.noise_sd for member in self.members])
        size = float(sds.max())
        return size * float(np.sqrt(((sds / size) ** 2).mean()))

    def predict(self, X: Array) -> Prediction:
        """Mean and standard deviation of the mixture at the rows of X (q x d)."""
        return mixed(self.components(X))

    def components(self, X: Array) -> Prediction:
        """Each member's belief at the rows of X (q x d): mean and sd are S x q for S members."""
        return _stacked([member.predict(X) for member in self.members])

    def components_with_slopes(self, X: Array) -> tuple[Prediction, Array, Array]:
        """Each member's belief (S x q) at X (q x d), and the slopes of mean and sd (S x q x d), at once."""
        belief, slope_mean, slope_sd = self._stack.predict(np.asarray(X, dtype=np.float64))
        return belief, slope_mean, slope_sd

    def predict_with_slopes(self, X: Array) -> tuple[Prediction, Array, Array]:
        """Prediction at X (q x d), d mean / d x (q x d) and d sd / d x (q x d); for few rows, unblocked.

        Where the sd is 0 its slope is given as 0.
        """
        each, slopes_mean, slopes_sd = self.components_with_slopes(X)
        belief = mixed(each)
        # sd² is the mean of the members' sd² + (mean - the mixture's mean)²; half its slope is
        half = (each.sd[:, :, None] * slopes_sd + (each.mean - belief.mean)[:, :, None] * slopes_mean).mean(0)
        sd = belief.sd[:, None]
        slope_sd = np.divide(half, sd, out=np.zeros_like(half), where=sd > 0.0)
        return belief, slopes_mean.mean(axis=0), slope_sd

    def covariance(self, X: Array) -> Array:
        """Posterior covariance (q x q, units of y squared) of the response at the rows of X (q x d)."""
        apart = self.components(X).mean
        apart = apart - apart.mean(axis=0)
        within = sum(member.covariance(X) for member in self.members)
        return np.asarray((within + apart.T @ apart) / len(self.members), dtype=np.float64)

    def leave_one_out(self) -> Prediction:
        """Belief (n,) about each measured recipe from all the others; the draws stay those from all."""
        return mixed(_stacked([member.leave_one_out() for member in self.members]))

    def condition_on(self, X_new: Array, y_new: Array) -> FittedAverage:
        """The same draws with further measurements, real or supposed (pending experiments).

        Raises:
            ValueError: the shapes do not match, or a value is not finite.
        """
        members = tuple(member.condition_on(X_new, y_new) for member in self.members)
        return FittedAverage(members, members[0].card)

    @cached_property
    def _stack(self) -> _Stack:
        return _Stack.of(self.members)


@dataclass(frozen=True, slots=True)
class _Stack:
    """The numbers of S members side by side, for single recipes asked many times."""

    lengths: Array
    centre: Array
    B: Array
    inverse_lower: Array
    alpha: Array
    mean: Array
    scale: Array
    shift: float

    @classmethod
    def of(cls, members: tuple[FittedGP, ...]) -> _Stack:
        lengths = np.array([member.lengthscales for member in members])[:, None, :]
        X = members[0].X
        centre = X.mean(axis=0)
        inverses = [dtrtri(np.asfortranarray(member.factor.lower), lower=1)[0] for member in members]
        return cls(
            lengths=lengths,
            centre=centre,
            B=(X - centre) / lengths,
            inverse_lower=np.array(inverses),
            alpha=np.array([member.alpha for member in members])[:, None, :],
            mean=np.array([member.mean for member in members])[:, None],
            scale=np.array([member.scale for member in members])[:, None],
            shift=members[0].shift,
        )

    def predict(self, X: Array) -> tuple[Prediction, Array, Array]:
        """As `FittedGP.predict_with_slopes`, with a first axis for the members."""
        with one_thread():
            A = (X - self.centre) / self.lengths
            squares = np.matmul(A, -2.0 * self.B.transpose(0, 2, 1))
            squares += (A * A).sum(axis=2)[:, :, None] + (self.B * self.B).sum(axis=2)[:, None, :]
            k, D = matern52(np.sqrt(np.maximum(squares, 0.0)))
            v = np.matmul(k, self.inverse_lower.transpose(0, 2, 1))
            w = np.matmul(v, self.inverse_lower)
            mean = (k * self.alpha).sum(axis=2) + self.mean
            sd = np.sqrt(np.maximum(1.0 - (v * v).sum(axis=2), 0.0))
            slope_mean = -self._contract(D * self.alpha, A)
            slope_variance = 2.0 * self._contract(D * w, A)
        wide = sd[:, :, None]
        slope_sd = np.divide(slope_variance, 2.0 * wide, out=np.zeros_like(slope_variance), where=wide > 0.0)
        belief = Prediction(mean * self.scale + self.shift, sd * self.scale)
        return belief, slope_mean * self.scale[:, :, None], slope_sd * self.scale[:, :, None]

    def _contract(self, weights: Array, A: Array) -> Array:
        """Sum over the data of weights (S x q x n) times (a - b) / l: S x q x d."""
        moved = weights.sum(axis=2)[:, :, None] * A - np.matmul(weights, self.B)
        return np.asarray(moved / self.lengths, dtype=np.float64)


def _stacked(beliefs: list[Prediction]) -> Prediction:
    return Prediction(np.array([b.mean for b in beliefs]), np.array([b.sd for b in beliefs]))


def mixed(each: Prediction) -> Prediction:
    """Mean and sd (q,) of normals of equal weight (S x q), by the law of total variance."""
    mean = each.mean.mean(axis=0)
    # Deviations by the greatest, because squares of values near the ends of the doubles do not exist.
    size = np.maximum(np.maximum(each.sd.max(axis=0), np.abs(each.mean - mean).max(axis=0)), 1e-307)
    variance = ((each.sd / size) ** 2 + ((each.mean - mean) / size) ** 2).mean(axis=0)
    return Prediction(mean, np.sqrt(variance) * size)
