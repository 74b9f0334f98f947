"""The recipes among which a strategy chooses: the untried rows of a pool, or draws from the space."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import Alternative, recipe_key
from labctl.space import NoRecipeError, Space, sample
from labctl.space.forbidden import Ban
from labctl.space.narrowed import inside, reached
from labctl.strategies.protocol import Situation
from labctl_drivers.protocol import Recipe
from labctl_models.acquisition.weighed import FLOOR

Floats = NDArray[np.float64]

DRAWS = 2048
"""Candidates drawn from a space without a pool; gradients refine the best of them afterwards."""
LIKELY = 0.5
"""Candidates must rather make a sample than not, or at least be among the likelier half."""
_NEARBY_SHARE = 0.25
_NEARBY_SCALE = 0.1


@dataclass(frozen=True)
class Candidates:
    """Recipes to choose from.

    Attributes:
        X: in the unit cube, n x d.
        recipe: the recipe of a row.
    """

    X: Floats
    recipe: Callable[[int], Recipe]

    def __len__(self) -> int:
        return len(self.X)

    def only(self, kept: NDArray[np.intp]) -> "Candidates":
        """These rows of them, in this order."""
        return Candidates(self.X[kept], lambda i: self.recipe(int(kept[i])))

    def best(self, scores: Floats, allowed: Callable[[Recipe], bool], n: int) -> list[int]:
        """The n rows with the highest scores whose recipes are allowed, best first."""
        rows: list[int] = []
        for row in np.argsort(-scores, kind="stable"):
            if len(rows) == n or np.isnan(scores[row]):
                break
            if allowed(self.recipe(int(row))):
                rows.append(int(row))
        return rows


def candidates(
    situation: Situation,
    *,
    near: Floats | None = None,
    n: int = DRAWS,
    risky: bool = False,
    vetoed: bool = False,
) -> Candidates:
    """Untried rows of the pool; without a pool, draws from the space.

    Args:
        situation: what is known.
        near: a row of the unit cube; a quarter of the draws are made close to it.
        n: how many to draw from a space without a pool.
        risky: also those of which a sample hardly comes, for who weighs the risk, or must not be biased.
        vetoed: only those that a person would not make, in place of all others.
    """
    every = _by_veto(situation, _untried(situation, near, n, vetoed=vetoed), vetoed=vetoed)
    return every if risky else _promising(situation, every)


def drawn(space: Space | None, n: int, rng: np.random.Generator) -> list[Recipe]:
    """Draw n recipes from what limits and vetoes leave of a space; none where none is found."""
    if space is None:
        return []
    try:
        return sample(space, n, rng)
    except NoRecipeError:
        return []


def runners_up(among: Candidates, rows: Sequence[int], values: Floats) -> tuple[Alternative, ...]:
    """The candidates in these rows with their values (one for each); those of no value are left out."""
    return tuple(
        Alternative(recipe=dict(among.recipe(row)), value=float(values[row]))
        for row in rows
        if np.isfinite(values[row])
    )


def finite(value: float) -> float | None:
    """A score as the ledger can keep it: None in place of an infinite one."""
    return float(value) if np.isfinite(value) else None


def _by_veto(situation: Situation, every: Candidates, *, vetoed: bool) -> Candidates:
    """The candidates that no veto speaks against, or only those that one does."""
    if not situation.advice.vetoes:
        return every.only(np.empty(0, dtype=np.intp)) if vetoed else every
    against = situation.vetoed([every.recipe(row) for row in range(len(every))])
    return every.only(np.flatnonzero(against == vetoed))


def _promising(situation: Situation, every: Candidates) -> Candidates:
    """The candidates that are likely to make a sample, once it is known that not all do.

    One time in twenty the filter is left out, so that no region is closed for ever.
    """
    chance = situation.surrogates.chance(every.X) if len(every) else None
    if chance is None or situation.rng.random() < FLOOR:
        return every
    return every.only(np.flatnonzero(chance >= min(LIKELY, float(np.median(chance)))))


def _untried(situation: Situation, near: Floats | None, n: int, *, vetoed: bool) -> Candidates:
    space, tried, rng = situation.space, situation.knowledge.tried, situation.rng
    if space.pool is not None:
        rows = untried_rows(space, tried)
        pool = space.pool
        return Candidates(pool.X[rows], lambda i: pool.recipe(int(rows[i])))
    room = (situation.reach if vetoed else situation.advised).strict
    recipes = drawn(room, n, rng)
    if near is not None and space.independent and room is not None:
        scatter = rng.standard_normal((int(n * _NEARBY_SHARE), space.width))
        nearby = _around(space, room, near, scatter)
        recipes += [space.canonical(r) for r in nearby]
    if vetoed and not situation.vetoed(recipes).any():
        # Vetoes against a small part of the space alone are hardly ever met by chance.
        bans = [Ban(veto, space.parameters) for veto in situation.advice.vetoes]
        for part in (None if room is None else inside(room, ban) for ban in bans):
            recipes += drawn(part, n // len(bans), rng)
    fresh = [r for r in recipes if recipe_key(r) not in tried]
    return Candidates(space.encode(fresh), lambda i: fresh[i])


def _around(space: Space, room: Space, near: Floats, scatter: Floats) -> list[Recipe]:
    """Recipes of a room around a row of its space's unit cube, scattered by these standard normals (n x d).

    What lies outside of the room is moved to its end.
    """
    if room is space:
        return space.decode(np.clip(near + _NEARBY_SCALE * scatter, 0.0, 1.0))
    lower, upper = reached(space, room)
    X = np.clip(near + _NEARBY_SCALE * (upper - lower) * scatter, lower, upper)
    recipes = room.decode(room.encode(space.decode(X)))
    return [{**recipe, **room.fixed} for recipe in recipes]


def untried_rows(space: Space, tried: Iterable[str]) -> NDArray[np.intp]:
    """Rows of the pool whose recipes were not tried."""
    if space.pool is None:
        raise ValueError("the space has no pool")
    keep = np.ones(len(space.pool), dtype=bool)
    for key in tried:
        row = space.pool.row_of(json.loads(key))
        if row is not None:
            keep[row] = False
    return np.flatnonzero(keep)
