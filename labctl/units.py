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


USUAL = frozenset(
    (  # noqa: SIM905 - words in lines read better than a list of a hundred lines
        "dimensionless percent ppm mm cm m um µm nm angstrom inch degC degF kelvin K "
        "second s minute min hour h day ms kg g gram mg ug µg t mol mmol umol M mM "
        "l L ml mL ul µl uL cm^3 m^3 mm^2 cm^2 m^2 g/cm^3 kg/m^3 g/l g/L mg/ml mol/l mol/L "
        "ml/min mL/min l/min L/min K/min degree radian Pa kPa MPa GPa bar mbar atm torr N kN J kJ kJ/mol "
        "eV meV keV W kW V mV kV A mA uA ohm kohm S S/cm S/m Hz kHz MHz GHz rpm HV equivalent T"
    ).split()
)
"""Units that labs use every day; known without building pint's registry, which takes half a second."""

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
    if text == UNKNOWN or text in USUAL:
        return text
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


# The time limit of every campaign is asked for, and mostly in one of these.
_SECONDS = {
    (unit, "second"): seconds
    for units, seconds in (("s second", 1.0), ("min minute", 60.0), ("h hour", 3600.0), ("day", 86400.0))
    for unit in units.split()
}


def factor(source: str, target: str) -> float | None:
    """What to multiply a number in ``source`` with to have it in ``target``; None if impossible.

    Offset units such as degC have no factor to any other unit, so None.
    """
    if source == target:
        return 1.0
    if UNKNOWN in (source, target):
        return None
    if (source, target) in _SECONDS:
        return _SECONDS[source, target]
    import pint  # noqa: PLC0415

    ureg = registry()
    try:
        zero = ureg.Quantity(0.0, source).to(target).magnitude
        one = ureg.Quantity(1.0, source).to(target).magnitude
    except (pint.PintError, ValueError, TypeError):
        return None
    return float(one) if zero == 0.0 else None


def converted(value: float, source: str, target: str) -> float | None:
    """A number in ``source`` as one in ``target``; None if impossible.

    Offset units such as degC are converted as points on their scales.
    """
    multiplier = factor(source, target)
    if multiplier is not None:
        return value * multiplier
    if UNKNOWN in (source, target):
        return None
    from labctl_drivers.units import UnitError, convert  # noqa: PLC0415 - only offset units come so far

    try:
        return convert(value, source, target)
    except UnitError:
        return None
