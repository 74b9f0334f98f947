"""The stack and the nested choice, made from the held-out predictions of a race at no further cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.surrogates.stack import mixture, simplex_weights
from labctl_models.validation.candidates import STACK
from labctl_models.validation.heldout import HeldOut, losses
from labctl_models.validation.race import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array
    from labctl_models.validation.folds import Split
    from labctl_models.validation.heldout import Task

    Index: TypeAlias = NDArray[np.intp]


def stacked(task: Task, entries: Sequence[Entry], splits: Sequence[Split]) -> tuple[Entry, dict[str, float]]:
    """The stack of the entries as an entry of its own, and its weights on the whole of the last kind.

    For each held-out fold the weights minimise the squared error (of classes, of their probabilities) on the
    other folds of the same split, each fold counting the same; the fold itself has no say. The members'
    predictions of those other folds come from models that had this fold among their training rows. Nesting
    that too would cost folds² fits; what leaks is a preference among a few members, no outcome of a row.
    `labctl_models.surrogates.stack.Stack`, which a campaign fits, nests fully.
    """
    began = time.process_time()
    found: dict[Split, HeldOut] = {}
    for split in splits:
        members = [entry.held_out[split] for entry in entries]
        fold = members[0].fold
        means, variances, truth, rows = _columns(task, members)
        mean, variance = np.empty(means.shape[:-1]), np.empty(means.shape[:-1])
        share = 1.0 / np.bincount(fold)[fold]
        for j in np.unique(fold):
            others, inside = fold != j, fold == j
            weights = _weights(means[others], truth[others], share[others])
            for column in range(means.shape[1]):
                block = (means[inside, column], variances[inside, column])
                mean[inside, column], variance[inside, column] = mixture(weights, *block)
        found[split] = _held_out(task, mean, variance, rows, fold)
    last = [split for split in splits if split.kind == splits[-1].kind]
    total = np.zeros(len(entries))
    for split in last:
        means, _, truth, _ = _columns(task, [entry.held_out[split] for entry in entries])
        fold = entries[0].held_out[split].fold
        total += _weights(means, truth, 1.0 / np.bincount(fold)[fold])
    named = {entry.name: float(w) for entry, w in zip(entries, total / len(last), strict=True)}
    cpu_s = time.process_time() - began
    return Entry(STACK, baseline=False, held_out=found, cpu_s=cpu_s, status="finished"), named


def _columns(task: Task, members: list[HeldOut]) -> tuple[Array, Array, Array, Index]:
    """Means and variances (m x columns x members), truth (m x columns), and rows; a column per class."""
    rows = members[0].rows
    if task.classes:
        means = np.stack([_probability(member) for member in members], axis=-1)
        return means, np.zeros_like(means), np.eye(task.classes)[task.labels[rows]], rows
    means = np.column_stack([member.mean for member in members])[:, None]
    variances = np.column_stack([member.sd**2 for member in members])[:, None]
    return means, variances, task.y[rows][:, None], rows


def _probability(member: HeldOut) -> Array:
    if member.probability is None:
        raise ValueError("a candidate for classes gave no probabilities")
    return member.probability


def _weights(means: Array, truth: Array, share: Array) -> Array:
    columns = truth.shape[1]
    return simplex_weights(means.reshape(-1, means.shape[-1]), truth.reshape(-1), np.repeat(share, columns))


def _held_out(task: Task, mean: Array, variance: Array, rows: Index, fold: Index) -> HeldOut:
    if task.classes:
        label = mean.argmax(axis=1).astype(np.float64)
        return HeldOut(rows, fold, label, 1.0 - mean.max(axis=1), mean, 0.0)
    return HeldOut(rows, fold, mean[:, 0], np.sqrt(variance[:, 0]), None, 0.0)


def nested_choice(task: Task, entries: Mapping[str, Mapping[Split, HeldOut]]) -> float:
    """Mean error over clusters of always taking the entry that is best on the other clusters of a split.

    What is above the best entry's own error is the optimism of having chosen it by the same score.
    """
    splits = list(next(iter(entries.values())))
    by_k: dict[int, list[float]] = {}
    for split in splits:
        folds = []
        for held_out in entries.values():
            found = held_out[split]
            folds.append(np.bincount(found.fold, losses(task, found)) / np.bincount(found.fold))
        errors = np.array(folds)
        others = errors.sum(axis=1, keepdims=True) - errors
        taken = errors[np.argmin(others, axis=0), np.arange(errors.shape[1])]
        by_k.setdefault(split.k, []).append(float(taken.mean()))
    return float(np.mean([np.mean(values) for values in by_k.values()]))
