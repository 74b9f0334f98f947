"""What a table is taken for: its parameters, a mixture among them, and how long to search."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from labctl.tables import Column

Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Guess:
    """One parameter that a column is taken for.

    Attributes:
        column: the column.
        kind: of parameter.
        low: least value in its unit; of numbers only.
        high: greatest value.
        scale: of continuous parameters.
        choices: of categories.
    """

    column: Column
    kind: Literal["continuous", "integer", "categorical", "formula"]
    low: float = 0.0
    high: float = 0.0
    scale: Literal["linear", "log"] = "linear"
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Law:
    """Columns that add up to a constant: exactly (low equals high), or within rounding."""

    parts: tuple[str, ...]
    low: float
    high: float
    unit: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign on a table is made of.

    Attributes:
        goal: the column that is optimised.
        parameters: in the order of the file.
        law: a mixture, if one was seen.
        recipes: number of distinct recipes.
        sparse: most rows have no value of the goal, so the table is mostly about other things.
        notes: what was assumed or left out.
    """

    goal: Column
    parameters: tuple[Guess, ...]
    law: Law | None
    recipes: int
    sparse: bool
    notes: tuple[str, ...]

    @property
    def budget(self) -> int:
        """Experiments: ten for each parameter, between 30 and 60, and never more than there are recipes."""
        return min(self.recipes, max(30, min(60, 10 * len(self.parameters))))

    @property
    def initial(self) -> int:
        """Experiments of the start: two for each parameter, but at most a quarter of the recipes."""
        return max(1, min(max(5, 2 * len(self.parameters)), self.recipes // 4, self.budget // 2))
