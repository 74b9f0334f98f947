"""A finite table of candidates, kept in columns so that a million rows stay cheap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from labctl_drivers.protocol import Recipe, Setting


@dataclass(frozen=True)
class Pool:
    """The recipes that may be chosen from, one row each, without repeats.

    Attributes:
        columns: the values of each parameter, all of the same length.
        X: the same rows in the unit cube, n x d.
    """

    columns: Mapping[str, Sequence[Setting]]
    X: NDArray[np.float64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.X)

    def recipe(self, row: int) -> Recipe:
        """The recipe in this row."""
        return {name: values[row] for name, values in self.columns.items()}

    @cached_property
    def _row_of(self) -> dict[tuple[Setting, ...], int]:
        return {values: row for row, values in enumerate(zip(*self.columns.values(), strict=True))}

    def row_of(self, recipe: Recipe) -> int | None:
        """The row that holds exactly this recipe, or None."""
        try:
            return self._row_of.get(tuple(recipe[name] for name in self.columns))
        except KeyError:
            return None


def distinct(columns: Mapping[str, Sequence[Setting]]) -> dict[str, list[Setting]]:
    """The same columns with each recipe once, in the order of first appearance."""
    rows = dict.fromkeys(zip(*columns.values(), strict=True))
    return {name: [row[i] for row in rows] for i, name in enumerate(columns)}
