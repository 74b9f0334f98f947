"""Comparisons of strategies: the loop behind them, exact chance, and what the words claim."""

import html
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.config import load_config
from labctl.errors import RequestError
from labctl.replay import Comparison, compare
from labctl.replay.chance import random_search, reached_by, share_found
from labctl.replay.results import best_so_far
from labctl.replay.statistics import band, needed, paired_difference
from labctl.replay.terminal import by_level, show
from labctl.replay.words import in_short, sentences, verdict

CARD = """
name: hill
title: A hill with a hole
file: {beside: hill.csv}
header: true
delimiter: ","
columns:
  - {name: x, unit: mm, role: parameter}
  - {name: y, unit: mm, role: parameter}
  - {name: height, unit: mm, role: objective}
failures:
  - {when: {column: height, equals: -1}, kind: infeasible, message: it cracked}
"""
CAMPAIGN = """
campaign: hill
parameters:
  x: {kind: continuous, unit: mm, low: 0, high: 1}
  y: {kind: continuous, unit: mm, low: 0, high: 1}
objectives: {height: {goal: GOAL, unit: mm}}
instrument: {kind: replay, dataset: hill_card.yaml, replicates: draw}
strategy: {initial: 4}
budget: {experiments: 12, failures_in_a_row: 1, target: {value: 0.1, unit: mm}}
seed: 3
"""


@pytest.fixture
def hill(tmp_path: Path) -> Path:
    """80 recipes on a smooth hill; a corner of them cracks, and ten were measured twice."""
    rng = np.random.default_rng(0)
    lines = ["x,y,height"]
    for i, (x, y) in enumerate(rng.random((80, 2)).round(3)):
        height = math.exp(-8 * ((x - 0.7) ** 2 + (y - 0.4) ** 2))
        cracked = x < 0.3 and y > 0.6
        lines += [f"{x},{y},{-1 if cracked else height + 0.01 * k:.4f}" for k in range(2 if i < 10 else 1)]
    (tmp_path / "hill.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "hill_card.yaml").write_text(CARD)
    return campaign(tmp_path, "maximize")


def campaign(folder: Path, goal: str) -> Path:
    path = folder / f"{goal}.yaml"
    path.write_text(CAMPAIGN.replace("GOAL", goal))
    return path


def without_timing(comparison: Comparison) -> dict[str, Any]:
    return {key: value for key, value in comparison.as_json().items() if key != "timing"}


def test_results_are_the_same_whatever_the_number_of_processes(hill: Path) -> None:
    one = compare(hill, ["improve", "random"], seeds=2, experiments=9, jobs=1)
    two = compare(hill, ["improve", "random"], seeds=2, experiments=9, jobs=2)
    assert without_timing(one) == without_timing(two)
    assert set(one.as_json()["timing"]) == {"seconds", "cpu_seconds_per_suggestion"}


def test_every_strategy_gets_the_same_start_and_then_goes_its_own_way(hill: Path) -> None:
    comparison = compare(hill, ["improve", "novelty", "random"], seeds=2, experiments=10, jobs=1)
    for seed in (3, 4):
        runs = [run for run in comparison.runs if run.seed == seed]
        assert len({(run.recipes[:4], run.readings[:4]) for run in runs}) == 1
        assert len({run.recipes for run in runs}) == 3
    starts = {run.recipes[:4] for run in comparison.runs}
    assert len(starts) == 2


def test_a_run_goes_on_through_failures_and_past_the_target_until_every_recipe_was_tried_once(
    hill: Path,
) -> None:
    comparison = compare(hill, ["novelty", "random"], seeds=1, experiments=80, jobs=1)
    for run in comparison.runs:
        assert sorted(run.recipes) == list(range(80))
        assert run.failures.count("infeasible") == sum(
            all(v is None for v in answers) for answers in comparison.past.answers
        )
        assert all(
            (value is None) is (kind is not None)
            for value, kind in zip(run.readings, run.failures, strict=True)
        )
    found = comparison.as_json()["strategies"]
    assert found["random"]["final"]["top_share"]["median"] == 1.0
    assert found["novelty"]["failed"] == found["random"]["failed"]


def test_improve_beats_chance_on_a_smooth_hill_and_the_words_say_by_how_much(hill: Path) -> None:
    comparison = compare(hill, ["improve", "random"], seeds=5, experiments=16, jobs=2)
    found = comparison.as_json()
    (pair,) = found["differences"]
    assert (pair["first"], pair["second"], pair["top_share"]["shown"]) == ("improve", "random", True)
    assert found["strategies"]["improve"]["calibration"]["n"] > 40
    assert found["strategies"]["random"]["calibration"] is None
    assert sentences(found)[-1] == verdict(found)[-1]
    assert verdict(found)[-1].startswith("improve is ahead of random by ")


def test_a_terminal_of_80_columns_shows_the_key_sentence_first_and_nothing_wider(
    hill: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compare(hill, ["improve", "random"], seeds=5, experiments=16, jobs=2).as_json()
    for columns in ("80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        show(found)
        lines = capsys.readouterr().out.splitlines()
        assert max(len(line.rstrip()) for line in lines) <= 80
        assert lines[0] == in_short(found)[0]
        assert lines[0].startswith("Random search needs ")
        assert " ".join(" ".join(lines).split()).endswith(sentences(found)[-1])
    level = found["levels"][0]
    assert f"needs {level['random_exactly']['expected']:.0f} experiments on average" in in_short(found)[0]
    assert in_short(found)[0].endswith(f"found in {level['needed']['improve']['median']}.")
    assert "do not show" not in " ".join(in_short(found))


def test_levels_with_the_same_figures_stand_in_one_row(hill: Path) -> None:
    # With the whole table tried, both strategies end at its best reading.
    found = compare(hill, ["novelty", "random"], seeds=1, experiments=80, jobs=1).as_json()
    _, rows = by_level(found)
    assert len({tuple(row[1:]) for row in rows}) == len(rows) < len(found["levels"])
    assert any("novelty's median best = random's median best" in row[0] for row in rows)


def test_what_came_in_the_common_start_is_no_strategy_s_merit_and_no_difference_is_told(hill: Path) -> None:
    found = compare(hill, ["improve", "random"], seeds=2, experiments=6, jobs=1).as_json()
    found["levels"][0]["needed"]["improve"]["median"] = 3
    assert "came within the first 4 experiments, which are the same" in in_short(found)[0]
    found["differences"][0]["best"]["shown"] = found["differences"][0]["top_share"]["shown"] = False
    too_few = "2 seeds are too few to say whether random and improve differ; use 5 or more."
    assert in_short(found)[-1] == verdict(found)[-1] == too_few


def test_rows_and_recipes_are_told_apart(hill: Path) -> None:
    found = compare(hill, ["random"], seeds=1, experiments=6, jobs=1).as_json()
    assert (
        "The table's 90 rows are 80 recipes, since some were measured more than once" in sentences(found)[0]
    )


def test_curves_follow_the_readings_in_either_direction(hill: Path) -> None:
    for goal, better in (("maximize", np.fmax), ("minimize", np.fmin)):
        comparison = compare(campaign(hill.parent, goal), ["random"], seeds=1, experiments=30, jobs=1)
        (run,) = comparison.runs
        readings = np.array([np.nan if v is None else v for v in run.readings])
        curve = best_so_far(comparison.past, run, 35)
        assert np.array_equal(curve[:30], better.accumulate(readings), equal_nan=True)
        assert (curve[30:] == curve[29]).all()
        found = comparison.as_json()
        top = [comparison.past.worth[i] for i in comparison.past.top]
        assert found["pool"]["best_mean"] == (max(top) if goal == "maximize" else min(top))
        assert len(top) == 4


def test_the_written_files_hold_what_was_found_and_load_nothing(hill: Path, tmp_path: Path) -> None:
    comparison = compare(hill, ["improve", "random"], seeds=2, experiments=8, jobs=1)
    page = comparison.write(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "replay.json").read_text()) == comparison.as_json()
    assert (tmp_path / "out" / "replay.png").read_bytes().startswith(b"\x89PNG")
    text = html.unescape(page.read_text())
    assert text.count("<script") == 3
    assert "default-src 'none'" in text
    assert "src=" not in text.split("<script", maxsplit=1)[0]


def test_a_campaigns_own_words_cannot_become_part_of_the_page(hill: Path, tmp_path: Path) -> None:
    evil = "a<script>alert(1)</script>$x$"
    for name in ("hill_card.yaml", "maximize.yaml"):
        path = hill.parent / name
        path.write_text(path.read_text().replace("height", json.dumps(evil)))
    table = hill.parent / "hill.csv"
    table.write_text(table.read_text().replace("height", evil))
    comparison = compare(hill, ["random"], seeds=1, experiments=6, jobs=1)
    assert "<script>alert" not in comparison.write(tmp_path / "out").read_text()


def test_what_cannot_be_compared_is_refused_in_one_sentence(hill: Path) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("best_guess", {"strategies": ["improve", "best_guess"]}),
        ("names no strategy", {"strategies": []}),
        ("only 80 recipes", {"experiments": 81}),
        ("nothing to compare", {"experiments": 4}),
        ("--seeds", {"seeds": 0}),
        ("--jobs", {"jobs": 0}),
    ]
    for what, changed in wrong:
        with pytest.raises(RequestError, match=what) as refused:
            compare(hill, **{"strategies": ["random"], "jobs": 1, **changed})
        assert "\n" not in str(refused.value)
    by_hand = hill.parent / "by_hand.yaml"
    by_hand.write_text(
        hill.read_text().replace("{kind: replay, dataset: hill_card.yaml, replicates: draw}", "{kind: hand}")
    )
    with pytest.raises(RequestError, match=r"instrument\.kind"):
        compare(by_hand, ["random"], jobs=1)


def test_a_comparison_takes_what_was_read_from_a_file_too(hill: Path) -> None:
    from_file = compare(hill, ["random"], seeds=1, experiments=6, jobs=1)
    from_config = compare(load_config(hill), ["random"], seeds=1, experiments=6, jobs=1)
    assert without_timing(from_file) == without_timing(from_config)


# Chance, against simulation and against counting ---------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([0.0, 0.0, 0.5, 1 / 3, 1.0]), min_size=1, max_size=12), st.integers(0, 2**31))
def test_exact_chance_agrees_with_drawing_many_times(chances: list[float], seed: int) -> None:
    rng, draws = np.random.default_rng(seed), 4000
    p = np.array(chances)
    order = rng.permuted(np.tile(np.arange(len(p)), (draws, 1)), axis=1)
    good = rng.random((draws, len(p))) < p[order]
    first = np.where(good.any(axis=1), good.argmax(axis=1) + 1, 0)
    exact = random_search(p)
    simulated = np.array([np.mean((first > 0) & (first <= i)) for i in range(len(p) + 1)])
    # Five standard errors of a share of 4000 draws.
    assert np.abs(reached_by(p) - simulated).max() < 5 * 0.5 / math.sqrt(draws)
    assert abs(exact.never - np.mean(first == 0)) < 5 * 0.5 / math.sqrt(draws)
    if exact.expected is not None and (first > 0).sum() > 500:
        met = first[first > 0]
        assert abs(exact.expected - met.mean()) < 5 * (met.std() + 0.1) / math.sqrt(len(met))


@pytest.mark.parametrize(("pool", "good"), [(1, 1), (10, 1), (600, 30), (1007, 3)])
def test_without_replicates_the_first_of_k_among_n_comes_after_n_plus_1_over_k_plus_1(
    pool: int, good: int
) -> None:
    chances = np.zeros(pool)
    chances[:good] = 1.0
    found = random_search(chances)
    assert found.expected == pytest.approx((pool + 1) / (good + 1))
    assert (found.never, found.good) == (0.0, good)
    # The chance to miss all of them in i draws, by counting combinations.
    i = min(7, pool)
    assert reached_by(chances)[i] == pytest.approx(1 - math.comb(pool - good, i) / math.comb(pool, i))


def test_nothing_good_is_never_found_and_a_fixed_set_is_found_evenly() -> None:
    assert random_search(np.zeros(5)).expected is None
    assert random_search(np.zeros(5)).never == 1.0
    assert share_found(50, 600) == pytest.approx(0.0833, abs=1e-4)


# Statistics over seeds -----------------------------------------------------------------------------------


def test_runs_that_never_got_there_count() -> None:
    assert needed([5, 9, None], [20, 20, 20]).median == 9
    late = needed([5, None, None], [20, 20, 20])
    assert (late.median, late.reached, late.runs, late.within) == (None, 1, 3, 20)


def test_the_median_with_unequal_ends_is_that_of_the_product_limit_curve() -> None:
    # Freireich's 6-MP arm, in many textbooks: median remission 23 weeks, with 12 of 21 censored.
    reached = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    times: list[int | None] = [*reached, *([None] * len(censored))]
    assert needed(times, [*reached, *censored]).median == 23


def test_bands_are_values_that_seeds_had_and_nothing_measured_is_worst() -> None:
    curves = np.array([[np.nan, 1.0], [2.0, 2.0], [3.0, 4.0], [np.nan, 8.0]])
    up, down = band(curves), band(curves, sign=-1.0)
    assert (up.median, up.lowest, up.highest) == ((None, 2.0), (None, 1.0), (3.0, 8.0))
    assert (down.median, down.lowest, down.highest) == ((None, 4.0), (2.0, 1.0), (None, 8.0))


def test_the_interval_over_five_seeds_is_honest_about_being_five() -> None:
    rng, inside, n = np.random.default_rng(1), 0, 400
    for _ in range(n):
        found = paired_difference(rng.normal(1.0, 1.0, 5), np.zeros(5))
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 1.0 <= found.high
    # The plain percentile interval covers about 81 % here; binomial scatter of 400 is 1.5 %.
    assert inside / n > 0.87


def test_no_difference_is_called_none() -> None:
    same = paired_difference(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert (same.mean, same.shown) == (0.0, False)
    assert not paired_difference(np.array([4.0]), np.array([1.0])).shown
