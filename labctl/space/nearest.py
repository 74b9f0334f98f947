"""The lawful recipe nearest to a wish: rounded, or projected, or found around it."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.space.exact import Numbers
from labctl.space.rounding import rounded
from labctl.space.search import seek
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl.space.space import Space

Floats = NDArray[np.float64]
_RINGS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
_AROUND = 128


def nearest_lawful(space: "Space", row: Floats) -> Recipe | None:
    """The recipe that may be proposed nearest to a row of the unit cube (d,), or None if none is found."""
    if space.pool is not None:
        if not len(space.pool):
            return None
        return space.pool.recipe(int(((space.pool.X - row) ** 2).sum(axis=1).argmin()))
    X = np.clip(np.asarray(row, dtype=np.float64)[None, :], 0.0, 1.0)
    (recipe,) = rounded(space, X)
    if recipe is not None:
        return recipe
    start = {**space.decode(X)[0], **space.fixed}
    numbers = Numbers(space)
    projected = numbers.nearest(numbers.columns(start), start)
    if projected is None:
        return None  # the laws exclude each other, whatever the rules say
    at = space.encode([projected])
    (recipe,) = rounded(space, at)
    if recipe is not None or not space.rules:
        return recipe
    return _around(space, np.vstack([X, at])) or _anywhere(space, X[0], projected)


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
            return _closest(space, found, centres[0])
    return None


def _anywhere(space: "Space", row: Floats, projected: Recipe) -> Recipe | None:
    found = seek(space, [projected], np.random.default_rng(0))
    return _closest(space, found, row) if found else None


def _closest(space: "Space", found: list[Recipe], row: Floats) -> Recipe:
    return found[int(((space.encode(found) - row) ** 2).sum(axis=1).argmin())]
