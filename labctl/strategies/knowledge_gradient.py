"""Recipes after which the best known one is expected to be best: the knowledge gradient."""

import numpy as np

from labctl.proposal import Arm
from labctl.strategies.protocol import Choice, Situation
from labctl.strategies.ranked import choose, promising

_SHORTLIST = 150
"""Candidates that are weighed against each other; the gradient costs their number squared."""


class KnowledgeGradient:
    """Choose the candidate whose result will raise the best expectation of all recipes most.

    Unlike expected improvement it counts what a result teaches about other recipes, and is at its best where
    readings are noisy (Frazer, Powell and Dayanik, INFORMS J. Comput. 21, 599 (2009)). It is exact over the
    candidates that are best by their upper confidence bound; the best of those is chosen where no result at
    all could raise the best expectation. Serves one goal that is maximised or minimised.
    """

    arm: Arm = "improve"
    needs_results = 2

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the recipe with the greatest knowledge gradient."""
        from labctl_models.acquisition.confidence_bound import upper_confidence_bound  # noqa: PLC0415
        from labctl_models.acquisition.knowledge_gradient import log_knowledge_gradient  # noqa: PLC0415

        among = promising(situation)
        if among is None:
            return None
        fitted = situation.surrogates.of(situation.goal)
        belief = fitted.predict(among.X)
        bound = upper_confidence_bound(belief.mean, belief.sd)
        order = np.argsort(-bound, kind="stable")[:_SHORTLIST]
        short = among.only(order)
        # The recipes that were measured can turn out best as well.
        known = situation.knowledge.results[situation.goal].X
        X = np.vstack([short.X, known])
        scores = log_knowledge_gradient(
            fitted.predict(X).mean, fitted.covariance(X), fitted.noise_sd**2, candidates=range(len(short))
        )
        if not np.isfinite(scores).any():
            what = (
                "no single result is expected to raise the best expectation, so the best of all if the "
                "surrogate errs by two standard deviations in its favour"
            )
            return choose(situation, short, bound[order], "upper_confidence_bound", what)
        what = "its result is expected to raise the best expectation of all most"
        return choose(situation, short, scores, "log_knowledge_gradient", what)
