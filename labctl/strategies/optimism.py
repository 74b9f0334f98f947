"""Recipes that would be best if the surrogate erred to their advantage: upper confidence bound."""

from labctl.proposal import Arm
from labctl.strategies.protocol import Choice, Situation
from labctl.strategies.ranked import choose, promising


class Optimism:
    """Choose the candidate with the highest mean plus two standard deviations (Srinivas et al., ICML 2010).

    Serves one goal that is maximised or minimised; of a goal to be minimised it is the lower bound.
    """

    arm: Arm = "improve"
    needs_results = 2

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the recipe with the best optimistic value."""
        from labctl_models.acquisition.confidence_bound import upper_confidence_bound  # noqa: PLC0415

        among = promising(situation)
        if among is None:
            return None
        belief = situation.surrogates.of(situation.goal).predict(among.X)
        bound = upper_confidence_bound(belief.mean, belief.sd)
        what = "the best of all if the surrogate errs by two standard deviations in its favour"
        return choose(situation, among, bound, "upper_confidence_bound", what)
