"""Recipes for cells of the space that are still empty, the most promising of them first."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import Arm
from labctl.space import sample
from labctl.strategies.behaviours import Behaviours, behaviours
from labctl.strategies.candidates import candidates, drawn, finite, runners_up
from labctl.strategies.protocol import Choice, Situation

if TYPE_CHECKING:
    from labctl_models.novelty.cells import Tessellation

Floats = NDArray[np.float64]

FEWEST_CELLS = 32
_DRAWS = 2048
_ALTERNATIVES = 3


class Cells:
    """Choose, in the emptiest cells of the space, the candidate with the greatest expected gain.

    MAP-Elites (Mouret and Clune, arXiv 1504.04909) with a surrogate to say which empty cell to fill first
    (as Gaier, Asteroth and Mouret, Evol. Comput. 26, 381 (2018), do). The space is parted into more cells
    than recipes were tried, of about equal content, the same for the same seed; once there are as many
    recipes as cells, there are twice as many cells. The gain is what the candidate is expected to add to
    the QD-score: the improvement on the best of its cell, or on the least result of all where it is empty.
    """

    arm: Arm = "novelty"
    needs_results = 2

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the recipe for the emptiest cell."""
        found, among = behaviours(situation), candidates(situation)
        if found is None or not len(found.Y) or not len(among):
            return None
        parts = parted(situation)
        count = len(parts.centres)
        tried = np.bincount(parts.cell(situation.knowledge.X_done), minlength=count)
        cells = parts.cell(among.X)
        gain = _expected_gain(found, situation, parts, (among.X, cells))
        # Where the emptiest cells hold nothing that may be chosen, the next emptiest do.
        order = np.lexsort((-gain, tried[cells]))
        score = np.empty(len(order))
        score[order] = -np.arange(len(order), dtype=np.float64)
        rows = among.best(score, situation.allowed, 1 + _ALTERNATIVES)
        if not rows:
            return None
        others = runners_up(among, rows[1:], gain)
        filled, held = int((tried > 0).sum()), int(tried[cells[rows[0]]])
        where = (
            "a cell where nothing was tried" if not held else f"one of the cells tried least, {held} times"
        )
        because = (
            f"in {where} ({filled} of {count} cells are filled), where the most is expected to be gained on "
            "the best of each cell"
        )
        value = finite(gain[rows[0]])
        return Choice(among.recipe(rows[0]), because, "log_expected_cell_gain", value, others)


def parted(situation: Situation) -> "Tessellation":
    """The cells of the space: as many as suit the number of recipes tried, and the campaign's seed."""
    from labctl_models.novelty.cells import Tessellation  # noqa: PLC0415 - numpy code, but only for this arm

    space, count = situation.space, FEWEST_CELLS
    while count <= len(situation.knowledge.X_done):
        count *= 2
    # Draws of their own, so that cells stay put from one choice to the next.
    rng = np.random.default_rng([situation.seed, count])
    if space.pool is None:
        recipes = drawn(situation.reach.strict, _DRAWS, rng) or sample(space, _DRAWS, rng)
        return Tessellation.over(space.encode(recipes), count, situation.seed)
    rows = np.arange(len(space.pool))
    if len(rows) > _DRAWS:
        rows = np.sort(rng.choice(rows, size=_DRAWS, replace=False))
    return Tessellation.over(space.pool.X[rows], count, situation.seed)


def _expected_gain(
    found: Behaviours, situation: Situation, parts: "Tessellation", where: tuple[Floats, NDArray[np.intp]]
) -> Floats:
    """Logarithm of the expected gain of the QD-score (q,) at candidates with their cells."""
    from labctl_models.acquisition.approach import log_expected_approach  # noqa: PLC0415
    from labctl_models.acquisition.improvement import log_expected_improvement  # noqa: PLC0415
    from labctl_models.novelty.cells import elites  # noqa: PLC0415

    X, cells = where
    wanted = situation.objectives[situation.goal]
    worth = np.array([wanted.worth(value) for value in found.Y[:, 0]])
    best = np.full(len(parts.centres), worth.min())
    kept = elites(parts.cell(found.X), worth)
    best[kept.cell] = kept.value
    belief = found.surrogates.of(situation.goal).predict(X)
    if wanted.target is None:
        return log_expected_improvement(belief.mean - best[cells], belief.sd, 0.0)
    gain = np.empty(len(X))
    for level in np.unique(best[cells]):
        here = best[cells] == level
        gain[here] = log_expected_approach(belief.mean[here], belief.sd[here], wanted.target, -float(level))
    return gain
