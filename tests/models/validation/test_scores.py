"""Scores against scikit-learn and by hand."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn import metrics

from labctl_models.surrogates.protocol import Array
from labctl_models.validation.folds import Split, folds_of, partition
from labctl_models.validation.heldout import HeldOut, Task, gathered, losses
from labctl_models.validation.scores import average_precision, matthews, scores


def split_of(fold: np.ndarray, kind: str = "loco") -> Split:
    return partition(kind, fold, np.roll(np.arange(len(fold)), 1), seed=0)


def predicted(split: Split, mean: Array, probability: Array | None = None) -> HeldOut:
    parts = [
        (mean[t], np.ones(len(t)), None if probability is None else probability[t]) for _, t in split.folds
    ]
    return gathered(split, parts, 0.0)


def test_clusters_count_the_same_and_the_pool_by_rows() -> None:
    fold = np.array([0, 0, 0, 0, 1])
    y, mean = np.array([0.0, 1.0, 2.0, 3.0, 9.0]), np.array([1.0, 2.0, 3.0, 4.0, 2.0])
    split = split_of(fold)
    found = scores(Task(y), {split: predicted(split, mean)})
    assert found.over_clusters == pytest.approx((1 + 7) / 2)
    assert found.pooled == pytest.approx(11 / 5)
    assert (found.worst, found.worst_fold) == (7.0, "loco-2-0: loco 2")
    assert found.numbers["rmse_over_clusters"] == pytest.approx(4.0)
    assert found.numbers["r2"] == pytest.approx(metrics.r2_score(y, mean))
    assert found.numbers["rmse"] == pytest.approx(metrics.root_mean_squared_error(y, mean))
    assert found.numbers["mae"] == pytest.approx(metrics.mean_absolute_error(y, mean))


def test_every_k_counts_the_same_however_many_seeds_it_has() -> None:
    y = np.arange(6.0)
    two, three = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    a, b, c = split_of(two), split_of(two), split_of(three)
    held_out = {a: predicted(a, y + 1), b: predicted(b, y + 3), c: predicted(c, y + 10)}
    found = scores(Task(y), held_out)
    assert found.by_k == {2: 2.0, 3: 10.0}
    assert found.over_clusters == 6.0
    assert found.splits == 3


def test_ranks_are_compared_within_folds() -> None:
    rng = np.random.default_rng(0)
    fold, y = np.repeat([0, 1], 20), rng.standard_normal(40)
    mean = y + rng.standard_normal(40)
    split = split_of(fold)
    expected = np.mean([spearmanr(y[fold == j], mean[fold == j]).statistic for j in (0, 1)])
    assert scores(Task(y), {split: predicted(split, mean)}).numbers["spearman"] == pytest.approx(expected)
    # The training mean differs from fold to fold, and against the order of the folds: no skill, not -1.
    y = y + 5.0 * fold
    constant = np.where(fold == 0, y[fold == 1].mean(), y[fold == 0].mean())
    assert scores(Task(y), {split: predicted(split, constant)}).numbers["spearman"] == 0.0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4))
def test_class_scores_are_scikit_learns(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    truth = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    probability = rng.dirichlet(np.ones(classes), n).round(1)
    probability /= probability.sum(axis=1, keepdims=True)
    label = probability.argmax(axis=1)
    split = split_of(np.arange(n) % 4)
    task = Task(truth.astype(float), classes)
    found = scores(task, {split: predicted(split, label.astype(float), probability)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balanced = metrics.balanced_accuracy_score(truth, label)
        correlation = metrics.matthews_corrcoef(truth, label)
        sought = [1] if classes == 2 else range(classes)
        area = np.mean([metrics.average_precision_score(truth == c, probability[:, c]) for c in sought])
    assert found.numbers["balanced_accuracy"] == pytest.approx(balanced)
    assert found.numbers["mcc"] == pytest.approx(correlation)
    assert found.numbers["pr_auc"] == pytest.approx(area)
    assert found.numbers["majority_rate"] == pytest.approx(np.bincount(truth).max() / n)
    assert found.pooled == pytest.approx(1 - balanced)


def test_naming_the_majority_gains_nothing() -> None:
    truth = np.array([1.0] * 90 + [0.0] * 10)
    split = split_of(np.arange(100) % 5)
    found = predicted(split, np.ones(100), np.tile([0.1, 0.9], (100, 1)))
    assert losses(Task(truth, 2), found).mean() == pytest.approx(0.5)
    result = scores(Task(truth, 2), {split: found}).numbers
    assert (result["balanced_accuracy"], result["mcc"], result["majority_rate"]) == (0.5, 0.0, 0.9)


def test_edges_of_the_class_scores() -> None:
    assert matthews(np.array([[3.0, 0.0], [0.0, 4.0]])) == 1.0
    assert math.isnan(average_precision(np.zeros(3, dtype=bool), np.arange(3.0)))
    assert average_precision(np.array([True, False]), np.array([0.5, 0.5])) == 0.5


def test_without_a_split_there_is_no_score() -> None:
    with pytest.raises(ValueError, match="no split"):
        scores(Task(np.arange(3.0)), {})


def test_rows_in_several_folds_keep_their_places() -> None:
    folds = ((np.array([0, 1]), np.array([2, 3])), (np.array([0]), np.array([3, 1])))
    split = Split("element", 2, 0, folds, ("O", "S"), None, accepted=True)
    found = gathered(
        split, [(np.array([1.0, 2.0]), np.ones(2), None), (np.array([3.0, 4.0]), np.ones(2), None)], 0.0
    )
    np.testing.assert_array_equal(found.rows, [2, 3, 3, 1])
    np.testing.assert_array_equal(losses(Task(np.array([0.0, 4.0, 1.0, 2.0])), found), [0, 0, 1, 0])
    assert len(folds_of(np.array([5, 9, 5]))) == 2
