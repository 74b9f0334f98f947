"""The front as figures and as a list."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from labctl.report import page
from labctl.report.figures import progress
from labctl.report.front import front_in_words, listed, pair_figure, stairs, trade_figure
from labctl.report.picture import picture
from labctl.view import View

RESULTS = [(0, 0, 9), (10, 10, 9), None, (11, 1, 1), (4, 4, 9), (3, 5, 9)]


def named(figure: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [t for t in figure["data"] if t.get("name") == name]
    return dict(found)


def test_the_front_line_is_a_stair_from_the_best_in_one_to_the_best_in_the_other() -> None:
    assert stairs([(10, 10), (4, 4), (0, 0)]) == [(10, 10), (4, 10), (4, 4), (0, 4), (0, 0)]
    assert stairs([]) == []


def test_two_goals_show_front_region_and_hollow_what_breaks_a_limit(alloys: Callable[..., View]) -> None:
    view = alloys(RESULTS)
    figure = pair_figure(view.config, view.state, view.summary, ("strength", "price"))
    front = named(figure, "front")
    assert list(zip(front["x"], front["y"], strict=True)) == [(10, 10), (4, 4), (0, 0)]
    assert front["customdata"] == [1, 4, 0]
    points = named(figure, "improve")
    assert points["x"] == [0, 10, 11, 4, 3]
    assert points["marker"]["symbol"] == ["circle", "circle", "circle-open", "circle", "circle"]
    region = named(figure, "dominated")
    # Less strength and a higher price are worse, so the region's corner is at the left and above.
    assert (region["x"][-1], region["y"][-1]) == (
        figure["layout"]["xaxis"]["range"][0],
        figure["layout"]["yaxis"]["range"][1],
    )
    assert figure["layout"]["annotations"][0]["text"] == "better ↘"


def test_a_target_is_judged_by_the_distance_from_it(
    view_from: Callable[..., View], row: Callable[..., Any], campaign: dict[str, Any]
) -> None:
    objectives = {
        "tint": {"goal": "target", "target": 3, "unit": "dimensionless"},
        "gloss": {"goal": "maximize", "unit": "percent"},
    }
    rows = [row(i, {"tint": t, "gloss": g}) for i, (t, g) in enumerate([(1, 5), (4, 4), (3, 1)])]
    view = view_from({**campaign, "objectives": objectives}, rows)
    figure = pair_figure(view.config, view.state, view.summary, ("tint", "gloss"))
    assert named(figure, "improve")["x"] == [2, 1, 0]
    assert figure["layout"]["xaxis"]["title"]["text"] == "tint, distance from 3"
    curve = progress(view.config, view.state)
    assert curve["layout"]["shapes"][0]["y0"] == 3
    assert named(curve, "best so far")["y"] == [1, 4, 3, 3]


def test_the_best_so_far_passes_by_what_breaks_a_limit(alloys: Callable[..., View]) -> None:
    view = alloys(RESULTS)
    figure = progress(view.config, view.state)
    assert named(figure, "best so far")["y"] == [0, 10, 10]
    assert named(figure, "improve")["marker"]["symbol"][2] == "circle-open"


def test_the_compromises_are_listed_with_their_recipes(alloys: Callable[..., View]) -> None:
    view = alloys(RESULTS)
    table = listed(view.config, view.summary)
    assert table["rows"][0] == ("e0002", ["10", "10"], ["1"])
    assert [r[0] for r in table["rows"]] == ["e0002", "e0005", "e0001"]
    said = front_in_words(view.summary, view.state, 0)
    assert said == "3 results are beaten by no other in every goal; the last of them came with experiment 5."


def test_three_goals_show_what_each_compromise_gives_up(
    view_from: Callable[..., View], row: Callable[..., Any], campaign: dict[str, Any], tmp_path: Path
) -> None:
    objectives = {n: {"goal": "maximize", "unit": "mm"} for n in "abc"}
    rows = [row(i, dict(zip("abc", v, strict=True))) for i, v in enumerate([(1, 2, 3), (3, 2, 1), (0, 0, 0)])]
    view = view_from({**campaign, "objectives": objectives}, rows)
    figure = trade_figure(view.config, view.state, view.summary)
    assert named(figure, "e0002")["y"] == [1.0, 1.0, 0.333333]
    text = page(view)
    for name in ("trade", "pair-0", "pair-2", "volume", "progress-2"):
        assert f'data-figure="{name}"' in text
    picture(view, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_every_plot_of_the_page_has_its_figure(
    alloys: Callable[..., View], data_of: Callable[[View], dict[str, Any]], tmp_path: Path
) -> None:
    for results in ([], [None], [(1, 1, 0)], RESULTS):
        view = alloys(results)
        text, figures = page(view), data_of(view)["figures"]
        assert all(f'data-figure="{name}"' in text for name in figures)
        assert text.count('data-figure="') == len(figures)
        picture(view, tmp_path / "p.svg")


def test_rows_say_which_limit_a_result_breaks(
    alloys: Callable[..., View], data_of: Callable[[View], dict[str, Any]]
) -> None:
    rows = data_of(alloys(RESULTS))["rows"]
    assert [r.get("broken") for r in rows] == [None, None, None, ["ductility"], None, None]
