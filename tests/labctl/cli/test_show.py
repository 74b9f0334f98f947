"""How a person reads where a campaign stands: bounds, limits, and why an experiment was chosen."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from labctl.cli.show import experiment_line, print_summary
from labctl.proposal import Outcome
from labctl.view import View

Views = Callable[..., View]
Rows = Callable[..., Any]
ONE: dict[str, Any] = {
    "campaign": "tester",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
    "objectives": {
        "s": {"goal": "maximize", "unit": "MPa"},
        "loss": {"goal": "observe", "unit": "percent", "at_most": 10},
    },
    "instrument": {"kind": "hand"},
}
BEYOND = {"bounds": {"s": {"low": 52}}}


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[View], str]:
    """Give ``said(view)``: what status says, in one line."""

    def read(view: View) -> str:
        print_summary(view.summary, {"x": "mm"})
        return " ".join(capsys.readouterr().out.split())

    return read


def test_status_says_what_bounds_settle_and_what_they_leave_open(
    view_from: Views, asked: Rows, came: Callable[..., Outcome], said: Callable[[View], str]
) -> None:
    told = {"shares": {"improve": 1.0}, "evidence": "improve 100%: nothing speaks against the surrogate"}
    rows = [
        (asked({"x": 1}), came(s=5, loss=20)),
        (asked({"x": 2}), came("censored", BEYOND, loss=1)),
        (asked({"x": 3}), came("censored", BEYOND, loss=2)),
        (asked({"x": 4}, **told), came("censored", BEYOND, loss=30)),
    ]
    text = said(view_from(ONE, rows))
    assert "best better than 52 MPa in e0002; 1 result beyond the scale may be better" in text
    assert "outcome limits 2 of 4 results break a limit" in text
    assert (
        "beyond 3 results of s lie beyond 52 MPa: what measures it ends there, and which of them is" in text
    )
    assert "arms at the last proposal: improve 100%" in text


def test_status_says_which_value_on_the_front_is_a_bound(
    view_from: Views, asked: Rows, came: Callable[..., Outcome], said: Callable[[View], str]
) -> None:
    two = {**ONE, "objectives": {n: {"goal": "maximize", "unit": "MPa"} for n in "st"}}
    view = view_from(
        two, [(asked({"x": 1}), came(s=50, t=1)), (asked({"x": 2}), came("censored", BEYOND, t=2))]
    )
    assert "front s at least 52, t 2 in e0002" in said(view)


def test_a_line_names_the_strategy_and_shows_a_bound_as_one(
    view_from: Views, asked: Rows, came: Callable[..., Outcome]
) -> None:
    one = {**ONE, "objectives": {"s": ONE["objectives"]["s"]}}
    rows = [
        (asked({"x": 1}, arm="novelty", strategy="outcome_novelty"), came(s=50)),
        (asked({"x": 2}, arm="random", strategy="vetoed"), came("censored", BEYOND)),
        (asked({"x": 3}, arm="random", strategy="random"), came("censored", {"bounds": {"s": {"high": 3}}})),
    ]
    view = view_from(one, rows)
    first, second, third = (experiment_line(e, view.config, 50.0) for e in view.state)
    assert first.split()[:2] == ["e0001", "outcome_novelty"]
    assert second.split()[:2] == ["e0002", "vetoed"]
    assert "at least 52" in second
    assert "best so far" in second
    assert third.split()[:2] == ["e0003", "random"]
    assert "censored" in third


def test_costs_beyond_all_numbers_are_none(
    view_from: Views, asked: Rows, came: Callable[..., Outcome], said: Callable[[View], str]
) -> None:
    far = {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 1e300}}
    dear = {**ONE, "parameters": far, "instrument": {"kind": "hand", "cost": {"of": {"x": 1e30}}}}
    view = view_from(dear, [(asked({"x": 1e299}), came(s=1, loss=1))])
    assert view.summary.cost is None
    json.dumps(view.summary.as_json(), allow_nan=False)
    assert "best 1 MPa in e0001" in said(view)
