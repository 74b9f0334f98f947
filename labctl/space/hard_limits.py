"""The lab's hard limits as a space sees them: ends of its numbers, and combinations that are forbidden."""

import math
from collections.abc import Iterator, Mapping

from labctl.space.forbidden import Condition, Forbidden
from labctl.space.narrowed import Room, narrowed
from labctl.space.parameters import NUMERIC, Continuous, Parameter, ends
from labctl.space.space import Space
from labctl_drivers.limits import Limits
from labctl_drivers.limits_file import Combination, Within
from labctl_drivers.units import UnitError, convert

_ROUNDING = 1e-12


def within_limits(space: Space, limits: Limits | None) -> Room:
    """Where the lab's hard limits let recipes lie, to draw from.

    Only what is drawn is narrowed by it. Whether a recipe is allowed is asked of the limits themselves, which
    also know what no space can say.
    """
    if limits is None or space.pool is not None:
        return Room(space)
    combinations = (_forbidden(one, space.parameters, limits.path.name) for one in limits.forbidden)
    told = [one for one in combinations if one is not None]
    cut: Space | None = space
    for name, ends_of_it in _ends(space, limits):
        if cut is not None and name not in cut.fixed:
            cut = narrowed(cut, {name: ends_of_it})
    return Room(cut).without(told)


def _ends(space: Space, limits: Limits) -> Iterator[tuple[str, tuple[float, float]]]:
    """The ends of each number that has a limit, in its own unit."""
    for name, unit in space.units.items():
        given = []
        limit = limits.limits.get(name)
        if limit is not None and name not in limits.unlimited:
            given.append((limit.low, limit.high, limit.unit))
        speeds = [
            rate for moved, rate in limits.rates.items() if rate.set_by == name and moved in space.units
        ]
        given += [(-rate.at_most, rate.at_most, rate.unit) for rate in speeds]
        parameter = space.numeric(name)
        least, most = ends(parameter)
        in_steps = not isinstance(parameter, Continuous) or parameter.grid is not None
        for low, high, of in given:
            first, last = _in(unit, low, of, -math.inf), _in(unit, high, of, math.inf)
            # What a conversion leaves of an end or of a step is that very number, as the limits have it too.
            slack = 0.0 if unit == of else _ROUNDING * max(abs(least), abs(most))
            first, last = (first - slack, last + slack) if in_steps else (first, last)
            yield name, (first if first > least + slack else least, last if last < most - slack else most)


def _in(unit: str, value: float, of: str, otherwise: float) -> float:
    """A number in another unit; what cannot be converted says nothing here, and is refused elsewhere."""
    try:
        return convert(value, of, unit)
    except (UnitError, OverflowError, TypeError):
        return otherwise


def _forbidden(combination: Combination, parameters: Mapping[str, Parameter], file: str) -> Forbidden | None:
    """A combination of the limits' file over these parameters; None where a space cannot say it."""
    when: dict[str, Condition] = {}
    for name, condition in combination.items():
        parameter = parameters.get(name)
        if isinstance(condition, Within) and isinstance(parameter, NUMERIC):
            low = _in(parameter.unit, condition.above, condition.unit, -math.inf)
            high = _in(parameter.unit, condition.below, condition.unit, math.inf)
            ends = {"above": low, "below": high}
            given = {key: end for key, end in ends.items() if math.isfinite(end)}
            if given:
                when[name] = Condition.model_validate({**given, "unit": parameter.unit})
        elif isinstance(condition, tuple) and parameter is not None and not isinstance(parameter, NUMERIC):
            texts = {text.strip().casefold() for text in condition}
            chosen = tuple(c for c in parameter.choices if c.strip().casefold() in texts)
            if not chosen:
                return None
            when[name] = Condition(choices=chosen)
        # A condition that cannot be compared is taken to hold, as the limits take it.
    return Forbidden(when=when, because=f"by {file}") if when else None
