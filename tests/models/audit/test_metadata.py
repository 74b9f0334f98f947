"""Gaps: counted, and tied to the outcome only where they were."""

import math

import numpy as np
import pytest

from labctl_models.audit.finding import NotApplicableError
from labctl_models.audit.metadata import CompletenessCheck, MissingnessCheck, gaps_tied_to_outcome
from labctl_models.audit.table import AuditTable


def test_completeness_of_each_field_and_cohort() -> None:
    X = np.random.default_rng(0).random((40, 2))
    lab = np.repeat(["A", "B"], 20)
    humidity = np.where(lab == "A", 40.0, math.nan)
    table = AuditTable(X, X[:, 0], columns={"lab": lab, "humidity": humidity}, cohorts=("lab",))
    (found,) = CompletenessCheck().run(table, seed=0)
    assert found.detail["filled"] == {"lab": 1.0, "humidity": 0.5}
    assert found.detail["by_cohort"]["lab"]["B"] == {"lab": 1.0, "humidity": 0.0}  # type: ignore[index]  # a mapping
    assert found.value == pytest.approx(0.75)
    only = AuditTable(X, X[:, 0], columns=table.columns, required=("lab",))
    assert CompletenessCheck().run(only, seed=0) == []


def test_a_table_without_metadata_is_told_so() -> None:
    X = np.random.default_rng(0).random((30, 2))
    (found,) = CompletenessCheck().run(AuditTable(X, X[:, 0]), seed=0)
    assert "Nothing but recipe" in found.title


def test_a_column_without_any_value_is_empty_not_an_error() -> None:
    X = np.random.default_rng(0).random((30, 2))
    table = AuditTable(X, X[:, 0], columns={"humidity": np.full(30, math.nan)})
    (found,) = CompletenessCheck().run(table, seed=0)
    assert found.value == 0.0
    assert found.level == "high"
    with pytest.raises(NotApplicableError, match="gaps in some rows"):
        MissingnessCheck().run(table, seed=0)


def test_gaps_that_go_with_the_outcome_or_failure_are_found() -> None:
    rng = np.random.default_rng(1)
    y = rng.standard_normal(200)
    failed = rng.random(200) < 0.3
    table = AuditTable(
        rng.random((200, 2)),
        np.where(failed, math.nan, y),
        failed=failed,
        columns={
            "grain": np.where(y > 0.5, math.nan, 1.0),
            "mass": np.where(failed, "", "1 g"),
            "room": np.where(rng.random(200) < 0.3, math.nan, 20.0),
        },
    )
    found = {finding.id: finding for finding in MissingnessCheck().run(table, seed=0)}
    assert set(found) == {"metadata.missingness:grain:outcome", "metadata.missingness:mass:failure"}
    assert found["metadata.missingness:grain:outcome"].value == pytest.approx(1.0)
    failure = found["metadata.missingness:mass:failure"]
    assert (failure.value, failure.expected) == (1.0, 0.0)
    # Nobody weighs a sample that is not there: that gap foretells nothing.
    assert failure.level == "low"
    assert "not written when a run fails: missing in all" in failure.title
    assert "larger where grain is missing" in found["metadata.missingness:grain:outcome"].title


def test_a_field_missing_before_a_run_can_fail_is_no_small_thing() -> None:
    rng = np.random.default_rng(3)
    dry = rng.random(200) < 0.3
    failed = rng.random(200) < np.where(dry, 0.7, 0.1)
    humidity = np.where(dry, math.nan, 40.0)
    table = AuditTable(rng.random((200, 2)), rng.random(200), failed=failed, columns={"humidity": humidity})
    (found,) = MissingnessCheck().run(table, seed=0)
    assert found.level == "high"
    assert found.value == pytest.approx(failed[dry].mean())
    assert found.expected == pytest.approx(failed[~dry].mean())
    assert f"{failed[dry].mean():.0%} of them, against {failed[~dry].mean():.0%}" in found.title


def test_fields_that_miss_the_same_rows_are_one_test() -> None:
    gone = np.arange(60) < 20
    ties = gaps_tied_to_outcome({"a": gone, "b": gone.copy()}, np.arange(60.0), np.full(60, math.nan))
    assert [tie.field for tie in ties] == ["a = b"]
    assert ties[0].effect == pytest.approx(-1.0)


def test_false_alarms_over_many_fields_are_rare() -> None:
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(100):
        gaps = {f"field {k}": rng.random(80) < 0.3 for k in range(8)}
        ties = gaps_tied_to_outcome(gaps, rng.standard_normal(80), (rng.random(80) < 0.2).astype(float))
        alarms += any(tie.p <= 0.05 for tie in ties)
    assert alarms <= 12  # 5 % of 100 is 5; more than 12 would happen once in seven hundred times
