"""Reliance: on which measurements a prediction rests, and what it would be without one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.surrogates.kernel import correlation, scaled_distances
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from labctl_models.surrogates.gp import FittedGP
    from labctl_models.surrogates.protocol import Array


@dataclass(frozen=True, slots=True, eq=False)
class Reliance:
    """What q predictions owe to n measurements, at the hyperparameters as fitted.

    Attributes:
        weights: (q x n); the prediction is mean + Σ_i w_i (y_i - mean).
        n_eff: (q,) number of measurements it rests on, (Σ|w|)² / Σw²; 0 where none has any weight.
        influence: (q x n) prediction minus what it would be without measurement i, in the units of y.
    """

    weights: Array
    n_eff: Array
    influence: Array


def reliance(fitted: FittedGP, X: Array) -> Reliance:
    """Reliance of the predictions at X (q x d) on the fitted measurements.

    w = K⁻¹ k(x) with the noise in K, and the influence of a measurement is w_i (y_i - mean_-i), its weight
    times its leave-one-out error: the block inverse of K without row i gives it without another fit. The
    way of looking at it is that of Lei et al., J. Chem. Phys. 155, 054105 (2021).
    """
    X = np.ascontiguousarray(X, dtype=np.float64)
    centre = fitted.X.mean(axis=0)
    with one_thread():
        k = correlation(
            scaled_distances((X - centre) / fitted.lengthscales, (fitted.X - centre) / fitted.lengthscales)
        )
        weights = np.asarray(fitted.factor.solve(k.T).T, dtype=np.float64)
    squares = np.einsum("qn,qn->q", weights, weights)
    # Far from all data every weight underflows, and a prediction rests on nothing but the mean.
    n_eff = np.abs(weights).sum(axis=1) ** 2 / np.where(squares > 0.0, squares, 1.0)
    return Reliance(weights, n_eff, weights * (fitted.y - fitted.leave_one_out().mean))


def fragility(mean: Array, influence: Array) -> float:
    """Share of single measurements without which another candidate would have the largest prediction.

    For q candidates with predictions (q,) and influences (q x n). Near 0 the choice rests on the table as a
    whole, near 1 on every single row of it.
    """
    chosen = int(np.argmax(mean))
    without = np.argmax(mean[:, None] - influence, axis=0)
    return float(np.mean(without != chosen))
