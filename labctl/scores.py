"""What results count for: their values or bounds, the limits they keep, and the predictions before them."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from labctl.config import CampaignConfig
from labctl.objective import Objective
from labctl.proposal import Outcome, Predicted
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import FailureKind

Span = tuple[float, float]
"""The lowest and the highest that a quantity can be; infinite where nothing is known."""
SEVERAL = 2
"""So many results at one bound are taken for the end of a scale."""


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


def known(outcome: Outcome | None) -> dict[str, Span]:
    """What an outcome tells of each quantity: its value as a span without width, or the bounds of it."""
    if outcome is None or (outcome.kind == FailureKind.CENSORED and not outcome.bounds):
        return {}
    spans = {name: (value, value) for name, value in outcome.values.items()}
    if outcome.kind == FailureKind.CENSORED:
        for name, bound in outcome.bounds.items():
            low = -math.inf if bound.low is None else bound.low
            spans[name] = (low, math.inf if bound.high is None else bound.high)
    return spans


def standing_value(experiment: Experiment, name: str, objective: Objective) -> float | None:
    """The value by which a result counts: what was measured, or of a censored result the worst it can be.

    A bound counts as exactly its bound, never as more. None where nothing was measured, or where the bounds
    leave open how bad it is.
    """
    outcome = experiment.outcome
    if outcome is None or (outcome.status == "failed" and outcome.kind != FailureKind.CENSORED):
        return None
    span = known(outcome).get(name)
    if span is None:
        return None
    worst = min(span, key=objective.worth)
    return worst if math.isfinite(worst) else None


def bound_in_words(experiment: Experiment, name: str, objective: Objective) -> str | None:
    """What a standing value is where it is a bound: ``at least``, ``at most`` or ``at worst``; else None."""
    low, high = known(experiment.outcome).get(name, (0.0, 0.0))
    if low == high:
        return None
    return {"minimize": "at most", "target": "at worst"}.get(objective.goal, "at least")


def results(config: CampaignConfig, state: CampaignState) -> list[Experiment]:
    """The experiments that tell a value or a bound of some quantity, in order; none of a cheaper fidelity."""
    censored = [e for e in state.failed if e.outcome and e.outcome.kind == FailureKind.CENSORED]
    told = [e for e in censored if not config.model.objectives.keys().isdisjoint(known(e.outcome))]
    return sorted([*state.measured, *told], key=lambda e: e.number) if told else state.measured


def standing(config: CampaignConfig, state: CampaignState) -> list[tuple[Experiment, float]]:
    """Every result of the goal with the value by which it counts, in order."""
    goal, objective = config.goal
    pairs = ((e, standing_value(e, goal, objective)) for e in results(config, state))
    return [(e, value) for e, value in pairs if value is not None]


def may_be_better(config: CampaignConfig, experiment: Experiment, than: float) -> bool:
    """Whether a censored result that breaks no limit may be better than this value of the goal."""
    goal, objective = config.goal
    low, high = known(experiment.outcome).get(goal, (than, than))
    if low == high or breaks_limits(config, experiment):
        return False
    target = objective.target
    nearest = max(objective.worth(low), objective.worth(high))
    return (0.0 if target is not None and low <= target <= high else nearest) > config.worth(than)


def keeps_limits(config: CampaignConfig, experiment: Experiment) -> bool:
    """Whether it is known to keep every limit on an outcome; what has neither value nor bound is not."""
    spans, inside = known(experiment.outcome), config.limited.items()
    return all(n in spans and o.keeps(spans[n][0]) and o.keeps(spans[n][1]) for n, o in inside)


def breaks_limits(config: CampaignConfig, experiment: Experiment) -> bool:
    """Whether it is known to break a limit; of what has neither value nor bound, nothing is."""
    return bool(broken_limits(config, experiment.outcome))


def broken_limits(config: CampaignConfig, outcome: Outcome | None) -> list[str]:
    """The limited quantities whose value, or whose bounds as a whole, lie outside their limits."""
    spans = known(outcome)
    return [
        name
        for name, o in config.limited.items()
        if name in spans and (spans[name][1] < o.limits[0] or spans[name][0] > o.limits[1])
    ]


@dataclass(frozen=True, slots=True)
class End:
    """Several results beyond one and the same bound of a goal, as where an instrument's range ends.

    Attributes:
        goal: its name; ``unit`` is that of the bound.
        side: where they lie, ``above`` or ``below``.
        bound: which they share.
        n: how many.
        good: whether the better values lie beyond it.
    """

    goal: str
    unit: str
    side: Literal["above", "below"]
    bound: float
    n: int
    good: bool


def ends(config: CampaignConfig, state: CampaignState) -> tuple[End, ...]:
    """Where the goals' scales seem to end: bounds that several results share, the most shared first."""
    found: Counter[tuple[str, Literal["above", "below"], float]] = Counter()
    for experiment in results(config, state):
        for name, (low, high) in known(experiment.outcome).items():
            if name in config.goals and math.isinf(high) and math.isfinite(low):
                found[name, "above", low] += 1
            if name in config.goals and math.isinf(low) and math.isfinite(high):
                found[name, "below", high] += 1
    return tuple(
        End(name, (o := config.goals[name]).unit, side, bound, n, _good(o, side, bound))
        for (name, side, bound), n in found.most_common()
        if n >= SEVERAL
    )


def _good(objective: Objective, side: Literal["above", "below"], bound: float) -> bool:
    if objective.target is not None:
        return bound < objective.target if side == "above" else bound > objective.target
    return (objective.direction > 0) == (side == "above")


def best_steps(
    config: CampaignConfig, found: Iterable[tuple[Experiment, float]]
) -> list[tuple[Experiment, float]]:
    """The results of the goal that were better than all before them, of those that keep the limits."""
    steps: list[tuple[Experiment, float]] = []
    for experiment, value in found:
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
