"""The lookup table: the value of the nearest measured recipe."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.surrogates.clusters import nearest, nearest_other
from labctl_models.surrogates.data import checked, checked_rows, standardisation
from labctl_models.surrogates.plain import card_without_likelihood
from labctl_models.surrogates.protocol import Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.card import Card, Hyperparameter
    from labctl_models.surrogates.protocol import Array


@dataclass(frozen=True, slots=True)
class NearestNeighbour:
    """Predicts the value of the nearest training row, each column divided by its training sd.

    The sd is one number, the root mean square of what this rule errs when each training row is looked up
    among the others; it holds noise and ignorance together, so `noise_sd` is 0. It does not grow with
    distance, and is therefore too small far from the data: a finding of the calibration, not a fault.
    """

    def fit(
        self,
        X: Array,
        y: Array,
        *,
        seed: int,  # noqa: ARG002  nothing is drawn
        start: Mapping[str, Hyperparameter] | None = None,  # noqa: ARG002  nothing is searched
    ) -> FittedNearest:
        """Fit X (n x d) and y (n,).

        Raises:
            ValueError: X or y is empty, not finite, or of mismatched shape.
        """
        began = time.process_time()
        X, y = checked(X, y)
        _, spread, remarks = standardisation(y)
        scale = column_scale(X)
        known = X / scale
        if len(y) > 1:
            _, other = nearest_other(known)
            error = float(np.sqrt(np.mean((y - y[other[:, 0]]) ** 2)))
        else:
            error = spread
        card = card_without_likelihood("nearest", {"sd": error}, X.shape, began=began, remarks=remarks)
        return FittedNearest(known, y, scale, error, card)


@dataclass(frozen=True, slots=True, eq=False)
class FittedNearest:
    """The measured rows (n x d, scaled), their values (n,) and one sd."""

    known: Array
    y: Array
    scale: Array
    error: float
    card: Card

    @property
    def noise_sd(self) -> float:
        """0: this surrogate cannot tell noise from ignorance, and its sd holds both."""
        return 0.0

    def predict(self, X: Array) -> Prediction:
        """The value of the nearest measured row at each row of X (q x d); of equals the first measured."""
        _, index = nearest(checked_rows(X, self.card.d) / self.scale, self.known)
        return Prediction(self.y[index[:, 0]], np.full(len(index), self.error))


def column_scale(X: Array) -> Array:
    """The sd (d,) of each column; infinite for one that does not vary, which then counts for nothing.

    Such a column adds the same to the distances to all training rows, so leaving it out changes no neighbour.
    """
    sd = X.std(axis=0)
    return np.asarray(np.where(sd > 1e-12 * np.abs(X).max(axis=0), sd, np.inf), dtype=np.float64)
