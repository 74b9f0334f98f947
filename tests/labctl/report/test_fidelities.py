"""Cheaper fidelities: what they told and what they cost."""

from collections.abc import Callable
from typing import Any

import pytest

from labctl.report import page
from labctl.report.fidelities import agreement, pairs, section, spending, standing
from labctl.view import View

MODEL = {
    "campaign": "gap",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 100}},
    "objectives": {"gap": {"goal": "maximize", "unit": "eV"}},
    "instrument": {"kind": "replay", "dataset": "any", "cost": {"each": 10}},
    "fidelities": {
        "pbe": {"about": "computed", "instrument": {"kind": "replay", "dataset": "any", "cost": {"each": 1}}}
    },
}


@pytest.fixture
def gaps(view_from: Callable[..., View], row: Callable[..., Any]) -> View:
    said = "by pbe: it tells much; pbe helps"
    cheap: dict[str, Any] = {"fidelity": "pbe", "because": said, "strategy": "improve_by_cost"}
    rows = [
        row(1, {"gap": 3.0}),
        row(1, {"gap": 2.0}, **cheap),
        row(2, {"gap": 1.0}, **cheap, feasibility=0.83),
        row(3, None, **cheap),
        row(2, {"gap": 2.5}),
        row(5, {"gap": 9.0}, **cheap),
    ]
    return view_from(MODEL, rows)


def test_cheap_readings_stand_beside_results_of_the_same_recipe(gaps: View) -> None:
    found = pairs(gaps.config, gaps.state)
    assert [(p.cheap.id, p.target.id, p.read, p.measured) for p in found] == [
        ("e0002", "e0001", 2.0, 3.0),
        ("e0003", "e0005", 1.0, 2.5),
    ]
    figure = agreement(gaps.config, found)
    [points] = [t for t in figure["data"] if t.get("name") == "pbe"]
    assert (points["x"], points["y"], points["customdata"]) == ([2.0, 1.0], [3.0, 2.5], [0, 4])


def test_spending_adds_up_by_source_failures_included(gaps: View) -> None:
    target, pbe = spending(gaps.config, gaps.state)["data"]
    assert (target["name"], target["y"]) == ("target", [10, 10, 10, 10, 20, 20])
    assert (pbe["name"], pbe["y"]) == ("pbe", [0, 1, 2, 3, 3, 4])
    assert gaps.summary.cost == target["y"][-1] + pbe["y"][-1]


def test_the_table_says_what_each_cost_and_told(gaps: View) -> None:
    told = section(gaps.config, gaps.state)
    assert told is not None
    target, pbe = told["rows"]
    assert (target["n"], target["each"], target["cost"], target["share"]) == (2, "10", "20", "83%")
    assert (pbe["n"], pbe["failed"], pbe["each"], pbe["cost"], pbe["pairs"]) == (4, 1, "1", "4", 2)
    assert pbe["told"] == ""
    assert standing(gaps.state) == ("e0006", "pbe helps")


def test_three_pairs_are_enough_for_a_mean_difference(
    view_from: Callable[..., View], row: Callable[..., Any]
) -> None:
    rows = [
        r
        for i in range(3)
        for r in (row(i, {"gap": 3.0}), row(i, {"gap": (1.0, 2.0, 4.5)[i]}, fidelity="pbe"))
    ]
    view = view_from(MODEL, rows)
    told = section(view.config, view.state)
    assert told is not None
    # Apart by -2, -1 and 1.5: -0.5 on average, 1.5 without the sign.
    assert told["rows"][1]["told"] == "0.5 eV below on average, 1.5 eV apart"


def test_the_page_says_by_what_each_was_read(gaps: View, data_of: Callable[[View], dict[str, Any]]) -> None:
    rows = data_of(gaps)["rows"]
    assert [r.get("by") for r in rows] == [None, "pbe", "pbe", "pbe", None, "pbe"]
    assert [r.get("feasibility") for r in rows] == [None, None, 0.83, None, None, None]
    text = page(gaps)
    assert 'data-figure="agreement"' in text
    assert "pbe helps" in text


def test_a_campaign_without_them_says_nothing_of_them(alloys: Callable[..., View]) -> None:
    view = alloys([(1, 1, 9)])
    assert section(view.config, view.state) is None
    assert 'id="fidelities"' not in page(view)


def test_costs_beyond_all_numbers_leave_a_page(
    view_from: Callable[..., View], row: Callable[..., Any]
) -> None:
    far = {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 1e300}}
    dear = {"kind": "replay", "dataset": "any", "cost": {"of": {"x": 1e30}}}
    rows = [row(1e299, {"gap": 3.0}), row(1e299, {"gap": 2.0}, fidelity="pbe")]
    view = view_from({**MODEL, "parameters": far, "instrument": dear}, rows)
    assert "gap" in page(view)
    [target, cheap] = section(view.config, view.state)["rows"]  # type: ignore[index] # it has fidelities
    assert (target["share"], cheap["share"]) == ("", "")
