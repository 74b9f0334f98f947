"""What results count for: bounds settle what they can, and count as no more than their bound."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.objective import Objective
from labctl.proposal import Outcome, Proposal
from labctl.scores import (
    best_steps,
    broken_limits,
    ends,
    keeps_limits,
    known,
    may_be_better,
    standing,
    standing_value,
)
from labctl.state import Experiment
from labctl.stopping import promises, stagnation, target_reached
from labctl.summary import best
from labctl.view import View

CAMPAIGN: dict[str, Any] = {
    "campaign": "tester",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
    "objectives": {
        "s": {"goal": "maximize", "unit": "MPa"},
        "loss": {"goal": "observe", "unit": "percent", "at_most": 10},
    },
    "instrument": {"kind": "hand"},
}
PLAIN = {**CAMPAIGN, "objectives": {"s": {"goal": "maximize", "unit": "MPa"}}}
Views = Callable[..., View]
Asked = Callable[..., Any]
Came = Callable[..., Outcome]


@pytest.fixture
def after(view_from: Views, asked: Asked, came: Came) -> Callable[..., View]:
    """Give ``after(5.0, ">9", ...)``: a campaign of one goal with these results."""

    def outcome(told: float | str) -> Outcome:
        if isinstance(told, str):
            side = "low" if told[0] == ">" else "high"
            return came("censored", {"bounds": {"s": {side: float(told[1:])}}})
        return came(s=told)

    def make(*results: float | str, **changes: Any) -> View:  # noqa: ANN401 - any part of the file
        rows = [(asked({"x": i}), outcome(told)) for i, told in enumerate(results)]
        return view_from({**PLAIN, **changes}, rows)

    return make


def test_a_bound_beyond_all_that_was_measured_is_the_best(after: Callable[..., View]) -> None:
    view = after(5.0, ">9", 7.0)
    found = best(view.config, view.state)
    assert found is not None
    assert (found.experiment, found.value, found.bound, found.rivals) == ("e0002", 9.0, "at least", 0)
    assert [e.id for e, _ in best_steps(view.config, standing(view.config, view.state))] == ["e0001", "e0002"]


def test_a_bound_counts_as_no_more_than_its_bound(after: Callable[..., View]) -> None:
    view = after(9.0, ">9", ">8", "<30", "<4")
    found = best(view.config, view.state)
    assert found is not None
    # All but the last may be better than the first, and none is known to be.
    assert (found.experiment, found.bound, found.rivals) == ("e0001", None, 3)
    assert [e.id for e, _ in standing(view.config, view.state)] == ["e0001", "e0002", "e0003"]


def test_what_was_measured_since_a_better_bound_stagnates_and_other_bounds_do_not(
    after: Callable[..., View],
) -> None:
    view = after(5.0, ">9", 7.0, ">9", 8.0)
    assert stagnation(view.config, view.state) == 2
    assert stagnation(after(5.0, ">4", 4.5).config, after(5.0, ">4", 4.5).state) == 1
    assert promises(view.config, view.state, since=2) == []


@pytest.mark.parametrize(("told", "reached"), [(">9", True), (">7", False), ("<30", False)])
def test_a_target_is_reached_where_the_bound_makes_sure_of_it(
    after: Callable[..., View], told: str, *, reached: bool
) -> None:
    view = after(5.0, told, budget={"target": {"value": 8, "unit": "MPa"}})
    assert target_reached(view.config, view.state) is reached


def test_less_is_better_and_a_target_is_missed_by_the_far_end(
    view_from: Views, asked: Asked, came: Came
) -> None:
    def found(objective: dict[str, Any], *bounds: dict[str, float]) -> tuple[str, float, str | None]:
        rows = [(asked({"x": i}), came("censored", {"bounds": {"s": b}})) for i, b in enumerate(bounds)]
        view = view_from({**PLAIN, "objectives": {"s": {"unit": "MPa", **objective}}}, rows)
        told = best(view.config, view.state)
        assert told is not None
        return told.experiment, told.value, told.bound

    assert found({"goal": "minimize"}, {"low": 1}, {"high": 3}, {"high": 2}) == ("e0003", 2.0, "at most")
    spans: tuple[dict[str, float], ...] = {"low": 540}, {"low": 530, "high": 552}, {"low": 545, "high": 558}
    assert found({"goal": "target", "target": 550}, *spans) == ("e0003", 558.0, "at worst")


def test_limits_are_kept_or_broken_by_values_and_bounds_of_censored_results(
    view_from: Views, asked: Asked, came: Came
) -> None:
    bound = {"s": {"low": 52}}
    outcomes = [
        came(s=5, loss=1),
        came("censored", {"bounds": bound}, loss=20),
        came("censored", {"bounds": bound}, loss=9),
        came("censored", {"bounds": {**bound, "loss": {"high": 10}}}),
        came("censored", {"bounds": {**bound, "loss": {"high": 30}}}),
        came("censored", {"bounds": {**bound, "loss": {"low": 11}}}),
        came("censored", {"bounds": bound}),
        came("censored", {}, loss=20),
    ]
    view = view_from(CAMPAIGN, [(asked({"x": i}), o) for i, o in enumerate(outcomes)])
    broken = [e.id for e in view.state if broken_limits(view.config, e.outcome)]
    assert broken == ["e0002", "e0006"]
    assert [e.id for e in view.state if keeps_limits(view.config, e)] == ["e0001", "e0003", "e0004"]
    summary = view.summary
    # A censored result without a bound tells nothing at all.
    assert (summary.measured, summary.censored) == (1, 6)
    assert (summary.beyond_limits, summary.limits_unknown) == (2, 2)
    assert summary.best is not None
    assert (summary.best.experiment, summary.best.rivals) == ("e0003", 3)


def test_several_results_at_one_bound_are_the_end_of_a_scale(after: Callable[..., View]) -> None:
    view = after(">52", 5.0, ">52", "<1", ">51", "<1", ">52")
    found = ends(view.config, view.state)
    assert [(e.goal, e.side, e.bound, e.n, e.good) for e in found] == [
        ("s", "above", 52.0, 3, True),
        ("s", "below", 1.0, 2, False),
    ]


def test_an_off_recipe_value_is_not_called_better_than_a_bound(
    view_from: Views, asked: Asked, came: Came
) -> None:
    rows = [
        (asked({"x": 1}), came("censored", {"bounds": {"s": {"low": 9}}})),
        (asked({"x": 2}), came("off_recipe", s=10)),
    ]
    assert view_from(PLAIN, rows).summary.better_off_recipe is None


finite = st.floats(-1e6, 1e6)
objectives = st.one_of(
    st.sampled_from([Objective(goal="maximize", unit="mm"), Objective(goal="minimize", unit="mm")]),
    finite.map(lambda target: Objective(goal="target", unit="mm", target=target)),
)


@given(objectives, finite, finite, st.floats(0, 1))
def test_no_value_within_the_bounds_is_worse_than_the_one_that_counts(
    objective: Objective, one: float, other: float, share: float
) -> None:
    low, high = sorted((one, other))
    told = {
        "status": "failed",
        "kind": "censored",
        "source": "s",
        "bounds": {"s": {"low": low, "high": high}},
    }
    outcome = Outcome.model_validate(told)
    assert known(outcome) == {"s": (low, high)}
    proposal = Proposal(recipe={}, arm="random", because="b", data="d", code="c", seed=1)
    experiment = Experiment("e0001", 1, proposal, "2026-01-01T00:00:00+00:00", 2, outcomes=(outcome,))
    counts = standing_value(experiment, "s", objective)
    assert counts is not None
    inside = min(high, max(low, low + share * (high - low)))
    assert objective.worth(inside) >= objective.worth(counts)


def test_only_a_bound_with_room_above_the_best_may_be_better(after: Callable[..., View]) -> None:
    view = after(9.0, ">2", "<9", "<9.5")
    assert [may_be_better(view.config, e, 9.0) for e in view.state] == [False, True, False, True]
