"""Predictions of rows whose fold a model has not seen, and what each of them cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array
    from labctl_models.validation.folds import Split


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be predicted: numbers, or `classes` classes.

    Attributes:
        y: (n,) outcomes; for classes their numbers 0 .. classes - 1.
        classes: How many classes; 0 for numbers.
    """

    y: Array
    classes: int = 0

    @property
    def labels(self) -> NDArray[np.intp]:
        """(n,) the class numbers as whole numbers."""
        return self.y.astype(np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Predictions of m held-out rows on one split; m = n unless a row is in several folds, or in none.

    Attributes:
        rows: (m,) which row is predicted.
        fold: (m,) the fold in which it was held out.
        mean: (m,) the prediction; for classes the number of the most probable one.
        sd: (m,) sd of a reading about it, noise included; for classes the probability of any other class.
        probability: (m x classes), or None for numbers.
        cpu_s: Processor seconds of fits and predictions.
    """

    rows: NDArray[np.intp]
    fold: NDArray[np.intp]
    mean: Array
    sd: Array
    probability: Array | None
    cpu_s: float


def losses(task: Task, held_out: HeldOut) -> Array:
    """Loss (m,) of each prediction: the absolute error, or 1 for a wrong class.

    Wrong classes are weighted so that each class counts the same in the whole table: the mean over all rows
    is 1 - balanced accuracy, and naming the majority gains nothing.
    """
    truth = task.y[held_out.rows]
    if not task.classes:
        return np.abs(held_out.mean - truth)
    counts = np.bincount(task.labels, minlength=task.classes)
    present = int((counts > 0).sum())
    weight = len(task.y) / (present * np.maximum(counts, 1))
    return np.asarray((held_out.mean != truth) * weight[truth.astype(np.intp)], dtype=np.float64)


def gathered(split: Split, parts: Sequence[tuple[Array, Array, Array | None]], cpu_s: float) -> HeldOut:
    """The predictions of all folds of a split as one; parts are (mean, sd, probability) of each fold."""
    tests = [test for _, test in split.folds]
    probabilities = [probability for _, _, probability in parts if probability is not None]
    return HeldOut(
        rows=np.concatenate(tests),
        fold=np.repeat(np.arange(len(tests)), [len(test) for test in tests]),
        mean=np.concatenate([mean for mean, _, _ in parts]),
        sd=np.concatenate([sd for _, sd, _ in parts]),
        probability=np.concatenate(probabilities) if probabilities else None,
        cpu_s=cpu_s,
    )
