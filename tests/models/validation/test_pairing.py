"""Paired differences: their value by hand, and a standard error that holds what it says."""

import math

import numpy as np
import pytest

from labctl_models.surrogates.protocol import Array
from labctl_models.validation.folds import Split, partition
from labctl_models.validation.heldout import HeldOut, Task, gathered
from labctl_models.validation.pairing import Difference, paired
from labctl_models.validation.scores import scores


def split_of(fold: np.ndarray) -> Split:
    return partition("loco", fold, np.roll(np.arange(len(fold)), 1), seed=0)


def predicted(split: Split, mean: Array) -> HeldOut:
    return gathered(split, [(mean[test], np.ones(len(test)), None) for _, test in split.folds], 0.0)


def test_the_gain_is_the_difference_of_the_headline_scores() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal(60)
    splits = [split_of(np.arange(60) % k) for k in (2, 3, 3, 7)]
    one = {s: predicted(s, y + rng.standard_normal(60)) for s in splits}
    other = {s: predicted(s, y + 2 * rng.standard_normal(60)) for s in splits}
    task = Task(y)
    found = paired(task, one, other)
    assert found.gain == pytest.approx(scores(task, other).over_clusters - scores(task, one).over_clusters)
    back = paired(task, other, one)
    assert (back.gain, back.standard_error) == pytest.approx((-found.gain, found.standard_error))
    assert found.clusters == 7


def test_of_equal_clusters_it_is_the_textbook_paired_error() -> None:
    rng = np.random.default_rng(1)
    y, fold = np.zeros(50), np.repeat(np.arange(10), 5)
    split = split_of(fold)
    a, b = rng.random(50), rng.random(50)
    found = paired(Task(y), {split: predicted(split, a)}, {split: predicted(split, b)})
    differences = (b - a).reshape(10, 5).mean(axis=1)
    assert found.standard_error == pytest.approx(differences.std(ddof=1) / math.sqrt(10))


def test_repeating_a_split_does_not_make_it_surer() -> None:
    rng = np.random.default_rng(2)
    fold, a, b = np.repeat(np.arange(6), 8), rng.random(48), rng.random(48)
    once, again = split_of(fold), split_of(fold)
    single = paired(Task(np.zeros(48)), {once: predicted(once, a)}, {once: predicted(once, b)})
    double = paired(
        Task(np.zeros(48)),
        {once: predicted(once, a), again: predicted(again, a)},
        {once: predicted(once, b), again: predicted(again, b)},
    )
    assert double.standard_error == pytest.approx(single.standard_error)


def test_two_standard_errors_are_rarely_passed_by_chance_though_clusters_err_together() -> None:
    rng = np.random.default_rng(3)
    fold = np.repeat(np.arange(10), 10)
    split, finer = split_of(fold // 2), split_of(fold)
    wins = 0
    for _ in range(400):
        shared = rng.standard_normal(10)[fold]  # what a whole cluster errs
        a = 5 + shared + 0.3 * rng.standard_normal(100)
        b = 5 + rng.standard_normal(10)[fold] + 0.3 * rng.standard_normal(100)
        found = paired(
            Task(np.zeros(100)),
            {split: predicted(split, a), finer: predicted(finer, a)},
            {split: predicted(split, b), finer: predicted(finer, b)},
        )
        wins += found.beats(2.0)
    assert wins / 400 < 0.07  # t with 9 degrees of freedom: 3.8 %


def test_few_clusters_need_more() -> None:
    assert Difference(3.0, 1.0, 10).beats(2.0)
    assert not Difference(3.0, 1.0, 3).beats(2.0)
    assert Difference(5.0, 1.0, 3).beats(2.0)
    assert not Difference(1.0, math.nan, 1).beats(2.0)
    assert not Difference(-9.0, 1.0, 10).beats(2.0)
    assert Difference(3.0, 1.5, 10).standard_errors == 2.0


def test_candidates_without_a_common_split_cannot_be_compared() -> None:
    split = split_of(np.array([0, 0, 1, 1]))
    with pytest.raises(ValueError, match="no split in common"):
        paired(Task(np.zeros(4)), {split: predicted(split, np.zeros(4))}, {})
