"""What was found so far, as novelty counts it: one outcome a recipe, and no surprise before its replicate."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labctl.strategies.knowledge import Results
from labctl.strategies.protocol import Situation
from labctl.strategies.surrogate import LEAST_RESULTS, Surrogates

Floats = NDArray[np.float64]

_COMMON = 0.5
"""An objective that fewer than this share of the goal's results have is left out of the outcome."""


@dataclass(frozen=True)
class Behaviours:
    """Outcomes that count as found, and surrogates that rest on nothing else.

    Attributes:
        objectives: the p objectives of an outcome, the goal first.
        X: the recipes, each once; n x d.
        Y: their outcomes, means over replicates, in the objectives' own units and directions; n x p.
        surrogates: fitted to the results that are not doubted.
        left_out: how many results are doubted.
    """

    objectives: tuple[str, ...]
    X: Floats
    Y: Floats
    surrogates: Surrogates
    left_out: int

    @property
    def noise_sd(self) -> Floats:
        """Scatter (p,) of one measurement of each objective, as learned."""
        return np.array([self.surrogates.of(name).noise_sd for name in self.objectives])

    def expected(self, X: Floats) -> tuple[Floats, Floats]:
        """Mean and sd (q x p) of the outcomes at the rows of X (q x d), without measurement noise."""
        if not len(X):
            return np.empty((0, len(self.objectives))), np.empty((0, len(self.objectives)))
        beliefs = [self.surrogates.of(name).predict(X) for name in self.objectives]
        signs = np.array([self.surrogates.signs[name] for name in self.objectives])
        mean = np.column_stack([b.mean for b in beliefs]) * signs
        return mean, np.column_stack([b.sd for b in beliefs])


def behaviours(situation: Situation) -> Behaviours | None:
    """What was found so far, or None while fewer than two results of the goal are beyond doubt.

    A surprise that no replicate agrees with yet may be noise: it is no new behaviour, and the surrogates
    do not learn from it where to look for more of the kind. Nothing is lost by that; it is measured again
    and counts from the moment it is confirmed.
    """
    known, goal = situation.knowledge, situation.goal
    doubted = _doubted_rows(situation)
    results = {name: _without(known.results[name], doubted) for name in known.results}
    if len(results[goal].y) < LEAST_RESULTS:
        return None
    enough = max(LEAST_RESULTS, _COMMON * len(results[goal].y))
    names = (goal, *(n for n, r in results.items() if n != goal and len(r.y) >= enough))
    rows = {name: _by_recipe(results[name]) for name in names}
    shared = [key for key in rows[goal] if all(key in rows[name] for name in names)]
    surrogates = situation.surrogates
    if doubted:
        surrogates = replace(surrogates, knowledge=replace(known, results=results), _fitted={})
    return Behaviours(
        objectives=names,
        X=np.array([rows[goal][key][0] for key in shared]).reshape(len(shared), situation.space.width),
        Y=np.array([[np.mean(rows[name][key][1]) for name in names] for key in shared]).reshape(
            len(shared), len(names)
        ),
        surrogates=surrogates,
        left_out=len(doubted),
    )


def _doubted_rows(situation: Situation) -> list[tuple[Floats, float]]:
    """The recipe (d,) that was made for each doubted surprise, and the goal's value there.

    Of several readings of one recipe, the one that lies farthest to the side of the surprise is doubted.
    """
    results = situation.knowledge.results[situation.goal]
    found: list[tuple[Floats, float]] = []
    for surprise in situation.doubted if len(results.y) else ():
        apart = ((results.X - situation.space.encode([surprise.recipe])) ** 2).sum(axis=1)
        # What was made may differ a little from what was asked for: the nearest is the one.
        rows = np.flatnonzero(apart <= apart.min() * (1.0 + 1e-9))
        row = rows[int(np.argmax(np.sign(surprise.z) * results.y[rows]))]
        found.append((results.X[row], float(results.y[row])))
    return found


def _without(results: Results, doubted: list[tuple[Floats, float]]) -> Results:
    """The results without those of doubted experiments.

    Another objective of a doubted experiment was measured in the same breath. Where a recipe was repeated,
    its readings cannot be told apart there, and all of them are left out until the doubt is settled.
    """
    keep = np.ones(len(results.y), dtype=bool)
    for recipe, value in doubted:
        here = np.equal(results.X, recipe).all(axis=1)
        same = here & (results.y == value)
        keep &= ~(same if same.any() else here)
    return replace(results, X=results.X[keep], y=results.y[keep])


def _by_recipe(results: Results) -> dict[bytes, tuple[Floats, list[float]]]:
    """Recipes in the order of their first result, each with all its readings."""
    found: dict[bytes, tuple[Floats, list[float]]] = {}
    for recipe, value in zip(results.X, results.y, strict=True):
        found.setdefault(recipe.tobytes(), (recipe, []))[1].append(float(value))
    return found
