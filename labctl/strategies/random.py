"""Recipes drawn by chance: the honest baseline, and the only unbiased sample a campaign has."""

from labctl.proposal import Arm
from labctl.strategies.candidates import candidates
from labctl.strategies.protocol import Choice, Situation


class Random:
    """Draw uniformly among the untried candidates, or over the space.

    Random experiments are how a campaign learns its true success rate and where its own choices are
    biased (Jia et al., Nature 573, 251 (2019)).
    """

    arm: Arm = "random"
    needs_results = 0

    def choose(self, situation: Situation) -> Choice | None:
        """Draw one recipe."""
        among = candidates(situation, n=64, risky=True)
        rows = among.best(situation.rng.random(len(among)), situation.allowed, 1)
        if not rows:
            return None
        return Choice(among.recipe(rows[0]), "drawn at random, to keep an unbiased sample")
