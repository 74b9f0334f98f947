"""Several goals: which results no other result beats in every one of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from labctl.config import CampaignConfig
from labctl.objective import Objective
from labctl.scores import bound_in_words, keeps_limits, results, standing_value
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import Setting


@dataclass(frozen=True, slots=True)
class Compromise:
    """One result of the Pareto front, at the recipe that was really made.

    Attributes:
        experiment: its id.
        recipe: the settings that were reached.
        values: of every goal, in its unit.
        bounds: the goals of which only a bound is known, and what their value then is, such as ``at least``.
    """

    experiment: str
    recipe: dict[str, Setting]
    values: dict[str, float]
    bounds: dict[str, str] = field(default_factory=dict)


def front(config: CampaignConfig, state: CampaignState) -> tuple[Compromise, ...]:
    """The Pareto front of the results, from the best to the worst in the first goal; empty for one goal.

    Only results with a value of every goal, and within every limit on an outcome, stand on it. A censored
    result counts as what its bounds make sure of, where they do. Of results that are equal in every goal the
    earliest stands on it.
    """
    goals = config.goals
    if len(goals) < 2:  # noqa: PLR2004 - one goal has a best, not a front
        return ()
    kept = [e for e in complete(config, state) if keeps_limits(config, e)]
    worths = [_worths(e, goals) for e in kept]
    chosen = [kept[row] for row in non_dominated(worths)]
    chosen.sort(key=lambda e: _worths(e, goals), reverse=True)
    return tuple(_compromise(e, goals) for e in chosen)


def complete(config: CampaignConfig, state: CampaignState) -> list[Experiment]:
    """The results that have a value of every goal, or a bound that makes sure of one, in order."""
    goals = config.goals.items()
    return [e for e in results(config, state) if all(standing_value(e, n, o) is not None for n, o in goals)]


def value_in(experiment: Experiment, name: str, objective: Objective) -> float:
    """The value by which a complete result counts in one goal."""
    value = standing_value(experiment, name, objective)
    return math.nan if value is None else value


def non_dominated(worths: Sequence[Sequence[float]]) -> list[int]:
    """Rows (n x m, larger is better) that no other row matches in every column and beats in one.

    Sorted by the first column, a row can only be beaten by one before it, so each is compared with the rows
    kept so far: n times the size of the front, not n squared.
    """
    order = sorted(range(len(worths)), key=lambda row: ([-w for w in worths[row]], row))
    kept: list[int] = []
    for row in order:
        if not any(all(a >= b for a, b in zip(worths[k], worths[row], strict=True)) for k in kept):
            kept.append(row)
    return kept


def _compromise(experiment: Experiment, goals: Mapping[str, Objective]) -> Compromise:
    values = {name: value_in(experiment, name, o) for name, o in goals.items()}
    said = {name: bound_in_words(experiment, name, o) for name, o in goals.items()}
    bounds = {name: words for name, words in said.items() if words is not None}
    return Compromise(experiment.id, dict(experiment.made), values, bounds)


def _worths(experiment: Experiment, goals: Mapping[str, Objective]) -> list[float]:
    return [objective.worth(value_in(experiment, name, objective)) for name, objective in goals.items()]
