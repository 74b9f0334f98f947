"""What a recipe must keep that is no sum: a formula, with how far each recipe is from keeping it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class Rule:
    """A comparison between formulas of parameters, each a number in its own unit.

    Attributes:
        text: as it was written.
        parameters: those it names.
        excess: of n recipes, given the columns of these parameters (n,): how far each is from keeping the
            rule, relative to the numbers compared; below zero where it keeps it with room to spare, and
            infinite where a formula is undefined.
        exact: which of n recipes keep it in the numbers as they are, with no allowance for rounding.
    """

    text: str
    parameters: tuple[str, ...]
    excess: Callable[[Columns], Floats]
    exact: Callable[[Columns], NDArray[np.bool_]]
