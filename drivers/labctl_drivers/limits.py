"""Hard limits of the lab, from a file apart from any campaign; whatever is not allowed is refused."""

import hashlib
import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import TypeGuard

from labctl_drivers import safe_yaml
from labctl_drivers.limits_file import Combination, Condition, Limit, Rate, RefusedError, is_finite, rules_of
from labctl_drivers.protocol import Ramp, Recipe, Setting
from labctl_drivers.units import UnitError, convert, is_dimensionless

__all__ = ["Limit", "Limits", "LimitsError", "Rate", "load_limits"]

# A limit of 1200 degC must hold 1473.15 K, although floating point puts that an ulp away from it. This
# much is granted after a conversion, and nothing where recipe and limit are in the same unit.
_ROUNDING = 1e-12


class LimitsError(Exception):
    """The limits' file cannot be used, so nothing may run; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What this lab allows at all.

    Attributes:
        path: the file the limits come from.
        sha256: digest of that file, so that a record can name the limits that were in force.
        limits: by parameter name.
        unlimited: numeric parameters that the lab has decided need no limit.
        rates: how fast parameters may change, by parameter name.
        forbidden: combinations that must not come together.
    """

    path: Path
    sha256: str
    limits: Mapping[str, Limit]
    unlimited: frozenset[str]
    rates: Mapping[str, Rate] = field(default_factory=dict)
    forbidden: tuple[Combination, ...] = ()

    def violations(
        self, recipe: Recipe, units: Mapping[str, str], ramps: Mapping[str, Ramp] | None = None
    ) -> tuple[str, ...]:
        """Say everything about a recipe that this lab does not allow; an empty tuple allows it.

        A number without a limit is a violation unless the file lists it as unlimited; so are a number
        that is not finite, a missing unit, and a unit that cannot be converted into the limit's.

        A rate of change is a property of the instrument's move and not of two recipes: it is held against
        the setting that sets it (``set_by``) and against the instrument's own ramp. Where neither is known
        it is a violation if ``ramps`` is given, and is left to the check in the driver if it is not.

        A forbidden combination is a violation if every condition holds. A condition on a parameter that the
        recipe does not name holds too, since nobody says otherwise, as long as it names another of them.

        Args:
            recipe: the settings.
            units: the unit of every numeric setting.
            ramps: how fast the instrument changes its settings, where the caller knows the instrument.
        """
        found = [self._violation(name, value, units.get(name)) for name, value in recipe.items()]
        found += [self._too_fast(name, recipe, units, ramps) for name in self.rates if name in recipe]
        found += [self._combined(combination, recipe, units) for combination in self.forbidden]
        return tuple(sentence for sentence in found if sentence is not None)

    def forbids_all(self, name: str, low: float, high: float, unit: str) -> str | None:
        """Say why this lab allows no value of a parameter from low to high; None where it may allow one."""
        at_low, at_high = self._violation(name, low, unit), self._violation(name, high, unit)
        if at_low is None or at_high is None:
            return None
        limit = self.limits.get(name)
        try:
            ends = None if limit is None else [convert(end, unit, limit.unit) for end in (low, high)]
        except (UnitError, OverflowError, TypeError):
            return at_low
        reaches_over = limit is not None and ends is not None and ends[0] < limit.low and ends[1] > limit.high
        return None if reaches_over else at_low

    def _against_text(self, name: str, value: str) -> str | None:
        if name in self.unlimited:
            return f"{name} = {value[:60]!r} is text; {of_numbers(self.path.name, name)}"
        text = f"{name} = {value[:60]!r} is text, but {self.path.name} limits a number"
        return text if name in self.limits else None

    def _violation(self, name: str, value: object, unit: str | None) -> str | None:
        limit = self.limits.get(name)
        if isinstance(value, str):
            return self._against_text(name, value)
        if not _is_number(value):
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
        except (UnitError, OverflowError, TypeError) as error:
            return f"{stated} cannot be checked against {self.path.name}: {error}"
        slack = 0.0 if unit == limit.unit else _ROUNDING * max(abs(here), abs(limit.low), abs(limit.high))
        # Minus zero is equal to zero, but a device that is sent "-0.0" may read a negative number.
        is_minus_zero = value == here == limit.low and _is_minus_zero(value) > _is_minus_zero(limit.low)
        if limit.low - slack <= here <= limit.high + slack and not is_minus_zero:
            return None
        side, edge = ("below", limit.low) if here < limit.low or is_minus_zero else ("above", limit.high)
        allowed = f"{edge:g} {limit.unit}".rstrip()
        return f"{stated} is {side} the lab's limit of {allowed} in {self.path.name}"

    def _too_fast(
        self, name: str, recipe: Recipe, units: Mapping[str, str], ramps: Mapping[str, Ramp] | None
    ) -> str | None:
        rate = self.rates[name]
        speeds: list[tuple[object, str]] = []
        if ramps is not None and name in ramps:
            speeds.append((ramps[name].speed, ramps[name].unit))
        if rate.set_by is not None and rate.set_by in recipe:
            speeds.append((recipe[rate.set_by], units.get(rate.set_by, "")))
        if not speeds and (ramps is not None or rate.set_by is not None):
            setting = f"{rate.set_by} in the recipe" if rate.set_by else "set_by in that file"
            return (
                f"nothing says how fast {name} changes, which {self.path.name} limits; "
                f"give {setting}, or an instrument that declares its ramp"
            )
        found = (self._faster(name, speed, unit, rate) for speed, unit in speeds)
        return next((sentence for sentence in found if sentence is not None), None)

    def _faster(self, name: str, speed: object, unit: str, rate: Rate) -> str | None:
        if not _is_number(speed):
            return f"{name} changes by {_shown(speed)}, which is no finite number"
        stated = f"{name} changes by {float(speed):.12g} {unit}".rstrip()
        try:
            here = abs(convert(float(speed), unit, rate.unit))
        except (UnitError, OverflowError, TypeError) as error:
            return f"{stated}, which cannot be checked against {self.path.name}: {error}"
        slack = 0.0 if unit == rate.unit else _ROUNDING * max(here, rate.at_most)
        allowed = f"{rate.at_most:g} {rate.unit}".rstrip()
        within = here <= rate.at_most + slack
        return None if within else f"{stated}, and {self.path.name} allows at most {allowed}"

    def _combined(self, combination: Combination, recipe: Recipe, units: Mapping[str, str]) -> str | None:
        named = [name for name in combination if name in recipe]
        if not named or not all(_holds(combination[n], recipe[n], units.get(n)) for n in named):
            return None
        silent = [name for name in combination if name not in recipe]
        told = " with ".join(_told(combination, recipe, units))
        unsaid = f", and the recipe does not say {' or '.join(silent)}" if silent else ""
        return f"{self.path.name} forbids {told}{unsaid}"


def load_limits(path: Path) -> Limits:
    """Read the lab's limits.

    The file is YAML. ``limits`` gives ``low``, ``high`` and ``unit`` for each parameter, and ``unlimited``
    lists the numeric parameters that need none. ``rates`` may give ``at_most`` and ``unit``, and ``set_by``
    where a setting decides how fast a parameter changes. ``forbidden`` may list combinations, each of them
    conditions by parameter: a text, a list of texts, or ``above`` and ``below`` with ``unit``.

    Raises:
        LimitsError: the file is missing, unreadable or says anything that is not understood.
    """
    try:
        content, source = safe_yaml.read(path)
        rules = rules_of(content)
    except safe_yaml.UnreadableError as error:
        raise LimitsError(f"{path}: {error}; without limits nothing is allowed to run") from error
    except RefusedError as error:
        raise LimitsError(f"{path}: {error}") from error
    digest = hashlib.sha256(source).hexdigest()
    limits, rates = MappingProxyType(dict(rules.limits)), MappingProxyType(dict(rules.rates))
    return Limits(path, digest, limits, rules.unlimited, rates, rules.forbidden)


def _holds(condition: Condition, value: Setting, unit: str | None) -> bool:
    """Whether a condition holds, or may hold: what cannot be compared is taken to."""
    if isinstance(condition, tuple):
        return not isinstance(value, str) or _spelled(value) in map(_spelled, condition)
    if not _is_number(value) or (unit is None and not is_dimensionless(condition.unit)):
        return True
    try:
        here = convert(float(value), unit or "", condition.unit)
    except (UnitError, OverflowError, TypeError):
        return True
    ends = [abs(end) for end in (condition.above, condition.below) if is_finite(end)]
    slack = 0.0 if (unit or "") == condition.unit else _ROUNDING * max(abs(here), *ends)
    return condition.above + slack < here < condition.below - slack


def _spelled(text: str) -> str:
    """One spelling of texts that look the same: an accent may be part of its letter or come after it."""
    compatible = unicodedata.normalize("NFKC", text)
    return unicodedata.normalize("NFKC", compatible.casefold()).strip()


def _told(combination: Combination, recipe: Recipe, units: Mapping[str, str]) -> Iterator[str]:
    for name in combination:
        if name in recipe:
            unit = "" if isinstance(recipe[name], str) else units.get(name, "")
            yield f"{name} = {_shown(recipe[name])} {unit}".rstrip()


def _is_number(value: object) -> TypeGuard[Real]:
    return not isinstance(value, bool) and isinstance(value, Real) and is_finite(value)


def _is_minus_zero(value: float) -> bool:
    return value == 0.0 and math.copysign(1.0, value) < 0.0


def of_numbers(file: str, name: str) -> str:
    """What to do about a text that a limits file lists as a number without a limit."""
    return f"{file} lists numbers under unlimited, and a text needs no entry: take {name} out there"


def _shown(value: object) -> str:
    try:
        return repr(value)[:60]
    except ValueError:  # Python refuses to write out a whole number of thousands of digits
        return "a huge number"
