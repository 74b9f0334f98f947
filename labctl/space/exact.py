"""The laws of a space over all its numbers at once, in their own scale: what drawing alone cannot meet."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from labctl.space.parameters import Continuous, Integer, Ordinal, can_rest, ends
from labctl.space.programme import Programme
from labctl.space.space import LinearSystem, Space
from labctl_drivers.protocol import Recipe

Floats = NDArray[np.float64]
_TIGHTER = 3e-7
"""What a solver may miss an inequality by; smooth numbers are kept so far from it where there is room."""
_EXACTLY = 1e-12
"""What adding doubles leaves of a sum whose largest term is 1."""
_POLISHES = 4
_BEYOND = 1e-6
"""How far beyond the end of a forbidden interval a smooth number is put, as a share of its range."""


class Numbers:
    """The numeric parameters of a space, each scaled from its lowest to its highest value onto 0 to 1.

    Unlike the columns of the unit cube, these are linear in the value also where the scale is logarithmic,
    so that every law is linear here.

    Attributes:
        names: in the order of the k columns.
        system: the laws over these columns.
        moving: which columns are not fixed, k.
    """

    def __init__(self, space: Space) -> None:
        self._parameters = {n: space.numeric(n) for n in space.units}
        self._space = space
        self.names = tuple(self._parameters)
        bounds = np.array([ends(p) for p in self._parameters.values()]).reshape(-1, 2)
        self._low, self._span = bounds[:, 0], bounds[:, 1] - bounds[:, 0]
        self.system = self._laws()
        self.moving = np.array([name not in space.fixed for name in self.names], dtype=bool)

    def _laws(self) -> LinearSystem:
        place = {name: i for i, name in enumerate(self.names)}
        equal: list[tuple[Floats, float]] = []
        below: list[tuple[Floats, float]] = []

        def law(weights: dict[str, float], number: float) -> tuple[Floats, float]:
            row = np.zeros(len(place))
            for name, weight in weights.items():
                row[place[name]] = weight
            scaled, rest = row * self._span, number - float(row @ self._low)
            size = np.abs(scaled).max() or 1.0  # a solver's tolerance is absolute
            return scaled / size, rest / size

        equal += [law(dict.fromkeys(m.parts, 1.0), m.total) for m in self._space.mixtures.values()]
        for constraint in self._space.constraints:
            for relation, number in constraint.sides():
                row, rest = law(self._space.weights(constraint), number)
                if relation == "=":
                    equal.append((row, rest))
                else:
                    below.append((row, rest) if relation == "<=" else (-row, -rest))
        return LinearSystem(
            np.array([row for row, _ in equal]).reshape(len(equal), len(place)),
            np.array([rest for _, rest in equal]),
            np.array([row for row, _ in below]).reshape(len(below), len(place)),
            np.array([rest for _, rest in below]),
        )

    def put(
        self,
        recipe: Recipe,
        columns: Floats,
        choices: Mapping[str, str] | None = None,
        *,
        snap: bool = True,
    ) -> Recipe:
        """The recipe with its numbers taken from k columns, whole numbers and levels being the nearest.

        Numbers in steps are the nearest too, unless ``snap`` is off.
        """
        filled = dict(recipe) | dict(choices or {})
        for name, value in zip(self.names, self.values(columns), strict=True):
            parameter = self._parameters[name]
            low, high = ends(parameter)
            near = float(np.clip(value, low, high))
            if snap and isinstance(parameter, Continuous) and parameter.grid is not None:
                near = float(parameter.grid.nearest(near))
            filled[name] = parameter.canonical(near)
        return filled

    def values(self, columns: Floats) -> Floats:
        """The numbers that columns stand for, each in its parameter's unit; any shape that ends in k."""
        found: Floats = self._low + columns * self._span
        return found

    def columns(self, recipe: Recipe) -> Floats:
        """The k columns of a recipe."""
        values = np.array([float(recipe[name]) for name in self.names])
        found: Floats = (values - self._low) / self._span
        return found

    def nearest(
        self, target: Floats, recipe: Recipe, cuts: Sequence[tuple[Floats, float]] = ()
    ) -> Recipe | None:
        """The recipe nearest to these columns (sum of distances) that keeps all laws but the rules.

        A mixed-integer programme: whole numbers, levels, steps, how many amounts are used and forbidden
        combinations are exact. Choices are those of the recipe where that is possible. None if no recipe
        is lawful, or none was found within the programme's limit.

        Args:
            target: what is wished, k.
            recipe: with the choices that are wished.
            cuts: further laws, each a row over the k columns and what its sum may be at most.
        """
        nearest, laws, movable = None, self._with(cuts), self._smooth & self.moving
        for tighter in (_TIGHTER, 0.0):
            programme = self._programme(target, recipe, tighter)
            for row, most in cuts:
                programme.add(row[None, :], -np.inf, most)
            found = programme.solved()
            if found is not None:
                choices = programme.chosen(found)
                at = _polished(
                    laws, self.columns(self.put(recipe, found[: len(self.names)], choices)), movable
                )
                nearest = self.put(recipe, at, choices)
                if not _broken(laws, at)[1].any():
                    break
            if not self._smooth.any() or not len(self.system.A_ub):
                break
        return nearest

    def _with(self, cuts: Sequence[tuple[Floats, float]]) -> LinearSystem:
        if not cuts:
            return self.system
        A_ub = np.vstack([self.system.A_ub, *(row for row, _ in cuts)])
        b_ub = np.concatenate([self.system.b_ub, [most for _, most in cuts]])
        return replace(self.system, A_ub=A_ub, b_ub=b_ub)

    @cached_property
    def _smooth(self) -> NDArray[np.bool_]:
        """Which columns move without steps."""
        kinds = self._parameters.values()
        return np.array([isinstance(p, Continuous) and p.grid is None for p in kinds], dtype=bool)

    def _programme(self, target: Floats, recipe: Recipe, tighter: float) -> Programme:
        space, programme = self._space, Programme(len(self.names), target)
        system = self.system
        programme.add(system.A_eq, system.b_eq, system.b_eq)
        touches = (system.A_ub[:, self._smooth] != 0.0).any(axis=1)
        programme.add(system.A_ub, -np.inf, system.b_ub - np.where(touches, tighter, 0.0))
        for i, (name, parameter) in enumerate(self._parameters.items()):
            low, span = self._low[i], self._span[i]
            if name in space.fixed:
                at = (float(space.fixed[name]) - low) / span
                programme.rows.append(({i: 1.0}, at, at))
            elif isinstance(parameter, Integer):
                programme.steps(i, 0.0, 1.0 / span, round(span))
            elif isinstance(parameter, Ordinal):
                programme.levels(i, (np.asarray(parameter.levels) - low) / span)
            elif parameter.grid is not None:
                grid = parameter.grid
                first = (float(grid.values(0)) - low) / span
                programme.steps(i, first, grid.step / grid.scale / span, grid.last)
        for group in space.groups:
            used = [self._use(programme, name, group.least.get(name, 0.0)) for name in group.names]
            if group.at_most is not None:
                programme.rows.append((dict.fromkeys(used, 1.0), -np.inf, float(group.at_most)))
        self._forbid(programme, recipe)
        return programme

    def _use(self, programme: Programme, name: str, least: float) -> int:
        """A helper that is 1 where this amount is above zero, and then at least so much."""
        i = self.names.index(name)
        low, span, pick = self._low[i], self._span[i], programme.helper(1)
        if least and self._smooth[i]:
            least = min(least + _BEYOND * span, low + span)
        if not can_rest(self._parameters[name]):
            programme.rows.append(({pick: 1.0}, 1.0, 1.0))
            programme.rows.append(({i: 1.0}, (least - low) / span, np.inf))
            return pick
        zero = -float(low / span)
        programme.rows.append(({i: 1.0, pick: -(1.0 - zero)}, -np.inf, zero))
        if least:
            programme.rows.append(({i: 1.0, pick: -float(least / span)}, zero, np.inf))
        return pick

    def _forbid(self, programme: Programme, recipe: Recipe) -> None:
        """Of each forbidden combination, one condition at least is not met."""
        space = self._space
        picks: dict[str, dict[str, int]] = {}
        for ban in space.bans:
            ways: dict[int, float] = {}
            for name, chosen in ban.choices.items():
                if name not in picks:
                    held = {space.fixed[name]} if name in space.fixed else None
                    listed = space.parameters[name].choices  # type: ignore[union-attr] # a category has them
                    picks[name] = programme.choose(name, listed, str(recipe[name]), held)
                ways |= {pick: 1.0 for choice, pick in picks[name].items() if choice not in chosen}
            for name, (low, low_in, high, high_in) in ban.intervals.items():
                i = self.names.index(name)
                # A number in steps that may stand on an open end must not be lost to the solver's rounding.
                up = _BEYOND if high_in or self._smooth[i] else -_BEYOND
                end = (high - self._low[i]) / self._span[i]
                at = end + up if high_in else min(end + up, max(end, 1.0))
                if at <= 1.0:
                    way = programme.helper(1)
                    programme.rows.append(({i: 1.0, way: -max(at, 0.0)}, 0.0, np.inf))
                    ways[way] = 1.0
                down = _BEYOND if low_in or self._smooth[i] else -_BEYOND
                end = (low - self._low[i]) / self._span[i]
                at = end - down if low_in else max(end - down, min(end, 0.0))
                if at >= 0.0:
                    way = programme.helper(1)
                    programme.rows.append(({i: 1.0, way: 1.0 - min(at, 1.0)}, -np.inf, 1.0))
                    ways[way] = 1.0
            programme.rows.append((ways, 1.0, np.inf))


def _broken(laws: LinearSystem, x: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """By how much the sums of k columns miss their laws, equalities first, and which miss them."""
    off = np.concatenate([laws.A_eq @ x - laws.b_eq, np.maximum(laws.A_ub @ x - laws.b_ub, 0.0)])
    return off, np.abs(off) > _EXACTLY


def _polished(laws: LinearSystem, x: Floats, movable: NDArray[np.bool_]) -> Floats:
    """The same k columns, those that may be moved by what a solver's tolerance has left of broken sums.

    By the least squares that put the broken inequalities onto their limits and keep the equalities.
    """
    rows = np.vstack([laws.A_eq, laws.A_ub])
    equal = np.arange(len(rows)) < len(laws.A_eq)
    for rim in (_BEYOND, -1.0):  # what lies at an end stays there, unless the others cannot do it
        tried = x.copy()
        for _ in range(_POLISHES):
            off, broken = _broken(laws, tried)
            if not broken.any():
                return tried
            free = movable & (tried > rim) & (tried < 1.0 - rim)
            held = broken | equal
            tried[free] -= np.linalg.lstsq(rows[np.ix_(held, free)], off[held], rcond=None)[0]
            tried[free] = np.clip(tried[free], 0.0, 1.0)
    return x
