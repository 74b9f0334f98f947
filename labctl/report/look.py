"""How arms, failures and numbers look, in the page and in the picture alike."""

import math
from dataclasses import dataclass

from labctl.proposal import Arm
from labctl_drivers.protocol import FailureKind


@dataclass(frozen=True, slots=True)
class Look:
    """How one arm is drawn.

    Colour and shape say the same twice, for eyes and printers that do not tell colours apart. The colours
    are those of Okabe and Ito, "Color Universal Design" (2008); on dark ground, the lighter ones of them.

    Attributes:
        light: colour on light ground.
        dark: colour on dark ground.
        shape: marker, as plotly calls it.
        mark: the same, as matplotlib calls it.
        about: what the arm is for.
        scale: of the marker, so that all shapes cover about the same area.
    """

    light: str
    dark: str
    shape: str
    mark: str
    about: str
    scale: float = 1.0


ARMS: dict[Arm, Look] = {
    "initial": Look("#8a8f98", "#9aa1ac", "circle", "o", "lays out the start, before any surrogate"),
    "improve": Look("#0072b2", "#56b4e9", "circle", "o", "looks for better results"),
    "explore": Look("#56b4e9", "#f0e442", "square", "s", "goes where the surrogate knows least"),
    "novelty": Look("#e69f00", "#e69f00", "diamond", "D", "looks for what is unlike anything known", 1.15),
    "random": Look("#cc79a7", "#cc79a7", "triangle-up", "^", "keeps the surrogate honest", 1.3),
    "replicate": Look("#009e73", "#2ec79a", "hexagon", "h", "measures again", 1.15),
    "expert": Look("#4b3f72", "#b8a9e8", "pentagon", "p", "asked for by a person", 1.2),
}

FAILED_LIGHT, FAILED_DARK = "#d55e00", "#ff7a29"

FAILURES: dict[FailureKind, tuple[str, str, str]] = {
    FailureKind.INFEASIBLE: ("x-thin", "x", "infeasible"),
    FailureKind.CENSORED: ("line-ns", "|", "censored"),
    FailureKind.OFF_RECIPE: ("cross-thin", "+", "off recipe"),
    FailureKind.BAD_READING: ("asterisk", "*", "bad reading"),
    FailureKind.INSTRUMENT_FAULT: ("y-down", "1", "instrument fault"),
    FailureKind.ABORTED: ("line-ew", "_", "aborted"),
    FailureKind.UNKNOWN: ("diamond-tall", "d", "unknown"),
}
"""By kind: the marker for plotly, the one for matplotlib, and the words."""

_UNITS = {
    "degC": "°C",
    "degF": "°F",
    "kelvin": "K",
    "percent": "%",
    "second": "s",
    "minute": "min",
    "gram": "g",
    "hour": "h",
    "um": "µm",
    "micrometer": "µm",
    "millimeter": "mm",
    "nanometer": "nm",
    "milliliter": "mL",
    "dimensionless": "",
    "unknown": "",
}


def pretty_unit(unit: str | None) -> str:
    """A unit as papers write it; nothing for pure numbers and for units that nobody knows.

    >>> pretty_unit("degC"), pretty_unit("W/m**2"), pretty_unit("unknown")
    ('°C', 'W/m²', '')
    """
    text = _UNITS.get(unit or "", unit or "")
    return (
        text.replace("**2", "²")
        .replace("**3", "³")
        .replace(" ** 2", "²")
        .replace(" ** 3", "³")
        .replace("*", "·")
    )


def with_unit(name: str, unit: str | None) -> str:
    """The name of a quantity with its unit, for an axis."""
    shown = pretty_unit(unit)
    return f"{name} ({shown})" if shown else name


def number(value: float) -> str:
    """A number with the four digits that matter.

    >>> number(1234.5678), number(0.00012345), number(-12.0)
    ('1,235', '0.0001234', '−12')
    """
    large, small = 1e6, 1e-4
    text = f"{value:,.4g}" if value == 0 or small <= abs(value) < large else f"{value:.3e}"
    if "e" in text and small <= abs(value) < large:
        text = f"{value:,.0f}"
    return text.replace("-", "−")


def rounded(value: float | None) -> float | None:
    """A number with the six digits that a picture can show, which keeps the page small.

    None where it is not finite, as what costs beyond all numbers add up to.
    """
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
