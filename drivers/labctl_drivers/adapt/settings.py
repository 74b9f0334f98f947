"""How a recipe becomes settings: each in the device's own unit, or as what it calls a choice."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl_drivers.adapt.options import Options
from labctl_drivers.protocol import Attempt, ExperimentFailed, FailureKind, Ramp, Recipe, Setting
from labctl_drivers.units import UnitError, convert


@dataclass(frozen=True, slots=True)
class SettingRule:
    """How one parameter is set.

    Attributes:
        unit: the device's own unit; '' where it takes no number.
        choices: by the recipe's choice, what the device takes for it.
        ramp: the fastest change, where it is told.
    """

    unit: str
    choices: Mapping[str, Any] = field(default_factory=dict)
    ramp: tuple[float, str] | None = None


RULE_KEYS = ("unit", "choices", "ramp")
"""The options that every setting has, whatever carries it out."""


def rule_of(options: Options) -> SettingRule:
    """Read the rule of one setting.

    Raises:
        ValueError: names the option that is wrong.
    """
    choices = options.part("choices")
    for name, value in choices.content.items():
        if not isinstance(value, str | int | float):
            raise ValueError(f"{choices.at(name)}: must be a number or a text, and is {value!r}")  # noqa: TRY004 - one kind of error for all options
    if choices.content and "unit" in options.content:
        raise ValueError(f"{options.at('choices')}: is for settings without a unit; remove one of the two")
    unit = options.unit("unit", "dimensionless")
    return SettingRule(
        unit, {str(name): value for name, value in choices.content.items()}, options.amount("ramp")
    )


def problem_of(recipe: Recipe, rules: Mapping[str, SettingRule], instrument: str) -> str | None:
    """Say what is missing from a recipe or unknown to the instrument, or None."""
    lacking = [name for name in rules if name not in recipe]
    if lacking:
        return f"{instrument} needs {', '.join(lacking)}, which the recipe has not; remove it from settings"
    unknown = [name for name in recipe if name not in rules]
    if unknown:
        return f"{instrument} cannot set {', '.join(unknown)}; it has {', '.join(rules)}"
    for name, rule in rules.items():
        value = recipe[name]
        if rule.choices and str(value) not in rule.choices:
            return f"settings.{name}.choices has no {value!r}; it has {', '.join(rule.choices)}"
        if isinstance(value, str) and not rule.choices and rule.unit != "dimensionless":
            return f"{name} is the text {value!r}, and settings.{name} wants a number in {rule.unit}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{name} is {value}, and no device is set to that"
    return None


def converted(attempt: Attempt, rules: Mapping[str, SettingRule], instrument: str) -> dict[str, Any]:
    """The recipe as the devices take it.

    Raises:
        ExperimentFailed: it cannot be set; nothing has been moved.
    """
    problem = problem_of(attempt.recipe, rules, instrument)
    if problem is None:
        try:
            return {name: _told(attempt, name, rule) for name, rule in rules.items()}
        except UnitError as error:
            problem = str(error)
    raise ExperimentFailed(FailureKind.INSTRUMENT_FAULT, problem, stage="check")


def reached(attempt: Attempt, name: str, value: Any, rule: SettingRule) -> Setting:  # noqa: ANN401 - as it was read
    """What was read of a setting, as the recipe would say it."""
    for choice, told in rule.choices.items():
        if told == value:
            return choice
    if isinstance(value, str):
        return value
    return convert(float(value), rule.unit, attempt.units.get(name, rule.unit))


def ramps_of(rules: Mapping[str, SettingRule]) -> dict[str, Ramp]:
    """The fastest change of each setting, where it is told."""
    return {name: Ramp(*rule.ramp) for name, rule in rules.items() if rule.ramp is not None}


def _told(attempt: Attempt, name: str, rule: SettingRule) -> Any:  # noqa: ANN401 - whatever the device takes
    value = attempt.recipe[name]
    if rule.choices:
        return rule.choices[str(value)]
    if isinstance(value, str):
        return value
    try:
        told = convert(value, attempt.units.get(name, rule.unit), rule.unit)
    except UnitError as error:
        raise UnitError(f"{name}: {error}; give settings.{name}.unit the device's own unit") from None
    if not math.isfinite(told):
        raise UnitError(f"{name} is {told} in {rule.unit}, and no device is set to that")
    return told
