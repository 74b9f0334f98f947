"""The least a surrogate must beat: the mean of what has been measured."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl_models.surrogates.data import checked, checked_rows, constant_prediction, standardisation
from labctl_models.surrogates.plain import card_without_likelihood

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.card import Card, Hyperparameter
    from labctl_models.surrogates.protocol import Array, Prediction


@dataclass(frozen=True, slots=True)
class TrainingMean:
    """Predicts the mean of the training rows everywhere.

    The whole sample sd of y is called noise, and the sd of the response is that of the mean, sd / √n.
    """

    def fit(
        self,
        X: Array,
        y: Array,
        *,
        seed: int,  # noqa: ARG002  nothing is drawn
        start: Mapping[str, Hyperparameter] | None = None,  # noqa: ARG002  nothing is searched
    ) -> FittedMean:
        """Fit X (n x d) and y (n,).

        Raises:
            ValueError: X or y is empty, not finite, or of mismatched shape.
        """
        began = time.process_time()
        X, y = checked(X, y)
        shift, scale, remarks = standardisation(y)
        values = {"mean": shift, "sd": scale}
        card = card_without_likelihood("mean", values, X.shape, began=began, remarks=remarks)
        return FittedMean(shift, scale, card)


@dataclass(frozen=True, slots=True, eq=False)
class FittedMean:
    """A mean and the sd of one reading about it."""

    mean: float
    noise_sd: float
    card: Card

    def predict(self, X: Array) -> Prediction:
        """The same belief at each row of X (q x d)."""
        X = checked_rows(X, self.card.d)
        return constant_prediction(self.mean, self.noise_sd / math.sqrt(self.card.n), len(X))
