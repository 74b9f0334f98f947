"""Novelty equals its definition, computed by loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.novelty import neighbours as module
from labctl_models.novelty.neighbours import (
    default_neighbours,
    leave_one_out_distances,
    most_novel,
    novelty,
)
from labctl_models.surrogates.protocol import Array


def by_hand(X: Array, archive: Array, k: int) -> tuple[Array, Array]:
    """Mean distance to the k nearest, and the share of smaller leave-one-out values, by loops."""
    distance = [sorted(math.dist(x, a) for a in archive)[:k] for x in X]
    own = []
    for i, a in enumerate(archive):
        own.append(np.mean(sorted(math.dist(a, b) for j, b in enumerate(archive) if j != i)[:k]))
    mean = np.array([np.mean(row) for row in distance])
    return mean, np.array([np.mean([o < m * (1 - 1e-9) for o in own]) for m in mean])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), n=st.integers(2, 40), d=st.integers(1, 6), k=st.none() | st.integers(1, 50)
)
def test_equals_the_definition(seed: int, n: int, d: int, k: int | None) -> None:
    rng = np.random.default_rng(seed)
    # A coarse grid, so that there are ties and replicates.
    X, archive = rng.integers(0, 5, (9, d)) / 4, rng.integers(0, 5, (n, d)) / 4
    used = min(k or default_neighbours(n), n - 1)
    distance, share = by_hand(X, archive, used)
    found = novelty(X, archive, k=k)
    np.testing.assert_allclose(found.distance, distance, atol=1e-12)
    np.testing.assert_allclose(found.share, share, atol=1e-12)


@pytest.mark.parametrize("d", [1, 3, 5])
def test_the_tree_and_the_plain_way_agree(d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(d)
    X, archive = rng.random((200, d)), rng.random((1100, d))
    archive[10] = archive[20]
    monkeypatch.setattr(module, "TREE_SPLITS", 0)
    by_tree = novelty(X, archive)
    monkeypatch.setattr(module, "TREE_SPLITS", 1e9)
    monkeypatch.setattr(module, "CHUNK_ENTRIES", 5000)
    plain = novelty(X, archive)
    np.testing.assert_allclose(by_tree.distance, plain.distance, rtol=1e-12)
    assert np.array_equal(by_tree.share, plain.share)


def test_a_case_by_hand() -> None:
    # Archive on a line at 0, 1, 3: with k = 1 its own distances are 1, 1, 2.
    archive = np.array([[0.0], [1.0], [3.0]]) / 4
    found = novelty(np.array([[0.5], [5.0], [0.0], [4.5], [1.0]]) / 4, archive, k=1)
    np.testing.assert_allclose(found.distance * 4, [0.5, 2.0, 0.0, 1.5, 0.0])
    np.testing.assert_allclose(found.share, [0, 2 / 3, 0, 2 / 3, 0])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(3, 30), d=st.integers(2, 6))
def test_mirrored_and_reordered_columns_change_nothing(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    X, archive = rng.integers(0, 6, (9, d)) / 10, rng.integers(0, 6, (n, d)) / 10
    order = rng.permutation(d)
    found, mirrored = novelty(X, archive), novelty(1 - X[:, order], 1 - archive[:, order])
    assert np.array_equal(found.share, mirrored.share)
    np.testing.assert_allclose(found.distance, mirrored.distance, atol=1e-12)


def test_a_hole_amid_two_clusters_is_novel_and_the_clusters_are_not() -> None:
    rng = np.random.default_rng(0)
    archive = np.vstack([0.2 + 0.05 * rng.random((30, 2)), 0.8 + 0.05 * rng.random((30, 2))])
    share = novelty(np.array([[0.5, 0.5], [0.225, 0.225], [0.0, 1.0]]), archive).share
    assert share[0] == share[2] == 1.0
    assert share[1] < 0.5


def test_an_empty_archive_makes_everything_new() -> None:
    found = novelty(np.zeros((3, 2)), np.empty((0, 2)))
    assert np.array_equal(found.distance, np.full(3, np.inf))
    assert np.array_equal(found.share, np.ones(3))
    assert leave_one_out_distances(np.empty((0, 2))).shape == (0,)


def test_an_archive_of_one_knows_only_itself() -> None:
    found = novelty(np.array([[0.0, 0.0], [0.3, 0.4]]), np.zeros((1, 2)))
    np.testing.assert_allclose(found.distance, [0.0, 0.5])
    assert np.array_equal(found.share, [0.0, 1.0])
    assert np.array_equal(leave_one_out_distances(np.zeros((1, 2))), [np.inf])


def test_an_archive_of_two_has_one_distance_to_beat() -> None:
    found = novelty(np.array([[0.0], [0.9], [1.0], [0.5]]), np.array([[0.0], [0.4]]))
    assert np.array_equal(found.share, [0.0, 1.0, 1.0, 0.0])


def test_replicates_count_as_known() -> None:
    archive = np.array([[0.1, 0.1]] * 5 + [[0.9, 0.9]])
    assert np.array_equal(leave_one_out_distances(archive, k=4)[:5], np.zeros(5))
    assert novelty(archive[:1], archive, k=4).share[0] == 0.0
    assert novelty(np.array([[0.5, 0.5]]), archive, k=4).share[0] == pytest.approx(5 / 6)
    # An archive of replicates only: anything else is new, they are not.
    same = np.full((4, 2), 0.5)
    assert np.array_equal(novelty(np.array([[0.5, 0.5], [0.5, 0.6]]), same).share, [0.0, 1.0])


def test_default_number_of_neighbours() -> None:
    assert [default_neighbours(n) for n in (0, 1, 2, 3, 4, 5, 20, 100, 196, 197, 5000)] == [
        *(1, 1, 1, 2, 2, 3, 5, 10, 14, 15, 15),
    ]


def test_no_candidates_have_no_novelty_and_bad_requests_are_refused() -> None:
    assert novelty(np.empty((0, 2)), np.zeros((3, 2))).share.shape == (0,)
    with pytest.raises(ValueError, match="at least 1 neighbour"):
        novelty(np.zeros((1, 2)), np.zeros((3, 2)), k=0)
    with pytest.raises(ValueError, match="3 columns and the archive 2"):
        novelty(np.zeros((1, 3)), np.zeros((3, 2)))


def test_a_twin_in_the_corner_is_not_the_most_novel() -> None:
    # One recipe sits in a corner, all others far away: by mean distance that corner is the best again.
    rng = np.random.default_rng(4)
    archive = np.vstack([[[1.0, 1.0]], 0.35 * rng.random((15, 2))])
    X = np.vstack([[[0.99, 0.99], [0.0, 1.0], [1.0, 0.0]], 0.5 * rng.random((9, 2))])
    found = novelty(X, archive)
    assert found.distance.argmax() == 0
    order = np.argsort(-most_novel(found))
    assert set(order[:2].tolist()) == {1, 2}
    assert order[2] == 0
    np.testing.assert_allclose(found.nearest[0], math.hypot(0.01, 0.01))


@pytest.mark.parametrize("d", [2, 4])
def test_repeated_choices_keep_apart_and_cover_more_than_chance(d: int) -> None:
    """As points of a design: the chosen are at least half as far again from each other as drawn ones."""

    def apart(points: Array) -> float:
        gaps = np.linalg.norm(points[:, None] - points[None], axis=2) + 9.0 * np.eye(len(points))
        return float(np.median(gaps.min(axis=1)))

    for seed in range(3):
        rng = np.random.default_rng(seed)
        chosen, drawn = rng.random((5, d)), rng.random((40, d))
        while len(chosen) < 40:
            X = rng.random((512, d))
            chosen = np.vstack([chosen, X[most_novel(novelty(X, chosen)).argmax()]])
        assert apart(chosen) > 1.5 * apart(drawn)


def test_order_of_nothing_known_or_nothing_asked() -> None:
    assert np.array_equal(most_novel(novelty(np.zeros((3, 2)), np.empty((0, 2)))), np.zeros(3))
    assert most_novel(novelty(np.empty((0, 2)), np.zeros((3, 2)))).shape == (0,)
