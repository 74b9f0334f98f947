"""Recipes in the largest gaps of what was tried, to repair a biased choice of experiments."""

from labctl.proposal import Arm
from labctl.strategies.candidates import candidates
from labctl.strategies.protocol import Choice, Situation

_DRAWS = 512


class Gaps:
    """Choose the candidate farthest from everything done: the next point of a greedy maximin design.

    Asks no surrogate, so that no surrogate's error can steer it. It is what the audit of a campaign
    recommends where the candidates are not covered by what was tried.
    """

    arm: Arm = "explore"
    needs_results = 0

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the recipe in the largest gap."""
        from labctl_models.design import maximin_subset  # noqa: PLC0415 - scipy is slow to import

        among = candidates(situation, n=_DRAWS)
        if not len(among):
            return None
        known = situation.knowledge.X_done
        order = maximin_subset(
            among.X, min(len(among), 20), situation.seed, known=known if len(known) else None
        )
        for row in order:
            recipe = among.recipe(int(row))
            if situation.allowed(recipe):
                return Choice(recipe, "in the largest gap between the recipes that were tried")
        return None
