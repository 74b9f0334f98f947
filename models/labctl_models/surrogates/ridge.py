"""Ridge regression: straight lines in every column, held back as far as held-out clusters advise."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh

from labctl_models.surrogates.data import checked, checked_rows, standardisation
from labctl_models.surrogates.plain import card_without_likelihood
from labctl_models.surrogates.protocol import Prediction
from labctl_models.surrogates.tuning import tune

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from labctl_models.card import Card, Hyperparameter
    from labctl_models.surrogates.protocol import Array

RELATIVE_RANK = 1e-12
PENALTIES = tuple(10.0 ** np.arange(-3.0, 3.5, 0.5))


@dataclass(frozen=True, slots=True)
class Ridge:
    """Linear regression with penalty alpha |w|² on the slopes, in units of the cube and of sd(y).

    alpha is chosen on clusters held out of the training rows. Read as a Bayesian linear model with noise
    variance s² and slopes drawn from N(0, s² / alpha), it has an sd that grows away from the data:
    sd² = s² (1/n + x'(X'X + alpha)⁻¹x), x centred. s² is the mean square of the leave-one-out residuals,
    so `noise_sd` holds the lack of fit of straight lines too.
    """

    penalties: tuple[float, ...] = PENALTIES

    def fit(
        self,
        X: Array,
        y: Array,
        *,
        seed: int,
        start: Mapping[str, Hyperparameter] | None = None,  # noqa: ARG002  the grid is searched whole
    ) -> FittedRidge:
        """Fit X (n x d, unit cube) and y (n,).

        Raises:
            ValueError: X or y is empty, not finite, or of mismatched shape.
        """
        began = time.process_time()
        X, y = checked(X, y)
        shift, scale, remarks = standardisation(y)
        z = (y / scale) - (shift / scale)

        def losses(train: NDArray[np.intp], test: NDArray[np.intp]) -> Array:
            basis = _Basis.of(X[train], z[train])
            errors = [basis.mean(X[test], alpha) - z[test] for alpha in self.penalties]
            return np.array([np.mean(error**2) for error in errors])

        alpha, more = tune(X, self.penalties, seed, losses)
        basis = _Basis.of(X, z)
        noise = math.sqrt(np.mean(basis.leave_one_out_residuals(alpha) ** 2))
        values: dict[str, Hyperparameter] = {"alpha": alpha, "noise_sd": noise * scale}
        card = card_without_likelihood("ridge", values, X.shape, began=began, remarks=(*remarks, *more))
        return FittedRidge(basis, alpha, noise, shift, scale, card)


@dataclass(frozen=True, slots=True, eq=False)
class _Basis:
    """The singular vectors and values of the centred X = U s V', from which every alpha follows."""

    centre: Array
    offset: float
    U: Array
    s: Array
    Vt: Array
    z: Array

    @classmethod
    def of(cls, X: Array, z: Array) -> _Basis:
        """Through the eigenvectors of the smaller of X'X and XX'.

        LAPACK's quick singular value decomposition fails on some rank-deficient tables of features, and
        values too small for their square to be accurate are nothing beside the penalty.
        """
        centre, offset = X.mean(axis=0), float(z.mean())
        x = X - centre
        tall = len(x) > x.shape[1]
        squares, vectors = eigh(x.T @ x if tall else x @ x.T)
        kept = squares > RELATIVE_RANK * max(float(squares[-1]), np.finfo(np.float64).tiny)
        s, vectors = np.sqrt(squares[kept]), vectors[:, kept]
        U, V = (x @ vectors / s, vectors) if tall else (vectors, x.T @ vectors / s)
        return cls(centre, offset, U, s, V.T, z - offset)

    def slopes(self, alpha: float) -> Array:
        return np.asarray(self.Vt.T @ (self.s / (self.s**2 + alpha) * (self.U.T @ self.z)), dtype=np.float64)

    def mean(self, X: Array, alpha: float) -> Array:
        return np.asarray((X - self.centre) @ self.slopes(alpha) + self.offset, dtype=np.float64)

    def variance(self, X: Array, alpha: float) -> Array:
        """1/n + x'(X'X + alpha)⁻¹x: within the span of the data, and |x|²/alpha across it."""
        x = X - self.centre
        along = x @ self.Vt.T
        inside = along**2 @ (1.0 / (self.s**2 + alpha))
        across = np.maximum(np.einsum("ij,ij->i", x, x) - np.einsum("ij,ij->i", along, along), 0.0)
        return np.asarray(1.0 / len(self.z) + inside + across / alpha, dtype=np.float64)

    def leave_one_out_residuals(self, alpha: float) -> Array:
        """What each row errs when left out, by its leverage: the PRESS residuals.

        Exact, the offset included: with the columns centred, offset and slopes are apart, so the leverage of
        the offset is 1/n.
        """
        fitted = self.U @ (self.s**2 / (self.s**2 + alpha) * (self.U.T @ self.z))
        leverage = 1.0 / len(self.z) + self.U**2 @ (self.s**2 / (self.s**2 + alpha))
        # A single row, or as many slopes as rows without a penalty, leaves nothing to predict from.
        return np.asarray((self.z - fitted) / np.maximum(1.0 - leverage, 1e-6), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class FittedRidge:
    """A ridge regression that has seen its data; `noise` in units of sd(y)."""

    basis: _Basis
    alpha: float
    noise: float
    shift: float
    scale: float
    card: Card

    @property
    def noise_sd(self) -> float:
        """Standard deviation of a reading about the lines, lack of fit included, in the units of y."""
        return self.noise * self.scale

    def predict(self, X: Array) -> Prediction:
        """Belief at the rows of X (q x d)."""
        X = checked_rows(X, self.card.d)
        mean = self.basis.mean(X, self.alpha) * self.scale + self.shift
        return Prediction(mean, np.sqrt(self.basis.variance(X, self.alpha)) * self.noise_sd)
