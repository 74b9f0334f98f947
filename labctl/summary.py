"""Where a campaign stands, in one flat value that commands, reports and pages all show."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labctl.config import CampaignConfig
from labctl.cost import spent
from labctl.front import Compromise, front
from labctl.scores import Scored, keeps_limits, off_recipe_value, scored, value_of
from labctl.state import CampaignState, Experiment
from labctl.surprises import Surprise, surprises
from labctl_drivers.protocol import Setting


@dataclass(frozen=True, slots=True)
class Best:
    """The best single measurement of the goal, at the recipe that was really made."""

    recipe: dict[str, Setting]
    value: float
    unit: str
    experiment: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """How predictions that were written before their result compare with it.

    Attributes:
        n: results that had a prediction.
        within_95: share of them inside the predicted 95 % interval.
        rms_z: root mean square of (measured - predicted) / predicted sd; 1 is right, above 1 overconfident.
    """

    n: int
    within_95: float
    rms_z: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Where a campaign stands.

    Attributes:
        measured, failed: experiments that count; ``stand_ins`` are those that a cheaper fidelity carried out.
        beyond_limits: how many of the measured ones break a limit on an outcome, or say nothing of it.
        best: among the measured experiments that keep every limit.
        better_off_recipe: the best result of a recipe that nobody asked for, where it is better than that.
        front: with several goals, the results that no other result beats in all of them.
        cost: what all attempts have cost; None without a price.
        evidence: what decided on the shares of the arms when the last experiment was proposed.
        widened: factor in the last prediction that was written; 1 for none.
    """

    campaign: str
    status: str
    why: str
    experiments: int
    measured: int
    failed: dict[str, int]
    stand_ins: int
    beyond_limits: int
    waiting: int
    rejected: int
    best: Best | None
    better_off_recipe: Best | None
    front: tuple[Compromise, ...]
    calibration: Calibration | None
    verdict: dict[str, Any] | None
    cost: float | None
    evidence: str | None
    widened: float
    surprises: tuple[Surprise, ...]
    cpu_seconds: float
    ledger: str | None
    head: str
    seed: int | None

    def as_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def summarise(
    config: CampaignConfig, state: CampaignState, *, status: str, why: str, ledger: str | None
) -> Summary:
    """Count and compare what the state holds."""
    statuses = Counter(e.status for e in state)
    failed = Counter(str(e.outcome.kind.value) for e in state.failed if e.outcome and e.outcome.kind)
    found = best(config, state)
    return Summary(
        campaign=config.name,
        status=status,
        why=why,
        experiments=len(state) - statuses["rejected"],
        measured=len(state.measured),
        failed=dict(sorted(failed.items())),
        stand_ins=len(state.stand_ins),
        beyond_limits=sum(not keeps_limits(config, e) for e in state.measured),
        waiting=len(state.pending),
        rejected=statuses["rejected"],
        best=found,
        better_off_recipe=_better(config, state, found),
        front=front(config, state),
        calibration=calibration(scored(config, state)),
        verdict=None if state.verdict is None else dict(state.verdict),
        cost=None if config.model.instrument.cost is None else round(spent(config, state), 6),
        evidence=next((e.proposal.evidence for e in reversed(list(state)) if e.proposal.evidence), None),
        widened=_widened(config, state),
        surprises=surprises(config, state),
        cpu_seconds=round(sum(e.proposal.cpu_seconds for e in state), 3),
        ledger=ledger,
        head=state.head,
        seed=None if state.campaign is None else int(state.campaign["seed"]),
    )


def best(config: CampaignConfig, state: CampaignState) -> Best | None:
    """The best measurement of the goal so far that keeps every limit; the earliest of equals."""
    goal, _ = config.goal
    return _best_of(config, [(value_of(e, goal), e) for e in state.measured])


def _better(config: CampaignConfig, state: CampaignState, than: Best | None) -> Best | None:
    goal, _ = config.goal
    found = _best_of(config, [(off_recipe_value(e, goal), e) for e in state.failed])
    if found is None or (than is not None and config.worth(found.value) <= config.worth(than.value)):
        return None
    return found


def _best_of(config: CampaignConfig, results: Sequence[tuple[float | None, Experiment]]) -> Best | None:
    known = [(value, e) for value, e in results if value is not None and keeps_limits(config, e)]
    if not known:
        return None
    value, experiment = max(known, key=lambda pair: config.worth(pair[0]))
    return Best(dict(experiment.made), value, config.goal[1].unit, experiment.id)


def _widened(config: CampaignConfig, state: CampaignState) -> float:
    goal, _ = config.goal
    for number in range(len(state), 0, -1):
        predicted = state.experiments[number].proposal.predictions.get(goal)
        if predicted is not None:
            return round(predicted.widened, 4)
    return 1.0


def calibration(results: list[Scored]) -> Calibration | None:
    """Score predictions by their results; None without any."""
    if not results:
        return None
    z = [r.z for r in results]
    inside = sum(abs(v) <= 1.959963984540054 for v in z) / len(z)  # noqa: PLR2004 - normal 97.5 % quantile
    return Calibration(len(z), round(inside, 4), round(math.sqrt(sum(v * v for v in z) / len(z)), 4))
