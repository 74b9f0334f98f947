"""What a validation is told of a study, what it says, and what it refuses to say."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from labctl.errors import RequestError
from labctl.law import read_law
from labctl.study import Study
from labctl.validate import Checked, validate_study


def test_a_true_law_is_found_and_trusted_where_the_others_only_interpolate(hall_petch: Checked) -> None:
    found = hall_petch.found
    assert (found.verdict.level, found.verdict.winner) == ("trusted", "gp-mechanistic")
    errors = {r.name: r.loco.over_clusters for r in found.candidates if r.loco is not None}
    assert errors["gp-mechanistic"] < 0.5 * errors["nearest"]
    assert not hall_petch.refused


def test_constants_come_with_and_without_what_the_law_misses(hall_petch: Checked) -> None:
    assert [c.name for c in hall_petch.constants] == ["s0", "k"]
    for constant, truth in zip(hall_petch.constants, (30.0, 250.0), strict=True):
        assert constant.beside is not None
        for mean, sd in (constant.alone, constant.beside):
            assert abs(mean - truth) < 3 * sd


def test_rows_without_an_outcome_are_left_out_and_counted(hall_petch: Checked) -> None:
    assert hall_petch.found.n == 50
    assert "left out of 53 rows: 3 without an outcome" in hall_petch.notes


def test_failed_rows_are_left_out_and_counted(grains: Study) -> None:
    failed = np.zeros(53, dtype=bool)
    failed[[1, 2, 4]] = True
    checked = validate_study(replace(grains, failed=failed, cohorts=()), budget_s=1)
    assert checked.found.n == 48
    assert "left out of 53 rows: 3 that failed and 2 without an outcome" in checked.notes


def test_labs_are_held_out_and_years_are_predicted_from_earlier_ones(hall_petch: Checked) -> None:
    splits = {split.kind: split for split in hall_petch.found.splits}
    assert splits["group: lab"].labels == ("Bern", "Oslo")
    assert "ordered" in splits
    year = hall_petch.study.columns["year"][hall_petch.rows]
    for train, test in splits["ordered"].folds:
        assert year[train].max() < year[test].min()


def test_a_column_with_one_group_or_a_group_for_each_row_is_not_held_out(grains: Study) -> None:
    columns = {**grains.columns, "lab": np.full(53, "Bern"), "batch": np.arange(53.0)}
    found = validate_study(replace(grains, columns=columns, cohorts=("lab", "batch")), budget_s=1).found
    assert not [split.kind for split in found.splits if split.kind.startswith("group")]


def test_a_column_that_is_asked_for_is_held_out_by_group_or_refused(grains: Study) -> None:
    columns = {**grains.columns, "oven": np.array(["a", "b", "c"])[np.arange(53) % 3], "id": np.arange(53.0)}
    study = replace(grains, columns=columns, cohorts=())
    found = validate_study(study, budget_s=1, groups=("oven",)).found
    assert next(s for s in found.splits if s.kind == "group: oven").labels == ("a", "b", "c")
    with pytest.raises(RequestError, match=r"--group: has no column 'batch'; it has .*oven"):
        validate_study(study, groups=("batch",))
    with pytest.raises(RequestError, match="--group: id is different in every row"):
        validate_study(study, groups=("id",))


def test_json_has_every_part_and_no_nan(hall_petch: Checked) -> None:
    content = json.loads(json.dumps(hall_petch.as_json(), allow_nan=False))
    assert {"verdict", "reason", "candidates", "splits", "calibration", "leakage", "inflation"} <= set(
        content
    )
    for candidate in content["candidates"]:
        assert {"name", "shuffled", "loco", "cpu_s"} <= set(candidate)
    best = next(c for c in content["candidates"] if c["name"] == content["best"])
    assert {"error", "mae", "rmse", "r2", "spearman", "worst_fold_error"} <= set(best["loco"])
    assert {"kind", "k", "sanity", "accepted"} <= set(content["splits"][0])
    assert set(content["calibration"]) == {"shuffled", "loco"}
    assert content["law"]["constants"][1]["name"] == "k"


def test_shuffled_labels_are_a_lookup_table_without_a_winner(shuffled_labels: Checked) -> None:
    verdict = shuffled_labels.found.verdict
    assert (verdict.level, verdict.winner) == ("lookup table", None)
    assert shuffled_labels.refused
    scores = shuffled_labels.report("random-forest").shuffled
    assert scores is not None
    assert {"balanced_accuracy", "mcc", "pr_auc", "majority_rate"} <= set(scores.numbers)
    assert math.isnan(shuffled_labels.found.inflation)


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("a + b * log(d - 1)", r"law: has no finite value at line \d+ \(d = 0\.\d+\)"),
        ("a + b + c * d", "its constants a, b, c cannot be told apart"),
    ],
)
def test_a_law_that_does_not_suit_the_rows_is_refused(grains: Study, formula: str, says: str) -> None:
    with pytest.raises(RequestError, match=says):
        validate_study(grains, law=read_law(formula, grains.space.parameters))


def test_what_cannot_be_judged_is_refused_with_the_name_of_the_table(grains: Study) -> None:
    few = replace(grains, y=np.where(np.arange(53) < 19, grains.y, np.nan))
    constant = replace(grains, y=np.full(53, 7.0))
    for study, says in (
        (few, "has 18 results of strength, and validation needs 20"),
        (constant, "is the same in"),
    ):
        with pytest.raises(RequestError, match=says) as caught:
            validate_study(study)
        assert str(caught.value).startswith(f"{grains.source}: ")
        assert caught.value.exit_code == 2
