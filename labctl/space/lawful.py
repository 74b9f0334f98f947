"""Whether recipes keep the laws of a space: told in sentences for one, as a mask for many."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.space.constraints import TOLERANCE
from labctl.space.parameters import Continuous, ends
from labctl_drivers.protocol import Recipe, Setting

if TYPE_CHECKING:
    from labctl.space.space import Space

Floats = NDArray[np.float64]
Columns = Mapping[str, Sequence[Setting] | NDArray[Any]]
_RULE_SLACK = 1e-9
_ROUNDING = 1e-9
"""What the sums of a proposal may miss by, relative to their terms: what adding doubles leaves."""


def law_problems(space: "Space", recipe: Recipe) -> list[str]:
    """Why a recipe whose every setting is right by itself breaks a law between them, in sentences.

    Sums have the allowance that recorded tables need, and numbers between two steps of an instrument are
    no problem, since they were measured somehow.
    """
    found = [*_mixture_problems(space, recipe), *_linear_problems(space, recipe)]
    for group in space.groups:
        used = [n for n in group.names if float(recipe[n]) > TOLERANCE * ends(space.numeric(n))[1]]
        if group.mixture is None and group.at_most is not None and len(used) > group.at_most:
            found.append(
                f"{len(used)} of {', '.join(group.names)} are above zero, and at most {group.at_most} may be"
            )
        found += [
            f"{n} is {recipe[n]:g}, but must be 0 or at least {group.least[n]:g} {space.units[n]}"
            for n in used
            if float(recipe[n]) < group.least.get(n, 0.0) * (1.0 - TOLERANCE)
        ]
    found += [ban.told() for ban in space.bans if ban.meets(recipe)]
    for rule in space.rules:
        columns = {name: np.array([float(recipe[name])]) for name in rule.parameters}
        if not rule.excess(columns).max() <= _RULE_SLACK:
            at = ", ".join(f"{name} = {recipe[name]:g}" for name in rule.parameters)
            found.append(f"the rule {rule.text} does not hold at {at}")
    return found


def _mixture_problems(space: "Space", recipe: Recipe) -> list[str]:
    found = []
    for name, mixture in space.mixtures.items():
        parts = [float(recipe[part]) for part in mixture.parts]
        if abs(sum(parts) - mixture.total) > max(TOLERANCE * mixture.total, mixture.tolerance):
            found.append(f"{name}: the parts add up to {sum(parts):g}, not {mixture.total:g} {mixture.unit}")
        used = sum(part > TOLERANCE * mixture.total for part in parts)
        if mixture.max_parts is not None and used > mixture.max_parts:
            found.append(f"{name}: {used} parts are above zero, and at most {mixture.max_parts} may be")
    return found


def _linear_problems(space: "Space", recipe: Recipe) -> list[str]:
    found = []
    for constraint, weights in space.weighted:
        terms = [w * float(recipe[name]) for name, w in weights.items()]
        for relation, number in constraint.sides():
            slack = TOLERANCE * max(abs(number), *(abs(t) for t in terms))
            off = sum(terms) - number
            if (
                (relation == "<=" and off > slack)
                or (relation == ">=" and off < -slack)
                or (relation == "=" and abs(off) > slack)
            ):
                shown = " + ".join(f"{w:g} {name}" for name, w in constraint.terms.items())
                found.append(
                    f"{shown} is {sum(terms):g}, but must be {relation} {number:g} {constraint.unit}"
                )
    return found


def proposable(space: "Space", columns: Columns, n: int) -> NDArray[np.bool_]:
    """Which of n recipes, given as columns of settings, may be proposed: n.

    Stricter than :func:`law_problems`: numbers are what the instrument can set, rules hold in the very
    numbers, sums are met to the rounding of a double, or exactly where every term moves in steps.
    """
    keeps = settable(space, columns, n)
    numbers = {name: np.asarray(columns[name], dtype=np.float64) for name in space.units}
    for name, x in numbers.items():
        low, high = ends(space.numeric(name))
        keeps &= (x >= low) & (x <= high)
    for mixture in space.mixtures.values():
        parts = np.stack([numbers[part] for part in mixture.parts])
        keeps &= np.abs(parts.sum(axis=0) - mixture.total) <= _ROUNDING * mixture.total
    for constraint, weights in space.weighted:
        terms = np.stack([w * numbers[name] for name, w in weights.items()])
        for relation, number in constraint.sides():
            slack = _ROUNDING * np.maximum(np.abs(terms).max(axis=0), abs(number))
            off = terms.sum(axis=0) - number
            keeps &= (off <= slack) if relation != ">=" else (off >= -slack)
            keeps &= (off >= -slack) if relation == "=" else True
    for group in space.groups:
        used = np.stack([numbers[name] > 0.0 for name in group.names])
        if group.at_most is not None:
            keeps &= used.sum(axis=0) <= group.at_most
        for name, least in group.least.items():
            keeps &= (numbers[name] <= 0.0) | (numbers[name] >= least)
    return keeps


def settable(space: "Space", columns: Columns, n: int) -> NDArray[np.bool_]:
    """Which of n recipes an instrument can set and nobody forbade; sums are not looked at: n."""
    keeps = np.ones(n, dtype=bool)
    for name, value in space.fixed.items():
        keeps &= np.fromiter((v == value for v in columns[name]), dtype=bool, count=n)
    for name, parameter in space.parameters.items():
        if isinstance(parameter, Continuous) and parameter.grid is not None:
            keeps &= parameter.grid.has(np.asarray(columns[name], dtype=np.float64))
    for ban in space.bans:
        keeps &= ~ban.meets_all(columns, n)
    for rule in space.rules:
        keeps &= rule.exact({name: np.asarray(columns[name], dtype=np.float64) for name in rule.parameters})
    return keeps


def excess(space: "Space", columns: Columns, n: int) -> Floats:
    """How far each of n recipes is from keeping the laws, zero where it keeps them: n, without a unit."""
    numbers = {name: np.asarray(columns[name], dtype=np.float64) for name in space.units}
    found = np.zeros(n)
    for rule in space.rules:
        over = rule.excess({name: numbers[name] for name in rule.parameters})
        found += np.where(np.isfinite(over), np.maximum(over, 0.0), 1e3)
    for mixture in space.mixtures.values():
        found += np.abs(sum(numbers[part] for part in mixture.parts) - mixture.total) / mixture.total
    for constraint, weights in space.weighted:
        terms = np.stack([w * numbers[name] for name, w in weights.items()])
        for relation, number in constraint.sides():
            off = (terms.sum(axis=0) - number) / np.maximum(np.abs(terms).max(axis=0), abs(number) + 1e-300)
            found += np.abs(off) if relation == "=" else np.maximum(off if relation == "<=" else -off, 0.0)
    for group in space.groups:
        used = np.stack([numbers[name] > 0.0 for name in group.names])
        if group.at_most is not None:
            found += np.maximum(used.sum(axis=0) - group.at_most, 0)
        for name, least in group.least.items():
            short = (numbers[name] > 0.0) & (numbers[name] < least)
            found += np.where(short, (least - numbers[name]) / least, 0.0)
    for ban in space.bans:
        depth = np.ones(n)
        for name, (low, _, high, _) in ban.intervals.items():
            first, last = ends(space.numeric(name))
            inner = np.minimum(numbers[name] - low, high - numbers[name]) / (last - first)
            depth = np.minimum(depth, np.maximum(inner, 1e-6))
        found += np.where(ban.meets_all(columns, n), depth, 0.0)
    return found
