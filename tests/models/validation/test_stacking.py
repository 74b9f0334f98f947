"""The stack of a race: no fold has a say in its own weights, and the nested choice is no flatterer."""

import numpy as np
import pytest

from labctl_models.surrogates.gp_isotropic import IsotropicGaussianProcess
from labctl_models.surrogates.mean import TrainingMean
from labctl_models.surrogates.protocol import Array
from labctl_models.surrogates.ridge import Ridge
from labctl_models.surrogates.stack import Stack
from labctl_models.validation.folds import Split, partition
from labctl_models.validation.heldout import HeldOut, Task, gathered
from labctl_models.validation.race import Entry
from labctl_models.validation.scores import scores
from labctl_models.validation.stacking import nested_choice, stacked


def split_of(fold: np.ndarray) -> Split:
    return partition("loco", fold, np.roll(np.arange(len(fold)), 1), seed=0)


def entry(name: str, split: Split, mean: Array, sd: float = 1.0, probability: Array | None = None) -> Entry:
    parts = [
        (mean[t], np.full(len(t), sd), None if probability is None else probability[t])
        for _, t in split.folds
    ]
    held_out: HeldOut = gathered(split, parts, 0.0)
    return Entry(name, baseline=False, held_out={split: held_out}, cpu_s=0.0, status="finished")


def test_a_fold_has_no_say_in_its_own_weights() -> None:
    rng = np.random.default_rng(0)
    y, fold = rng.standard_normal(60), np.repeat(np.arange(6), 10)
    split = split_of(fold)
    one, two = y + rng.standard_normal(60), y + 2 * rng.standard_normal(60)
    members = [entry("a", split, one), entry("b", split, two)]
    before, _ = stacked(Task(y), members, [split])
    changed = y.copy()
    changed[fold == 2] += 100.0
    after, _ = stacked(Task(changed), members, [split])
    inside = before.held_out[split].fold == 2
    np.testing.assert_array_equal(before.held_out[split].mean[inside], after.held_out[split].mean[inside])
    assert not np.allclose(before.held_out[split].mean, after.held_out[split].mean)


def test_of_two_independent_errors_the_stack_is_better_than_either() -> None:
    rng = np.random.default_rng(1)
    y, split = rng.standard_normal(400), split_of(np.repeat(np.arange(8), 50))
    members = [
        entry("a", split, y + rng.standard_normal(400)),
        entry("b", split, y + 0.8 * rng.standard_normal(400)),
    ]
    stack, weights = stacked(Task(y), members, [split])
    errors = [scores(Task(y), e.held_out).numbers["rmse"] for e in (*members, stack)]
    assert errors[2] < min(errors[:2]) - 0.05
    # Inverse variances: 0.64 / 1.64 to a.
    assert weights["a"] == pytest.approx(0.39, abs=0.05)
    assert sum(weights.values()) == pytest.approx(1.0)


def test_disagreement_is_in_the_sd() -> None:
    y, split = np.tile([0.0, 1.0], 20), split_of(np.repeat(np.arange(4), 10))
    members = [entry("a", split, y + 3.0, 0.5), entry("b", split, y - 3.0, 0.5)]
    stack, _ = stacked(Task(y), members, [split])
    np.testing.assert_allclose(stack.held_out[split].sd ** 2, 0.25 + 9.0, rtol=1e-6)


def test_classes_are_stacked_by_probability() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 90)
    right = np.eye(3)[truth] * 0.7 + 0.1
    wrong = rng.dirichlet(np.ones(3), 90)
    split = split_of(np.repeat(np.arange(3), 30))
    members = [
        entry("good", split, right.argmax(axis=1).astype(float), 0.3, right),
        entry("bad", split, wrong.argmax(axis=1).astype(float), 0.3, wrong),
    ]
    stack, weights = stacked(Task(truth.astype(float), 3), members, [split])
    found = stack.held_out[split]
    assert weights["good"] > 0.9
    assert found.probability is not None
    np.testing.assert_allclose(found.probability.sum(axis=1), 1.0)
    assert scores(Task(truth.astype(float), 3), stack.held_out).numbers["balanced_accuracy"] > 0.99


def test_the_shortcut_differs_little_from_full_nesting() -> None:
    rng = np.random.default_rng(3)
    fold = np.repeat(np.arange(5), 12)
    X = np.clip(rng.random((5, 3))[fold] * 0.8 + 0.1 * rng.random((60, 3)), 0, 1)
    y = 4 * X[:, 0] + np.sin(6 * X[:, 1]) + 0.1 * rng.standard_normal(60)
    split, task = split_of(fold), Task(y)
    makers = (
        ("mean", TrainingMean()),
        ("ridge", Ridge()),
        ("gp", IsotropicGaussianProcess()),
    )
    entries = []
    for name, maker in makers:
        mean = np.empty(60)
        for train, test in split.folds:
            mean[test] = maker.fit(X[train], y[train], seed=0).predict(X[test]).mean
        entries.append(entry(name, split, mean))
    quick, _ = stacked(task, entries, [split])
    nested = np.empty(60)
    for train, test in split.folds:
        nested[test] = Stack(makers).fit(X[train], y[train], seed=0).predict(X[test]).mean
    one = scores(task, quick.held_out).over_clusters
    full = scores(task, entry("nested", split, nested).held_out).over_clusters
    worst = max(scores(task, e.held_out).over_clusters for e in entries)
    assert abs(one - full) < 0.25 * worst


def test_choosing_among_equals_is_seen_to_flatter() -> None:
    rng = np.random.default_rng(4)
    optimism = []
    for _ in range(20):
        split = split_of(np.repeat(np.arange(6), 5))
        found = {
            f"m{i}": {split: entry("", split, rng.standard_normal(30)).held_out[split]} for i in range(8)
        }
        task = Task(np.zeros(30))
        best = min(scores(task, one).over_clusters for one in found.values())
        optimism.append(nested_choice(task, found) - best)
    assert np.mean(optimism) > 0.05
    split = split_of(np.repeat(np.arange(6), 5))
    sure = {
        "good": entry("", split, np.zeros(30)).held_out,
        "bad": entry("", split, np.ones(30)).held_out,
    }
    assert nested_choice(Task(np.zeros(30)), sure) == 0.0
