"""Lawful recipes where laws have any shape: the first by descent, the others by walks from those."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.space.draws import discrete_columns, free_draw, lawful_rows, plain_draw
from labctl.space.lawful import excess
from labctl.space.rounding import rounded, settle
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl.space.space import Space

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_POPULATION = 96
_GENERATIONS = 60
_ENOUGH = 8
_WALKERS = 256
_FORGET = 24
"""Steps of a walk before its first recipe is taken."""
_BETWEEN = 4
"""Steps between two recipes of the same walk."""
_ROUNDING = 1e-12
_SHRINK = 14
"""How often a step that left the lawful set is shortened before the walk stays where it is."""


def seek(space: "Space", starts: list[Recipe], rng: np.random.Generator) -> list[Recipe]:
    """Look for lawful recipes by differential evolution on how far the laws are broken; empty if none.

    The scheme is that of Storn and Price, J. Glob. Optim. 11, 341 (1997): a member moves by the
    difference of two others, which keeps every sum that both keep.
    """
    X = free_draw(space, _POPULATION, rng).X
    if space.mixtures or space.constraints:
        rows = list(lawful_rows(space, free_draw(space, _POPULATION, rng), rng))
        X = np.vstack([*rows, X])[:_POPULATION]
    if starts:
        X[-len(starts) :] = space.encode(starts)[:_POPULATION]
    over = excess(space, settle(space, X), len(X))
    moving, choices = _numeric(space), discrete_columns(space)
    for _ in range(_GENERATIONS):
        lawful = [recipe for recipe in rounded(space, X[over <= 0.0]) if recipe is not None]
        if len(lawful) >= _ENOUGH:
            return lawful
        a, b, c = (rng.permutation(len(X)) for _ in range(3))
        best = X[over.argsort()[rng.integers(max(len(X) // 8, 1), size=len(X))]]
        base = np.where(rng.random((len(X), 1)) < 0.5, best, X[a])  # noqa: PLR2004 - half of them
        step = rng.choice([0.1, 0.5, 0.9], size=(len(X), 1)) * (X[b] - X[c])
        tried = base.copy()
        tried[:, moving] = np.clip(base[:, moving] + step[:, moving], 0.0, 1.0)
        _redraw(space, tried, choices, rng)
        reached = excess(space, settle(space, tried), len(tried))
        better = reached <= over
        X[better], over[better] = tried[better], reached[better]
    return [recipe for recipe in rounded(space, X[over <= 0.0]) if recipe is not None]


def spread(space: "Space", found: list[Recipe], n: int, rng: np.random.Generator) -> list[Recipe]:
    """Draw n recipes by walks from lawful ones, of which there is at least one.

    A step goes in a random direction that keeps the equalities, as far as the walls are or less, and is
    shortened towards its start until the recipe it rounds to is lawful (hit and run with the shrinkage of
    Neal, Ann. Stat. 31, 705 (2003), which leaves the uniform density as it is); or by the difference of
    two lawful recipes; or it draws a choice, a whole number or a level anew.
    """
    known = space.encode(found)
    walkers = min(n, _WALKERS)
    X = known[rng.integers(len(known), size=walkers)]
    drawn: list[Recipe] = []
    at: list[Recipe | None] = [None] * walkers
    choices, moving = discrete_columns(space), _numeric(space)
    inside = _directions(space)
    step = 0
    while len(drawn) < n:
        kind = rng.random()
        if kind < 0.25 and choices:  # noqa: PLR2004 - a share
            tried = X.copy()
            _redraw(space, tried, [choices[int(rng.integers(len(choices)))]], rng, share=1.0)
            _take(space, X, tried, at)
        elif kind < 0.5 and len(known) > 1:  # noqa: PLR2004 - a share
            others = known[rng.integers(len(known), size=(2, walkers))]
            tried = X.copy()
            tried[:, moving] += (others[0] - others[1])[:, moving]
            within = np.asarray(np.abs(tried - 0.5).max(axis=1) <= 0.5 + _ROUNDING)
            _take(space, X, np.where(within[:, None], np.clip(tried, 0.0, 1.0), X), at)
        elif len(inside):
            _hit_and_run(space, X, inside, at, rng)
        step += 1
        if step >= _FORGET and (step - _FORGET) % _BETWEEN == 0:
            fresh = [recipe if recipe is not None else found[i % len(found)] for i, recipe in enumerate(at)]
            drawn += [dict(recipe) for recipe in fresh]
    return drawn[:n]


def _hit_and_run(
    space: "Space", X: Floats, inside: Floats, at: list[Recipe | None], rng: np.random.Generator
) -> None:
    """One step of every walker, in place."""
    free, system = space.free_columns, space.linear_system
    # What rests at zero goes on resting, so that no more amounts are used than may be.
    direction = rng.standard_normal((len(X), len(inside))) @ inside
    if len(inside) == len(free) and rng.random() < 0.5:  # noqa: PLR2004 - half of the steps go along an axis
        direction = np.eye(len(free))[rng.integers(len(free), size=len(X))]
    direction = np.where(_resting(space, X)[:, free], 0.0, direction)
    walls = np.vstack([system.A_ub[:, free], np.eye(len(free)), -np.eye(len(free))])
    limits = np.concatenate([system.b_ub, np.ones(len(free)), np.zeros(len(free))])
    used = np.hstack([X @ system.A_ub.T, X[:, free], -X[:, free]])
    slope, room = direction @ walls.T, np.maximum(limits - used, 0.0)
    safe = np.where(np.abs(slope) > _ROUNDING, slope, 1.0)
    far = np.where(slope > _ROUNDING, room / safe, np.inf).min(axis=1)
    near = np.where(slope < -_ROUNDING, room / safe, -np.inf).max(axis=1)
    far, near = np.where(np.isfinite(far), far, 0.0), np.where(np.isfinite(near), near, 0.0)
    going = np.ones(len(X), dtype=bool)
    for _ in range(_SHRINK):
        length = near + rng.random(len(X)) * (far - near)
        rows = np.flatnonzero(going)
        tried = X[rows]
        tried[:, free] = np.clip(tried[:, free] + length[rows, None] * direction[rows], 0.0, 1.0)
        for row, start, recipe in zip(rows, tried, rounded(space, tried), strict=True):
            if recipe is not None:
                X[row], at[row], going[row] = start, recipe, False
        far, near = np.where(length > 0, length, far), np.where(length <= 0, length, near)
        if not going.any():
            return


def _take(space: "Space", X: Floats, tried: Floats, at: list[Recipe | None]) -> None:
    for row, recipe in enumerate(rounded(space, tried)):
        if recipe is not None:
            X[row], at[row] = tried[row], recipe


def _directions(space: "Space") -> Floats:
    """Directions of the free columns that keep the equalities, one a row."""
    from scipy.linalg import null_space  # noqa: PLC0415 - not every space needs it

    free, A = space.free_columns, space.linear_system.A_eq
    if not len(free) or not len(A):
        return np.eye(len(free))
    found: Floats = null_space(A[:, free]).T
    return found


def _resting(space: "Space", X: Floats) -> Mask:
    """Which columns are amounts of a group that rest at zero: n x d."""
    resting = np.zeros(X.shape, dtype=bool)
    for group in space.groups:
        for name in group.names:
            zero = float(space.parameters[name].encode([0.0])[0, 0])
            at = space.slices[name].start
            resting[:, at] = np.abs(X[:, at] - zero) < 1e-9  # noqa: PLR2004 - rounding
    return resting


def _numeric(space: "Space") -> NDArray[np.intp]:
    """The columns of all numbers that are not fixed."""
    return np.array([space.slices[n].start for n in space.units if n not in space.fixed], dtype=np.intp)


def _redraw(
    space: "Space", X: Floats, columns: list[slice], rng: np.random.Generator, share: float = 0.15
) -> None:
    """Draw these columns anew in a share of the rows, in place."""
    fresh = plain_draw(space, len(X), rng)
    for at in columns:
        rows = rng.random(len(X)) < share
        X[rows, at] = fresh[rows, at]
