"""Results beside the predictions that were written before them."""

from dataclasses import dataclass

from labctl.config import CampaignConfig
from labctl.proposal import Predicted
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import FailureKind


def value_of(experiment: Experiment, objective: str) -> float | None:
    """The measured value, or None if the experiment has none that counts."""
    outcome = experiment.outcome
    return outcome.values.get(objective) if outcome is not None and outcome.status == "measured" else None


def off_recipe_value(experiment: Experiment, objective: str) -> float | None:
    """The value of an experiment whose recipe was not the one asked for, or None if it has none."""
    outcome = experiment.outcome
    if outcome is None or outcome.kind != FailureKind.OFF_RECIPE:
        return None
    return outcome.values.get(objective)


@dataclass(frozen=True, slots=True)
class Scored:
    """A result of the goal beside the prediction that was written before it."""

    experiment: Experiment
    predicted: Predicted
    measured: float

    @property
    def z(self) -> float:
        """How many predicted standard deviations the measurement lies above the prediction."""
        return (self.measured - self.predicted.mean) / max(self.predicted.measurement_sd, 1e-300)


def scored(config: CampaignConfig, state: CampaignState) -> list[Scored]:
    """Every result of the goal that had a prediction."""
    goal, _ = config.goal
    return [
        Scored(e, e.proposal.predictions[goal], value)
        for e in state.measured
        if goal in e.proposal.predictions and (value := value_of(e, goal)) is not None
    ]
