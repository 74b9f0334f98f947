"""Several goals: which results no other result beats in every one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labctl.config import CampaignConfig
from labctl.objective import Objective
from labctl.scores import keeps_limits
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import Setting


@dataclass(frozen=True, slots=True)
class Compromise:
    """One result of the Pareto front, at the recipe that was really made; values in the objectives' units."""

    experiment: str
    recipe: dict[str, Setting]
    values: dict[str, float]


def front(config: CampaignConfig, state: CampaignState) -> tuple[Compromise, ...]:
    """The Pareto front of the results, from the best to the worst in the first goal; empty for one goal.

    Only results with a value of every goal, and within every limit on an outcome, stand on it. Of results
    that are equal in every goal the earliest does.
    """
    goals = config.goals
    if len(goals) < 2:  # noqa: PLR2004 - one goal has a best, not a front
        return ()
    complete = [
        e
        for e in state.measured
        if e.outcome and keeps_limits(config, e) and goals.keys() <= e.outcome.values.keys()
    ]
    worths = [_worths(e, goals) for e in complete]
    chosen = [complete[row] for row in non_dominated(worths)]
    chosen.sort(key=lambda e: _worths(e, goals), reverse=True)
    return tuple(Compromise(e.id, dict(e.made), {name: _values(e)[name] for name in goals}) for e in chosen)


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


def _values(experiment: Experiment) -> Mapping[str, float]:
    return experiment.outcome.values if experiment.outcome is not None else {}


def _worths(experiment: Experiment, goals: Mapping[str, Objective]) -> list[float]:
    return [objective.worth(_values(experiment)[name]) for name, objective in goals.items()]
