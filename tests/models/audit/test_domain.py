"""Coverage, gaps, leverage and the map against definitions, hand-made cases and a random pool."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.audit.domain import CoverageCheck, LeverageCheck, coverage, leverage, pca_map
from labctl_models.audit.finding import NotApplicableError
from labctl_models.audit.table import AuditTable


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(3, 40), d=st.integers(1, 12))
def test_the_map_is_that_of_singular_values(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + 5
    chart = pca_map(X)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    values = np.linalg.svd(Z, compute_uv=False) ** 2
    m = len(chart.explained)
    np.testing.assert_allclose(chart.explained, values[:m] / values.sum(), atol=1e-9)
    assert chart.explained.sum() >= 0.95 - 1e-9
    assert m == 1 or chart.explained[:-1].sum() < 0.95
    np.testing.assert_allclose((chart.scores**2).sum(axis=0), values[:m], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(chart.place(X), chart.scores, atol=1e-8)


def test_constant_columns_do_not_count() -> None:
    X = np.column_stack([np.random.default_rng(0).random(20), np.full(20, 0.1) * 3, np.zeros(20)])
    chart = pca_map(X)
    assert chart.scores.shape == (20, 1)
    np.testing.assert_allclose(chart.axes[1:], 0.0)
    assert pca_map(np.ones((5, 3))).scores.shape == (5, 1)


def test_coverage_and_gaps_on_a_line() -> None:
    tried = np.arange(21.0)[:, None]
    pool = np.array([[0.5], [3.0], [20.9], [25.0], [30.0], [26.0], [-8.0]])
    found = coverage(tried, pool)
    assert found.radius == pytest.approx(1.0)
    assert found.share == pytest.approx(3 / 7)
    np.testing.assert_allclose(found.distance, [0.5, 0, 0.9, 5, 10, 6, 8], atol=1e-9)
    # 30 is farthest; then -8; then 25, which is 5 from both 20 and 30; 26 is 4 from 30 and then 1 from 25.
    assert list(found.gaps) == [4, 6, 3]
    assert np.argmin(found.log_density) == 4


def test_replicates_do_not_shrink_the_radius() -> None:
    tried = np.repeat(np.arange(20.0), 4)[:, None]
    assert coverage(tried, tried).radius == pytest.approx(1.0)
    with pytest.raises(NotApplicableError, match="one recipe"):
        coverage(np.zeros((9, 2)), np.ones((3, 2)))


def test_a_fair_pool_is_covered_as_stated() -> None:
    rng = np.random.default_rng(1)
    shares = [coverage(rng.random((200, 4)), rng.random((500, 4))).share for _ in range(20)]
    assert np.mean(shares) == pytest.approx(0.95, abs=0.01)


def test_leverage_is_the_diagonal_of_the_hat_matrix() -> None:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((80, 4))
    h, warning = leverage(X, X)
    A = np.column_stack([np.ones(80), X])
    hat = np.diagonal(A @ np.linalg.inv(A.T @ A) @ A.T)
    np.testing.assert_allclose(h, hat, rtol=2e-3)  # the ridge of a thousandth
    assert warning == pytest.approx(3 * 5 / 80, rel=2e-3)
    far, _ = leverage(X, np.full((1, 4), 6.0))
    assert far[0] > warning


def test_repeated_columns_count_once() -> None:
    X = np.random.default_rng(3).standard_normal((60, 3))
    _, once = leverage(X, X)
    _, twice = leverage(np.hstack([X, X, X]), np.hstack([X, X, X]))
    assert twice == pytest.approx(once, rel=2e-3)


def test_a_table_in_one_corner_is_told_and_a_fair_one_is_not() -> None:
    rng = np.random.default_rng(4)
    X, pool = rng.random((150, 3)), rng.random((800, 3))
    for check in (CoverageCheck(), LeverageCheck()):
        assert check.run(AuditTable(X, X[:, 0], pool=pool), seed=0) == []
        (found,) = check.run(AuditTable(0.4 * X, X[:, 0], pool=pool), seed=0)
        assert found.level == "high"
    (found,) = CoverageCheck().run(AuditTable(0.4 * X, X[:, 0], pool=pool), seed=0)
    gaps = np.asarray(found.detail["gaps"])
    assert len(gaps) == 20
    assert len(set(gaps.tolist())) == 20
    # The largest gap is the corner opposite.
    assert pool[gaps[0]].sum() > 2.2


def test_too_little_says_so() -> None:
    X = np.random.default_rng(5).random((10, 2))
    with pytest.raises(NotApplicableError, match="10 rows are too few"):
        CoverageCheck().run(AuditTable(X, X[:, 0], pool=X), seed=0)
    with pytest.raises(NotApplicableError, match="no pool"):
        LeverageCheck().run(AuditTable(X, X[:, 0]), seed=0)
