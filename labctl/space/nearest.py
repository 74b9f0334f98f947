"""The lawful recipe nearest to a wish: rounded, or projected, or found around it."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.space.exact import Numbers
from labctl.space.rounding import rounded
from labctl.space.tangents import along_tangents
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl.space.space import Space

Floats = NDArray[np.float64]
_RINGS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
_AROUND = 128
_BETWEEN = 33
"""Recipes that are looked at on the way from a lawful one to the wish."""
_CLOSEST = 4
"""Lawful recipes from which that way is gone."""


def nearest_lawful(space: "Space", row: Floats) -> Recipe | None:
    """The recipe that may be proposed nearest to a row of the unit cube (d,), or None if none is found."""
    if space.pool is not None:
        if not len(space.pool):
            return None
        return space.pool.recipe(int(((space.pool.X - row) ** 2).sum(axis=1).argmin()))
    X = np.clip(np.asarray(row, dtype=np.float64)[None, :], 0.0, 1.0)
    (recipe,) = rounded(space, X)
    if recipe is None:
        recipe = _projected(space, X)
    if recipe is None and space.landmarks:
        recipe = _pulled(space, list(space.landmarks), X)
    return recipe


def _projected(space: "Space", X: Floats) -> Recipe | None:
    """The lawful recipe nearest to a wish (1 x d), computed from the laws; None if none is found that way."""
    wish = {**space.decode(X)[0], **space.fixed}
    numbers = Numbers(space)
    projected = numbers.nearest(numbers.columns(wish), wish)
    if projected is None:
        return None
    at = space.encode([projected])
    (recipe,) = rounded(space, at)
    if recipe is None and space.rules:
        both = np.vstack([X, at])
        recipe = _around(space, both) or along_tangents(space, numbers, wish, projected)
        if recipe is not None:
            recipe = _pulled(space, [recipe], both)
    return recipe


def _around(space: "Space", centres: Floats) -> Recipe | None:
    """The nearest of lawful recipes scattered around rows (m x d), in rings that grow."""
    # The same wish always gets the same answer.
    rng = np.random.default_rng(0)
    free = space.free_columns
    for ring in _RINGS:
        X = np.repeat(centres, _AROUND, axis=0)
        X[:, free] = np.clip(X[:, free] + ring * rng.standard_normal((len(X), len(free))), 0.0, 1.0)
        found = [recipe for recipe in rounded(space, X) if recipe is not None]
        if found:
            return _ranked(space, found, centres[0])[0]
    return None


def _pulled(space: "Space", found: list[Recipe], wishes: Floats) -> Recipe:
    """The lawful recipe nearest to the first wish (m x d) on the ways from the closest found to each wish."""
    closest = _ranked(space, found, wishes[0])[:_CLOSEST]
    share = np.linspace(0.0, 1.0, _BETWEEN)[1:-1, None]
    ways = [start + share * (wish - start) for start in space.encode(closest) for wish in wishes]
    passed = [recipe for recipe in rounded(space, np.vstack(ways)) if recipe is not None]
    return _ranked(space, closest + passed, wishes[0])[0]


def _ranked(space: "Space", found: list[Recipe], row: Floats) -> list[Recipe]:
    """The same recipes, the nearest to a row first."""
    order = ((space.encode(found) - row) ** 2).sum(axis=1).argsort(kind="stable")
    return [found[i] for i in order]
