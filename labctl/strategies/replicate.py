"""The same recipe again, where its result surprised: before anything is believed, it is measured twice."""

from labctl.proposal import Arm
from labctl.strategies.protocol import Choice, Situation


class Replicate:
    """Measure the most surprising recipe again.

    If the replicate agrees, the surprise is real: something new, or a variable that nobody recorded. If it
    does not, the measurement was at fault. No result is ever deleted for being surprising.
    """

    arm: Arm = "replicate"
    needs_results = 1

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the recipe of the most surprising result that was not measured again yet."""
        for surprise in situation.surprises:
            if situation.allowed(surprise.recipe):
                side = "above" if surprise.z > 0 else "below"
                because = (
                    f"{surprise.experiment} came out {abs(surprise.z):.1f} predicted sd {side} its "
                    "prediction; measured again before it is believed"
                )
                return Choice(surprise.recipe, because, "surprise", abs(surprise.z))
        return None
