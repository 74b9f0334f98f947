"""Recipes unlike anything done before, whatever they are expected to give."""

from labctl.proposal import Arm
from labctl.strategies.candidates import candidates, finite, runners_up
from labctl.strategies.protocol import Choice, Situation

_ALTERNATIVES = 3


class Novelty:
    """Choose, among the quarter most remote from its nearest known recipes, the one without a near twin.

    The mean distance to the nearest recipes says what is novel, and is told as a percentile of the
    archive's own leave-one-out values, so that it has no scale: 100 % is farther out than every recipe
    known so far (Lehman and Stanley, Evol. Comput. 19, 189 (2011), with recipes in place of behaviours).
    The distance to the very nearest chooses among them, since the mean alone returns to the same corners.
    """

    arm: Arm = "novelty"
    needs_results = 0

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the most novel recipe."""
        from labctl_models.novelty.neighbours import default_neighbours, most_novel, novelty  # noqa: PLC0415

        among = candidates(situation)
        if not len(among):
            return None
        archive = situation.knowledge.X_done
        k = min(situation.neighbours, default_neighbours(len(archive)))
        found = novelty(among.X, archive, k=k)
        rows = among.best(most_novel(found), situation.allowed, 1 + _ALTERNATIVES)
        if not rows:
            return None
        if not len(archive):
            return Choice(among.recipe(rows[0]), "nothing is known yet, so everything is novel")
        others = runners_up(among, rows[1:], found.distance)
        distance, share, nearest = (
            float(column[rows[0]]) for column in (found.distance, found.share, found.nearest)
        )
        because = (
            f"unlike what was done: {distance:.2g} from its {k} nearest recipes in the unit cube, "
            f"farther than {share:.0%} of those are from each other, and {nearest:.2g} from the very nearest"
        )
        return Choice(among.recipe(rows[0]), because, "novelty_distance", finite(distance), others)
