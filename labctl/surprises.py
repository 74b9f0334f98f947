"""Results that surprised the prediction written before them, and what measuring them again has said."""

from dataclasses import dataclass
from typing import Literal

from labctl.config import CampaignConfig
from labctl.proposal import recipe_key
from labctl.scores import Scored, scored, value_of
from labctl.state import CampaignState
from labctl_drivers.protocol import Recipe

FEWEST_SCORED = 8
"""With fewer scored predictions a surprise says more about the predictions than about the result."""

Answer = Literal["waiting", "agrees", "disagrees"]


@dataclass(frozen=True, slots=True)
class Surprise:
    """A result that its prediction called very unlikely.

    Attributes:
        experiment: its id.
        recipe: what was done.
        z: how many predicted standard deviations it lay above the prediction.
        replicate: what measuring it again said: it agrees (something new, or a hidden variable), it
            disagrees (a fault of the measurement), or it was not measured again yet.
    """

    experiment: str
    recipe: Recipe
    z: float
    replicate: Answer


def surprises(config: CampaignConfig, state: CampaignState) -> tuple[Surprise, ...]:
    """The surprising results, most surprising first.

    Flagged at a false discovery rate of 10 % among all results that had a prediction, with each z divided
    by the root mean square of them all: a surrogate that is too sure of itself everywhere is not a
    surprise in each result.
    """
    results = [s for s in scored(config, state) if s.experiment.proposal.arm != "replicate"]
    if len(results) < FEWEST_SCORED:
        return ()
    import numpy as np  # noqa: PLC0415 - readers of a summary without surprises need none of it

    from labctl_models.audit.anomalies import anomalies  # noqa: PLC0415

    z = np.array([s.z for s in results])
    flagged = anomalies(z / max(1.0, float(np.sqrt(np.median(z**2) / _MEDIAN_OF_CHI2))))
    return tuple(
        Surprise(
            experiment=results[row].experiment.id,
            recipe=results[row].experiment.proposal.recipe,
            z=float(z[row]),
            replicate=_said(results[row], config, state),
        )
        for row in flagged.rows.tolist()
    )


_MEDIAN_OF_CHI2 = 0.4549364
"""Median of z squared for a normal z, so that the median measures the scale whatever the outliers do."""


def _said(surprise: Scored, config: CampaignConfig, state: CampaignState) -> Answer:
    """Whether the mean of the replicates sides with the surprising result or with its prediction."""
    goal, _ = config.goal
    key = recipe_key(surprise.experiment.proposal.recipe)
    again = [
        value
        for e in state.measured
        if e.id != surprise.experiment.id
        and recipe_key(e.proposal.recipe) == key
        and (value := value_of(e, goal)) is not None
    ]
    if not again:
        return "waiting"
    mean = sum(again) / len(again)
    return "agrees" if abs(mean - surprise.measured) <= abs(mean - surprise.predicted.mean) else "disagrees"
