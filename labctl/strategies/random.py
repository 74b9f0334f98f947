"""Recipes drawn by chance: the honest baseline, and the only unbiased sample a campaign has."""

from labctl.plural import counted
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
        return Choice(among.recipe(rows[0]), f"drawn at random, {self._why(situation)}")

    def _why(self, situation: Situation) -> str:
        if situation.surrogates.ready:
            return "to keep an unbiased sample"
        results = counted(situation.knowledge.n, "usable result")
        return f"since {results} {'is' if situation.knowledge.n == 1 else 'are'} too few to predict from"
