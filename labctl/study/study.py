"""Experiments that were done, as something to validate and audit: arrays with their names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labctl.space import Categorical, Formula, Space

Floats = NDArray[np.float64]
Outcome = Literal["regression", "classification"]


@dataclass(frozen=True, eq=False)
class Study:
    """n experiments that were done, failed ones included.

    Attributes:
        name: of the table or campaign.
        source: file it came from.
        goal, unit: the quantity that was measured.
        direction: +1 where more is wanted, -1 where less is, 0 where nobody said.
        outcome: whether y is a quantity or a class; classes are numbered in the order of ``classes``.
        space: the parameters that the features come from.
        X: features in the unit cube, n x d, named in ``feature_names``.
        y: n outcomes; NaN where there is none.
        recipes: key of the recipe of each row.
        formulas: of each row, where there is a formula parameter.
        failed: which rows failed; None where nobody wrote down whether any did.
        kinds: how each row failed, "" where it did not.
        columns: everything that was logged, by name.
        cohorts: columns that say where a row is from.
        modelled: columns that are within X.
        order: when each row was run, where that is known.
        arms: why each row was chosen, where that is known.
        pool: candidates, m x d, where there are any.
        ids: what each row is called.
        notes: what was assumed or left out.
        called: the goal in words, where somebody said it; "" otherwise.
    """

    name: str
    source: str
    goal: str
    unit: str
    direction: int
    outcome: Outcome
    classes: tuple[str, ...]
    space: Space
    X: Floats
    y: Floats
    recipes: NDArray[Any]
    ids: tuple[str, ...]
    formulas: NDArray[Any] | None = None
    failed: NDArray[np.bool_] | None = None
    kinds: NDArray[Any] | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    cohorts: tuple[str, ...] = ()
    modelled: tuple[str, ...] = ()
    order: Floats | None = None
    arms: NDArray[Any] | None = None
    pool: Floats | None = None
    notes: tuple[str, ...] = ()
    called: str = ""

    @property
    def goal_in_words(self) -> str:
        """What was measured, as a person would call it."""
        return self.called or self.goal

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the d columns of X."""
        return feature_names(self.space)

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Rows with an outcome that did not fail."""
        found = np.isfinite(self.y)
        return found if self.failed is None else found & ~self.failed


def feature_names(space: Space) -> tuple[str, ...]:
    """A name for each column of the unit cube."""
    names: list[str] = []
    for name, parameter in space.parameters.items():
        if isinstance(parameter, Categorical):
            names += [f"{name} = {choice}" for choice in parameter.choices]
        elif isinstance(parameter, Formula):
            from labctl_models.features import FEATURE_NAMES  # noqa: PLC0415 - reads the element table

            names += [f"{name}: {feature.removeprefix('MagpieData ')}" for feature in FEATURE_NAMES]
        else:
            names.append(name)
    return tuple(names)
