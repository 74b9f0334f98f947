"""When a campaign ends and why, in plain words; pure functions of its state."""

from datetime import datetime
from statistics import NormalDist

from labctl import units
from labctl.budget import StopRule, seconds_in
from labctl.config import CampaignConfig
from labctl.cost import attempts_cost, awaited, next_cost, spent
from labctl.front import front
from labctl.plural import counted
from labctl.proposal import Predicted
from labctl.scores import best_steps, keeps_limits, off_recipe_value, results, standing
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import FailureKind

Ended = tuple[str, str]


def why_to_stop(
    config: CampaignConfig, state: CampaignState, budget: int, *, now: datetime | None = None
) -> Ended | None:
    """Status and reason if the campaign has ended, or None if more experiments may be done.

    Args:
        config: of the campaign.
        state: of the campaign.
        budget: how many experiments, in place of the file's; those by a cheaper fidelity do not count.
        now: against which the time budget is held; the last event's time unless given.
    """
    return (
        why_halted(config, state)
        or _spent_budget(config, state, budget)
        or _spent_more(config, state, budget, now)
        or next((why for rule in config.model.stop if (why := _by_rule(rule, config, state))), None)
        or _in_a_row(config, state)
    )


def why_halted(config: CampaignConfig, state: CampaignState) -> Ended | None:
    """Status and reason if nothing may start before a person has looked, or None."""
    if state.halt is not None:
        halt = state.halt
        return "halted", f"{halt.instrument} was stopped by interlock {halt.reason}; {_GO_ON}"
    for fidelity in (None, *config.model.fidelities):
        lanes = [f"lane-{k}" for k in range(1, config.instrument(fidelity).lanes + 1)]
        if all(lane in state.suspects for lane in lanes):
            return "halted", str(why_distrusted(state))
    return None


def why_distrusted(state: CampaignState) -> str | None:
    """Which lanes have stopped because nobody can trust their devices, in one sentence, or None."""
    if not state.suspects:
        return None
    told = [f"{s.instrument} on {lane} is suspect ({s.reason})" for lane, s in sorted(state.suspects.items())]
    return f"{'; '.join(told)}; {_GO_ON}"


def budgeted(state: CampaignState) -> int:
    """How many experiments the budget counts: all but what was rejected or asked of a cheaper fidelity."""
    return sum(e.status != "rejected" and e.proposal.fidelity is None for e in state)


def _spent_budget(config: CampaignConfig, state: CampaignState, budget: int) -> Ended | None:
    if budgeted(state) >= budget:
        return "finished", f"the budget of {counted(budget, 'experiment')} is spent"
    return ("finished", "the target is reached") if target_reached(config, state) else None


def _spent_more(
    config: CampaignConfig, state: CampaignState, budget: int, now: datetime | None
) -> Ended | None:
    rules = config.model.budget
    why = unaffordable(config, state) or _stand_ins_cost_too_much(config, state, budget)
    if why is not None:
        return "finished", why
    if rules.time is not None and len(state):
        begun = datetime.fromisoformat(state[_FIRST].proposed_at)
        last = now or max(datetime.fromisoformat(e.ended_at or e.proposed_at) for e in state)
        if (last - begun).total_seconds() >= seconds_in(rules.time):
            return "finished", f"the time of {rules.time} is over"
    return None


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
    if cost + waiting + each <= most * (1.0 + _ROUNDING):
        return None
    taken = f", {waiting:.4g} is taken by what waits for a result" if waiting else ""
    spare = f"{cost:.4g} spent{taken}, and another experiment costs about {each:.4g}"
    return f"the budget of {most:g} is spent: {spare}"


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
    if rule.experiments is not None and len(state.measured) + len(state.failed) < rule.experiments:
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
        last = max((state[c.experiment].number for c in front(config, state)), default=0)
    else:
        steps = best_steps(config, standing(config, state))
        last = steps[-1][0].number if steps else 0
    return sum(e.number > last for e in state.measured)


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
    steps = best_steps(config, standing(config, state))
    done = _done(state)
    for experiment in reversed(done if since is None else state.measured[len(state.measured) - since :]):
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
    """The experiments that have their outcome, in the order of their proposals."""
    return [e for e in state if e.status in ("measured", "failed")]


def target_reached(config: CampaignConfig, state: CampaignState) -> bool:
    """Whether an experiment is as good as the budget's target, or as near to the goal's own as it says."""
    target, (_, objective) = config.model.budget.target, config.goal
    if target is None:
        return False
    wanted = target.value * (units.factor(target.unit, objective.unit) or 1.0)
    values = [value for e, value in standing(config, state) if keeps_limits(config, e)]
    least = objective.direction * wanted
    return any(config.worth(value) >= least for value in values)


def failures_in_a_row(state: CampaignState, goals: tuple[str, ...]) -> int:
    """How many of the last experiments failed without one result among them.

    What was made off recipe and measured all the same is a result of something else, and ends the row.
    """
    count = 0
    for number in range(len(state), 0, -1):
        experiment = state.experiments[number]
        if experiment.status == "measured" or any(off_recipe_value(experiment, g) is not None for g in goals):
            break
        count += experiment.status == "failed"
    return count


_GO_ON = "look at it, and then `labctl resume CAMPAIGN.yaml --by NAME --because TEXT`"
_FIRST = "e0001"
_ROUNDING = 1e-9
"""Costs that add up to the budget but for rounding still fit."""
