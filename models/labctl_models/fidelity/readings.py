"""All readings of a campaign with several sources, as one list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.surrogates.data import checked, checked_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """n readings: recipe X (n x d, unit cube), source (n,) from 0 to m - 1, and y (n,) in its source's units.

    The last source is the target. Readings stand in the order in which they were begun. A recipe that was
    read by several sources stands there several times.

    Raises:
        ValueError: a part is empty, not finite or of mismatched shape, or a source is not below m.
    """

    X: Array
    source: NDArray[np.intp]
    y: Array
    m: int

    def __post_init__(self) -> None:
        """Check the parts against each other, and keep arrays of one kind."""
        X, y = checked(self.X, self.y)
        _, source = checked_labels(X, self.source, self.m)
        for name, value in (("X", X), ("y", y), ("source", source)):
            object.__setattr__(self, name, value)

    @property
    def target(self) -> int:
        """The number of the target."""
        return self.m - 1

    def count(self, source: int) -> int:
        """How many readings a source has."""
        return int((self.source == source).sum())

    def of(self, source: int) -> tuple[Array, Array]:
        """Recipes and readings of one source; empty where it has none."""
        own = self.source == source
        return self.X[own], self.y[own]

    def among(self, sources: Sequence[int]) -> Readings:
        """The readings of some sources, with the numbers that they have."""
        own = np.isin(self.source, sources)
        return Readings(self.X[own], self.source[own], self.y[own], self.m)

    def pair(self, source: int) -> Readings:
        """One source, now number 0, beside the target, now number 1."""
        own = self.among([source, self.target])
        return Readings(own.X, (own.source == self.target).astype(np.intp), own.y, 2)

    def alone(self) -> Readings:
        """The target as the only source."""
        X, y = self.of(self.target)
        return Readings(X, np.zeros(len(y), dtype=np.intp), y, 1)
