"""How far a response misses its target, as a surrogate to be maximised beside others: minus the distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from labctl_models.surrogates.protocol import Averaged, Prediction

if TYPE_CHECKING:
    from labctl_models.card import Card
    from labctl_models.surrogates.protocol import Array, Fitted


@dataclass(frozen=True, slots=True)
class Miss:
    """A fitted surrogate of -|f - target|, by the mean and sd that a folded normal has.

    The distance to a target is no normal; beside other goals, where only its first two moments count, it is
    treated as one. For a single goal see ``score.Approach``, which is exact.
    """

    fitted: Fitted
    target: float

    @property
    def noise_sd(self) -> float:
        """Standard deviation of one measurement about the response."""
        return self.fitted.noise_sd

    @property
    def card(self) -> Card:
        """Of the surrogate beneath."""
        return self.fitted.card

    def predict(self, X: Array) -> Prediction:
        """Mean and sd (q,) of -|f - target| at the rows of X (q x d), in the units of y."""
        if isinstance(self.fitted, Averaged):
            each = self.fitted.components(X)
            means, seconds = folded(each.mean - self.target, each.sd)
            mean, second = means.mean(axis=0), seconds.mean(axis=0)
        else:
            belief = self.fitted.predict(X)
            mean, second = folded(belief.mean - self.target, belief.sd)
        return Prediction(-mean, np.sqrt(np.maximum(second - mean**2, 0.0)))


def folded(mean: Array, sd: Array) -> tuple[Array, Array]:
    """E|Z| and E[Z²] for Z normal with mean and sd of any one shape; Leone, Technometrics 3, 543 (1961)."""
    safe = np.where(sd > 0.0, sd, 1.0)
    with np.errstate(under="ignore", over="ignore"):
        z = mean / safe  # infinite where the sd is next to nothing, and then E|Z| is |mean|
        first = safe * np.sqrt(2.0 / np.pi) * np.exp(-0.5 * z * z) + mean * (1.0 - 2.0 * ndtr(-z))
    return np.where(sd > 0.0, first, np.abs(mean)), mean**2 + sd**2
