"""Results that surprised the prediction written before them, and what measuring them again has said."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
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
    z = [s.z for s in results]
    scale = max(1.0, math.sqrt(median(v * v for v in z) / _MEDIAN_OF_CHI2))
    return tuple(
        Surprise(
            experiment=results[row].experiment.id,
            recipe=results[row].experiment.proposal.recipe,
            z=z[row],
            replicate=_said(results[row], config, state),
        )
        for row in flagged([v / scale for v in z])
    )


def flagged(z: Sequence[float], *, rate: float = 0.1) -> list[int]:
    """Which of the z are too large for a normal one at this false discovery rate, the largest first.

    The rule of Benjamini and Hochberg, J. R. Stat. Soc. B 57, 289 (1995). The same as
    ``labctl_models.audit.anomalies``, in plain Python, since every look at a campaign asks for it and scipy
    takes longer to import than all the rest.
    """
    order = sorted(range(len(z)), key=lambda i: -abs(z[i]))
    p = [math.erfc(abs(z[i]) / math.sqrt(2.0)) for i in order]
    most = max((k for k, value in enumerate(p, start=1) if value * len(p) / k <= rate), default=0)
    return order[:most]


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
