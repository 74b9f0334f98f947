"""The part of a campaign's file that tells a law."""

from collections.abc import Mapping

from pydantic import Field, field_validator

from labctl.law.parse import read_law
from labctl.law.written import WrittenLaw
from labctl.space.parameters import Parameter, Strict, check_unit


class ConstantConfig(Strict):
    """A named constant of a law."""

    unit: str = Field(description="Unit of the constant, such as MPa*um**0.5.")
    about: str = Field(default="", description="What it is, for people.")

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, value: str) -> str:
        return check_unit(value)


class LawConfig(Strict):
    """What is known of the goal beforehand: a formula of the parameters with constants that are not known.

    The parameters stand for numbers in their own units, and the formula must be linear in its constants,
    as ``s0 + k / sqrt(d)`` is. A name that is no plain word goes between backquotes.
    """

    formula: str = Field(description="such as s0 + k / sqrt(grain_size)")
    constants: dict[str, ConstantConfig] = Field(min_length=1)

    def written(self, parameters: Mapping[str, Parameter]) -> WrittenLaw:
        """The law over these parameters.

        Raises:
            ValueError: in one sentence that begins with the key at fault.
        """
        units = {name: constant.unit for name, constant in self.constants.items()}
        try:
            return read_law(self.formula, parameters, units=units)
        except ValueError as error:
            raise ValueError(f"law.formula: {error}") from None
