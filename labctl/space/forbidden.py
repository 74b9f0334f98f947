"""Combinations of settings that must never be asked for, each with the reason that a person gave."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, field_validator, model_validator

from labctl.space.parameters import NUMERIC, Number, Parameter, Strict, check_unit
from labctl_drivers.protocol import Recipe, Setting
from labctl_drivers.units import UnitError, convert

_HOW = "a choice, a list of choices, or an interval such as {above: 150, unit: degC}"


class Condition(Strict):
    """Choices of a category, or an interval of a number in a unit.

    Attributes:
        choices: any of these.
        above, below: larger, smaller than this; the number itself is not meant.
        at_least, at_most: this or more, this or less.
        unit: of the numbers; any that the parameter's unit converts to, offsets as of degC and K included.
    """

    choices: tuple[str, ...] = ()
    above: Number | None = None
    below: Number | None = None
    at_least: Number | None = None
    at_most: Number | None = None
    unit: str | None = None

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, value: str | None) -> str | None:
        return None if value is None else check_unit(value)

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Condition":
        ends = [end for end in (self.above, self.at_least, self.below, self.at_most) if end is not None]
        if self.choices and (ends or self.unit is not None):
            raise ValueError("has choices and an interval; a parameter is either a category or a number")
        if not self.choices and not ends:
            raise ValueError(f"says nothing; give {_HOW}")
        if ends and self.unit is None:
            raise ValueError("needs the unit of its numbers, such as degC; add unit")
        both_low, both_high = (self.above, self.at_least), (self.below, self.at_most)
        if None not in both_low or None not in both_high:
            raise ValueError("gives one end twice; use above or at_least, and below or at_most")
        low = next((end for end in both_low if end is not None), -np.inf)
        high = next((end for end in both_high if end is not None), np.inf)
        closed = self.at_least is not None and self.at_most is not None
        if low > high or (low == high and not closed):
            raise ValueError(f"no number lies between {low:g} and {high:g}; swap or widen them")
        return self

    def told(self, name: str) -> str:
        """The condition in words."""
        if self.choices:
            return f"{name} is {' or '.join(self.choices)}"
        words = (("above", self.above), ("at least", self.at_least), ("below", self.below))
        said = [f"{word} {end:g}" for word, end in (*words, ("at most", self.at_most)) if end is not None]
        return f"{name} is {' and '.join(said)} {self.unit}"


def _short_form(value: object) -> object:
    if isinstance(value, str):
        return {"choices": [value]}
    if isinstance(value, list | tuple):
        return {"choices": value}
    if not isinstance(value, dict | Condition):
        raise ValueError(f"is {value!r}, but must be {_HOW}")  # noqa: TRY004 - for pydantic
    return value


class Forbidden(Strict):
    """Settings that must not come together: a recipe that meets every condition in ``when`` is refused."""

    when: dict[
        str,
        Annotated[
            Condition, BeforeValidator(_short_form, json_schema_input_type=str | list[str] | Condition)
        ],
    ] = Field(min_length=1, description="conditions by parameter, which must all be met")
    because: str = Field(min_length=1, description="the reason, which is said wherever this is refused")


Interval = tuple[float, bool, float, bool]
"""Low end, whether it belongs, high end, whether it belongs."""


class Ban:
    """A forbidden combination over the parameters of a space, its numbers in their units.

    Raises:
        ValueError: a unit does not convert; one sentence that begins with the parameter.
    """

    def __init__(self, forbidden: Forbidden, parameters: Mapping[str, Parameter]) -> None:
        self.forbidden = forbidden
        self.choices: dict[str, frozenset[str]] = {}
        self.intervals: dict[str, Interval] = {}
        for name, condition in forbidden.when.items():
            parameter = parameters[name]
            if isinstance(parameter, NUMERIC):
                self.intervals[name] = _interval(name, condition, parameter.unit)
            else:
                self.choices[name] = frozenset(condition.choices)

    def meets(self, recipe: Recipe) -> bool:
        """Whether a recipe is such a combination."""
        return all(str(recipe[name]) in chosen for name, chosen in self.choices.items()) and all(
            _within(float(recipe[name]), interval) for name, interval in self.intervals.items()
        )

    def meets_all(self, columns: Mapping[str, Sequence[Setting] | NDArray[Any]], n: int) -> NDArray[np.bool_]:
        """Which of n recipes, given as columns, are such combinations."""
        found = np.ones(n, dtype=bool)
        for name, chosen in self.choices.items():
            found &= np.fromiter((str(v) in chosen for v in columns[name]), dtype=bool, count=n)
        for name, (low, low_in, high, high_in) in self.intervals.items():
            x = np.asarray(columns[name], dtype=np.float64)
            found &= (x >= low) if low_in else (x > low)
            found &= (x <= high) if high_in else (x < high)
        return found

    def told(self) -> str:
        """What is forbidden and why, in one sentence."""
        met = " and ".join(condition.told(name) for name, condition in self.forbidden.when.items())
        return f"{met}, which is forbidden ({self.forbidden.because})"


def _within(value: float, interval: Interval) -> bool:
    low, low_in, high, high_in = interval
    return (value >= low if low_in else value > low) and (value <= high if high_in else value < high)


def _interval(name: str, condition: Condition, unit: str) -> Interval:
    def end(closed: float | None, opened: float | None, far: float) -> tuple[float, bool]:
        number = closed if closed is not None else opened
        if number is None:
            return far, True
        try:
            return convert(number, str(condition.unit), unit), closed is not None
        except UnitError:
            raise ValueError(f"{name}: {condition.unit} does not convert to {unit}; use {unit}") from None

    return (
        *end(condition.at_least, condition.above, -np.inf),
        *end(condition.at_most, condition.below, np.inf),
    )
