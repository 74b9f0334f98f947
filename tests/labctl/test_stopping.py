"""When a campaign ends, and what it says then."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from labctl.proposal import Predicted
from labctl.state import MOST_REFUSALS
from labctl.stopping import (
    budgeted,
    chance_of_better,
    failures_in_a_row,
    stagnation,
    target_reached,
    why_to_stop,
)
from labctl.view import View

GOALS: dict[str, dict[str, Any]] = {
    "up": {"y": {"goal": "maximize", "unit": "mm"}},
    "down": {"y": {"goal": "minimize", "unit": "mm"}},
    "near": {"y": {"goal": "target", "target": 5, "unit": "mm"}},
    "two": {"y": {"goal": "maximize", "unit": "mm"}, "z": {"goal": "minimize", "unit": "mm"}},
    "kept": {"y": {"goal": "maximize", "unit": "mm"}, "z": {"goal": "observe", "unit": "mm", "at_most": 1}},
}


def campaign(goals: str = "up", **rules: object) -> dict[str, Any]:
    return {
        "campaign": "ends",
        "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
        "objectives": GOALS[goals],
        "instrument": {"kind": "hand"},
        **rules,
    }


@pytest.fixture
def ended(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> Callable[..., View]:
    """Give ``ended(campaign, [1.0, None, ...])``: these values of y, None for a failure."""

    def write(told: dict[str, Any], ys: Sequence[float | None], zs: Sequence[float] = ()) -> View:
        done = []
        for i, y in enumerate(ys):
            z = {"z": zs[i]} if i < len(zs) else {}
            done.append((asked({"x": i % 10}), came("infeasible") if y is None else came(y=y, **z)))
        return view_from(told, done)

    return write


def why(view: View, budget: int = 1000, now: datetime | None = None) -> tuple[str, str] | None:
    return why_to_stop(view.config, view.state, budget, now=now)


def test_the_budget_counts_everything_but_what_was_rejected(ended: Callable[..., View]) -> None:
    view = ended(campaign(), [1.0, None, 2.0])
    assert why(view, 4) is None
    assert why(view, 3) == ("finished", "the budget of 3 experiments is spent")


@pytest.mark.parametrize(
    ("goals", "target", "far", "there"),
    [
        ("up", {"value": 9, "unit": "mm"}, 8.9, 9.0),
        ("up", {"value": 0.9, "unit": "cm"}, 8.9, 9.0),
        ("down", {"value": 2, "unit": "mm"}, 2.1, 2.0),
        ("near", {"value": 0.5, "unit": "mm"}, 5.6, 5.4),
        ("near", {"value": 0.05, "unit": "cm"}, 4.4, 4.6),
    ],
)
def test_the_target_is_a_value_or_how_near_to_the_goals_own(
    ended: Callable[..., View], goals: str, target: dict[str, object], far: float, there: float
) -> None:
    told = campaign(goals, budget={"target": target})
    assert not target_reached((view := ended(told, [far])).config, view.state)
    assert why(ended(told, [far, there])) == ("finished", "the target is reached")


def test_a_target_is_not_reached_by_breaking_a_limit(ended: Callable[..., View]) -> None:
    told = campaign("kept", budget={"target": {"value": 9, "unit": "mm"}})
    assert why(ended(told, [9.5, 9.5], zs=[1.1])) is None
    assert why(ended(told, [9.5, 9.5], zs=[1.1, 0.9])) == ("finished", "the target is reached")


def test_cost_and_time_end_it(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    told = campaign(budget={"cost": 5, "time": "2 hour"})
    told["instrument"] = {"kind": "hand", "cost": {"each": 2.5}}
    done = [(asked({"x": i}), came(y=1)) for i in range(2)]
    assert why(view_from(told, done)) == ("finished", "the budget of 5 is spent: the experiments cost 5")
    view = view_from(told, done[:1])
    begun = datetime.fromisoformat(view.state["e0001"].proposed_at)
    assert why(view) is None
    assert why(view, now=begun + timedelta(hours=1.99)) is None
    assert why(view, now=begun + timedelta(hours=2)) == ("finished", "the time of 2 hour is over")
    assert why(view_from(told, []), now=datetime.now(UTC)) is None


def test_stagnation_counts_results_since_the_last_better_one(ended: Callable[..., View]) -> None:
    told = campaign(stop=[{"stagnation": 3}])
    ys = [1.0, 5.0, None, 4.0, 5.0]
    view = ended(told, ys)
    assert (stagnation(view.config, view.state), why(view)) == (2, None)
    said = why(ended(told, [*ys, 3.0]))
    assert said == ("finished", "the last 3 results brought nothing new, none of them better than the best")
    assert why(ended(told, [*ys, 6.0])) is None


def test_a_front_stagnates_when_it_no_longer_grows(ended: Callable[..., View]) -> None:
    told = campaign("two", stop=[{"stagnation": 2}])
    view = ended(told, [1, 2, 0.5], zs=[1, 2, 0.5])
    assert (stagnation(view.config, view.state), why(view)) == (0, None)
    said = why(ended(told, [1, 2, 0.5, 0.4, 1.5], zs=[1, 2, 0.5, 0.5, 2]))
    assert said == ("finished", "the last 2 results brought nothing new, none of them on the front")


def test_what_never_kept_a_limit_stagnates_from_the_start(ended: Callable[..., View]) -> None:
    told = campaign("kept", stop=[{"stagnation": 5}])
    view = ended(told, [1, 2, 3, 3, 3], zs=[2, 2, 2, 2, 2])
    assert stagnation(view.config, view.state) == 5
    assert why(view) == ("finished", "none of the 5 results keeps the limits on outcomes")
    assert view.summary.best is None
    assert view.summary.beyond_limits == view.summary.measured == 5
    assert why(ended(told, [1, 2, 3, 3], zs=[2, 2, 2, 2])) is None
    assert why(ended(told, [1, 2, 3, 3, 3], zs=[2, 1, 2, 2, 2])) is None


def test_nothing_begins_that_the_cost_has_no_room_for(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    told = campaign(budget={"cost": 5})
    told["instrument"] = {"kind": "hand", "cost": {"each": 10}}
    said = "the budget of 5 is spent: 0 spent, and another experiment costs about 10"
    assert why(view_from(told, [])) == ("finished", said)
    told["budget"] = {"cost": 0.3}
    told["instrument"] = {"kind": "hand", "cost": {"each": 0.1}}
    done = [(asked({"x": 1}), came(y=1)), (asked({"x": 2}), came(y=1))]
    # A tenth thrice is a little more than three tenths, and fits all the same.
    assert why(view_from(told, done)) is None
    said = "the budget of 0.3 is spent: 0.2 spent, 0.1 is taken by what waits for a result, and another "
    assert why(view_from(told, [*done, (asked({"x": 3}), None)])) == (
        "finished",
        said + "experiment costs about 0.1",
    )


def test_what_an_experiment_used_up_so_far_is_what_the_next_one_is_expected_to(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    told = campaign(budget={"cost": 12})
    told["instrument"] = {"kind": "hand", "cost": {"of": {"x": 1}}}
    assert why(view_from(told, [])) is None
    assert why(view_from(told, [(asked({"x": 6}), came(y=1))])) is None
    assert why(view_from(told, [(asked({"x": 7}), came(y=1))])) == (
        "finished",
        "the budget of 12 is spent: 7 spent, and another experiment costs about 7",
    )


def test_a_stand_in_does_not_eat_the_experiments_of_the_target(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    replay = {"kind": "replay", "dataset": "card.yaml"}
    told = campaign(budget={"experiments": 3}, stop=[{"stagnation": 1, "experiments": 2}])
    told["instrument"] = {**replay, "cost": {"each": 5}}
    told["fidelities"] = {"rough": {"instrument": {**replay, "cost": {"each": 1}}}}
    rough = [(asked({"x": i}, fidelity="rough"), came(y=1)) for i in range(14)]
    own = [(asked({"x": 1}), came(y=1))]
    view = view_from(told, [*own, *rough])
    assert why(view, 3) is None
    assert view.summary.status == "open"
    assert view.summary.why.startswith("1 of the 3 experiments")
    # Nor may they go on for ever: 15 is what three experiments of the target cost.
    status, said = why(view_from(told, [*own, *rough, rough[0]]), 3) or ("", "")
    assert status == "finished"
    assert said.startswith(
        "the cheaper fidelities have cost 15, as much as 3 experiments would; give budget."
    )


def test_what_gave_a_result_or_a_bound_is_no_failure_of_the_rate(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    told = campaign(stop=[{"failure_rate": 0.4, "last": 2}])
    beyond = came("censored", {"bounds": {"y": {"low": 3}}})
    for result in (beyond, came("off_recipe", y=3)):
        assert why(view_from(told, [(asked({"x": i}), result) for i in range(4)])) is None
    lost = [(asked({"x": i}), came("off_recipe")) for i in range(4)]
    assert why(view_from(told, lost)) is not None


@pytest.fixture
def hopeful(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> Callable[..., View]:
    """Give ``hopeful(rule, [(mean, sd, result), ...])``: after a result of 10, what it said."""

    def write(rule: dict[str, Any], said: Sequence[tuple[float, float, float]], **other: object) -> View:
        done = [(asked({"x": 0}, arm="initial"), came(y=10))]
        for i, (mean, sd, result) in enumerate(said, start=1):
            expected = {"y": {"mean": mean, "sd": sd}}
            proposal = asked({"x": i}, **{"arm": "improve", "predictions": expected, **other})
            done.append((proposal, came(y=result)))
        return view_from(campaign(stop=[rule]), done)

    return write


RULE = {"improvement_chance": 0.05, "proposals": 2}


def test_no_hope_of_better_ends_it_and_is_told(hopeful: Callable[..., View]) -> None:
    # Two sd below the best: the normal table gives 2.3 %.
    view = hopeful(RULE, [(8, 1, 8), (8, 1, 8)])
    assert why(view) == (
        "finished",
        "none of the last 2 proposals to improve had a chance above 0.023 of a better result",
    )
    assert why(hopeful(RULE, [(8, 1, 8)])) is None
    assert why(hopeful(RULE, [(8, 1, 8), (9, 1, 8)])) is None
    assert why(hopeful(RULE, [(9, 1, 8), (8, 1, 8), (8, 1, 8)])) is not None


def test_a_find_that_nobody_expected_is_no_sign_of_despair(hopeful: Callable[..., View]) -> None:
    # When they were proposed their chances were 16 and 50 %; what they found is far above.
    assert why(hopeful(RULE, [(9, 1, 12), (12, 1, 30)])) is None


def test_only_proposals_to_improve_the_goal_itself_count(hopeful: Callable[..., View]) -> None:
    assert why(hopeful(RULE, [(8, 1, 8), (8, 1, 8)], arm="explore")) is None
    assert why(hopeful(RULE, [(8, 1, 8), (8, 1, 8)], fidelity="quick")) is None


@pytest.mark.parametrize(
    ("goals", "mean", "best", "chance"),
    [
        ("up", 0.0, 1.0, 0.158655),
        ("down", 0.0, -1.0, 0.158655),
        # The best misses 5 by 1, so that anything between 4 and 6 is better.
        ("near", 5.0, 6.0, 0.682689),
        ("near", 7.0, 4.0, 0.157305),
    ],
)
def test_the_chance_of_better_is_that_of_a_normal_table(
    ended: Callable[..., View], goals: str, mean: float, best: float, chance: float
) -> None:
    config = ended(campaign(goals), []).config
    assert chance_of_better(config, Predicted(mean=mean, sd=1), best) == pytest.approx(chance, abs=1e-6)
    assert chance_of_better(config, Predicted(mean=mean, sd=0), best) in (0.0, 1.0)


def test_many_failures_halt_it_for_a_person(ended: Callable[..., View]) -> None:
    told = campaign(stop=[{"failure_rate": 0.5, "last": 4}])
    assert why(ended(told, [1, 1, None, None])) is None
    assert why(ended(told, [None, None, None])) is None
    assert why(ended(told, [1, None, None, None])) == (
        "halted",
        "3 of the last 4 experiments failed; look at the instruments and the recipes",
    )


def test_a_rule_holds_where_everything_it_names_does(ended: Callable[..., View]) -> None:
    both = campaign(stop=[{"stagnation": 2, "failure_rate": 0.2, "last": 4, "experiments": 6}])
    ys = [5, 4, None, 4, 3]
    assert why(ended(both, ys)) is None
    status, said = why(ended(both, [*ys, None])) or ("", "")
    assert status == "halted"
    assert said.startswith("the last 3 results brought nothing new")
    assert ", and 2 of the last 4 experiments failed" in said
    assert why(ended(both, [5, 4, 4, 4, 3, 3])) is None


def test_any_one_of_several_rules_is_enough(ended: Callable[..., View]) -> None:
    told = campaign(stop=[{"failure_rate": 0.9}, {"stagnation": 2}])
    assert (why(ended(told, [5, 4, 4])) or ("",))[0] == "finished"


def test_what_still_waits_is_not_done(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    told = campaign(stop=[{"stagnation": 1, "experiments": 3}])
    done = [(asked({"x": 1}), came(y=2)), (asked({"x": 2}), came(y=1))]
    assert why(view_from(told, [*done, (asked({"x": 3}), None)])) is None
    assert why(view_from(told, [*done, (asked({"x": 3}), came(y=1))])) is not None


def test_a_row_of_failures_ends_with_any_result(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    told = campaign("two", budget={"failures_in_a_row": 2})
    failures = [(asked({"x": i}), came("infeasible")) for i in range(2)]
    assert (why(view_from(told, failures)) or ("",))[0] == "halted"
    for result in (came(z=1), came("off_recipe", z=1)):
        view = view_from(told, [*failures, (asked({"x": 3}), result)])
        assert failures_in_a_row(view.state, ("y", "z")) == 0
        assert why(view) is None


def test_all_that_is_spent_is_named_the_first_one_first(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    told = campaign(budget={"cost": 5, "experiments": 4, "target": {"value": 7, "unit": "mm"}})
    told["instrument"] = {"kind": "hand", "cost": {"each": 2}}
    done = [(asked({"x": i}), came(y=y)) for i, y in enumerate([1, 7, 1, 1, 1])]
    said = "the target is reached; the budget of 5 is spent: the experiments cost {}"
    assert why(view_from(told, done[:3]), 4) == ("finished", said.format(6))
    said += "; the budget of 4 experiments is spent"
    assert why(view_from(told, done), 4) == ("finished", said.format(10))


def late(view: View, numbers: Sequence[int]) -> View:
    """The same campaign, with its results come in this order of experiments."""
    state = view.state
    seqs = sorted(e.ended_seq or 0 for e in state)
    experiments = state.experiments
    for seq, number in zip(seqs, numbers, strict=True):
        experiments = experiments.insert(number, replace(experiments[number], ended_seq=seq))
    return replace(view, state=replace(state, experiments=experiments))


def test_rules_follow_the_arrival_of_results_and_not_their_numbers(ended: Callable[..., View]) -> None:
    view = ended(campaign(), [9.0, 1.0, 2.0, 3.0])
    assert stagnation(view.config, view.state) == 3
    # The best result came last, or was the last but one.
    for order, since in (([2, 3, 4, 1], 0), ([2, 3, 1, 4], 1)):
        assert stagnation(view.config, late(view, order).state) == since
    failing = ended(campaign(), [None, None, 1.0])
    assert failures_in_a_row(failing.state, ("y",)) == 0
    assert failures_in_a_row(late(failing, [3, 1, 2]).state, ("y",)) == 2
    front = ended(campaign("two"), [5, 1, 1], zs=[1, 5, 5])
    assert stagnation(front.config, front.state) == 2
    assert stagnation(front.config, late(front, [2, 3, 1]).state) == 0


def test_an_ended_campaign_says_so_while_results_are_awaited(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    told = campaign(budget={"target": {"value": 9, "unit": "mm"}, "failures_in_a_row": 2})
    waiting = (asked({"x": 1}, route="hand"), None)
    good = view_from(told, [(asked({"x": 1}), came(y=9)), waiting]).summary
    said = "1 experiment has no result yet, and no more are to be proposed: the target is reached"
    assert (good.status, good.why) == ("waiting", said)
    failed = [(asked({"x": i}), came("infeasible")) for i in range(2)]
    halted = view_from(told, [*failed, waiting]).summary
    assert halted.status == "halted"
    assert halted.why.startswith("2 experiments in a row failed")
    assert halted.why.endswith("; 1 experiment has no result yet")


def refused(came: Callable[..., Any], stage: str, message: str, kind: str = "aborted") -> object:
    return came(kind, told={"stage": stage, "message": message})


def test_what_was_never_begun_is_no_experiment_of_the_budget(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    rows = [
        (asked({"x": 1}), refused(came, "guard", "not started: x may not jump")),
        (asked({"x": 1}), came(y=1.0)),
        (asked({"x": 2}), refused(came, "interlock", "interlock door")),
        (asked({"x": 3}), refused(came, "check", "no open environment", "instrument_fault")),
        (asked({"x": 4}), refused(came, "process", "it broke", "instrument_fault")),
    ]
    assert budgeted(view_from(campaign(retries={"instrument_fault": 1}), rows).state) == 3
    view = view_from(campaign(retries={"instrument_fault": 0}), rows)
    assert budgeted(view.state) == 2
    assert [e.id for e in view.state if e.never_begun] == ["e0001", "e0003", "e0004"]
    assert why(view, 3) is None
    assert why(view, 2) == ("finished", "the budget of 2 experiments is spent")
    # Their recipes may be proposed again; what was measured need not be.
    assert set(view.state.tried.values()) == {2}
    assert view.state.tries({"x": 1}) == 1


def test_attempts_that_end_before_anything_moves_halt_the_campaign(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    def told(*outcomes: object) -> View:
        rows = [(asked({"x": x}), outcome) for x, outcome in enumerate(outcomes)]
        return view_from(campaign(budget={"failures_in_a_row": 3}), rows)

    jump, hot = (refused(came, "guard", f"not started: {why}") for why in ("x may not jump", "x is too hot"))
    gone = refused(came, "check", "nobody answers", "instrument_fault")
    broke = refused(came, "queue", "broken off by SIGINT")
    assert why(told(jump)) is None
    assert why(told(jump, came(y=1.0), jump)) is None
    assert why(told(jump, hot)) is None
    assert why(told(gone, gone)) is None
    assert why(told(broke, broke, broke)) is None
    twice = told(came(y=1.0), jump, jump)
    reason = "not begun and do not count: not started: x may not jump"
    mend = "mend it, and then `labctl run campaign.yaml`"
    assert why(twice) == ("halted", f"2 experiments in a row were {reason}; {mend}")
    assert (why(told(jump, hot, jump)) or "")[0] == "halted"
    assert (why(told(gone, gone, gone)) or "")[0] == "halted"
    # Another run begins anew, and these are no failures of the instrument either.
    assert why_to_stop(twice.config, twice.state, 9, since=twice.state.seq) is None
    later = told(gone, gone, gone)
    assert why_to_stop(later.config, later.state, 9, since=later.state.seq) is None


def test_a_rule_does_not_count_what_was_never_begun(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    told = campaign(stop=[{"failure_rate": 0.5, "last": 2}])
    jump = refused(came, "guard", "not started: x may not jump")
    rows = [(asked({"x": 0}), came(y=1.0)), (asked({"x": 1}), came(y=2.0)), (asked({"x": 2}), jump)]
    assert why(view_from(told, rows)) is None


def test_a_recipe_that_is_refused_each_time_is_left_alone_in_the_end(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    hot = refused(came, "guard", "not started: x is too hot")
    times = range(1, MOST_REFUSALS + 1)
    tried = [len(view_from(campaign(), [(asked({"x": 9}), hot)] * n).state.tried) for n in times]
    assert tried == [0] * (MOST_REFUSALS - 1) + [1]
