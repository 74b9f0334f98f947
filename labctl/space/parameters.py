"""The kinds of parameter a recipe is made of, each with its unit and its way into the unit cube."""

import math
import unicodedata
from collections.abc import Sequence
from numbers import Real
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from labctl import units
from labctl.space.grid import Grid, grid_between
from labctl_drivers.protocol import Setting

Floats = NDArray[np.float64]


class Strict(BaseModel):
    """A frozen value that refuses keys it does not know, infinities and NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def _refuse_stand_ins(value: object) -> object:
    if isinstance(value, bool | str):
        raise ValueError(f"is {value!r}, but must be a number without quotes")  # noqa: TRY004 - for pydantic
    return value


def _refuse_no_setting(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value in (math.inf, -math.inf):
        raise ValueError(f"is {value!r}, but must be a number, or a choice in quotes")
    return value


Fixed = Annotated[str | int | float, BeforeValidator(_refuse_no_setting)]
"""A setting as people type one."""
Number = Annotated[float, BeforeValidator(_refuse_stand_ins)]
Whole = Annotated[int, BeforeValidator(_refuse_stand_ins)]
_UNWRITABLE = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's control characters, half characters and line breaks."""
_FARTHEST = 1e3
_SHOWN = 60
"""So many letters of what is no value at all are quoted."""
_MOST_STEPS = 10**9
_EXACT = 2**53
"""Up to here a double holds every whole number."""


def check_unit(text: str) -> str:
    """Accept a unit that pint knows, or ``unknown``."""
    known = units.canonical(text)
    if known is None:
        raise ValueError(
            f"{text!r} is no unit that is known; use one such as mm, degC, minute or percent, "
            "'dimensionless' for a pure number, or 'unknown' for a table whose unit nobody wrote down"
        )
    return known


class _Numeric(Strict):
    unit: str = Field(description="Unit of the number, as pint spells it (mm, degC, minute, percent).")
    about: str = Field(default="", description="What it is, for people.")

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, value: str) -> str:
        return check_unit(value)

    @property
    def width(self) -> int:
        """Number of columns in the unit cube."""
        return 1


class Continuous(_Numeric):
    """Any number between two bounds.

    ``scale: log`` spreads equal ratios equally, which suits times, concentrations and rates. With a
    ``step``, only origin + k · step is ever asked for; numbers in between may have been measured all the
    same.
    """

    kind: Literal["continuous"] = "continuous"
    low: Number
    high: Number
    scale: Literal["linear", "log"] = "linear"
    step: Number | None = Field(default=None, description="smallest step the instrument can set")
    origin: Number | None = Field(default=None, description="a number that steps lead to; low, if not given")

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> "Continuous":
        _refuse_reversed(self.low, self.high)
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"scale: log needs low above 0, and low is {self.low:g}")
        if self.step is None and self.origin is not None:
            raise ValueError("origin says where steps start; add step, or remove it")
        if self.grid is not None and self.grid.last > _MOST_STEPS:
            raise ValueError(f"step makes {self.grid.last:,} steps of this range; take a wider one")
        return self

    @property
    def grid(self) -> Grid | None:
        """The numbers that may be asked for; None where any may."""
        if self.step is None:
            return None
        return grid_between(self.low, self.high, self.step, self.low if self.origin is None else self.origin)

    def encode(self, values: Sequence[Setting] | Floats) -> Floats:
        """Numbers in the parameter's unit to the unit interval, n to n x 1."""
        x = np.asarray(values, dtype=np.float64)
        low, high = self.low, self.high
        if self.scale == "log":
            x, low, high = np.log(np.maximum(x, 1e-300)), math.log(low), math.log(high)
        return ((x - low) / (high - low))[:, None]

    def decode(self, columns: Floats) -> list[Setting]:
        """The unit interval to numbers in the parameter's unit, n x 1 to n, clipped to the bounds."""
        u = np.clip(columns[:, 0], 0.0, 1.0)
        if self.scale == "log":
            span = math.log(self.high) - math.log(self.low)
            x = np.exp(math.log(self.low) + u * span)
        else:
            x = self.low + u * (self.high - self.low)
        x = np.clip(x, self.low, self.high)
        settable: list[Setting] = (x if self.grid is None else self.grid.nearest(x)).tolist()
        return settable

    def problem(self, value: Setting) -> str | None:
        """Why this value is none of this parameter's, or None."""
        number = _number(value)
        if number is None:
            return f"{_shown(value)} is not a finite number"
        slack = 1e-9 * max(abs(self.low), abs(self.high), self.high - self.low)
        if not self.low - slack <= number <= self.high + slack:
            return f"{number:g} lies outside {self.low:g} to {self.high:g} {self.unit}"
        return None

    def canonical(self, value: Setting) -> Setting:
        """The value in the one form it is kept in."""
        return float(value)


class Integer(_Numeric):
    """A whole number between two bounds, both included."""

    kind: Literal["integer"] = "integer"
    low: Whole = Field(ge=-_EXACT, le=_EXACT)
    high: Whole = Field(ge=-_EXACT, le=_EXACT)

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> "Integer":
        _refuse_reversed(self.low, self.high)
        return self

    def encode(self, values: Sequence[Setting] | Floats) -> Floats:
        """Whole numbers to the unit interval, n to n x 1."""
        return ((np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low))[:, None]

    def decode(self, columns: Floats) -> list[Setting]:
        """The unit interval to the nearest whole numbers, n x 1 to n."""
        x = self.low + np.clip(columns[:, 0], 0.0, 1.0) * (self.high - self.low)
        return [int(v) for v in np.rint(x)]

    def problem(self, value: Setting) -> str | None:
        """Why this value is none of this parameter's, or None."""
        number = _number(value)
        if number is None:
            return f"{_shown(value)} is not a whole number"
        if number != round(number):
            return f"{number:g} is not a whole number"
        if not self.low <= number <= self.high:
            return f"{number:g} lies outside {self.low} to {self.high} {self.unit}"
        return None

    def canonical(self, value: Setting) -> Setting:
        """The value in the one form it is kept in."""
        return round(float(value))


class Ordinal(_Numeric):
    """One of a few numbers that have an order, such as the sieve sizes a lab owns."""

    kind: Literal["ordinal"] = "ordinal"
    levels: tuple[Number, ...] = Field(min_length=2)

    @field_validator("levels")
    @classmethod
    def _levels_rise(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("must rise from the lowest to the highest without repeats")
        _refuse_reversed(value[0], value[-1])
        return value

    def encode(self, values: Sequence[Setting] | Floats) -> Floats:
        """Levels to the unit interval by their value, so that unequal steps stay unequal; n to n x 1."""
        low, high = self.levels[0], self.levels[-1]
        return ((np.asarray(values, dtype=np.float64) - low) / (high - low))[:, None]

    def decode(self, columns: Floats) -> list[Setting]:
        """The unit interval to the nearest levels, n x 1 to n."""
        levels = np.asarray(self.levels)
        x = levels[0] + np.clip(columns[:, 0], 0.0, 1.0) * (levels[-1] - levels[0])
        return [float(levels[i]) for i in np.abs(x[:, None] - levels[None, :]).argmin(axis=1)]

    def problem(self, value: Setting) -> str | None:
        """Why this value is none of this parameter's, or None."""
        number = _number(value)
        if number is None or not any(math.isclose(number, level) for level in self.levels):
            return f"{_shown(value)} is none of the levels {_listed(self.levels)} {self.unit}"
        return None

    def canonical(self, value: Setting) -> Setting:
        """The level this value stands for."""
        return min(self.levels, key=lambda level: abs(level - float(value)))


class _Chosen(Strict):
    choices: tuple[str, ...] = ()
    about: str = Field(default="", description="What it is, for people.")

    @field_validator("choices")
    @classmethod
    def _choices_differ(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("repeats a choice; name each once")
        seen: dict[str, str] = {}
        for choice in value:
            plain = " ".join(choice.split())
            if not plain:
                raise ValueError(f"has the choice {choice!r}, which nobody can see; give it a name")
            if any(unicodedata.category(letter) in _UNWRITABLE for letter in choice):
                raise ValueError(f"has the choice {choice!r}, which holds a control character; remove it")
            if plain in seen:
                raise ValueError(f"has {seen[plain]!r} and {choice!r}, which differ only in blanks; keep one")
            seen[plain] = choice
        return value

    def problem(self, value: Setting) -> str | None:
        """Why this value is none of this parameter's, or None."""
        if not isinstance(value, str) or value not in self.choices:
            return f"{_shown(value)} is none of {_listed(self.choices)}"
        return None

    def canonical(self, value: Setting) -> Setting:
        """The value in the one form it is kept in."""
        return str(value)

    def _positions(self, values: Sequence[Setting] | Floats) -> NDArray[np.intp]:
        position = {choice: i for i, choice in enumerate(self.choices)}
        return np.fromiter((position[str(v)] for v in values), dtype=np.intp, count=len(values))


class Categorical(_Chosen):
    """One of a few names without an order, encoded one column a name."""

    kind: Literal["categorical"] = "categorical"
    choices: tuple[str, ...] = Field(min_length=2)

    @property
    def width(self) -> int:
        """Number of columns in the unit cube."""
        return len(self.choices)

    def encode(self, values: Sequence[Setting] | Floats) -> Floats:
        """Names to one-hot columns, n to n x c."""
        return np.eye(len(self.choices))[self._positions(values)]

    def decode(self, columns: Floats) -> list[Setting]:
        """Columns to the name with the largest, n x c to n."""
        return [self.choices[i] for i in columns.argmax(axis=1)]


class Formula(_Chosen):
    """A chemical formula out of a list, or out of the candidate table; seen by models as Magpie features.

    Each formula is described by the 132 statistics over elemental properties of Ward et al., npj
    Comput. Mater. 2, 16028 (2016), scaled to the unit interval over the choices.
    """

    kind: Literal["formula"] = "formula"

    @property
    def width(self) -> int:
        """Number of columns in the unit cube."""
        from labctl_models.features import FEATURE_NAMES  # noqa: PLC0415

        return len(FEATURE_NAMES)

    def encode(self, values: Sequence[Setting] | Floats) -> Floats:
        """Formulas to scaled Magpie features, n to n x 132."""
        from labctl.space.chemistry import scaled_features  # noqa: PLC0415

        return scaled_features(self.choices)[self._positions(values)]

    def decode(self, columns: Floats) -> list[Setting]:
        """Columns to the nearest formula of the choices, n x 132 to n."""
        from labctl.space.chemistry import scaled_features  # noqa: PLC0415

        known = scaled_features(self.choices)
        squared = ((columns[:, None, :] - known[None, :, :]) ** 2).sum(axis=2)
        return [self.choices[i] for i in squared.argmin(axis=1)]


Parameter = Annotated[Continuous | Integer | Ordinal | Categorical | Formula, Field(discriminator="kind")]
NUMERIC = (Continuous, Integer, Ordinal)


def reached_problem(parameter: Parameter, value: Setting) -> str | None:
    """Why this cannot be a setting that was reached, or None; a number may miss its bounds and levels.

    A number a thousand times the parameter's range away from it is a slip of the pen, and would leave every
    other recipe indistinguishable from the next.
    """
    if not isinstance(parameter, NUMERIC):
        if parameter.choices:
            return parameter.problem(value)
        return None if isinstance(value, str) else f"{_shown(value)} is no text"
    number = _number(value)
    if number is None:
        return f"{_shown(value)} is not a finite number"
    low, high = ends(parameter)
    if not low - _FARTHEST * (high - low) <= number <= high + _FARTHEST * (high - low):
        asked = f"{low:g} to {high:g} {parameter.unit}"
        return f"{number:g} lies more than {_FARTHEST:g} times its range outside {asked}"
    return None


def ends(parameter: Continuous | Integer | Ordinal) -> tuple[float, float]:
    """The lowest and the highest number that may be asked for."""
    if isinstance(parameter, Ordinal):
        return parameter.levels[0], parameter.levels[-1]
    return float(parameter.low), float(parameter.high)


def settable_ends(parameter: Continuous | Integer | Ordinal) -> tuple[float, float]:
    """The lowest and the highest number that may be proposed, which is on the grid where there is one."""
    if isinstance(parameter, Continuous) and parameter.grid is not None:
        grid = parameter.grid
        return float(grid.values(0)), float(grid.values(grid.last))
    return ends(parameter)


def can_rest(parameter: Continuous | Integer | Ordinal) -> bool:
    """Whether zero may be proposed."""
    if isinstance(parameter, Ordinal):
        return 0.0 in parameter.levels
    low, high = settable_ends(parameter)
    on_grid = not isinstance(parameter, Continuous) or parameter.grid is None or bool(parameter.grid.has(0.0))
    return low <= 0.0 <= high and on_grid


def _refuse_reversed(low: float, high: float) -> None:
    if low >= high:
        raise ValueError(f"low ({low:g}) must lie below high ({high:g}); swap or widen them")
    if not math.isfinite(high - low):
        raise ValueError(f"low ({low:g}) and high ({high:g}) are too far apart to compute with")


def _number(value: object) -> float | None:
    """The value as a double; None for what is no finite number, as a truth value is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: object) -> str:
    """A value as a sentence can hold it."""
    try:
        return repr(value)[:_SHOWN]
    except ValueError:  # Python refuses to write out a whole number of thousands of digits
        return "a huge number"


def _listed(values: Sequence[Any], most: int = 8) -> str:
    shown = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values[:most])
    return shown + (f", ... ({len(values)} in all)" if len(values) > most else "")
