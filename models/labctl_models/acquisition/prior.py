"""A person's belief of where good recipes lie, as a weight on acquisition that fades with results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

FLOOR = 1e-3
"""What is left of the belief where it is lowest, so that a wrong one can be outweighed by promise."""


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """Density over the unit cube, relative to its highest value.

    pi(x) = exp(linear . x - sum over columns of ((x - centre) / sd)² / 2), normal in some columns and by
    choice in others, mixed with a floor so that nothing is excluded. Its power ``fade`` weighs an acquisition
    function that cannot be negative: Hvarfner et al., piBO, ICLR 2022, with power beta / n after n results.

    Attributes:
        columns: (m,) columns with a normal belief.
        centre: (m,) where it is highest.
        sd: (m,) how far it reaches.
        linear: (d,) logarithm of the relative weight of each choice's column, at most 0; 0 elsewhere.
        fade: the power, which falls as results come in.
    """

    columns: Array
    centre: Array
    sd: Array
    linear: Array
    fade: float

    def log(self, X: Array) -> Array:
        """The weight in logarithms (q,) at the rows of X (q x d), at most 0."""
        return np.asarray(self.fade * np.log(FLOOR + (1.0 - FLOOR) * self._density(X)), dtype=np.float64)

    def log_with_slopes(self, X: Array) -> tuple[Array, Array]:
        """Log of the weight (q,) at the rows of X (q x d), and its slope by x (q x d)."""
        density = self._density(X)
        slopes = np.tile(self.linear, (len(X), 1))
        columns = self.columns.astype(np.intp)
        slopes[:, columns] -= (X[:, columns] - self.centre) / self.sd**2
        mixed = FLOOR + (1.0 - FLOOR) * density
        share = (1.0 - FLOOR) * density / mixed
        return self.fade * np.log(mixed), self.fade * share[:, None] * slopes

    def _density(self, X: Array) -> Array:
        z = (X[:, self.columns.astype(np.intp)] - self.centre) / self.sd
        return np.asarray(np.exp(X @ self.linear - 0.5 * (z * z).sum(axis=1)), dtype=np.float64)
