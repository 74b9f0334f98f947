"""A learned distance sees what varies together, and its drift is a rank correlation."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.stats import spearmanr

from labctl_models.novelty.learned import Kind, learn, rank_drift
from labctl_models.novelty.neighbours import default_neighbours
from labctl_models.surrogates.protocol import Array


def along_a_line(n: int, seed: int, d: int = 5) -> tuple[Array, Array, Array]:
    """Recipes whose settings all follow one hidden number t, and outcomes that do too."""
    rng = np.random.default_rng(seed)
    t = rng.random(n)
    X = np.clip(t[:, None] + 0.01 * rng.normal(size=(n, d)), 0, 1)
    return X, np.column_stack([2.0 * t]), t


@pytest.mark.parametrize("kind", ["pca", "autoencoder"])
def test_two_known_artefacts_are_typically_one_apart(kind: Kind) -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.random((25, 4)), 1e4 * rng.normal(size=(25, 2))
    assert np.median(pdist(learn(X, Y, kind=kind).embed(X, Y))) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["pca", "autoencoder"])
def test_one_hidden_number_is_found(kind: Kind) -> None:
    X, Y, t = along_a_line(30, seed=1)
    points = learn(X, Y, kind=kind, seed=3).embed(X, Y)
    assert points.shape == (30, 1)
    assert abs(spearmanr(points[:, 0], t).statistic) > 0.98


@pytest.mark.parametrize("kind", ["pca", "autoencoder"])
def test_the_same_data_and_seed_give_the_same_distance(kind: Kind) -> None:
    X, Y, _ = along_a_line(15, seed=2)
    one, two = (learn(X, Y, kind=kind, seed=7).embed(X, Y) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_units_of_the_outcomes_do_not_matter() -> None:
    rng = np.random.default_rng(5)
    X, Y = rng.random((20, 3)), rng.normal(size=(20, 2))
    apart = pdist(learn(X, Y).embed(X, Y))
    other = Y * np.array([1e-6, 250.0]) + np.array([3.0, -1e3])
    np.testing.assert_allclose(pdist(learn(X, other).embed(X, other)), apart, rtol=1e-6)


def test_drift_is_spearman_of_the_novelties() -> None:
    rng = np.random.default_rng(6)
    old, new = rng.random((18, 3)), rng.random((18, 2))
    k = default_neighbours(18)

    def by_hand(points: Array) -> Array:
        return np.sort(cdist(points, points), axis=1)[:, 1 : k + 1].mean(axis=1)

    expected = spearmanr(by_hand(old), by_hand(new)).statistic
    assert rank_drift(old, new) == pytest.approx(expected)
    assert rank_drift(old, 3.0 * old) == pytest.approx(1.0)
    assert np.isnan(rank_drift(np.zeros((5, 2)), new[:5]))


def test_awkward_data_are_learned_from_and_impossible_ones_refused() -> None:
    same = learn(np.full((4, 2), 0.5), np.ones((4, 1)))
    np.testing.assert_array_equal(pdist(same.embed(np.full((4, 2), 0.5), np.ones((4, 1)))), np.zeros(6))
    with pytest.raises(ValueError, match="3 pairs or more"):
        learn(np.zeros((2, 2)), np.zeros((2, 1)))
    with pytest.raises(ValueError, match="recipe is not finite"):
        learn(np.full((3, 2), np.nan), np.zeros((3, 1)))


@pytest.mark.parametrize("kind", ["pca", "autoencoder"])
@pytest.mark.parametrize("odd", [1e20, 1e149, -1e149])
def test_outcomes_of_very_different_size_still_have_a_distance(kind: Kind, odd: float) -> None:
    X, _, t = along_a_line(12, seed=2)
    Y = np.append(t[:11] * 1e-300, odd)[:, None]
    points = learn(X, Y, kind=kind).embed(X, Y)
    assert np.isfinite(points).all()
    assert np.median(pdist(points)) == pytest.approx(1.0)
    assert -1.0 <= rank_drift(X, points) <= 1.0
