"""Units, as pint knows them; ``unknown`` is a unit that a replay may have and an instrument may not."""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pint

UNKNOWN = "unknown"

# What people write in table headers, and what pint calls it.
_ALIASES = {
    "%": "percent",
    "°C": "degC",
    "℃": "degC",
    "°F": "degF",
    "°": "degree",
    "-": "dimensionless",
    "1": "dimensionless",
    "none": "dimensionless",
    "a.u.": UNKNOWN,
    "au": UNKNOWN,
    "arb. units": UNKNOWN,
    "arb. u.": UNKNOWN,
    "?": UNKNOWN,
    "Ohm": "ohm",
    "kOhm": "kohm",
    "MOhm": "Mohm",
    "wt%": "percent",
    "at%": "percent",
    "mol%": "percent",
    "vol%": "percent",
    "wt.%": "percent",
    "at.%": "percent",
}


# pint computes what it parses, and 9**9**9**9 would never end: only names, small powers, products and
# quotients come before it.
_TERM = r"\(*\s*(?:1|[^\W\d]\w*|%)(?:\s*(?:\*\*|\^)\s*\(?-?\d{1,2}(?:\.\d)?\)?|[⁻¹²³⁴-⁹]+)?\s*\)*"
_UNIT = re.compile(rf"{_TERM}(?:\s*[/*·]\s*{_TERM}|\s+{_TERM})*")


@cache
def registry() -> "pint.UnitRegistry[Any]":
    """The one pint registry, with the units of this field that pint lacks."""
    import pint  # noqa: PLC0415 - takes a moment, and `labctl --help` needs no unit

    ureg: pint.UnitRegistry[Any] = pint.UnitRegistry(autoconvert_offset_to_baseunit=True, cache_folder=None)
    ureg.define("vickers = kilogram_force / millimeter ** 2 = HV")  # ISO 6507-1: HV is kgf/mm2
    ureg.define("equivalent = [] = equiv")
    return ureg


def canonical(text: str) -> str | None:
    """The spelling of a unit that is kept, or None where nobody can say what it means.

    >>> canonical("°C"), canonical("%"), canonical("furlongish")
    ('degC', 'percent', None)
    """
    text = text.strip()
    text = _ALIASES.get(text, text)
    if text == UNKNOWN:
        return UNKNOWN
    if len(text) > 60 or not _UNIT.fullmatch(text):  # noqa: PLR2004 - no unit is longer, and pint parses what it is given
        return None
    return _parsed(text)


@cache
def _parsed(text: str) -> str | None:
    import tokenize  # noqa: PLC0415

    try:
        registry().Unit(text)
    except (
        AttributeError,
        ValueError,
        TypeError,
        KeyError,
        tokenize.TokenError,
        SyntaxError,
        ArithmeticError,
    ):
        return None
    except AssertionError:  # pint's parser asserts on some strays such as "["
        return None
    return text


def factor(source: str, target: str) -> float | None:
    """What to multiply a number in ``source`` with to have it in ``target``; None if impossible.

    Offset units such as degC have no factor to any other unit, so None.
    """
    if source == target:
        return 1.0
    if UNKNOWN in (source, target):
        return None
    import pint  # noqa: PLC0415

    ureg = registry()
    try:
        zero = ureg.Quantity(0.0, source).to(target).magnitude
        one = ureg.Quantity(1.0, source).to(target).magnitude
    except (pint.PintError, ValueError, TypeError):
        return None
    return float(one) if zero == 0.0 else None
