"""Acquisition weighed by the chance that anything comes of a recipe, so that failures count for nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from labctl_models.surrogates.feasibility import FittedFeasibility
    from labctl_models.surrogates.protocol import Array

FLOOR = 0.05
"""How probable it is that the feasibility surrogate is simply wrong about a place, and the recipe works.

A region declared hopeless is then tried again once it promises twenty times what is left elsewhere: not
while there is something better to do, and not never.
"""


@dataclass(frozen=True, slots=True)
class Feasible:
    """The chance of a sample, floor + (1 - floor) p, as a weight.

    An improvement is had only if a sample is made, so its expectation is multiplied by that probability
    (Gelbart, Snoek and Adams, UAI 2014). Mixing p with the floor keeps the order of all places and a slope
    everywhere, which max(p, floor) would not.
    """

    fitted: FittedFeasibility
    floor: float = FLOOR

    def log(self, X: Array) -> Array:
        """Log of the weight (q,) at the rows of X (q x d), between that of the floor and 0."""
        return np.asarray(np.log(self._mixed(self.fitted.probability(X))), dtype=np.float64)

    def log_with_slopes(self, X: Array) -> tuple[Array, Array]:
        """Log of the weight (q,) at the rows of X (q x d), and its slope by x (q x d)."""
        p, slopes = self.fitted.probability_with_slopes(X)
        weight = self._mixed(p)
        return np.asarray(np.log(weight), dtype=np.float64), (1.0 - self.floor) * slopes / weight[:, None]

    def _mixed(self, p: Array) -> Array:
        return self.floor + (1.0 - self.floor) * p
