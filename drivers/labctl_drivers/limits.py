"""Hard limits of the lab, from a file apart from any campaign; whatever is not allowed is refused."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

from labctl_drivers import safe_yaml
from labctl_drivers.protocol import Recipe
from labctl_drivers.units import UnitError, convert, is_dimensionless, known

# A limit of 1200 degC must hold 1473.15 K, although floating point puts that an ulp away from it. This
# much is granted after a conversion, and nothing where recipe and limit are in the same unit.
_ROUNDING = 1e-12


class LimitsError(Exception):
    """The limits' file cannot be used, so nothing may run; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The range a parameter may never leave: ``low <= value <= high``, both in ``unit``."""

    low: float
    high: float
    unit: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What this lab allows at all.

    Attributes:
        path: the file the limits come from.
        sha256: digest of that file, so that a record can name the limits that were in force.
        limits: by parameter name.
        unlimited: numeric parameters that the lab has decided need no limit.
    """

    path: Path
    sha256: str
    limits: Mapping[str, Limit]
    unlimited: frozenset[str]

    def violations(self, recipe: Recipe, units: Mapping[str, str]) -> tuple[str, ...]:
        """Say everything about a recipe that this lab does not allow; an empty tuple allows it.

        A number without a limit is a violation unless the file lists it as unlimited; so are a number
        that is not finite, a missing unit, and a unit that cannot be converted into the limit's.

        Args:
            recipe: the settings.
            units: the unit of every numeric setting.
        """
        found = (self._violation(name, value, units.get(name)) for name, value in recipe.items())
        return tuple(sentence for sentence in found if sentence is not None)

    def forbids_all(self, name: str, low: float, high: float, unit: str) -> str | None:
        """Say why this lab allows no value of a parameter from low to high; None where it may allow one."""
        at_low, at_high = self._violation(name, low, unit), self._violation(name, high, unit)
        if at_low is None or at_high is None:
            return None
        limit = self.limits.get(name)
        try:
            ends = None if limit is None else [convert(end, unit, limit.unit) for end in (low, high)]
        except (UnitError, OverflowError):
            return at_low
        reaches_over = limit is not None and ends is not None and ends[0] < limit.low and ends[1] > limit.high
        return None if reaches_over else at_low

    def _violation(self, name: str, value: object, unit: str | None) -> str | None:
        limit = self.limits.get(name)
        if isinstance(value, str):
            text = f"{name} = {value[:60]!r} is text, but {self.path.name} limits a number"
            return None if limit is None else text
        if isinstance(value, bool) or not isinstance(value, Real) or not _is_finite(value):
            return f"{name} = {_shown(value)} is neither a finite number nor text"
        if name in self.unlimited:
            return None
        if limit is None:
            return f"{name} has no limit in {self.path.name}; give it one there, or list it under unlimited"
        if unit is None and not is_dimensionless(limit.unit):
            return f"{name} = {value} has no unit, and its limit in {self.path.name} is in {limit.unit}"
        return self._beyond(name, float(value), unit or "", limit)

    def _beyond(self, name: str, value: float, unit: str, limit: Limit) -> str | None:
        stated = f"{name} = {value:.12g} {unit}".rstrip()
        try:
            here = convert(value, unit, limit.unit)
        except (UnitError, OverflowError) as error:
            return f"{stated} cannot be checked against {self.path.name}: {error}"
        slack = 0.0 if unit == limit.unit else _ROUNDING * max(abs(here), abs(limit.low), abs(limit.high))
        if limit.low - slack <= here <= limit.high + slack:
            return None
        side, edge = ("below", limit.low) if here < limit.low else ("above", limit.high)
        allowed = f"{edge:g} {limit.unit}".rstrip()
        return f"{stated} is {side} the lab's limit of {allowed} in {self.path.name}"


def load_limits(path: Path) -> Limits:
    """Read the lab's limits.

    The file is YAML with two keys: ``limits``, which gives ``low``, ``high`` and ``unit`` for each
    parameter, and ``unlimited``, a list of the numeric parameters that need none.

    Raises:
        LimitsError: the file is missing, unreadable or says anything that is not understood.
    """
    try:
        content, source = safe_yaml.read(path)
        limits, unlimited = _parsed(content)
    except safe_yaml.UnreadableError as error:
        raise LimitsError(f"{path}: {error}; without limits nothing is allowed to run") from error
    except _Refused as error:
        raise LimitsError(f"{path}: {error}") from error
    return Limits(path, hashlib.sha256(source).hexdigest(), MappingProxyType(limits), unlimited)


class _Refused(Exception):  # noqa: N818 - becomes a LimitsError with the file's name
    pass


def _parsed(content: object) -> tuple[dict[str, Limit], frozenset[str]]:
    body = _mapping(content, "the file", {"limits", "unlimited"})
    limits = {
        _text(name, "limits"): _limit(f"limits.{name}", value)
        for name, value in _mapping(body.get("limits"), "limits", None).items()
    }
    names = body.get("unlimited", [])
    if not isinstance(names, list):
        raise _Refused("unlimited must be a list of names, such as [] or [ph]")
    unlimited = frozenset(_text(name, "unlimited") for name in names)
    if both := sorted(unlimited & set(limits)):
        raise _Refused(f"{both[0]} stands under limits and under unlimited; remove one")
    return limits, unlimited


def _limit(where: str, value: object) -> Limit:
    body = _mapping(value, where, {"low", "high", "unit"})
    for key in ("low", "high", "unit"):
        if key not in body:
            raise _Refused(f"{where} lacks {key}; write {{low: ..., high: ..., unit: ...}}")
    low, high = _number(body["low"], f"{where}.low"), _number(body["high"], f"{where}.high")
    if low > high:
        raise _Refused(f"{where} has low {low:g} above high {high:g}; exchange them")
    unit = body["unit"]
    if not isinstance(unit, str):
        raise _Refused(f'{where}.unit must be text such as degC, or "" for a plain number')
    try:
        known(unit)
    except UnitError as error:
        raise _Refused(f"{where}.unit: {error}") from error
    return Limit(low, high, unit)


def _mapping(value: object, where: str, keys: set[str] | None) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise _Refused(f"{where} must be a mapping, as in limits: {{temperature: {{low: 20, ...}}}}")
    unknown = [key for key in value if keys is not None and key not in keys]
    if unknown:
        raise _Refused(
            f"{where} has the unknown key {unknown[0]!r}; known are {', '.join(sorted(keys or ()))}"
        )
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _Refused(f"{where} names {value!r}, which is no text; put the name in quotes")
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise _Refused(f"{where} must be a finite number such as 15 or 1.0e+3, and is {value!r}")
    return float(value)


def _shown(value: object) -> str:
    try:
        return repr(value)[:60]
    except ValueError:  # Python refuses to write out a whole number of thousands of digits
        return "a huge number"


def _is_finite(value: Real | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False
