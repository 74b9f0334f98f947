"""The recipes among which a strategy chooses: the untried rows of a pool, or draws from the space."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import recipe_key
from labctl.space import Space, sample
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
    every = _by_veto(situation, _untried(situation, near, n), vetoed=vetoed)
    return every if risky else _promising(situation, every)


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


def _untried(situation: Situation, near: Floats | None, n: int) -> Candidates:
    space, tried = situation.space, situation.knowledge.tried
    if space.pool is not None:
        rows = untried_rows(space, tried)
        pool = space.pool
        return Candidates(pool.X[rows], lambda i: pool.recipe(int(rows[i])))
    drawn = sample(space, n, situation.rng)
    if near is not None and space.independent:
        scatter = situation.rng.normal(near, _NEARBY_SCALE, (int(n * _NEARBY_SHARE), space.width))
        drawn += [space.canonical(r) for r in space.decode(np.clip(scatter, 0.0, 1.0))]
    fresh = [r for r in drawn if recipe_key(r) not in tried]
    return Candidates(space.encode(fresh), lambda i: fresh[i])


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
