"""Recipes unlike anything found, by a distance that is learned anew from all that was found."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import Arm
from labctl.strategies.behaviours import Behaviours, behaviours
from labctl.strategies.candidates import candidates, finite, runners_up
from labctl.strategies.protocol import Choice, Situation

if TYPE_CHECKING:
    from labctl_models.novelty.learned import LearnedDistance

Floats = NDArray[np.float64]

PHASE = 10
"""Results in a phase; the distance is learned anew when each is complete."""
_ALTERNATIVES = 3


class LearnedNovelty:
    """Choose the most novel candidate by a distance that is learned anew after every phase of results.

    After DeLeNox (Liapis et al., Proc. ICCC 2013): search by a distance, learn it from all that was
    found, search on. What is like what is thus follows from recipes and outcomes together, and not from
    the parameters a person chose to vary. A candidate's outcome is the one its surrogate expects, and so
    is that of every known recipe, so that noise makes nothing novel.

    Which phase it is follows from the number of results alone: nothing is stored. Each proposal says how
    far the last learning changed the ranking of the archive (Spearman's coefficient: 1 for not at all).
    """

    arm: Arm = "novelty"
    needs_results = PHASE

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the most novel recipe."""
        from labctl_models.novelty.neighbours import default_neighbours, most_novel, novelty  # noqa: PLC0415

        found, among = behaviours(situation), candidates(situation)
        if found is None or not len(among):
            return None
        phase = len(found.Y) // PHASE
        if phase < 1:
            return None
        distance = _learned(found, phase)
        archive = situation.knowledge.X_done
        known = distance.embed(archive, found.expected(archive)[0])
        k = min(situation.neighbours, default_neighbours(len(known)))
        novel = novelty(distance.embed(among.X, found.expected(among.X)[0]), known, k=k)
        rows = among.best(most_novel(novel), situation.allowed, 1 + _ALTERNATIVES)
        if not rows:
            return None
        others = runners_up(among, rows[1:], novel.distance)
        apart, share = float(novel.distance[rows[0]]), float(novel.share[rows[0]])
        because = (
            f"unlike what was found, by a distance learned from the first {phase * PHASE} results "
            f"({_told(found, phase, distance)}): {apart:.2g} from its {k} nearest, where two results are "
            f"typically 1 apart, and farther than {share:.0%} of those are"
        )
        return Choice(among.recipe(rows[0]), because, "learned_novelty_distance", finite(apart), others)


def _learned(found: Behaviours, phase: int) -> "LearnedDistance":
    from labctl_models.novelty.learned import learn  # noqa: PLC0415

    n = phase * PHASE
    return learn(found.X[:n], found.Y[:n])


def _told(found: Behaviours, phase: int, distance: "LearnedDistance") -> str:
    """The phase, and how the archive's novelties changed ranks since the phase before it."""
    from labctl_models.novelty.learned import rank_drift  # noqa: PLC0415

    X, Y = found.X[: phase * PHASE], found.Y[: phase * PHASE]
    # Before the first phase, recipes were compared as they stand in the unit cube.
    before = X if phase == 1 else _learned(found, phase - 1).embed(X, Y)
    agreement = rank_drift(before, distance.embed(X, Y))
    kept = "no ranking to keep" if math.isnan(agreement) else f"rank agreement with the last {agreement:.2f}"
    return f"phase {phase}, {kept}"
