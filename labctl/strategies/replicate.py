"""The same recipe again: where its result surprised, or to learn how far readings of the best one scatter."""

import numpy as np

from labctl.proposal import Arm
from labctl.strategies.gain import lawful
from labctl.strategies.protocol import Choice, Situation
from labctl.strategies.surrogate import LEAST_RESULTS


class Replicate:
    """Measure the most surprising recipe again; where nothing surprised, the best one.

    If the replicate of a surprise agrees, the surprise is real: something new, or a variable that nobody
    recorded. If it does not, the measurement was at fault. No result is ever deleted for being surprising.
    The best recipe is the one whose luck matters most, and its scatter tells what any difference is worth.
    """

    arm: Arm = "replicate"
    needs_results = 2

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the recipe of the most surprising result, or the one that is expected to be best."""
        for surprise in situation.surprises:
            if situation.allowed(surprise.recipe) and situation.veto(surprise.recipe) is None:
                side = "above" if surprise.z > 0 else "below"
                because = (
                    f"{surprise.experiment} came out {abs(surprise.z):.1f} predicted sd {side} its "
                    "prediction; measured again before it is believed"
                )
                return Choice(surprise.recipe, because, "surprise", abs(surprise.z))
        return _best_again(situation)


def _best_again(situation: Situation) -> Choice | None:
    """The best measured recipe that is expected to keep the limits, if asking again says anything."""
    objective = situation.objectives[situation.goal]
    known = situation.knowledge.results[situation.goal]
    if len(known.y) < LEAST_RESULTS:
        return None
    expected = situation.sign * situation.surrogates.of(situation.goal).predict(known.X).mean
    worth = np.array([objective.worth(float(v)) for v in expected])
    within = lawful(situation, known.X)
    for row in sorted(np.flatnonzero(within), key=lambda i: -worth[i]):
        recipe = situation.space.canonical(situation.space.decode(known.X[[row]])[0])
        if (
            situation.space.problems(recipe)
            or situation.veto(recipe) is not None
            or not situation.allowed(recipe)
            or not situation.repeatable(recipe)
        ):
            continue
        return Choice(recipe, "the best recipe known, measured again to learn how far its readings scatter")
    return None
