"""Recipes of which the surrogate knows least, wherever they lie."""

import numpy as np

from labctl.proposal import Arm
from labctl.strategies.candidates import candidates, finite, runners_up
from labctl.strategies.protocol import Choice, Situation
from labctl.strategies.surrogate import LEAST_RESULTS

_ALTERNATIVES = 3


class Explore:
    """Choose the candidate whose outcome the surrogate is least sure of.

    Unlike improvement, it may leave the domain of the known recipes under any verdict: what is learnt
    there does not depend on the surrogate being right.
    """

    arm: Arm = "explore"
    needs_results = 2

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the recipe with the largest predicted standard deviation."""
        among, known = candidates(situation), situation.knowledge.results[situation.goal]
        # Of several goals a result may have any one, so that the first can still have too few.
        if not len(among) or len(known.y) < LEAST_RESULTS:
            return None
        sd = situation.surrogates.of(situation.goal).predict(among.X).sd
        rows = among.best(np.asarray(sd), situation.allowed, 1 + _ALTERNATIVES)
        if not rows:
            return None
        others = runners_up(among, rows[1:], sd)
        because = f"the surrogate is least sure here (± {sd[rows[0]]:.2g}), whatever is to be expected"
        return Choice(among.recipe(rows[0]), because, "predicted_sd", finite(sd[rows[0]]), others)
