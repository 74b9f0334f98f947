"""When a campaign ends and why, in plain words; pure functions of its state."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from shlex import quote
from statistics import NormalDist

from labctl import units
from labctl.budget import StopRule, seconds_in
from labctl.config import CampaignConfig
from labctl.cost import ROUNDING, attempts_cost, awaited, cost_of, next_cost, spent
from labctl.front import front
from labctl.plural import counted
from labctl.proposal import Predicted
from labctl.scores import best_steps, keeps_limits, off_recipe_value, results, standing
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import FailureKind

Ended = tuple[str, str]


def why_to_stop(
    config: CampaignConfig,
    state: CampaignState,
    budget: int,
    *,
    now: datetime | None = None,
    since: int = 0,
) -> Ended | None:
    """Status and reasons if the campaign has ended, or None if more experiments may be done.

    Where several parts of the budget are spent, all are named, the one first that was spent first.

    Args:
        config: of the campaign.
        state: of the campaign.
        budget: how many experiments, in place of the file's; those by a cheaper fidelity do not count.
        now: against which the time budget is held; the last event's time unless given.
        since: number of the event after which attempts that were never begun are held against it.
    """
    halted = why_halted(config, state) or _refused_in_a_row(config, state, since)
    if halted is not None:
        return halted
    if (over := spent_budget(config, state, budget, now)) is not None:
        return "finished", over
    by_rule = (why for rule in config.model.stop if (why := _by_rule(rule, config, state)))
    return next(by_rule, None) or _in_a_row(config, state)


def why_halted(config: CampaignConfig, state: CampaignState) -> Ended | None:
    """Status and reason if nothing may start before a person has looked, or None."""
    if state.halt is not None:
        halt = state.halt
        return "halted", f"{halt.instrument} was stopped by interlock {halt.reason}; {_go_on(config)}"
    for fidelity in (None, *config.model.fidelities):
        lanes = [f"lane-{k}" for k in range(1, config.instrument(fidelity).lanes + 1)]
        if all(lane in state.suspects for lane in lanes):
            return "halted", str(why_distrusted(config, state))
    return None


def why_distrusted(config: CampaignConfig, state: CampaignState) -> str | None:
    """Which lanes have stopped because nobody can trust their devices, in one sentence, or None."""
    if not state.suspects:
        return None
    told = [f"{s.instrument} on {lane} is suspect ({s.reason})" for lane, s in sorted(state.suspects.items())]
    return f"{'; '.join(told)}; {_go_on(config)}"


def _go_on(config: CampaignConfig) -> str:
    return f"look at it, and then `labctl resume {quote(str(config.path))} --by NAME --because TEXT`"


def _refused_in_a_row(config: CampaignConfig, state: CampaignState, since: int) -> Ended | None:
    """That attempts end before anything moves: two for the same reason, or three for any."""
    reasons: list[str] = []
    for experiment in reversed(by_arrival(e for e in state if (e.ended_seq or 0) > since)):
        outcome = experiment.outcome
        if outcome is None or not experiment.never_begun or outcome.stage in _TOLD_OTHERWISE:
            break
        reasons.append(outcome.message)
        refused = outcome.kind is FailureKind.ABORTED and reasons == [outcome.message] * _SAME_REFUSALS
        if refused or len(reasons) == _NEVER_BEGUN:
            many = f"{len(reasons)} experiments in a row were not begun and do not count: {reasons[0]}"
            return "halted", f"{many}; mend it, and then `labctl run {quote(str(config.path))}`"
    return None


def budgeted(state: CampaignState) -> int:
    """How many experiments the budget counts.

    These are all but what was rejected, never begun, or asked of a cheaper fidelity.
    """
    return len(_counting(state))


def _counting(state: CampaignState) -> list[Experiment]:
    asked = (e for e in state if e.status != "rejected" and e.proposal.fidelity is None)
    # What was not begun but is to be tried again has its place.
    return [e for e in asked if not e.never_begun or e.number in state.unfinished]


def spent_budget(
    config: CampaignConfig, state: CampaignState, budget: int, now: datetime | None = None
) -> str | None:
    """Which parts of the budget are spent, first the one that was spent first; None if none is."""
    parts = (
        _many_enough(state, budget),
        _good_enough(config, state),
        _dear_enough(config, state, budget),
        _long_enough(config, state, now),
    )
    return "; ".join(why for _, why in sorted((p for p in parts if p is not None), key=_when)) or None


_Spent = tuple[datetime, str]
"""A part of the budget that is spent: since when, and which."""


def _when(part: _Spent) -> datetime:
    return part[0]


def _many_enough(state: CampaignState, budget: int) -> _Spent | None:
    counting = _counting(state)
    if len(counting) < budget:
        return None
    at = counting[budget - 1].proposed_at if budget > 0 and counting else _EVER
    return datetime.fromisoformat(at), f"the budget of {counted(budget, 'experiment')} is spent"


def _good_enough(config: CampaignConfig, state: CampaignState) -> _Spent | None:
    good = _at_target(config, state)
    return None if not good else (min(_ended(e) for e in good), "the target is reached")


def _dear_enough(config: CampaignConfig, state: CampaignState, budget: int) -> _Spent | None:
    why = unaffordable(config, state) or _stand_ins_cost_too_much(config, state, budget)
    if why is None:
        return None
    most, total = config.model.budget.cost, 0.0
    last = _EVER
    for experiment in by_arrival(e for e in state if e.ended_at is not None):
        last, total = experiment.ended_at or last, total + cost_of(config, experiment)
        if most is not None and total >= most:
            break
    return datetime.fromisoformat(last), why


def _long_enough(config: CampaignConfig, state: CampaignState, now: datetime | None) -> _Spent | None:
    longest = config.model.budget.time
    if longest is None or not len(state):
        return None
    begun, last = datetime.fromisoformat(state[_FIRST].proposed_at), now or max(_ended(e) for e in state)
    if (last - begun).total_seconds() < seconds_in(longest):
        return None
    return begun + timedelta(seconds=seconds_in(longest)), f"the time of {longest} is over"


def _ended(experiment: Experiment) -> datetime:
    return datetime.fromisoformat(experiment.ended_at or experiment.proposed_at)


def by_arrival(experiments: Iterable[Experiment]) -> list[Experiment]:
    """Experiments with an outcome in the order in which their outcomes were written."""
    return sorted(experiments, key=lambda e: e.ended_seq or 0)


def unaffordable(config: CampaignConfig, state: CampaignState) -> str | None:
    """Why another experiment no longer fits into the budget's cost, or None if it does.

    What waits for its outcome is held against the budget as if it had been paid.
    """
    most = config.model.budget.cost
    if most is None:
        return None
    cost, waiting, each = spent(config, state), awaited(config, state), next_cost(config, state)
    if cost >= most:
        return f"the budget of {most:g} is spent: the experiments cost {cost:.4g}"
    if cost + waiting + each <= most * (1.0 + ROUNDING):
        return None
    taken = f", {waiting:.4g} is taken by what waits for a result" if waiting else ""
    spare = f"{cost:.4g} spent{taken}, and another experiment costs about {each:.4g}"
    return f"the budget of {most:g} is spent: {spare}"


def overdrawn(config: CampaignConfig, state: CampaignState) -> str | None:
    """That what waits for its outcome costs more than the budget has left, or None if it does not."""
    most = config.model.budget.cost
    if most is None:
        return None
    cost, waiting = spent(config, state), awaited(config, state)
    if cost + waiting <= most * (1.0 + ROUNDING):
        return None
    return f"the budget of {most:g} is spent: {cost:.4g} spent, and what waits will cost {waiting:.4g}"


def _stand_ins_cost_too_much(config: CampaignConfig, state: CampaignState, budget: int) -> str | None:
    """Without a limit on the cost: whether the stand-ins have cost as much as the whole target would."""
    price = config.model.instrument.cost
    if config.model.budget.cost is not None or price is None or not state.stand_ins:
        return None
    whole = budget * next_cost(config, state)
    paid = spent(config, state) - sum(attempts_cost(price, e) for e in state if e.proposal.fidelity is None)
    if not 0 < whole <= paid:
        return None
    return (
        f"the cheaper fidelities have cost {paid:.4g}, as much as {counted(budget, 'experiment')} would; "
        "give budget.cost to let them cost more"
    )


def _in_a_row(config: CampaignConfig, state: CampaignState) -> Ended | None:
    most = config.model.budget.failures_in_a_row
    failures = failures_in_a_row(state, tuple(config.goals))
    if most is None or failures < most:
        return None
    return "halted", f"{failures} experiments in a row failed; look at the instruments and the recipes"


def _by_rule(rule: StopRule, config: CampaignConfig, state: CampaignState) -> Ended | None:
    """Status and reason if everything that a rule names holds."""
    ended = len(state.measured) + sum(not e.never_begun for e in state.failed)
    if rule.experiments is not None and ended < rule.experiments:
        return None
    reasons: list[str | None] = []
    if rule.stagnation is not None:
        reasons.append(_stagnates(config, state, rule.stagnation))
    if rule.improvement_chance is not None:
        reasons.append(_hopeless(config, state, rule.improvement_chance, rule.proposals))
    if rule.failure_rate is not None:
        reasons.append(_fails_often(state, tuple(config.goals), rule.failure_rate, rule.last))
    holding = [reason for reason in reasons if reason is not None]
    if len(holding) < len(reasons):
        return None
    return "halted" if rule.failure_rate is not None else "finished", ", and ".join(holding)


def _stagnates(config: CampaignConfig, state: CampaignState, most: int) -> str | None:
    since = stagnation(config, state)
    if since < most:
        return None
    if config.limited and not any(keeps_limits(config, e) for e in results(config, state)):
        return f"none of the {counted(since, 'result')} keeps the limits on outcomes"
    what = "none of them better than the best" if len(config.goals) == 1 else "none of them on the front"
    return f"the last {counted(since, 'result')} brought nothing new, {what}"


def stagnation(config: CampaignConfig, state: CampaignState) -> int:
    """How many results came since the last better one, or since the front last grew.

    Where none was ever good, such as while nothing keeps the limits, it is all of them.
    """
    if len(config.goals) > 1:
        better = [state[c.experiment] for c in front(config, state)]
    else:
        better = [e for e, _ in _steps(config, state)]
    last = max((e.ended_seq or 0 for e in better), default=0)
    return sum((e.ended_seq or 0) > last for e in state.measured)


def _steps(config: CampaignConfig, state: CampaignState) -> list[tuple[Experiment, float]]:
    """The results that were better than all that had come before them, as they came."""
    return best_steps(config, sorted(standing(config, state), key=lambda pair: pair[0].ended_seq or 0))


def promises(
    config: CampaignConfig, state: CampaignState, *, most: int | None = None, since: int | None = None
) -> list[float]:
    """The chance of a better result that the last recipes chosen for improvement had, latest first.

    Each is held against the best that was known when it was chosen: what it found itself is no sign of
    despair.

    Args:
        config: of the campaign; with several goals nothing is promised of one of them.
        state: of the campaign.
        most: how many, at the most.
        since: only those among so many last results.
    """
    goal, _ = config.goal
    chances: list[float] = []
    if len(config.goals) > 1:
        return chances
    steps, came = _steps(config, state), by_arrival(state.measured)
    for experiment in reversed(_done(state) if since is None else came[len(came) - since :]):
        proposal = experiment.proposal
        known = [v for e, v in steps if e.ended_seq is not None and e.ended_seq < experiment.proposed_seq]
        if proposal.arm != "improve" or proposal.fidelity is not None or goal not in proposal.predictions:
            continue
        chances.append(chance_of_better(config, proposal.predictions[goal], known[-1]) if known else 1.0)
        if len(chances) == most:
            break
    return chances


def _hopeless(config: CampaignConfig, state: CampaignState, least: float, proposals: int) -> str | None:
    chances = promises(config, state, most=proposals)
    if len(chances) < proposals or max(chances) >= least:
        return None
    return (
        f"none of the last {counted(proposals, 'proposal')} to improve had a chance above "
        f"{max(chances):.2g} of a better result"
    )


def chance_of_better(config: CampaignConfig, predicted: Predicted, best: float) -> float:
    """The chance that the true value of a recipe is better than the best result, by its prediction."""
    _, objective = config.goal
    normal = NormalDist(predicted.mean, max(predicted.sd, 1e-300))
    if objective.target is not None:
        miss = abs(best - objective.target)
        return normal.cdf(objective.target + miss) - normal.cdf(objective.target - miss)
    return 1.0 - normal.cdf(best) if objective.sign > 0 else normal.cdf(best)


def _fails_often(state: CampaignState, goals: tuple[str, ...], share: float, last: int) -> str | None:
    ended = _done(state)[-last:]
    failed = sum(_gave_nothing(e, goals) for e in ended)
    if len(ended) < last or failed <= share * last:
        return None
    return f"{failed} of the last {last} experiments failed; look at the instruments and the recipes"


def _gave_nothing(experiment: Experiment, goals: tuple[str, ...]) -> bool:
    """Whether it failed and taught nothing of a goal, neither off its recipe nor by a bound."""
    outcome = experiment.outcome
    if outcome is None or outcome.status != "failed" or outcome.kind == FailureKind.CENSORED:
        return False
    return all(off_recipe_value(experiment, goal) is None for goal in goals)


def _done(state: CampaignState) -> list[Experiment]:
    """The experiments that were begun and have their outcome, in the order in which it came."""
    return by_arrival(e for e in state if e.status in ("measured", "failed") and not e.never_begun)


def target_reached(config: CampaignConfig, state: CampaignState) -> bool:
    """Whether an experiment is as good as the budget's target, or as near to the goal's own as it says."""
    return bool(_at_target(config, state))


def _at_target(config: CampaignConfig, state: CampaignState) -> list[Experiment]:
    target, (_, objective) = config.model.budget.target, config.goal
    if target is None:
        return []
    least = objective.direction * target.value * (units.factor(target.unit, objective.unit) or 1.0)
    found = standing(config, state)
    return [e for e, value in found if config.worth(value) >= least and keeps_limits(config, e)]


def failures_in_a_row(state: CampaignState, goals: tuple[str, ...]) -> int:
    """How many of the last experiments failed without one result among them.

    What was made off recipe and measured all the same is a result of something else, and ends the row.
    """
    count = 0
    for experiment in reversed(_done(state)):
        if experiment.status == "measured" or any(off_recipe_value(experiment, g) is not None for g in goals):
            break
        count += 1
    return count


_TOLD_OTHERWISE = ("queue", "interlock", "lane")
"""Stages of attempts that were not begun because a person or a halt had stopped the others."""
_SAME_REFUSALS, _NEVER_BEGUN = 2, 3
_FIRST = "e0001"
_EVER = "0001-01-01T00:00:00+00:00"
