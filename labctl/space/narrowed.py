"""A space narrowed to where recipes may lie at all, to draw from: what is cut off is never drawn."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from labctl.space.forbidden import Ban, Forbidden, Interval
from labctl.space.grid import Grid
from labctl.space.parameters import Continuous, Integer, Ordinal, Parameter, ends
from labctl.space.space import Space
from labctl_drivers.protocol import Recipe

Floats = NDArray[np.float64]
Ends = Mapping[str, tuple[float, float]]
"""By parameter, the lowest and the highest number that may be drawn, both included, in its own unit."""


@dataclass(frozen=True)
class Room:
    """Where recipes may lie, to draw from.

    Attributes:
        box: the space between narrower ends; None where it is proved that nothing is left.
        forbidden: what is forbidden beside that, which ends cannot say.
    """

    box: Space | None
    forbidden: tuple[Forbidden, ...] = ()

    @cached_property
    def strict(self) -> Space | None:
        """The box in which all of it is forbidden."""
        if self.box is None or not self.forbidden:
            return self.box
        return replace(self.box, forbidden=(*self.box.forbidden, *self.forbidden))

    def without(self, forbidden: Sequence[Forbidden]) -> "Room":
        """What is left where these combinations are forbidden too, such as vetoes.

        One of them moves an end where it covers that end whatever the other settings are, such as "above
        0.03"; the others are kept by their side.
        """
        if self.box is None or not forbidden:
            return self
        left = _without(self.box, forbidden)
        return Room(left.box, (*self.forbidden, *left.forbidden))


def narrowed(space: Space, within: Ends) -> Space | None:
    """The same laws over numbers between these ends; None where a parameter is left without any.

    Recipes of the narrowed space are recipes of the whole one, but its unit cube is another: encode them with
    the whole one, which surrogates know. A number that is left with one value is fixed to it. A pool stays as
    it is, since its rows are looked at one by one.
    """
    if space.pool is not None:
        return space
    parameters, fixed = dict(space.parameters), dict(space.fixed)
    for name, (low, high) in within.items():
        parameter = space.numeric(name)
        if name in fixed:
            if not low <= float(fixed[name]) <= high:
                return None
            continue
        least, most = ends(parameter)
        if low <= least and high >= most:
            continue
        left = _narrow(parameter, max(low, least), min(high, most))
        if left is None:
            return None
        if isinstance(left, float):
            fixed[name] = parameter.canonical(left)
        else:
            parameters[name] = left
    if parameters == space.parameters and fixed == space.fixed:
        return space
    return replace(space, parameters=parameters, fixed=fixed)


def reached(space: Space, room: Space) -> tuple[Floats, Floats]:
    """The lowest and the highest place (d,) of each column of a space's unit cube that its room reaches."""
    lower, upper = np.zeros(space.width), np.ones(space.width)
    for name in space.units:
        ends_of_it = np.array(_ends_of(room, name))
        at = space.slices[name].start
        lower[at], upper[at] = np.clip(space.parameters[name].encode(ends_of_it)[:, 0], 0.0, 1.0)
    return lower, upper


def nearest_lawful(space: Space, room: Space, row: Floats) -> Recipe | None:
    """The recipe of a room that is nearest to a row (d,) of its space's unit cube; None if none is found."""
    if room is space:
        return space.nearest_lawful(row)
    return room.nearest_lawful(room.encode(space.decode(row[None, :]))[0])


def inside(space: Space, ban: Ban) -> Space | None:
    """The space narrowed to the numbers of a forbidden combination; None where it has none of them."""
    return narrowed(space, {name: _closed(interval) for name, interval in ban.intervals.items()})


def _without(space: Space, forbidden: Sequence[Forbidden]) -> Room:
    if space.pool is not None:
        return Room(space, tuple(forbidden))
    within = {name: _ends_of(space, name) for name in space.units}
    bans, changed = [Ban(one, space.parameters) for one in forbidden], True
    while changed and bans:
        changed = False
        for ban in tuple(bans):
            some = _only_some(space, ban, within)
            if some is None or some == []:
                bans.remove(ban)
            if some == []:
                return Room(None)
            if some is not None and len(some) == 1 and some[0] in ban.intervals:
                before = within[some[0]]
                within[some[0]] = _cut(before, ban.intervals[some[0]])
                changed |= within[some[0]] != before
    return Room(narrowed(space, within), tuple(ban.forbidden for ban in bans))


def _ends_of(space: Space, name: str) -> tuple[float, float]:
    if name in space.fixed:
        return float(space.fixed[name]), float(space.fixed[name])
    return ends(space.numeric(name))


def _closed(interval: Interval) -> tuple[float, float]:
    """The lowest and the highest double of an interval, whose ends may not belong to it."""
    low, low_in, high, high_in = interval
    return (low if low_in else math.nextafter(low, math.inf)), (
        high if high_in else math.nextafter(high, -math.inf)
    )


def _only_some(space: Space, ban: Ban, within: Ends) -> list[str] | None:
    """The parameters of which a ban meets only some values; None where it meets none of one."""
    some = []
    for name, (low, high) in ((n, _closed(interval)) for n, interval in ban.intervals.items()):
        least, most = within[name]
        if low > most or high < least:
            return None
        if low > least or high < most:
            some.append(name)
    for name, chosen in ban.choices.items():
        listed = space.parameters[name].choices  # type: ignore[union-attr] # a category or a formula
        open_to = {str(space.fixed[name])} if name in space.fixed else set(listed)
        if not open_to & chosen:
            return None
        if open_to - chosen:
            some.append(name)
    return some


def _cut(within: tuple[float, float], banned: Interval) -> tuple[float, float]:
    """The ends that are left where an interval that reaches over one of them is cut off."""
    least, most = within
    low, high = _closed(banned)
    if low <= least:
        least = math.nextafter(high, math.inf)
    elif high >= most:
        most = math.nextafter(low, -math.inf)
    return least, most


def _narrow(parameter: Continuous | Integer | Ordinal, low: float, high: float) -> "Parameter | float | None":
    """The parameter between these ends, or the one number it is left with; None if it has none."""
    if isinstance(parameter, Ordinal):
        levels = tuple(level for level in parameter.levels if low <= level <= high)
        return _between(parameter, levels, levels=levels)
    if isinstance(parameter, Integer):
        low, high = math.ceil(low), math.floor(high)
    elif parameter.grid is not None:
        settable = _settable(parameter.grid, low, high)
        # Steps go on from where they began, and not from the new end.
        origin = parameter.low if parameter.origin is None else parameter.origin
        low, high = min(settable, default=low), max(settable, default=high)
        return _between(parameter, settable, low=low, high=high, origin=origin)
    if low > high:
        return None
    return _between(parameter, (low, high), low=low, high=high)


def _settable(grid: Grid, low: float, high: float) -> list[float]:
    """The lowest and the highest number of a grid between these ends."""
    around = np.concatenate([grid.places(low) + np.arange(-1, 2), grid.places(high) + np.arange(-1, 2)])
    values = grid.values(np.unique(np.clip(around, 0, grid.last)))
    kept: list[float] = values[(values >= low) & (values <= high)].tolist()
    return kept


def _between(
    parameter: Continuous | Integer | Ordinal, values: Sequence[float], **changes: object
) -> "Parameter | float | None":
    if not values:
        return None
    return parameter.model_copy(update=changes) if values[0] < values[-1] else float(values[0])
