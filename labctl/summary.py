"""Where a campaign stands, in one flat value that commands, reports and pages all show."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labctl.advice import veto_of
from labctl.config import CampaignConfig
from labctl.cost import cost_of, spent
from labctl.front import Compromise, front
from labctl.scores import (
    End,
    Scored,
    bound_in_words,
    breaks_limits,
    ends,
    keeps_limits,
    may_be_better,
    off_recipe_value,
    results,
    scored,
    standing,
)
from labctl.state import CampaignState, Experiment
from labctl.surprises import Surprise, surprises
from labctl_drivers.protocol import FailureKind, Setting


@dataclass(frozen=True, slots=True)
class Best:
    """The best single result of the goal, at the recipe that was really made.

    Attributes:
        recipe: the settings that were reached.
        value: what was measured, or the bound of a censored result, which counts as no more than that.
        unit: of the value.
        experiment: its id.
        bound: what the value is where it is a bound, such as ``at least``; None where it was measured.
        rivals: how many other censored results may be better still, for all that is known.
    """

    recipe: dict[str, Setting]
    value: float
    unit: str
    experiment: str
    bound: str | None = None
    rivals: int = 0


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
class Cheaper:
    """What a cheaper fidelity has given.

    Attributes:
        name: in the campaign file.
        readings: how many it gave.
        share: of the cost of all experiments.
        standing: what the guard said of it when it was last asked; None before.
    """

    name: str
    readings: int
    share: float
    standing: str | None


@dataclass(frozen=True, slots=True)
class VetoedTried:
    """What came of recipes that were tried although a veto speaks against them.

    Attributes:
        tried: how many have an outcome that says something of the recipe.
        failed: how many of these failed.
        best: among those that were measured.
        others: the best of all other recipes.
    """

    tried: int
    failed: int
    best: Best | None
    others: Best | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Where a campaign stands.

    Attributes:
        measured, failed: experiments that count; ``stand_ins`` are those that a cheaper fidelity carried out.
        censored: how many more results have bounds, by which they count.
        beyond_limits: how many results, measured or censored, break a limit on an outcome.
        limits_unknown: of how many more of them that cannot be told.
        ends: bounds that several results lie beyond.
        best: among the results that keep every limit.
        better_off_recipe: the best result of a recipe that nobody asked for, where it is better than that.
        front: with several goals, the results that no other result beats in all of them.
        cost: what all attempts have cost; None without a price, and where it is beyond all numbers.
        cost_budget: what they may cost.
        cheaper: what each cheaper fidelity has given.
        vetoed: what came of vetoed recipes that were tried all the same; None if none was.
        evidence: what decided on the shares of the arms when the last experiment was proposed.
        widened: factor in the last prediction that was written; 1 for none.
        halted: the interlock that halted the campaign until a person resumes it, with lane and instrument.
        suspects: instruments that nobody can trust until a person resumes the campaign, with their lanes.
        unsettled: experiments of which nobody can say what became of the sample, until a person does.
    """

    campaign: str
    status: str
    why: str
    experiments: int
    measured: int
    failed: dict[str, int]
    stand_ins: int
    censored: int
    beyond_limits: int
    limits_unknown: int
    ends: tuple[End, ...]
    waiting: int
    rejected: int
    best: Best | None
    better_off_recipe: Best | None
    front: tuple[Compromise, ...]
    calibration: Calibration | None
    verdict: dict[str, Any] | None
    cost: float | None
    cost_budget: float | None
    cheaper: tuple[Cheaper, ...]
    vetoed: VetoedTried | None
    evidence: str | None
    widened: float
    halted: dict[str, Any] | None
    suspects: tuple[dict[str, Any], ...]
    unsettled: tuple[str, ...]
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
        censored=len(told := results(config, state)) - len(state.measured),
        beyond_limits=(broken := sum(breaks_limits(config, e) for e in told)),
        limits_unknown=sum(not keeps_limits(config, e) for e in told) - broken,
        ends=ends(config, state),
        waiting=len(state.pending),
        rejected=statuses["rejected"],
        best=found,
        better_off_recipe=_better(config, state, found),
        front=front(config, state),
        calibration=calibration(scored(config, state)),
        verdict=None if state.verdict is None else dict(state.verdict),
        cost=_cost(config, state),
        cost_budget=config.model.budget.cost,
        cheaper=_cheaper(config, state),
        vetoed=_vetoed(config, state),
        evidence=next((e.proposal.evidence for e in reversed(list(state)) if e.proposal.evidence), None),
        widened=_widened(config, state),
        halted=None if state.halt is None else state.halt.body(),
        suspects=tuple(suspect.body() for _, suspect in sorted(state.suspects.items())),
        unsettled=tuple(e.id for e in state if e.unsettled),
        surprises=surprises(config, state),
        cpu_seconds=round(sum(e.proposal.cpu_seconds for e in state), 3),
        ledger=ledger,
        head=state.head,
        seed=None if state.campaign is None else int(state.campaign["seed"]),
    )


def best(config: CampaignConfig, state: CampaignState) -> Best | None:
    """The best result of the goal so far that keeps every limit; the earliest of equals."""
    return _best_of(config, standing(config, state), results(config, state))


def _better(config: CampaignConfig, state: CampaignState, than: Best | None) -> Best | None:
    goal, _ = config.goal
    values = [(e, v) for e in state.failed if (v := off_recipe_value(e, goal)) is not None]
    found = _best_of(config, values)
    if found is None or than is None:
        return found
    # Beside a bound nobody can say which of the two is better.
    return found if than.bound is None and config.worth(found.value) > config.worth(than.value) else None


def _best_of(
    config: CampaignConfig, found: Sequence[tuple[Experiment, float]], among: Sequence[Experiment] = ()
) -> Best | None:
    kept = [(e, value) for e, value in found if keeps_limits(config, e)]
    if not kept:
        return None
    experiment, value = max(kept, key=lambda pair: config.worth(pair[1]))
    goal, objective = config.goal
    bound = bound_in_words(experiment, goal, objective)
    rivals = sum(e is not experiment and may_be_better(config, e, value) for e in among)
    return Best(dict(experiment.made), value, objective.unit, experiment.id, bound, rivals)


def _cost(config: CampaignConfig, state: CampaignState) -> float | None:
    if config.model.instrument.cost is None:
        return None
    total = spent(config, state)
    return round(total, 6) if math.isfinite(total) else None


def _cheaper(config: CampaignConfig, state: CampaignState) -> tuple[Cheaper, ...]:
    names = config.model.fidelities
    if not names:
        return ()
    total = spent(config, state)
    # The strategy that weighs fidelities says at the end of its reason what the guard says of each.
    asked = (e.proposal.because for e in reversed(list(state)) if e.proposal.strategy == "improve_by_cost")
    clauses = [clause for part in next(asked, "").split("; ")[::-1] for clause in part.split(", ")]
    found = []
    for name in names:
        said = (clause.removeprefix(f"{name} ") for clause in clauses if clause.startswith(f"{name} "))
        read = [e for e in state.stand_ins if e.proposal.fidelity == name]
        paid = sum(cost_of(config, e) for e in read)
        given = sum(e.status == "measured" for e in read)
        found.append(
            Cheaper(name, given, round(paid / total, 4) if 0 < total < math.inf else 0.0, next(said, None))
        )
    return tuple(found)


def _vetoed(config: CampaignConfig, state: CampaignState) -> VetoedTried | None:
    advice, parameters = config.model.advice, config.model.parameters
    done = [*state.measured, *state.failed]
    # What was made before a veto was written says nothing of those who knew it; nor does a fault.
    tried = {
        e.id
        for e in done
        if (e.outcome is None or e.outcome.kind not in _SAYS_NOTHING)
        and (
            e.proposal.strategy == "vetoed"
            or (e.proposal.arm == "expert" and veto_of(advice, parameters, e.proposal.recipe) is not None)
        )
    }
    if not tried:
        return None
    found = standing(config, state)
    return VetoedTried(
        tried=len(tried),
        failed=sum(e.id in tried for e in state.failed),
        best=_best_of(config, [pair for pair in found if pair[0].id in tried]),
        others=_best_of(config, [pair for pair in found if pair[0].id not in tried]),
    )


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


_SAYS_NOTHING = (FailureKind.INSTRUMENT_FAULT, FailureKind.ABORTED, FailureKind.UNKNOWN)
"""Failures of the machine or by a person, which no veto could have foreseen."""
