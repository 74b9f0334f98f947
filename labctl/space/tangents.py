"""A lawful recipe close to a wish where rules bend: each rule by its tangents, in a few programmes."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.space.exact import Numbers
from labctl.space.rounding import rounded
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl.space.rules import Rule
    from labctl.space.space import Space

Floats = NDArray[np.float64]
_ROUNDS = 8
_TOUCHING = 3
"""So many tangents touch the rule; those after them lie inside it."""
_APART = 1e-6
"""Half the distance, as a share of each number's range, over which a slope is taken."""
_LEVELLED = 1.0 - 1e-6
"""An excess of 1 has no other side to be relative to: that one is zero, or has the other sign."""
_ROOM = 3e-7
"""How far inside a tangent the programme stays, in units of its steepest slope, for its own tolerance."""


def along_tangents(space: "Space", numbers: Numbers, wish: Recipe, start: Recipe) -> Recipe | None:
    """A recipe close to a wish that keeps all laws, or None if this way finds none.

    Where a recipe breaks a rule, the rule is replaced by its tangent there and the nearest recipe that keeps
    the other laws and all tangents is computed, until one keeps the rules themselves: the cutting planes of
    Kelley, J. SIAM 8, 703 (1960). It is about the nearest where the rules are convex; where one is not, a
    tangent may cut off what is nearer, or all there is, and then only the last tangents are kept.

    Args:
        space: that has rules.
        numbers: of this space.
        wish: any recipe.
        start: the recipe nearest to it that keeps all laws but the rules.
    """
    target, at = numbers.columns(wish), start
    cuts: list[tuple[Floats, float]] = []
    for i in range(_ROUNDS):
        latest, touching = (
            [cut for rule in space.rules if (cut := _tangent(rule, numbers, at, before)) is not None]
            for before in (i, 0)
        )
        if not latest:
            return None
        reached = None
        for tried in (cuts + latest, latest, touching):
            reached = numbers.nearest(target, wish, tried)
            if reached is not None:
                cuts = tried
                break
        if reached is None:
            return None
        (recipe,) = rounded(space, space.encode([reached]))
        if recipe is not None:
            return recipe
        at = reached
    return None


def _tangent(rule: "Rule", numbers: Numbers, at: Recipe, before: int) -> tuple[Floats, float] | None:
    """The tangent of a rule's excess at a recipe that breaks it, as a law over the columns.

    None where it keeps the rule, and where the rule is flat or not defined. After a few before it, it is put
    farther and farther inside, since where a rule curves away tangents come close and never arrive.
    """
    x = numbers.columns(at)
    used = [numbers.names.index(name) for name in rule.parameters]
    steps = np.zeros((len(used), len(x)))
    steps[np.arange(len(used)), used] = _APART
    points = np.vstack([x, np.clip(x + steps, 0.0, 1.0), np.clip(x - steps, 0.0, 1.0)])
    values = numbers.values(points)
    columns = {name: values[:, i] for name, i in zip(rule.parameters, used, strict=True)}
    over = rule.excess(columns)
    if over[0] <= 0.0 and bool(rule.exact({name: column[:1] for name, column in columns.items()})[0]):
        return None
    # Relative to the larger side an excess levels off, and its tangent leads too far; relative to the other
    # side it goes on rising.
    if over.max() < _LEVELLED:
        over = over / (1.0 - over)
    ahead, behind = over[1 : 1 + len(used)], over[1 + len(used) :]
    between = (points[1 : 1 + len(used)] - points[1 + len(used) :])[np.arange(len(used)), used]
    slope = np.zeros(len(x))
    with np.errstate(invalid="ignore"):
        slope[used] = (ahead - behind) / between
    steepest = float(np.abs(slope).max())
    if not (np.isfinite(over[0]) and np.isfinite(steepest) and steepest > 0.0):
        return None
    row: Floats = slope / steepest
    return row, float(row @ x - (1.0 + max(before - _TOUCHING, 0) / 2) * over[0] / steepest - _ROOM)
