"""Results beside the predictions that were written before them."""

from collections.abc import Iterable, Mapping
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


def keeps_limits(config: CampaignConfig, experiment: Experiment) -> bool:
    """Whether its values keep every limit on an outcome; a limited quantity that has no value does not."""
    return config.keeps({} if experiment.outcome is None else experiment.outcome.values)


def breaks_limits(config: CampaignConfig, experiment: Experiment) -> bool:
    """Whether one of its values is seen to break a limit; of what has no value, nothing is known."""
    values = {} if experiment.outcome is None else experiment.outcome.values
    return any(name in values and not o.keeps(values[name]) for name, o in config.limited.items())


def best_steps(
    config: CampaignConfig, measured: Iterable[tuple[Experiment, float]]
) -> list[tuple[Experiment, float]]:
    """The measurements of the goal that were better than all before them, of those that keep the limits."""
    steps: list[tuple[Experiment, float]] = []
    for experiment, value in measured:
        if keeps_limits(config, experiment) and (
            not steps or config.worth(value) > config.worth(steps[-1][1])
        ):
            steps.append((experiment, value))
    return steps


def judged(config: CampaignConfig, values: Mapping[str, float]) -> float | None:
    """What the goal's value is judged by, or None where it is missing or a limit on an outcome is broken."""
    goal, objective = config.goal
    return objective.judged(values[goal]) if goal in values and config.keeps(values) else None


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
