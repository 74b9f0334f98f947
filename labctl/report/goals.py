"""What is wanted, in words and as axes: one goal or several, targets, and limits on outcomes."""

from collections.abc import Sequence
from dataclasses import replace

from labctl.config import CampaignConfig
from labctl.objective import Objective
from labctl.report.look import number, pretty_unit, with_unit
from labctl.units import UNKNOWN


def goal_in_words(config: CampaignConfig) -> str:
    """What is wanted, with the limits that a result must keep."""
    wanted = listed([_wanted(name, objective) for name, objective in config.goals.items()])
    limits = limits_in_words(config)
    text = f"{wanted}, with {limits}" if limits else wanted
    _, first = config.goal
    # A quantity keeps its own spelling, so a sentence does not begin with its name.
    return f"Wanted: {text}" if first.target is not None else text[0].upper() + text[1:]


def limits_in_words(config: CampaignConfig) -> str:
    """The limits on outcomes; empty without any."""
    return listed([f"{name} {limit_in_words(o)}" for name, o in config.limited.items()])


def limit_in_words(objective: Objective) -> str:
    """The limits of one quantity, such as ``at least 5 %``."""
    low, high = objective.at_least, objective.at_most
    unit = pretty_unit(objective.unit)
    if low is not None and high is not None:
        return f"between {number(low)} and {number(high)} {unit}".rstrip()
    if low is not None:
        return f"at least {number(low)} {unit}".rstrip()
    return f"at most {number(high or 0.0)} {unit}".rstrip()


def listed(parts: Sequence[str]) -> str:
    """The parts as a sentence lists them.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def led_by(config: CampaignConfig, name: str) -> CampaignConfig:
    """The same campaign with this goal as the main one, which figures of one goal show."""
    return replace(config, model=config.model.model_copy(update={"main": name}))


def judged_title(name: str, objective: Objective) -> str:
    """An axis of what a goal is judged by: its value, or how far it misses its target."""
    if objective.target is None:
        return with_unit(name, objective.unit)
    return with_unit(f"{name}, distance from {number(objective.target)}", objective.unit)


def quantity(value: float, objective: Objective) -> str:
    """A value with its unit."""
    return f"{number(value)} {pretty_unit(objective.unit)}".rstrip()


def _wanted(name: str, objective: Objective) -> str:
    unit = pretty_unit(objective.unit)
    if objective.target is not None:
        return f"{name} as near to {quantity(objective.target, objective)} as can be"
    wanted = "highest" if objective.goal == "maximize" else "lowest"
    if objective.unit == UNKNOWN:
        return f"{wanted} {name}, in a unit that nobody wrote down"
    return f"{wanted} {name}" + (f" in {unit}" if unit else "")
