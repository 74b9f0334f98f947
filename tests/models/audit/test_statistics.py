"""Shared statistics equal their definitions and other implementations."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, false_discovery_control, mannwhitneyu

from labctl_models.audit.statistics import (
    auc,
    benjamini_hochberg,
    holm,
    nearest,
    permutations,
    upper_tail,
    wilson,
)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_equals_scipys(n: int, share: float) -> None:
    k = round(share * n)
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_follow_their_definitions(p: list[float]) -> None:
    values = np.array(p)
    np.testing.assert_allclose(benjamini_hochberg(values), false_discovery_control(values), atol=1e-12)
    m = len(p)
    ordered = np.sort(values)
    by_hand = [min(1.0, max((m - j) * ordered[j] for j in range(i + 1))) for i in range(m)]
    np.testing.assert_allclose(np.sort(holm(values)), by_hand, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 40))
def test_auc_is_mann_and_whitneys(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, 5, n).astype(float), rng.random(n) < 0.5
    if positive.all() or not positive.any():
        assert math.isnan(auc(scores, positive))
        return
    u = mannwhitneyu(scores[positive], scores[~positive]).statistic
    assert auc(scores, positive) == pytest.approx(u / (positive.sum() * (~positive).sum()))


def test_permutation_p_is_never_zero_and_counts_ties() -> None:
    assert upper_tail(5.0, np.zeros(99)) == 0.01
    assert upper_tail(0.0, np.zeros(99)) == 1.0
    assert upper_tail(0.1 + 0.2, np.full(99, 0.3)) == 1.0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 30), blocks=st.integers(1, 5))
def test_permutations_stay_within_blocks(seed: int, n: int, blocks: int) -> None:
    block = np.random.default_rng(seed).integers(0, blocks, n)
    found = np.vstack(list(permutations(n, 50, seed, block)))
    assert found.shape == (50, n)
    assert np.array_equal(np.sort(found, axis=1), np.tile(np.arange(n), (50, 1)))
    assert np.array_equal(block[found], np.tile(block, (50, 1)))


def test_all_permutations_are_equally_likely() -> None:
    found = np.vstack(list(permutations(3, 6000, 0)))
    _, counts = np.unique(found, axis=0, return_counts=True)
    assert len(counts) == 6
    assert np.abs(counts - 1000).max() < 130  # four and a half standard deviations of 29


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 30), k=st.integers(1, 8))
def test_nearest_equals_loops(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    X, Q = rng.integers(0, 4, (n, 2)) / 3, rng.integers(0, 4, (5, 2)) / 3
    distances, rows = nearest(Q, X, k)
    by_hand = [sorted(math.dist(q, x) for x in X)[:k] for q in Q]
    np.testing.assert_allclose(distances, by_hand, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(Q[:, None] - X[rows], axis=2), distances, atol=1e-12)
    own, others = nearest(X, None, k)
    by_hand = [sorted(math.dist(a, b) for j, b in enumerate(X) if j != i)[:k] for i, a in enumerate(X)]
    np.testing.assert_allclose(own, by_hand, atol=1e-12)
    assert not np.any(others == np.arange(n)[:, None])
