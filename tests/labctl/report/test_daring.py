"""Known or radical ideas, expected or radical outcomes."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from labctl.report import page
from labctl.report.daring import FEWEST, QUARTERS, by_arm, chart, daring, section, share_nearer
from labctl.report.growth import better
from labctl.report.picture import picture
from labctl.view import View

ONE = {"strength": {"goal": "maximize", "unit": "MPa"}}


def test_one_number_is_the_normal_share_within_it() -> None:
    # The 95 % interval of a normal reaches 1.95996 standard deviations, and half lie within 0.67449.
    assert share_nearer([1.959964]) == pytest.approx(0.95, abs=1e-6)
    assert share_nearer([-0.674490]) == pytest.approx(0.5, abs=1e-6)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-30, 30), min_size=1, max_size=7))
def test_several_numbers_are_the_chi_squared_share(z: list[float]) -> None:
    expected = float(chi2.cdf(math.fsum(v * v for v in z), len(z)))
    assert share_nearer(z) == pytest.approx(expected, abs=1e-12)


@pytest.fixture
def bold(view_from: Callable[..., View], row: Callable[..., Any], campaign: dict[str, Any]) -> View:
    """Misses of 1, 2, ... 8 predicted standard deviations, so that the median is 4.5, at growing distance."""
    rows = [
        row(i, {"strength": 10.0 + i}, predicted={"strength": 10.0 + i - (i + 1)}, percentile=i / 7)
        for i in range(8)
    ]
    rows.append(row(20, None, percentile=0.9))
    rows.append(row(21, {"strength": 1.0}, percentile=0.2))
    return view_from({**campaign, "objectives": ONE}, rows)


def test_outcomes_count_in_the_campaigns_own_median_miss(bold: View) -> None:
    found = daring(bold.config, bold.state, better(bold.config, bold.state, []))
    assert [d.idea for d in found] == pytest.approx([i / 7 for i in range(8)])
    # By definition half of the misses lie below the median.
    assert [d.outcome > 0.5 for d in found] == [False] * 4 + [True] * 4
    assert found[0].outcome == pytest.approx(math.erf(1 / 4.5 * 0.6744898 / math.sqrt(2)), abs=1e-6)
    assert {d.quarter for d in found} == {"refinement", "new territory"}
    assert all(d.better for d in found)
    assert by_arm(found) == [("improve", 8, [4, 0, 0, 4])]


def test_the_figure_names_its_quarters_and_shows_failures_below(bold: View, tmp_path: Path) -> None:
    figure = chart(daring(bold.config, bold.state, set()), bold.state.failed)
    said = [a["text"] for a in figure["layout"]["annotations"]]
    assert [text.split("<b>")[1].split("</b>")[0] for text in said] == list(QUARTERS.values())
    [below] = [t for t in figure["data"] if t.get("yaxis") == "y2"]
    assert below["x"] == [0.9]
    assert 'data-figure="daring"' in page(bold)
    picture(bold, tmp_path / "p.png")


def test_too_few_results_make_no_figure(
    view_from: Callable[..., View], row: Callable[..., Any], campaign: dict[str, Any]
) -> None:
    rows = [row(i, {"strength": 1.0}, predicted={"strength": 1.0}, percentile=0.5) for i in range(FEWEST)]
    few = view_from({**campaign, "objectives": ONE}, rows[:-1])
    assert section(few.config, few.state, set()) is None
    # Predictions that were all exactly right are as expected as can be.
    exact = view_from({**campaign, "objectives": ONE}, rows)
    assert {d.outcome for d in daring(exact.config, exact.state, set())} == {0.0}


def test_several_goals_are_missed_together(
    view_from: Callable[..., View], row: Callable[..., Any], campaign: dict[str, Any]
) -> None:
    good = {"strength": 5.0, "price": 5.0, "ductility": 9.0}
    rows = [row(i, good, predicted={"strength": 4.0, "price": 6.0}, percentile=0.5) for i in range(3)]
    view = view_from(campaign, rows)
    found = daring(view.config, view.state, set())
    # Each of two goals missed by its median: exp(-0.67449^2) of two normals lie farther.
    assert found[0].outcome == pytest.approx(1 - math.exp(-(0.6744898**2)), abs=1e-6)
