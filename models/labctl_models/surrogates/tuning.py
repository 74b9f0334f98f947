"""Tuning inside the training rows: inner folds that hold out whole clusters of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labctl_models.surrogates.clusters import kmeans, standardised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

INNER_CLUSTERS = (3, 2)
FEWEST_TO_TUNE = 15
SMALLEST_INNER = 5
FEW_RESTARTS = 2


def inner_folds(X: Array, seed: int) -> tuple[NDArray[np.intp], str]:
    """Fold number (n,) of each training row, and a remark, empty when the folds are clusters.

    Three k-means clusters of the training rows, or two; a third of them at random where no clusters of
    five rows and more can be had. With fewer than 15 rows there is one fold, which means: do not tune.
    """
    n = len(X)
    if n < FEWEST_TO_TUNE:
        return np.zeros(n, dtype=np.intp), "Too few rows to tune on; the middle setting is used."
    Z = standardised(X)
    for k in INNER_CLUSTERS:
        try:
            labels = kmeans(Z, k, seed, restarts=FEW_RESTARTS)
        except ValueError:
            continue
        if np.bincount(labels, minlength=k).min() >= SMALLEST_INNER:
            return labels, ""
    shuffled = np.random.default_rng(seed).permutation(n) % 3
    return shuffled.astype(np.intp), "The rows form no clusters large enough; tuned on shuffled thirds."


def tune(
    X: Array,
    settings: Sequence[float],
    seed: int,
    losses: Callable[[NDArray[np.intp], NDArray[np.intp]], Array],
) -> tuple[float, tuple[str, ...]]:
    """The setting with the least loss over the inner folds, and remarks; of equals the first.

    `losses(train, test)` fits every setting to the rows `train` and gives the mean loss of each on `test`.
    Each inner cluster counts the same, however many rows it has, as in the outer comparison.
    """
    folds, remark = inner_folds(X, seed)
    middle = settings[len(settings) // 2]
    remarks = (remark,) if remark else ()
    numbers = np.unique(folds)
    if len(numbers) == 1:
        return middle, remarks
    found = [losses(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in numbers]
    mean = np.mean(found, axis=0)
    if not np.isfinite(mean).all():
        return middle, (*remarks, "Tuning gave no finite losses; the middle setting is used.")
    return settings[int(np.argmin(mean))], remarks
