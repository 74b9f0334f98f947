"""The page: one file that loads nothing, with the validation's figures and nothing a table can inject."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.errors import RequestError
from labctl.validate import Checked, write_page
from labctl.validate.figures import dumbbell, sanity
from labctl.validate.maps import MOST_POINTS, principal
from labctl.validate.page import page
from labctl.validate.words import at_a_glance, by_number, headline, intervals, next_steps


def data_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    content = json.loads(found[1])
    assert isinstance(content, dict)
    return content


def words_of(html: str) -> str:
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_page_says_the_verdict_in_words_and_loads_nothing(hall_petch: Checked) -> None:
    html = page(hall_petch)
    said = words_of(html)
    assert "verdict: trusted" in said
    assert headline(hall_petch) in said
    assert "Your law strength = s0 + k / sqrt(d)" in said
    assert "left out of 53 rows: 3 without an outcome" in said
    assert "default-src &#39;none&#39;" in html
    head = html[: html.index('<script type="application/json"')]
    assert not re.search(r"(src|href)=[\"'](?!#)", head)


def test_the_dumbbell_shows_each_candidate_at_its_two_errors(hall_petch: Checked) -> None:
    figure = data_of(page(hall_petch))["figures"]["dumbbell"]
    near, far = figure["data"][1], figure["data"][2]
    both = [r for r in hall_petch.found.candidates if r.shuffled and r.loco]
    assert sorted(near["x"]) == pytest.approx(
        sorted(r.shuffled.over_clusters for r in both if r.shuffled), rel=1e-5
    )
    assert far["x"] == sorted(far["x"], reverse=True), "the best stands on top"
    loco = hall_petch.report("mean").loco
    assert loco is not None
    assert figure["layout"]["shapes"][0]["x0"] == pytest.approx(loco.over_clusters)


def test_parity_shows_rows_that_were_held_out(hall_petch: Checked) -> None:
    figures = data_of(page(hall_petch))["figures"]
    for name in ("parity-near", "parity-far"):
        points = [trace for trace in figures[name]["data"] if trace["mode"] == "markers"]
        assert sum(len(trace["x"]) for trace in points) == hall_petch.found.n
        measured = sorted(v for trace in points for v in trace["x"])
        assert measured == pytest.approx(sorted(hall_petch.study.y[hall_petch.rows]), rel=1e-4)


def test_a_hopeless_table_gets_a_page_that_says_so(shuffled_labels: Checked) -> None:
    html = page(shuffled_labels)
    said = words_of(html)
    assert "verdict: lookup table" in said
    assert headline(shuffled_labels) in said
    assert "MCC" in said
    assert "calibration" not in data_of(html)["figures"]
    assert "<b>glass</b>" not in html
    assert "&lt;b&gt;glass&lt;/b&gt;" in html


def test_sentences_carry_the_numbers_of_the_verdict(hall_petch: Checked) -> None:
    evidence = hall_petch.found.verdict.evidence
    assert f"removes {100 * evidence['skill_shuffled']:.0f} % of the error" in at_a_glance(hall_petch)
    assert any("random arm" in step for step in next_steps(hall_petch))


def test_the_words_below_the_numbers_of_clusters_follow_from_the_errors(hall_petch: Checked) -> None:
    mine, mean = hall_petch.best, hall_petch.report("mean")
    assert mine is not None
    assert mine.loco is not None
    assert mean.loco is not None
    assert "less than both yardsticks at every number" in by_number(hall_petch)
    first = min(mine.loco.by_k)
    worse = replace(mean, loco=replace(mean.loco, by_k={**mean.loco.by_k, first: 0.0}))
    found = replace(
        hall_petch.found,
        candidates=tuple(worse if r.name == "mean" else r for r in hall_petch.found.candidates),
    )
    assert f"no less than predicting the mean at k = {first}." in by_number(replace(hall_petch, found=found))


def test_intervals_and_the_permutation_test_are_told_in_words(hall_petch: Checked) -> None:
    said = words_of(page(hall_petch))
    assert intervals(hall_petch) in said
    assert "(conformal)" in intervals(hall_petch)
    assert re.search(r"permutation test, p = 0\.\d", said)
    assert "log score" in said


def test_refused_clusterings_are_crossed_out(hall_petch: Checked) -> None:
    figure = sanity(hall_petch)
    assert figure is not None
    made = [s for s in hall_petch.found.splits if s.sanity and s.kind in ("shuffled", "loco", "kernel-loco")]
    crossed = [len(t["x"]) for t in figure["data"] if t["marker"]["symbol"] == "x-thin"]
    assert sum(crossed) == sum(not s.accepted for s in made)
    assert dumbbell(hall_petch)["layout"]["xaxis"]["range"][0] == 0


def test_the_map_lies_in_the_two_widest_directions() -> None:
    rng = np.random.default_rng(1)
    t, u = rng.standard_normal((2, 400))
    X = np.column_stack([t, t, t, u, rng.standard_normal(400)])
    scores, shares = principal(X)
    assert abs(np.corrcoef(scores[:, 0], t)[0, 1]) > 0.99
    np.testing.assert_allclose(shares[0], 0.6, atol=0.05)
    assert len(X) < MOST_POINTS


def test_a_page_that_cannot_be_written_is_one_sentence(hall_petch: Checked, tmp_path: Path) -> None:
    write_page(hall_petch, tmp_path / "v.html")
    assert (tmp_path / "v.html").read_text("utf-8").startswith("<!doctype html>")
    with pytest.raises(RequestError, match="cannot be written"):
        write_page(hall_petch, tmp_path / "absent" / "v.html")
