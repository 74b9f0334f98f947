"""Labels: thresholds, contradictions and copies, each against numbers worked out by hand or drawn."""

import math

import numpy as np
import pytest

from labctl_models.audit.finding import NotApplicableError
from labctl_models.audit.labels import (
    ConflictCheck,
    CopiedRowsCheck,
    ThresholdCheck,
    class_conflicts,
    copied_rows,
    local_share,
    threshold_sweep,
    value_conflicts,
)
from labctl_models.audit.table import AuditTable


def test_labels_between_the_thresholds_flip() -> None:
    widths = np.array([0.3, 0.4, 0.5, 0.6, 0.69, 0.7, 0.8, 0.9])
    found = threshold_sweep(widths, 0.4, 0.7)
    # 0.4 is not below 0.4 and is below 0.7; 0.7 is below neither.
    assert found.flipped == pytest.approx(4 / 8)
    assert np.array_equal(found.probability, [0, 1, 1, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(found.thresholds, [0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7])
    assert found.top_lost is None


def test_flip_probability_with_noise_is_that_of_drawn_readings() -> None:
    rng = np.random.default_rng(0)
    widths, sd = np.array([0.35, 0.42, 0.55, 0.75]), 0.05
    found = threshold_sweep(widths, 0.4, 0.7, sd=sd).probability
    drawn = widths + sd * rng.standard_normal((100_000, 4))
    np.testing.assert_allclose(found, np.mean((drawn >= 0.4) & (drawn < 0.7), axis=0), atol=0.006)


def test_the_best_ten_follow_the_threshold_only_where_labels_do() -> None:
    rng = np.random.default_rng(1)
    X, candidates = rng.random((300, 1)), np.linspace(0, 1, 101)[:, None]
    hill = 0.55 + 0.3 * np.cos(2 * np.pi * X[:, 0])
    one = threshold_sweep(hill, 0.4, 0.4001, X=X, candidates=candidates)
    assert one.top_lost == 0.0
    assert one.flipped < 0.01
    # Below 0.3 lies half of the left fifth; below 0.7 all of the right half, which then ranks first.
    left = np.where(np.arange(300) % 2 == 0, 0.25, 0.9)
    two = np.where(X[:, 0] < 0.2, left, np.where(X[:, 0] > 0.5, 0.6, 0.9))
    assert threshold_sweep(two, 0.3, 0.7, X=X, candidates=candidates).top_lost == 1.0


def test_local_share_is_the_mean_of_labels_nearby() -> None:
    X = np.r_[np.zeros(10), np.ones(10)][:, None] + 1e-3 * np.arange(20)[:, None]
    share = local_share(X, np.r_[np.ones(10), np.zeros(10)], np.array([[0.0], [1.0], [5.0]]))
    np.testing.assert_allclose(share, [1.0, 0.0, 0.0], atol=1e-9)


def test_classes_without_threshold_are_told_so() -> None:
    X = np.random.default_rng(0).random((30, 2))
    y = (X[:, 0] > 0.5).astype(float)
    (found,) = ThresholdCheck().run(AuditTable(X, y, outcome="classification"), seed=0)
    assert found.id == "labels.threshold_unknown"
    assert found.level == "low"
    widths = np.linspace(0.1, 1.0, 30)
    known = AuditTable(X, y, outcome="classification", label_values=widths, label_range=(0.4, 0.7), pool=X)
    (found,) = ThresholdCheck().run(known, seed=0)
    assert found.value == pytest.approx(np.mean((widths >= 0.4) & (widths < 0.7)))
    with pytest.raises(NotApplicableError, match="a quantity"):
        ThresholdCheck().run(AuditTable(X, X[:, 0]), seed=0)


def test_conflicting_classes_by_hand() -> None:
    codes = np.array([0, 0, 1, 1, 1, 2, 3, 3, -1, -1])
    labels = np.array([1, 1, 0, 1, 0, 1, 0, math.nan, 0, 1])
    found = class_conflicts(codes, labels)
    assert found.repeated == 2
    assert list(found.conflicting) == [1]


def test_a_contradiction_stands_out_from_honest_repeats() -> None:
    rng = np.random.default_rng(2)
    codes = np.repeat(np.arange(60), 2)
    y = np.repeat(rng.random(60) * 100, 2) + rng.standard_normal(120)
    found = value_conflicts(codes, y)
    assert found.repeated == 60
    assert found.noise_sd == pytest.approx(1.0, rel=0.35)
    assert len(found.conflicting) == 0
    y[7] += 15
    assert list(value_conflicts(codes, y).conflicting) == [3]


def test_honest_repeats_seldom_conflict() -> None:
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(40), 3)
    alarms = [len(value_conflicts(codes, rng.standard_normal(120)).conflicting) > 0 for _ in range(100)]
    assert np.mean(alarms) <= 0.1


def test_copies_are_told_from_repeats_and_from_rounding() -> None:
    rng = np.random.default_rng(4)
    X = np.repeat(rng.random((50, 2)), 2, axis=0)
    honest = np.repeat(rng.random(50) * 100, 2) + rng.standard_normal(100)
    assert CopiedRowsCheck().run(AuditTable(X, honest), seed=0) == []
    # Rounded to whole numbers, pairs agree in a quarter of cases: no copies.
    assert CopiedRowsCheck().run(AuditTable(X, np.round(honest)), seed=0) == []
    copied = honest.copy()
    copied[1:20:2] = copied[0:20:2]
    (found,) = CopiedRowsCheck().run(AuditTable(X, np.round(copied, 3)), seed=0)
    assert found.value == 10
    assert list(copied_rows(np.array([0, 0, 1, 1, 0]), np.array([5, 5, 5, 6, 5.0]))) == [1, 4]


def test_conflicts_name_their_recipes() -> None:
    X = np.repeat(np.random.default_rng(5).random((10, 2)), 2, axis=0)
    y = np.tile([0.0, 1.0], 10)
    recipes = np.repeat([f"recipe {k}" for k in range(10)], 2)
    (found,) = ConflictCheck().run(AuditTable(X, y, outcome="classification", recipes=recipes), seed=0)
    assert found.value == 10
    assert found.level == "high"
    assert "recipe 0" in found.detail["recipes"]  # type: ignore[operator]  # a list of names
    with pytest.raises(NotApplicableError, match="measured twice"):
        ConflictCheck().run(AuditTable(X[::2], y[::2]), seed=0)
