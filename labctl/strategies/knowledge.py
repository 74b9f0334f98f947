"""What the ledger knows, as arrays: results, bounds from failures, and recipes under way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from labctl.proposal import digest, recipe_key
from labctl.space import Space
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import FailureKind

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Results:
    """Measured values of one objective, in its own unit and direction.

    Shapes: X is n x d, y is n; X_bounded is m x d with low and high of length m, infinite where open.
    """

    X: Floats
    y: Floats
    X_bounded: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class StandIn:
    """What a cheaper fidelity has read of the goal, in its unit.

    Attributes:
        X: recipes read; n x d.
        y: its readings; n.
        after: how many results of the target had come before each; n.
        tried: keys of the recipes that it need not read again, those under way among them.
    """

    X: Floats
    y: Floats
    after: NDArray[np.intp]
    tried: frozenset[str]


@dataclass(frozen=True)
class Knowledge:
    """What a campaign's experiments have taught so far.

    Attributes:
        results: by objective.
        X_done: every recipe that was carried out or is under way, whatever became of it; m x d.
        X_pending: the recipes under way; p x d.
        X_measured: the recipes with a usable result of a goal; n x d.
        X_complete: those of them with a result of every goal; c x d.
        Y_complete: their results, goal by goal in the campaign's order; c x m.
        stand_ins: what each cheaper fidelity has read of the first goal.
        X_labelled: the recipes of which it is known whether a sample came of them; l x d.
        made: whether one did; l.
        tried: keys of the recipes that must not be chosen again.
        data: hash over the results and failures used.
    """

    results: Mapping[str, Results]
    X_done: Floats
    X_pending: Floats
    X_measured: Floats
    X_complete: Floats
    Y_complete: Floats
    X_labelled: Floats
    made: NDArray[np.bool_]
    tried: Mapping[str, int]
    data: str
    stand_ins: Mapping[str, StandIn] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """How many usable results there are."""
        return len(self.X_measured)


def knowledge(
    state: CampaignState, space: Space, objectives: Sequence[str], goals: Sequence[str]
) -> Knowledge:
    """Gather what the state knows.

    A measurement counts at the recipe that was really made: where the instrument reports the settings
    that it reached, those are used, and an ``off_recipe`` failure that carries its values counts as well.
    Failures teach by kind: ``infeasible`` that no sample comes of the recipe, every other kind that speaks
    of a sample that one does, and ``censored`` a bound. What the machine or a person ended teaches nothing.
    """
    pending, used, bounded, silent = [], [], [], []
    labelled: list[tuple[Experiment, bool]] = []
    every = [e for e in state if e.status != "rejected"]
    done = [e for e in every if e.proposal.fidelity is None]
    for experiment in done:
        if not experiment.finished or state.retry_allowed(experiment):
            pending.append(experiment)
            continue
        made = _made(experiment)
        if made is not None:
            labelled.append((experiment, made))
        if _usable(experiment, goals):
            used.append(experiment)
        if experiment.outcome is not None and experiment.outcome.kind == FailureKind.CENSORED:
            bounded.append(experiment)
        elif made is not None and not _usable(experiment, goals):
            silent.append(experiment)
    complete = [e for e in used if all(name in _values(e) for name in goals)]
    return Knowledge(
        results={name: _results(space, name, used, bounded) for name in objectives},
        X_done=space.encode([e.proposal.recipe for e in done]),
        X_pending=space.encode([e.proposal.recipe for e in pending]),
        X_measured=space.encode([e.made for e in used]),
        X_complete=space.encode([e.made for e in complete]),
        Y_complete=np.array([[_values(e)[name] for name in goals] for e in complete]).reshape(-1, len(goals)),
        X_labelled=space.encode([e.made for e, _ in labelled]),
        made=np.array([made for _, made in labelled], dtype=bool),
        tried=state.tried,
        stand_ins=_stand_ins([e for e in every if e.proposal.fidelity is not None], used, space, goals[0]),
        data=digest(
            [
                *([e.id, _told(e)] for e in {e.id: e for e in (*used, *bounded, *state.stand_ins)}.values()),
                *([e.id, dict(e.made), _made(e)] for e in silent),
            ]
        ),
    )


def _stand_ins(
    experiments: Sequence[Experiment], used: Sequence[Experiment], space: Space, goal: str
) -> dict[str, StandIn]:
    found = {}
    ended = np.sort([e.ended_seq or 0 for e in used if goal in _values(e)])
    for name in dict.fromkeys(str(e.proposal.fidelity) for e in experiments):
        own = [e for e in experiments if e.proposal.fidelity == name]
        read = [e for e in own if e.status == "measured" and goal in _values(e)]
        found[name] = StandIn(
            X=space.encode([e.made for e in read]),
            y=np.array([_values(e)[goal] for e in read], dtype=np.float64),
            after=np.searchsorted(ended, [e.ended_seq or 0 for e in read]),
            tried=frozenset(recipe_key(e.proposal.recipe) for e in own),
        )
    return found


def _values(experiment: Experiment) -> Mapping[str, float]:
    """The values that count; of a censored failure those that its bounds are not about."""
    outcome = experiment.outcome
    if outcome is None or (outcome.kind == FailureKind.CENSORED and not outcome.bounds):
        return {}
    return {name: value for name, value in outcome.values.items() if name not in outcome.bounds}


def _results(
    space: Space, objective: str, used: Sequence[Experiment], bounded: Sequence[Experiment]
) -> Results:
    told = [(e, values[objective]) for e in used if objective in (values := _values(e))]
    limits = [(e, b) for e in bounded if e.outcome and (b := e.outcome.bounds.get(objective))]
    return Results(
        X=space.encode([e.made for e, _ in told]),
        y=np.array([y for _, y in told], dtype=np.float64),
        X_bounded=space.encode([e.made for e, _ in limits]),
        low=np.array([-np.inf if b.low is None else b.low for _, b in limits]),
        high=np.array([np.inf if b.high is None else b.high for _, b in limits]),
    )


def _usable(experiment: Experiment, goals: Sequence[str]) -> bool:
    """Whether it has a value of a goal to learn from; of several goals, one may be beyond the scale."""
    outcome = experiment.outcome
    if outcome is None or not any(name in _values(experiment) for name in goals):
        return False
    return outcome.status == "measured" or outcome.kind in (FailureKind.OFF_RECIPE, FailureKind.CENSORED)


def _made(experiment: Experiment) -> bool | None:
    """Whether a sample came of the recipe that is taken for its own; None where nobody can say."""
    outcome = experiment.outcome
    if outcome is None:
        return None
    if outcome.status == "measured":
        return True
    if outcome.kind == FailureKind.OFF_RECIPE:
        # A sample of some recipe; of this one only where the settings reached are known.
        return True if outcome.actual else None
    return _TAUGHT.get(outcome.kind) if outcome.kind is not None else None


_TAUGHT: Mapping[FailureKind, bool] = {
    FailureKind.INFEASIBLE: False,
    FailureKind.CENSORED: True,
    FailureKind.BAD_READING: True,
}


def _told(experiment: Experiment) -> object:
    """What of an experiment the surrogates see; times and run ids are no part of the data."""
    outcome = experiment.outcome
    if outcome is None:
        return None
    bounds = {name: bound.body() for name, bound in outcome.bounds.items()}
    return [dict(experiment.made), outcome.values, bounds]
