"""Results beyond the scale, in the figures of the page, in its words and in the picture."""

from collections.abc import Callable
from typing import Any

import pytest

from labctl.proposal import Outcome
from labctl.report import page
from labctl.report.beyond import ends_in_words, shown
from labctl.report.figures import progress
from labctl.report.front import front_in_words, listed, pair_figure
from labctl.report.growth import growth, volume_figure
from labctl.report.slices import chart, panel
from labctl.report.words import progress_in_words
from labctl.view import View

ONE: dict[str, Any] = {
    "campaign": "tester",
    "parameters": {n: {"kind": "continuous", "unit": "mm", "low": 0, "high": 9} for n in "xy"},
    "objectives": {"s": {"goal": "maximize", "unit": "MPa", "at_least": 2}},
    "instrument": {"kind": "hand"},
}
TWO = {
    **ONE,
    "objectives": {"s": {"goal": "maximize", "unit": "MPa"}, "price": {"goal": "minimize", "unit": "gram"}},
}
Views = Callable[..., View]


def named(figure: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [t for t in figure["data"] if t.get("name") == name]
    return dict(found)


@pytest.fixture
def tester(view_from: Views, asked: Callable[..., Any], came: Callable[..., Outcome]) -> Callable[..., View]:
    """Give ``tester(5.0, (9, None), ...)``: a campaign of one goal; a pair is the bounds of a result."""

    def make(*results: float | tuple[float | None, float | None]) -> View:
        outcomes = [
            came("censored", {"bounds": {"s": dict(zip(("low", "high"), r, strict=True))}})
            if isinstance(r, tuple)
            else came(s=r)
            for r in results
        ]
        return view_from(ONE, [(asked({"x": i, "y": 9 - i}), o) for i, o in enumerate(outcomes)])

    return make


def test_a_bound_stands_in_for_its_value_with_an_arrow_to_where_it_may_lie(
    tester: Callable[..., View],
) -> None:
    view = tester(5.0, (9, None), (None, 3), (6, 8))
    assert [(r.value, r.way) for r in shown(view.config, view.state)] == [(5, 0), (9, 1), (3, -1), (6, 1)]
    figure = progress(view.config, view.state)
    assert named(figure, "random")["y"] == [5, 9, 3, 6]
    arrows = named(figure, "beyond the scale")
    assert (arrows["x"], arrows["y"], arrows["text"]) == ([2, 3, 4], [9, 3, 6], ["↑", "↓", "↑"])
    assert arrows["textposition"] == ["top center", "bottom center", "top center"]
    assert named(figure, "best so far")["y"] == [5, 9, 9]
    # What is drawn at its bound is not drawn among the failures again.
    assert "yaxis2" not in figure["layout"]
    along = panel(view.config, view.state, "x")
    assert named(along, "beyond the scale")["x"] == [1, 2, 3]
    # The star of the map is the best result, which is a bound.
    assert named(chart(view.config, view.state, ["x", "y"]), "best")["customdata"] == [1]


def test_a_limit_on_the_goal_is_a_line(tester: Callable[..., View]) -> None:
    view = tester(5.0)
    layout = progress(view.config, view.state)["layout"]
    assert [(s["y0"], s["y1"]) for s in layout["shapes"]] == [(2, 2)]
    assert [a["text"] for a in layout["annotations"]] == ["at least"]


def test_two_goals_show_where_a_bound_stands_and_may_lie(
    view_from: Views, asked: Callable[..., Any], came: Callable[..., Outcome]
) -> None:
    beyond = {"bounds": {"s": {"low": 52}}}
    both = {"bounds": {"s": {"low": 40}, "price": {"high": 1}}}
    done = [
        came(s=50, price=4),
        came("censored", beyond, price=3),
        came("censored", both),
        came("infeasible"),
    ]
    view = view_from(TWO, [(asked({"x": i, "y": 1}), o) for i, o in enumerate(done)])
    figure = pair_figure(view.config, view.state, view.summary, ("s", "price"))
    arrows = named(figure, "beyond the scale")
    assert list(zip(arrows["x"], arrows["y"], arrows["text"], strict=True)) == [(52, 3, "→"), (40, 1, "↘")]
    assert named(figure, "front")["customdata"] == [1, 2]
    assert listed(view.config, view.summary)["rows"][0][1] == ["at least 52", "3"]
    said = front_in_words(view.summary, view.state, 0)
    assert said.startswith("2 results are beaten by no other in every goal, as far as bounds can tell;")
    grown = volume_figure(view.config, view.state, growth(view.config, view.state))
    assert grown["layout"]["yaxis2"]["categoryarray"] == ["infeasible"]
    assert "at least 52 MPa" in page(view)


def test_where_a_scale_ends_is_said_in_words(tester: Callable[..., View]) -> None:
    view = tester(5.0, (52, None), (52, None), (None, 3), (None, 3))
    beyond, below = ends_in_words(view.summary.ends)
    assert beyond.startswith("2 results of s lie beyond 52 MPa: what measures it ends there, so nobody can")
    assert below == "2 results of s lie below 3 MPa: what measures it ends there."
    assert progress_in_words(view.summary) == (
        "The best single result, better than 52 MPa, came with experiment 2. 1 more result beyond the scale "
        "may be better still."
    )
    text = page(view)
    assert "2 results of s lie beyond 52 MPa" in text
    assert "An arrow shows which way a result beyond the scale may lie" in text
    assert "An arrow" not in page(tester(5.0))
