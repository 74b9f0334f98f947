"""Recipes unlike anything done before, whatever they are expected to give."""

from labctl.proposal import Alternative, Arm
from labctl.strategies.candidates import candidates
from labctl.strategies.protocol import Choice, Situation

_ALTERNATIVES = 3


class Novelty:
    """Choose the candidate with the greatest mean distance to its nearest known recipes.

    The distance is told as a percentile of the archive's own leave-one-out values, so that it has no
    scale: 100 % is farther out than every recipe known so far (Lehman and Stanley, Evol. Comput. 19, 189
    (2011), with recipes in place of behaviours).
    """

    arm: Arm = "novelty"
    needs_results = 0

    def choose(self, situation: Situation) -> Choice | None:
        """Choose the most novel recipe."""
        from labctl_models.acquisition.novelty import default_neighbours, novelty  # noqa: PLC0415

        among = candidates(situation)
        if not len(among):
            return None
        archive = situation.knowledge.X_done
        k = min(situation.neighbours, default_neighbours(len(archive)))
        score = novelty(among.X, archive, k=k)
        rows = among.best(score.distance, situation.allowed, 1 + _ALTERNATIVES)
        if not rows:
            return None
        others = tuple(
            Alternative(recipe=dict(among.recipe(row)), value=float(score.distance[row]))
            for row in rows[1:]
            if len(archive)
        )
        if not len(archive):
            return Choice(among.recipe(rows[0]), "nothing is known yet, so everything is novel")
        distance, share = float(score.distance[rows[0]]), float(score.share[rows[0]])
        because = (
            f"unlike what was done: {distance:.2g} from its {k} nearest recipes in the unit cube, "
            f"farther than {share:.0%} of those are from each other"
        )
        return Choice(among.recipe(rows[0]), because, "novelty_distance", distance, others)
