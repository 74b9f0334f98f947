"""Folds from features and columns: what must stay together, what must be refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.surrogates.protocol import Array
from labctl_models.validation.folds import judged, partition, sanity_of
from labctl_models.validation.splits import (
    by_group,
    dealt,
    kernel_loco,
    loco,
    neighbours,
    ordered_groups,
    shuffled,
    twins,
)


def blobs(n: int = 90, k: int = 3, seed: int = 0) -> tuple[Array, np.ndarray]:
    rng = np.random.default_rng(seed)
    blob = np.arange(n) % k
    return 20.0 * rng.standard_normal((k, 4))[blob] + rng.standard_normal((n, 4)), blob


@settings(max_examples=25, deadline=None)
@given(n=st.integers(10, 60), k=st.integers(2, 8), seed=st.integers(0, 100))
def test_every_row_is_tested_once_and_never_trained_on_then(n: int, k: int, seed: int) -> None:
    split = shuffled(np.random.default_rng(seed).random((n, 2)), k=k, seed=seed)
    tested = np.concatenate([test for _, test in split.folds])
    assert sorted(tested) == list(range(n))
    sizes = [len(test) for _, test in split.folds]
    assert max(sizes) - min(sizes) <= 1
    for train, test in split.folds:
        assert sorted([*train, *test]) == list(range(n))


def test_repeated_recipes_stay_together_when_told_to() -> None:
    X = np.repeat(np.random.default_rng(0).random((20, 3)), 3, axis=0)
    fold_of = np.empty(60, dtype=int)
    for number, (_, test) in enumerate(shuffled(X, seed=1, together=twins(X)).folds):
        fold_of[test] = number
    assert (fold_of.reshape(20, 3) == fold_of.reshape(20, 3)[:, :1]).all()


def test_clusters_are_the_blobs_in_any_units() -> None:
    X, blob = blobs()
    for scaled in (X, X * [1e-6, 1.0, 1e5, 3.0] + 7.0):
        split = loco(scaled, ks=[3])[0]
        assert split.accepted
        assert {frozenset(test) for _, test in split.folds} == {
            frozenset(np.flatnonzero(blob == j)) for j in range(3)
        }
        assert split.sanity is not None
        assert split.sanity.share == 1.0
        assert split.sanity.chance == pytest.approx(1 / 3)


def test_kernelised_clusters_are_the_blobs_and_no_random_folds() -> None:
    X, blob = blobs()
    split = kernel_loco(X * [1e3, 1.0, 1.0, 1e-3], ks=[3])[0]
    assert split.accepted
    assert {frozenset(test) for _, test in split.folds} == {
        frozenset(np.flatnonzero(blob == j)) for j in range(3)
    }


def test_random_folds_in_disguise_are_refused() -> None:
    # The published defect: a saturated kernel gives clusters that are dealt out at random.
    X = np.random.default_rng(0).random((500, 6))
    fold = np.random.default_rng(1).integers(0, 10, 500)
    sanity = sanity_of(fold, neighbours(X))
    assert sanity.share == pytest.approx(sanity.chance, abs=0.05)
    assert "random folds in disguise" in judged(sanity, 500)
    assert judged(sanity_of((X[:, 0] > 0.5).astype(int), neighbours(X)), 500) == ""


def test_clusters_that_are_too_small_are_refused() -> None:
    X = np.vstack([blobs()[0], [[1e4] * 4, [-1e4] * 4]])
    splits = loco(X, ks=[3])
    assert not splits[0].accepted
    assert "smallest cluster has 1 rows" in splits[0].reason


def test_the_same_clusters_twice_are_taken_once() -> None:
    first, second = loco(blobs()[0], ks=[3], seeds=(0, 1))
    assert first.accepted
    assert not second.accepted
    assert "seed 0" in second.reason


def test_fewer_different_rows_than_clusters_are_a_reason_not_a_crash() -> None:
    X = np.repeat(np.random.default_rng(0).random((3, 2)), 10, axis=0)
    assert [split.accepted for split in loco(X, ks=[3, 4])] == [True, False]
    assert "fewer than 4 different rows" in loco(X, ks=[4])[0].reason


def test_groups_are_left_out_one_by_one() -> None:
    X, blob = blobs()
    labs = np.array(["NIST", "Basel", "Kyoto"])[blob]
    split = by_group(X, labs, name="group: lab")
    assert split.labels == ("Basel", "Kyoto", "NIST")
    for label, (train, test) in zip(split.labels, split.folds, strict=True):
        assert set(labs[test]) == {label}
        assert label not in labs[train]


def test_many_groups_are_dealt_out_whole() -> None:
    X, _ = blobs()
    papers = np.arange(90) // 3
    split = by_group(X, papers)
    assert split.k == 10
    for train, test in split.folds:
        assert not set(papers[train]) & set(papers[test])


def test_time_is_predicted_from_the_past_alone() -> None:
    X, _ = blobs()
    year = np.repeat([2001, 2005, 2006, 2010], [5, 30, 25, 30])
    split = ordered_groups(X, year)
    assert split.labels == ("2006", "2010")
    for train, test in split.folds:
        assert year[train].max() < year[test].min()
    assert len(split.folds[1][0]) == 60


def test_many_moments_are_joined_to_blocks_in_order() -> None:
    X, _ = blobs()
    split = ordered_groups(X, np.random.default_rng(0).permutation(90) * 1.5)
    assert 5 <= split.k <= 10


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda X: by_group(X, ["a"] * 90), "one group"),
        (lambda X: by_group(X, ["a", "b"]), "2 group entries for 90 rows"),
        (lambda X: ordered_groups(X, ["soon"] * 90), "numbers"),
        (lambda X: ordered_groups(X, [np.nan] * 90), "none missing"),
        (lambda X: ordered_groups(X, [1] * 90), "10 rows before"),
        (lambda X: shuffled(X[:3], k=5), "dealt out to 5 folds"),
    ],
)
def test_columns_that_hold_nothing_out_are_refused(call, words: str) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  six kinds of call
    with pytest.raises(ValueError, match=words):
        call(blobs()[0])


def test_units_are_dealt_evenly() -> None:
    sizes = np.array([50, 1, 1, 1, 30, 20, 10])
    fold = dealt(sizes, 3, np.random.default_rng(0))
    assert sorted(np.bincount(fold, sizes)) == [31, 32, 50]


def test_a_partition_names_its_folds() -> None:
    X, blob = blobs()
    split = partition("by-hand", blob, neighbours(X), seed=4)
    assert (split.k, split.name, split.labels[2]) == (3, "by-hand-3-4", "by-hand 3")
