"""Laws between parameters: mixtures whose parts add up, and linear constraints."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from labctl.space.parameters import Number, Strict, Whole, check_unit

TOLERANCE = 1e-6
"""How far a sum may miss its law, relative to the size of the numbers in it."""


class Mixture(Strict):
    """Continuous parameters whose values add up to a constant, of which only a few may be non-zero.

    Attributes:
        parts: names of the parameters; all in the mixture's unit.
        total: what they add up to.
        unit: unit of the total.
        max_parts: at most so many parts are above zero; None for no such law.
        tolerance: how far a recorded sum may miss the total, in the mixture's unit; tables round. What
            labctl proposes itself meets the total exactly.
    """

    parts: tuple[str, ...] = Field(min_length=2)
    total: Number = Field(gt=0)
    unit: str
    max_parts: Whole | None = Field(default=None, ge=1)
    tolerance: Number = Field(default=0.0, ge=0)

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, value: str) -> str:
        return check_unit(value)

    @model_validator(mode="after")
    def _parts_make_sense(self) -> "Mixture":
        if len(set(self.parts)) != len(self.parts):
            raise ValueError("parts names a parameter twice; name each once")
        if self.max_parts is not None and self.max_parts > len(self.parts):
            raise ValueError(f"max_parts is {self.max_parts}, but there are only {len(self.parts)} parts")
        return self


class Linear(Strict):
    """A weighted sum of numeric parameters that must stay below, above or at a number.

    Each parameter is taken in the constraint's unit (ml and µl may be added), each weight is a pure
    number.
    """

    terms: dict[str, Number] = Field(min_length=1)
    at_most: Number | None = None
    at_least: Number | None = None
    equals: Number | None = None
    unit: str

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, value: str) -> str:
        return check_unit(value)

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Linear":
        if self.equals is None and self.at_most is None and self.at_least is None:
            raise ValueError("needs at_most, at_least or equals")
        if self.equals is not None and (self.at_most is not None or self.at_least is not None):
            raise ValueError("equals excludes at_most and at_least; keep one of them")
        if self.at_most is not None and self.at_least is not None and self.at_least >= self.at_most:
            raise ValueError(f"at_least ({self.at_least:g}) must lie below at_most ({self.at_most:g})")
        if not any(self.terms.values()):
            raise ValueError("every weight in terms is zero")
        return self

    def sides(self) -> tuple[tuple[Literal["<=", ">=", "="], float], ...]:
        """The relations this constraint states, each with its number."""
        if self.equals is not None:
            return (("=", self.equals),)
        sides: list[tuple[Literal["<=", ">=", "="], float]] = []
        if self.at_most is not None:
            sides.append(("<=", self.at_most))
        if self.at_least is not None:
            sides.append((">=", self.at_least))
        return tuple(sides)


class Sparse(Strict):
    """Amounts of which only a few may be above zero, or of which a used one needs a least amount.

    Attributes:
        parameters: numbers that cannot be below zero.
        at_most: so many of them may be above zero; None for any number.
        least: one that is above zero is at least so much, in ``unit``.
        unit: of ``least``; each parameter's unit converts into it by a factor.
    """

    parameters: tuple[str, ...] = Field(min_length=1)
    at_most: Whole | None = Field(default=None, ge=1)
    least: Number | None = Field(default=None, gt=0)
    unit: str | None = None

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, value: str | None) -> str | None:
        return None if value is None else check_unit(value)

    @model_validator(mode="after")
    def _says_something(self) -> "Sparse":
        if len(set(self.parameters)) != len(self.parameters):
            raise ValueError("parameters names one twice; name each once")
        if self.at_most is None and self.least is None:
            raise ValueError(
                "needs at_most, how many may be above zero, or least, how much a used one must be"
            )
        if self.at_most is not None and self.at_most > len(self.parameters):
            raise ValueError(
                f"at_most is {self.at_most}, but there are only {len(self.parameters)} parameters"
            )
        if (self.least is None) != (self.unit is None):
            raise ValueError("least and its unit go together; give both or neither")
        return self
