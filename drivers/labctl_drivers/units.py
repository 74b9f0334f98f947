"""Numbers from one unit into another; pint is imported only when two units really differ."""

import functools
import re
from typing import Any

# Names, one-digit exponents, and the signs between them. pint works out sums and powers of numbers in a
# unit's text, so anything else is refused before pint sees it.
_NAME = r"[A-Za-zµμΩÅ°%][A-Za-z0-9_µμΩÅ°%]{0,40}"
_POWER = r"(?:(?:\*\*|\^)?\s?-?\d(?:\.\d)?|[⁻]?[¹²³⁴⁵⁶])?"
_FACTOR = rf"(?:{_NAME}{_POWER}|1)"
_UNIT = re.compile(rf"\s*(?:{_FACTOR}(?:\s*[*/·]\s*{_FACTOR}|\s+{_FACTOR}){{0,8}})?\s*")
_LONGEST = 80


class UnitError(ValueError):
    """A unit is not known, or cannot be converted into another; the message is one sentence."""


def convert(value: float, unit: str, target: str) -> float:
    """Convert a number; offset units such as degC and K are converted as points on their scales.

    A difference of temperatures (``delta_degC``) is no temperature and is refused where one is wanted.

    Raises:
        UnitError: a unit is unknown, or the two do not measure the same thing.
    """
    if unit == target:
        return value
    here, there = known(unit), known(target)
    if here.dimensionality != there.dimensionality or _is_difference(here) != _is_difference(there):
        raise UnitError(f"{unit or 'a bare number'} cannot be converted to {target or 'a bare number'}")
    return float(_registry().convert(float(value), here, there))


def is_dimensionless(unit: str) -> bool:
    """Whether a unit is a plain number, so that a number without a unit may stand for it."""
    return unit in {"", "dimensionless"}


@functools.cache
def known(unit: str) -> Any:  # noqa: ANN401 - a pint unit, whose class depends on its registry
    """Look a unit up.

    Raises:
        UnitError: the text is not the name of a unit.
    """
    if len(unit) > _LONGEST or not _UNIT.fullmatch(unit):
        raise UnitError(f"{unit[:_LONGEST]!r} is not a unit; write it as in mg/mL or mm**2")
    try:
        return _registry().parse_units(unit)
    except Exception as error:
        # pint raises tokeniser errors as well as its own
        raise UnitError(f"{unit!r} is not a unit that pint knows; write it as in degC or mg/mL") from error


@functools.cache
def _registry() -> Any:  # noqa: ANN401 - pint is imported only here
    import pint  # noqa: PLC0415 - half a second that most campaigns never need

    registry: Any = pint.UnitRegistry()
    registry.define("vickers = kilogram_force / millimeter ** 2 = HV")  # ISO 6507-1
    registry.define("equivalent = [] = equiv")
    return registry


def _is_difference(unit: Any) -> bool:  # noqa: ANN401 - see known
    return str(unit).startswith("delta_") and str(unit.dimensionality) == "[temperature]"
