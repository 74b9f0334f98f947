"""The start of a campaign: recipes laid out over the whole space before any surrogate is asked."""

import numpy as np

from labctl.proposal import Arm, recipe_key
from labctl.space import Formula, Space
from labctl.strategies.candidates import candidates, drawn
from labctl.strategies.protocol import Choice, Situation
from labctl_drivers.protocol import Recipe

_DRAWN_PER_POINT = 64


class SpaceFilling:
    """The next point of a layout that fills the space evenly.

    A scrambled Sobol' sequence where parameters are independent of each other; under laws or over a pool,
    the subset whose points lie farthest from each other (greedy maximin).
    """

    arm: Arm = "initial"
    needs_results = 0

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the next point of the layout, which depends on the seed alone."""
        n = max(situation.initial, situation.done + 1)
        because = f"space-filling start, {situation.done + 1} of {n}"
        box = situation.advised.box
        laid = [] if box is None else layout(box, n, situation.seed)
        for recipe in laid[situation.done :]:
            fresh = recipe_key(recipe) not in situation.knowledge.tried and situation.veto(recipe) is None
            if fresh and situation.allowed(recipe):
                return Choice(recipe, because)
        return farthest(situation, because)


class RandomStart:
    """Recipes drawn at random, as published benchmarks start."""

    arm: Arm = "initial"
    needs_results = 0

    def choose(self, situation: Situation) -> Choice | None:
        """Draw one recipe."""
        among = candidates(situation, n=32, risky=True)
        rows = among.best(situation.rng.random(len(among)), situation.allowed, 1)
        if not rows:
            return None
        return Choice(among.recipe(rows[0]), f"random start, {situation.done + 1} of {situation.initial}")


def layout(space: Space, n: int, seed: int) -> list[Recipe]:
    """Lay out n recipes that fill the space, the same for the same seed."""
    from labctl_models.design import maximin_subset, sobol  # noqa: PLC0415 - scipy is slow to import

    if space.pool is not None:
        rows = maximin_subset(space.pool.X, min(n, len(space.pool)), seed)
        return [space.pool.recipe(int(row)) for row in rows]
    if space.independent and not any(isinstance(p, Formula) for p in space.parameters.values()):
        return [space.canonical(r) for r in space.decode(sobol(n, space.width, seed))]
    recipes = drawn(space, _DRAWN_PER_POINT * n, np.random.default_rng(seed))
    if not recipes:
        return []
    return [recipes[int(row)] for row in maximin_subset(space.encode(recipes), min(n, len(recipes)), seed)]


def farthest(situation: Situation, because: str) -> Choice | None:
    """The candidate farthest from everything done, for when the layout's own point cannot be used."""
    from labctl_models.design import maximin_subset  # noqa: PLC0415

    among = candidates(situation, n=_DRAWN_PER_POINT * 8, risky=True)
    if not len(among):
        return None
    order = maximin_subset(among.X, min(len(among), 50), situation.seed, known=situation.knowledge.X_done)
    for row in order:
        if situation.allowed(among.recipe(int(row))):
            return Choice(among.recipe(int(row)), because)
    return None
