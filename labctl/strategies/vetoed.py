"""Now and then a recipe that a person would not make: vetoes are opinions, and opinions are measured too."""

from labctl.proposal import Arm
from labctl.strategies.candidates import candidates
from labctl.strategies.protocol import Choice, Situation


class Vetoed:
    """Draw one of the vetoed recipes that are safe: lawful, and within the lab's hard limits.

    Without such experiments nobody ever learns what the vetoes cost, and what people believe stays in the
    data as a hole (Jia et al., Nature 573, 251 (2019), on choices that were never questioned).
    """

    arm: Arm = "random"
    needs_results = 0

    def choose(self, situation: Situation) -> Choice | None:
        """Draw a vetoed recipe at random."""
        among = candidates(situation, risky=True, vetoed=True)
        for row in situation.rng.permutation(len(among)):
            recipe = among.recipe(int(row))
            if situation.allowed(recipe):
                why = situation.veto(recipe) or "vetoed"
                return Choice(recipe, f"drawn to learn what a veto costs, which says: {why}")
        return None
