"""How settings are written for a person: with every digit that matters, and none that nobody can set."""

import math
from collections.abc import Mapping
from decimal import Decimal

from labctl.space.parameters import Continuous, Parameter
from labctl_drivers.protocol import Recipe, Setting

_OF_RANGE = 1e-6
_OF_STEP = 1e-3
_FEWEST, _MOST = 4, 17
"""Digits; a double has no more than 17."""
_SMALL, _LARGE = 1e-4, 1e9
"""Numbers between these are written without an exponent."""
_UNSAID = ("", "dimensionless", "unknown")


def resolution(parameter: Parameter | None, value: float) -> float:
    """How far a number may be from a setting and still be taken for it.

    It is a millionth of the range, on a scale: log of the logarithms' range, and a thousandth of a step.
    """
    if not isinstance(parameter, Continuous):
        return 1e-12 * abs(value)
    span = parameter.high - parameter.low
    if parameter.scale == "log":
        span = abs(value) * math.log(parameter.high / parameter.low)
    return _OF_RANGE * span if parameter.step is None else min(_OF_RANGE * span, _OF_STEP * parameter.step)


def setting_text(parameter: Parameter | None, value: Setting) -> str:
    """A setting with the fewest digits, four at least, that are within the parameter's resolution of it."""
    if isinstance(value, str | int):
        return str(value)
    if not math.isfinite(value):
        return f"{value:g}"
    close = resolution(parameter, value)
    text = next((t for t in _longer(value) if abs(float(t) - value) <= close), repr(value))
    return f"{Decimal(text):f}" if _SMALL <= abs(value) < _LARGE else text


def recipe_text(recipe: Recipe, parameters: Mapping[str, Parameter]) -> str:
    """A recipe in one line, each number with its unit."""
    return ", ".join(f"{name} {_with_unit(parameters.get(name), value)}" for name, value in recipe.items())


def _longer(value: float) -> list[str]:
    return [f"{value:.{digits}g}" for digits in range(_FEWEST, _MOST + 1)]


def _with_unit(parameter: Parameter | None, value: Setting) -> str:
    unit = getattr(parameter, "unit", "")
    text = setting_text(parameter, value)
    return text if unit in _UNSAID else f"{text} {unit}"
