"""The two-sample test keeps its level and finds shifts; diversity counts what is different."""

import numpy as np
import pytest

from labctl_models.audit.finding import NotApplicableError
from labctl_models.audit.likeness import (
    DiversityCheck,
    LikenessCheck,
    diversity,
    shifted_columns,
    snapped,
    two_sample,
    vendi,
)
from labctl_models.audit.table import AuditTable


def test_like_samples_are_told_apart_no_oftener_than_chance() -> None:
    rng = np.random.default_rng(0)
    found = [two_sample(rng.random((60, 3)), rng.random((120, 3)), seed=s) for s in range(12)]
    z = np.array([(test.auc - 0.5) / test.sd for test in found])
    assert abs(z.mean()) < 0.87
    # Three standard errors above; here the bounds of 99 % for twelve draws of the stated deviation.
    assert 0.48 < z.std(ddof=1) < 1.56
    assert sum(test.p <= 0.05 for test in found) <= 3


def test_a_shift_and_a_smaller_spread_are_found() -> None:
    rng = np.random.default_rng(1)
    shifted = two_sample(rng.normal(1, 1, (150, 2)), rng.normal(0, 1, (300, 2)), seed=0)
    # The best possible AUC for a shift of one standard deviation in both columns is Φ(√2/√2) = 0.84.
    assert 0.76 < shifted.auc < 0.88
    assert two_sample(rng.normal(0, 0.5, (150, 2)), rng.normal(0, 1, (300, 2)), seed=0).p < 0.005


def test_the_finding_names_the_columns_that_differ() -> None:
    rng = np.random.default_rng(5)
    X, pool = rng.random((120, 4)), rng.random((400, 4))
    X[:, 2] *= 0.4
    table = AuditTable(X, X[:, 0], pool=pool, feature_names=("a", "b", "dose", "d"))
    (found,) = LikenessCheck().run(table, seed=0)
    assert [name for name, _, _ in shifted_columns(X, pool, ("a", "b", "dose", "d"))] == ["dose"]
    # Even on [0, 0.4] against even on [0, 1]: the distributions are 0.6 apart at most.
    assert shifted_columns(X, pool, "abcd")[0][1] == pytest.approx(0.6, abs=0.07)
    assert "They differ most in dose." in found.meaning


def test_effective_number_of_rows() -> None:
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert vendi(corners, 0.05) == pytest.approx(4.0)
    assert vendi(np.repeat(corners, 5, axis=0), 0.05) == pytest.approx(4.0)
    assert vendi(np.zeros((10, 2)), 0.05) == pytest.approx(1.0)
    # Two rows with similarity s have the eigenvalues (1 ± s)/2.
    s = np.exp(-0.5)
    lam = np.array([1 + s, 1 - s]) / 2
    assert vendi(np.array([[0.0], [1.0]]), 1.0) == pytest.approx(np.exp(-(lam * np.log(lam)).sum()))


def test_clusters_are_worth_less_than_they_count() -> None:
    rng = np.random.default_rng(2)
    even = rng.random((200, 3))
    own, free = diversity(even, seed=0)
    assert own / free == pytest.approx(1.0, abs=0.1)
    huddled = rng.random((10, 3))[rng.integers(0, 10, 200)] + 0.01 * rng.standard_normal((200, 3))
    (found,) = DiversityCheck().run(AuditTable(huddled, huddled[:, 0]), seed=0)
    assert found.level in {"high", "medium"}
    assert DiversityCheck().run(AuditTable(even, even[:, 0]), seed=0) == []


def test_a_grid_is_not_told_from_a_pool_by_its_digits() -> None:
    levels = np.linspace(0, 1, 6)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    pool = np.random.default_rng(3).random((600, 3))
    assert set(np.unique(snapped(pool, grid))) == set(levels)
    findings = LikenessCheck().run(AuditTable(grid, grid[:, 0], pool=pool), seed=0)
    assert all(found.level == "low" for found in findings)


def test_recipes_of_the_table_within_the_pool_are_left_out() -> None:
    X = np.random.default_rng(4).random((100, 2))
    with pytest.raises(NotApplicableError, match="distinct recipes"):
        LikenessCheck().run(AuditTable(X, X[:, 0], pool=X), seed=0)
