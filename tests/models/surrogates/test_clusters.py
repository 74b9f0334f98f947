"""Neighbours against brute force, clusters, and the kernel's random features."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from labctl_models.surrogates import clusters
from labctl_models.surrogates.clusters import (
    farthest,
    fourier_features,
    kmeans,
    median_gamma,
    nearest,
    nearest_other,
    standardised,
)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 40), d=st.integers(1, 5), k=st.integers(1, 6))
def test_neighbours_are_those_of_brute_force(seed: int, n: int, d: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    X, Q = rng.random((n, d)), rng.random((5, d))
    distance, index = nearest(Q, X, k)
    D = cdist(Q, X)
    np.testing.assert_allclose(distance, np.sort(D, axis=1)[:, : min(k, n)], atol=1e-12)
    np.testing.assert_array_equal(index, np.argsort(D, axis=1)[:, : min(k, n)])
    own = cdist(X, X)
    np.fill_diagonal(own, np.inf)
    distance, index = nearest_other(X, k)
    np.testing.assert_allclose(distance, np.sort(own, axis=1)[:, : min(k, n - 1)], atol=1e-12)
    assert (index != np.arange(n)[:, None]).all()
    assert farthest(Q, X) == pytest.approx(D.max())


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X = rng.random((57, 3))
    whole = nearest_other(X, 4), nearest(X[:20], X, 2), farthest(X[:9], X)
    monkeypatch.setattr(clusters, "CHUNK_ENTRIES", 200)
    parts = nearest_other(X, 4), nearest(X[:20], X, 2), farthest(X[:9], X)
    for a, b in zip(whole[:2], parts[:2], strict=True):
        np.testing.assert_array_equal(a[1], b[1])
    assert whole[2] == pytest.approx(parts[2])


def test_a_twin_is_at_distance_zero_and_is_another_row() -> None:
    X = np.repeat(np.random.default_rng(0).random((6, 4)) * 1e6, 2, axis=0)
    distance, index = nearest_other(X)
    np.testing.assert_array_equal(distance[:, 0], 0.0)
    np.testing.assert_array_equal(index[:, 0], np.arange(12) ^ 1)


def test_standardised_columns_whatever_their_units() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack(
        [rng.random(50) * 1e300, rng.random(50) * 1e-300, np.full(50, 3.3), 1e9 + rng.random(50)]
    )
    Z = standardised(X)
    np.testing.assert_allclose(Z.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(Z.std(axis=0), [1, 1, 0, 1], atol=1e-9)


def test_the_same_seed_gives_the_same_clusters() -> None:
    X = np.random.default_rng(0).random((80, 3))
    np.testing.assert_array_equal(kmeans(X, 5, 3), kmeans(X, 5, 3))
    assert len(np.unique(kmeans(X, 5, 3))) == 5
    with pytest.raises(ValueError, match="fewer than 3 different rows"):
        kmeans(np.repeat(X[:2], 5, axis=0), 3, 0)


def test_random_features_approximate_the_kernel() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    gamma = median_gamma(X, 0)
    squares = cdist(X, X, "sqeuclidean")
    assert gamma == pytest.approx(1 / np.median(squares[np.triu_indices(40, 1)]))
    mean = np.mean([F @ F.T for F in (fourier_features(X, gamma, seed) for seed in range(40))], axis=0)
    np.testing.assert_allclose(mean, np.exp(-gamma * squares), atol=0.06)
