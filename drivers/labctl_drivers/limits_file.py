"""What the file of the lab's hard limits may say, read with suspicion."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from labctl_drivers.units import UnitError, known


class RefusedError(Exception):
    """The file says something that is not understood; the message names the key, not the file."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The range a parameter may never leave: ``low <= value <= high``, both in ``unit``."""

    low: float
    high: float
    unit: str


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a parameter may change.

    Attributes:
        at_most: the fastest change up or down, in ``unit``.
        unit: such as K/min.
        set_by: the parameter of the recipe that sets how fast it changes; None where the instrument decides.
    """

    at_most: float
    unit: str
    set_by: str | None = None


@dataclass(frozen=True, slots=True)
class Within:
    """Holds for a number above ``above`` and below ``below``, in ``unit``; for neither of the two itself."""

    above: float
    below: float
    unit: str


Condition: TypeAlias = Within | tuple[str, ...]
"""What a parameter is: a number in a range, or one of some texts."""

Combination: TypeAlias = Mapping[str, Condition]
"""Conditions by parameter that must not hold all at once."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All that the file says; see :class:`labctl_drivers.limits.Limits`."""

    limits: Mapping[str, Limit]
    unlimited: frozenset[str] = frozenset()
    rates: Mapping[str, Rate] = field(default_factory=dict)
    forbidden: tuple[Combination, ...] = ()


def rules_of(content: object) -> Rules:
    """Take what a YAML file says as the lab's limits.

    Raises:
        RefusedError: it says anything else, or anything more.
    """
    body = _mapping(content, "the file", {"limits", "unlimited", "rates", "forbidden"})
    limits = {
        _text(name, "limits"): _limit(f"limits.{name}", value)
        for name, value in _mapping(body.get("limits"), "limits", None).items()
    }
    unlimited = frozenset(_text(name, "unlimited") for name in _list(body, "unlimited", "names, as in [ph]"))
    if both := sorted(unlimited & set(limits)):
        raise RefusedError(f"{both[0]} stands under limits and under unlimited; remove one")
    rates = {
        _text(name, "rates"): _rate(f"rates.{name}", value)
        for name, value in _mapping(body.get("rates", {}), "rates", None).items()
    }
    combinations = _list(body, "forbidden", "combinations, as in [{temperature: {above: 500, unit: degC}}]")
    forbidden = tuple(_combination(f"forbidden[{i}]", value) for i, value in enumerate(combinations))
    numbers = set(limits) | unlimited
    for where, name in _numbers_named(rates, forbidden):
        # A name with a slip in it would never be met, and nobody would notice.
        if name not in numbers:
            raise RefusedError(f"{where} names {name!r}, which stands neither under limits nor unlimited")
    return Rules(limits, unlimited, rates, forbidden)


def _numbers_named(rates: Mapping[str, Rate], forbidden: tuple[Combination, ...]) -> list[tuple[str, str]]:
    named = [("rates", name) for name in rates]
    named += [
        (f"rates.{name}.set_by", rate.set_by) for name, rate in rates.items() if rate.set_by is not None
    ]
    return named + [
        (f"forbidden[{i}]", name)
        for i, combination in enumerate(forbidden)
        for name, condition in combination.items()
        if isinstance(condition, Within)
    ]


def _limit(where: str, value: object) -> Limit:
    body = _mapping(value, where, {"low", "high", "unit"})
    for key in ("low", "high", "unit"):
        if key not in body:
            raise RefusedError(f"{where} lacks {key}; write {{low: ..., high: ..., unit: ...}}")
    low, high = _number(body["low"], f"{where}.low"), _number(body["high"], f"{where}.high")
    if low > high:
        raise RefusedError(f"{where} has low {low:g} above high {high:g}; exchange them")
    return Limit(low, high, _unit(body["unit"], where))


def _rate(where: str, value: object) -> Rate:
    body = _mapping(value, where, {"at_most", "unit", "set_by"})
    for key in ("at_most", "unit"):
        if key not in body:
            raise RefusedError(f"{where} lacks {key}; write {{at_most: 10, unit: K/min}}")
    at_most = _number(body["at_most"], f"{where}.at_most")
    if at_most <= 0:
        raise RefusedError(f"{where}.at_most must be above 0, and is {at_most:g}")
    set_by = None if "set_by" not in body else _text(body["set_by"], f"{where}.set_by")
    return Rate(at_most, _unit(body["unit"], where), set_by)


def _combination(where: str, value: object) -> Combination:
    body = _mapping(value, where, None)
    if not body:
        raise RefusedError(f"{where} is empty, which would forbid everything; remove it")
    return {_text(name, where): _condition(f"{where}.{name}", part) for name, part in body.items()}


def _condition(where: str, value: object) -> Condition:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and value:
        return tuple(_text(one, where) for one in value)
    if not isinstance(value, dict):
        raise RefusedError(
            f"{where} must be a text such as air, a list of texts, or {{above: 500, unit: degC}}"
        )
    body = _mapping(value, where, {"above", "below", "unit"})
    if "unit" not in body or not {"above", "below"} & set(body):
        raise RefusedError(
            f"{where} needs unit, and above or below or both, as in {{above: 500, unit: degC}}"
        )
    above = _number(body["above"], f"{where}.above") if "above" in body else -math.inf
    below = _number(body["below"], f"{where}.below") if "below" in body else math.inf
    if above >= below:
        raise RefusedError(
            f"{where} has above {above:g} and below {below:g}, which no number is; exchange them"
        )
    return Within(above, below, _unit(body["unit"], where))


def _unit(unit: object, where: str) -> str:
    if not isinstance(unit, str):
        raise RefusedError(f'{where}.unit must be text such as degC, or "" for a plain number')
    try:
        known(unit)
    except UnitError as error:
        raise RefusedError(f"{where}.unit: {error}") from error
    return unit


def _list(body: Mapping[str, Any], key: str, of: str) -> list[Any]:
    value = body.get(key, [])
    if not isinstance(value, list):
        raise RefusedError(f"{key} must be a list of {of}")
    return value


def _mapping(value: object, where: str, keys: set[str] | None) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise RefusedError(f"{where} must be a mapping, as in limits: {{temperature: {{low: 20, ...}}}}")
    unknown = [key for key in value if keys is not None and key not in keys]
    if unknown:
        raise RefusedError(
            f"{where} has the unknown key {unknown[0]!r}; known are {', '.join(sorted(keys or ()))}"
        )
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise RefusedError(f"{where} names {value!r}, which is no text; put the name in quotes")
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
        raise RefusedError(f"{where} must be a finite number such as 15 or 1.0e+3, and is {value!r}")
    return float(value)


def is_finite(value: Any) -> bool:  # noqa: ANN401 - any real number
    """Whether a number is finite, also one that is too large for a float."""
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False
