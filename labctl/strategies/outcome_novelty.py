"""Recipes whose outcome is expected to be off the trend of all outcomes seen, be it good or bad."""

import numpy as np

from labctl.proposal import Arm
from labctl.strategies.behaviours import behaviours
from labctl.strategies.candidates import candidates, finite, runners_up
from labctl.strategies.protocol import Choice, Situation
from labctl.strategies.surrogate import ENOUGH_RESULTS

_ALTERNATIVES = 3


class OutcomeNovelty:
    """Choose the candidate with the greatest expected Stein novelty of its outcome in all objectives.

    After BLOX (Terayama et al., Chem. Sci. 11, 5959 (2020)), with four changes. Outcomes are measured in
    widths that a single odd reading cannot stretch. The kernel narrows as results come in. Novelty is
    averaged over what the outcome may be rather than taken at its mean, which shrinks towards what is
    known. And noise is no novelty: the average is over the response without its noise, and a surprise
    counts only once a replicate agrees.
    """

    arm: Arm = "novelty"
    needs_results = ENOUGH_RESULTS

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the recipe with the most novel outcome."""
        from labctl_models.novelty.stein import Scale, expected_stein_novelty, usual_variance  # noqa: PLC0415

        found, among = behaviours(situation), candidates(situation)
        if found is None or not len(found.Y) or not len(among):
            return None
        scale = Scale.of(found.Y, found.noise_sd)
        mean, sd = found.expected(among.X)
        # What is under way is taken to come out as expected, so that a second proposal does not repeat it.
        coming, _ = found.expected(situation.knowledge.X_pending)
        known = np.vstack([found.Y, coming])
        novelty = expected_stein_novelty(
            scale.standardised(mean),
            scale.widths(sd),
            scale.standardised(known),
            variance=usual_variance(*known.shape),
        )
        rows = among.best(novelty, situation.allowed, 1 + _ALTERNATIVES)
        if not rows:
            return None
        others = runners_up(among, rows[1:], novelty)
        expected = ", ".join(
            f"{name} {m:.3g} ± {s:.2g}"
            for name, m, s in zip(found.objectives, mean[rows[0]], sd[rows[0]], strict=True)
        )
        doubt = f", {found.left_out} of doubt left out" if found.left_out else ""
        because = (
            f"an outcome off the trend of the {len(found.Y)} seen{doubt}: expected {expected}, with the "
            "greatest Stein novelty of all"
        )
        return Choice(among.recipe(rows[0]), because, "stein_novelty", finite(novelty[rows[0]]), others)
