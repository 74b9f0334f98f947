"""Leakage tests on tables whose leak is known."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from labctl_models.surrogates.clusters import nearest_other, standardised
from labctl_models.surrogates.protocol import Array
from labctl_models.validation.folds import folds_of, partition
from labctl_models.validation.heldout import Task, gathered
from labctl_models.validation.leakage import ave_bias, leakage, memorisation, smoothness
from labctl_models.validation.splits import neighbours, shuffled


def clustered(seed: int, n: int = 400) -> tuple[Array, np.ndarray, np.ndarray]:
    """Ten blobs in eight columns, well apart, the class decided by the blob alone."""
    rng = np.random.default_rng(seed)
    centres = 2.5 * rng.standard_normal((10, 8))
    blob = rng.integers(0, 10, n)
    return centres[blob] + rng.standard_normal((n, 8)), blob % 2 == 0, blob


def test_ave_is_nothing_on_random_labels() -> None:
    found = []
    for seed in range(10):
        X, _, _ = clustered(seed)
        label = np.random.default_rng(seed).random(400) < 0.5
        found.append(ave_bias(X[:80], label[:80], X[80:], label[80:]).value)
    assert abs(np.mean(found)) < 0.03


def test_ave_is_large_where_the_blob_decides_and_the_split_is_random() -> None:
    found, right = [], []
    for seed in range(8):
        X, label, _ = clustered(seed)
        one = ave_bias(X[:80], label[:80], X[80:], label[80:])
        assert one.value == pytest.approx(one.closed_form, abs=0.02)
        assert one.value == pytest.approx(one.actives + one.inactives)
        found.append(one.value)
        guess = label[80:][cdist(X[:80], X[80:]).argmin(axis=1)]
        right.append((guess == label[:80]).mean())
    assert np.mean(found) == pytest.approx(0.35, abs=0.07)
    assert np.median(right) == 1.0


def test_ave_is_negative_when_blobs_are_held_out_between_their_opposites() -> None:
    # Four blobs on a line, classes in turn; the inner two held out lie next to the other class.
    rng = np.random.default_rng(0)
    blob = np.repeat(np.arange(4), 30)
    X = np.column_stack([10.0 * blob, np.zeros(120)]) + rng.standard_normal((120, 2))
    label, held = blob % 2 == 0, (blob == 1) | (blob == 2)
    found = ave_bias(X[held], label[held], X[~held], label[~held])
    assert found.value < -0.1


def test_ave_equals_its_published_sum() -> None:
    X, label, _ = clustered(1, 60)
    V, v, T, t = X[:25], label[:25], X[25:], label[25:]
    D = cdist(V, T) / cdist(V, T).max()
    grid = np.linspace(0, 1, 51)

    def h(rows: np.ndarray, columns: np.ndarray) -> float:
        near = D[np.ix_(rows, columns)].min(axis=1)
        return float(np.mean([(near < d).mean() for d in grid]))

    value = h(v, t) - h(v, ~t) + h(~v, ~t) - h(~v, t)
    assert ave_bias(V, v, T, t, fewest=1).value == pytest.approx(value)


def test_ave_of_a_small_class_is_not_given() -> None:
    X, _, _ = clustered(0)
    rare = np.arange(400) % 100 == 0
    assert np.isnan(ave_bias(X[:80], rare[:80], X[80:], rare[80:]).value)


def test_memorisation_sees_lookup_and_its_absence() -> None:
    X, label, blob = clustered(0)
    Z = standardised(X)
    indicator = np.eye(2)[label.astype(int)]
    folds = shuffled(X, seed=0).folds
    known = memorisation(Z, indicator, folds, 1)
    assert known.skill > 0.95
    assert known.p == pytest.approx(1 / 201)
    noise = np.random.default_rng(0).standard_normal((400, 1))
    nothing = memorisation(Z, noise, folds, 1)
    # Two independent readings differ by twice the variance, so the lookup of noise has skill -1.
    assert nothing.skill == pytest.approx(-1.0, abs=0.2)
    assert nothing.p > 0.05
    away = memorisation(Z, indicator, folds_of(blob), 1)
    assert away.skill < 0.5


def test_p_values_of_memorisation_are_uniform_without_a_link() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((40, 2))
    folds = shuffled(X, seed=0).folds
    found = [memorisation(X, rng.standard_normal((40, 1)), folds, 1, seed=s).p for s in range(100)]
    assert np.mean(np.array(found) <= 0.1) <= 0.18


def test_errors_that_grow_with_distance_are_a_leak() -> None:
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(200, 2))
    Z = standardised(X)
    split = shuffled(X, seed=0)
    distance = np.concatenate([cdist(Z[b], Z[a]).min(axis=1) for a, b in split.folds])
    rows = np.concatenate([b for _, b in split.folds])
    task = Task(np.zeros(200))
    sizes = [len(b) for _, b in split.folds]
    ends = np.cumsum(sizes)
    error = distance * rng.uniform(0.9, 1.1, 200)
    parts = [(error[e - s : e], np.ones(s), None) for s, e in zip(sizes, ends, strict=True)]
    held_out = gathered(split, parts, 0.0)
    assert (held_out.rows == rows).all()
    assert smoothness(task, Z, split, held_out) > 0.9


def test_twins_in_training_are_counted() -> None:
    rng = np.random.default_rng(0)
    X = np.repeat(rng.random((30, 3)), 2, axis=0)
    Z = standardised(X)
    own = nearest_other(Z)[0][:, 0]
    apart = partition("by-hand", np.tile([0, 1], 30), neighbours(X), seed=0)
    together = partition("by-hand", np.repeat(np.arange(30) % 2, 2), neighbours(X), seed=0)
    task = Task(rng.standard_normal(60))
    assert leakage(task, Z, apart, own).twins == 1.0
    assert leakage(task, Z, together, own).twins == 0.0
