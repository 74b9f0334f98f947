"""The still picture: its key stands beside the results and says what is drawn."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from labctl.proposal import Outcome, Predicted, Stamp
from labctl.report.figures import progress
from labctl.report.picture import draw
from labctl.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Views = Callable[..., View]
Rows = Callable[..., Any]
CAMPAIGN: dict[str, Any] = {
    "campaign": "c",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 100}},
    "objectives": {
        "s": {"goal": "maximize", "unit": "MPa", "at_least": 30},
        "loss": {"goal": "observe", "unit": "percent", "at_most": 10},
    },
    "instrument": {"kind": "hand", "cost": {"each": 5}},
}
PRICED = {
    **CAMPAIGN,
    "objectives": {"s": {"goal": "maximize", "unit": "MPa"}},
    "instrument": {"kind": "replay", "dataset": "any", "cost": {"each": 10}},
    "fidelities": {"quick": {"instrument": {"kind": "replay", "dataset": "any", "cost": {"each": 1}}}},
}


def keys(figure: "Figure") -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def told(asked: Rows, came: Rows) -> list[Any]:
    """Results of three arms, with shares and places, some beyond the scale and some beyond a limit."""
    shares = {"improve": 0.6, "random": 0.3, "vetoed": 0.1}
    rows = []
    for i in range(12):
        proposal = asked(
            {"x": i},
            arm=("improve", "random", "novelty")[i % 3],
            shares=shares,
            evidence="improve 60%: nothing speaks against the surrogate so far",
            domain=Stamp(where="edge", percentile=i / 12),
            predictions={"s": Predicted(mean=50.0, sd=3.0)},
        )
        outcome = came(s=40.0 + i, loss=20.0 if i % 3 == 2 else 1.0)
        if i in (4, 7):
            outcome = came("censored", {"bounds": {"s": {"low": 52}}}, loss=1.0)
        rows.append((proposal, outcome))
    return rows


def test_the_key_hides_no_result_and_names_every_mark(view_from: Views, asked: Rows, came: Rows) -> None:
    figure = draw(view_from(CAMPAIGN, told(asked, came)))
    figure.canvas.draw()
    assert keys(figure) == [
        "improve",
        "novelty",
        "random",
        "vetoed",
        "breaks a limit (s at least 30 MPa and loss at most 10 %)",
        "beyond the scale, and which way",
        "new best",
    ]
    [legend] = figure.legends
    box = legend.get_window_extent()
    assert len(figure.axes) == 4
    for axes in figure.axes:
        assert axes.get_legend() is None
        assert not box.overlaps(axes.get_window_extent())
    # All of it lies within the picture.
    assert figure.bbox.x0 <= box.x0
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= figure.bbox.y0


def test_the_picture_says_what_its_numbers_and_quarters_mean(
    view_from: Views, asked: Rows, came: Rows
) -> None:
    first, _, shares, daring = draw(view_from(CAMPAIGN, told(asked, came))).axes
    assert shares.get_xlabel() == "experiment   (numbers: new evidence, which the report tells)"
    assert daring.get_ylabel().endswith("in this campaign's own median misses")
    said = [text.get_text() for text in first.texts]
    assert said == ["at least 30 MPa", "better than 52 MPa"]


def test_the_front_has_its_limits_as_lines_and_every_arm_in_the_key(
    view_from: Views, asked: Rows, came: Rows
) -> None:
    price = {"goal": "minimize", "unit": "gram", "at_most": 3}
    two = {**CAMPAIGN, "objectives": {"s": {"goal": "maximize", "unit": "MPa"}, "price": price}}
    rows = [
        (asked({"x": 1}, arm="improve"), came(s=5, price=2)),
        (asked({"x": 2}, arm="explore"), came(s=6, price=4)),
        (asked({"x": 3}, arm="random"), came("censored", {"bounds": {"s": {"low": 7}}}, price=1)),
    ]
    figure = draw(view_from(two, rows))
    # The only result of explore breaks a limit, and is hollow.
    assert keys(figure) == [
        "improve",
        "explore",
        "random",
        "breaks a limit (price at most 3 g)",
        "beyond the scale, and which way",
        "on the front",
    ]
    level = [line for line in figure.axes[0].lines if np.asarray(line.get_ydata()).tolist() == [3, 3]]
    assert len(level) == 1
    arrows = [line for line in figure.axes[0].lines if line.get_marker() == "$→$"]
    assert [(np.asarray(a.get_xdata()).tolist(), np.asarray(a.get_ydata()).tolist()) for a in arrows] == [
        ([7.0], [1.0])
    ]


def test_readings_of_cheaper_fidelities_are_drawn_small_and_named(
    view_from: Views, asked: Rows, came: Rows
) -> None:
    rows: list[tuple[Any, Outcome]] = [
        (asked({"x": 1}, fidelity="quick"), came(s=4)),
        (asked({"x": 2}), came(s=5)),
        (asked({"x": 3}, fidelity="quick"), came(s=6)),
    ]
    view = view_from(PRICED, rows)
    figure = draw(view)
    assert "cheaper reading (quick)" in keys(figure)
    drawn = [line for line in figure.axes[0].lines if line.get_markersize() < 4]
    assert [(np.asarray(d.get_xdata()).tolist(), np.asarray(d.get_ydata()).tolist()) for d in drawn] == [
        ([1, 3], [4.0, 6.0])
    ]
    [grey] = [t for t in progress(view.config, view.state)["data"] if t["name"] == "quick"]
    assert (grey["x"], grey["y"], grey["customdata"]) == ([1, 3], [4, 6], [0, 2])


@pytest.mark.parametrize("each", [1e28, 1e30])
def test_a_campaign_at_the_highest_price_still_has_its_picture(
    view_from: Views, asked: Rows, came: Rows, each: float
) -> None:
    dear = {**CAMPAIGN, "instrument": {"kind": "hand", "cost": {"each": each}}}
    view = view_from(dear, [(asked({"x": i}), came(s=i)) for i in range(3)])
    assert view.summary.cost == pytest.approx(3 * each)
    draw(view)
