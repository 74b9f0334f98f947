"""What predictions of held-out rows are worth, over rows, over clusters and at the worst."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from labctl_models.validation.heldout import losses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array
    from labctl_models.validation.folds import Split
    from labctl_models.validation.heldout import HeldOut, Task

FEWEST_TO_RANK = 3


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores on the splits of one kind; each split counts the same within its k, and each k the same.

    For classes an "error" is 1 for a wrong class, weighted so that every class counts the same.

    Attributes:
        splits: How many splits these scores are the mean of.
        over_clusters: Mean error: unweighted over the clusters of a split, then over splits.
        by_k: The same for each number of clusters.
        pooled: Mean error over all held-out rows of a split, hence weighted by the clusters' sizes.
        worst: Mean error of the worst cluster of any split.
        worst_fold: Which cluster that is, as split and label.
        numbers: For numbers "mae", "rmse", "rmse_over_clusters", "r2" and "spearman"; for classes
            "balanced_accuracy", "mcc", "pr_auc", "majority_rate" and "brier". All pooled over the rows of
            a split, but for the rank correlation, which is taken within folds: between folds even the
            training mean ranks rows, wrongly.
    """

    splits: int
    over_clusters: float
    by_k: Mapping[int, float]
    pooled: float
    worst: float
    worst_fold: str
    numbers: Mapping[str, float]


def scores(task: Task, held_out: Mapping[Split, HeldOut]) -> Scores:
    """Scores of one candidate on splits of one kind.

    Raises:
        ValueError: there is no split.
    """
    if not held_out:
        raise ValueError("there is no split to score on")
    by_k: dict[int, list[tuple[float, float, dict[str, float]]]] = {}
    worst, worst_fold = -math.inf, ""
    for split, found in held_out.items():
        loss = losses(task, found)
        folds = _fold_means(loss, found.fold)
        if folds.max() > worst:
            worst, worst_fold = float(folds.max()), f"{split.name}: {split.labels[int(folds.argmax())]}"
        numbers = _classes(task, found) if task.classes else _numbers(task, found)
        by_k.setdefault(split.k, []).append((float(folds.mean()), float(loss.mean()), numbers))
    over = {k: float(np.mean([one for one, _, _ in found])) for k, found in sorted(by_k.items())}
    pooled = float(np.mean([np.mean([one for _, one, _ in found]) for found in by_k.values()]))
    names = next(iter(by_k.values()))[0][2]
    means = {
        name: float(np.mean([np.mean([one[name] for _, _, one in found]) for found in by_k.values()]))
        for name in names
    }
    return Scores(len(held_out), float(np.mean(list(over.values()))), over, pooled, worst, worst_fold, means)


def _fold_means(loss: Array, fold: NDArray[np.intp]) -> Array:
    return np.asarray(np.bincount(fold, loss) / np.bincount(fold), dtype=np.float64)


def _numbers(task: Task, found: HeldOut) -> dict[str, float]:
    truth = task.y[found.rows]
    error = found.mean - truth
    # About the mean of what was held out, in the pool: a cluster of its own may hardly vary.
    total = float(np.sum((truth - truth.mean()) ** 2))
    return {
        "mae": float(np.mean(np.abs(error))),
        "rmse": math.sqrt(np.mean(error**2)),
        "rmse_over_clusters": float(np.mean(np.sqrt(_fold_means(error**2, found.fold)))),
        "r2": 1.0 - float(np.sum(error**2)) / total if total > 0.0 else math.nan,
        "spearman": _rank_correlation(truth, found.mean, found.fold),
    }


def _rank_correlation(truth: Array, mean: Array, fold: NDArray[np.intp]) -> float:
    """Spearman's correlation within folds, weighted by their rows; 0 where the prediction is constant."""
    total, weight = 0.0, 0
    for j in np.unique(fold):
        inside = fold == j
        size = int(inside.sum())
        if size < FEWEST_TO_RANK or np.ptp(truth[inside]) == 0.0:
            continue
        total += size * correlation(rankdata(truth[inside]), rankdata(mean[inside]))
        weight += size
    return total / weight if weight else math.nan


def correlation(a: Array, b: Array) -> float:
    """Pearson's correlation of a and b (n,); 0 when one of them does not vary."""
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 0.0 else 0.0


def _classes(task: Task, found: HeldOut) -> dict[str, float]:
    truth = task.labels[found.rows]
    table = np.zeros((task.classes, task.classes))
    np.add.at(table, (truth, found.mean.astype(np.intp)), 1.0)
    shares = table.sum(axis=1) / table.sum()
    present = shares > 0.0
    recall = np.diagonal(table)[present] / table.sum(axis=1)[present]
    probability = found.probability if found.probability is not None else np.eye(task.classes)[truth]
    # Of two classes the second is the one looked for; of more, each in turn.
    sought = [1] if task.classes == 2 else [c for c in range(task.classes) if present[c]]  # noqa: PLR2004  two classes
    return {
        "balanced_accuracy": float(recall.mean()),
        "mcc": matthews(table),
        "pr_auc": float(np.mean([average_precision(truth == c, probability[:, c]) for c in sought])),
        "majority_rate": float(shares.max()),
        "brier": float(np.mean(np.sum((probability - np.eye(task.classes)[truth]) ** 2, axis=1))),
    }


def matthews(table: Array) -> float:
    """Matthews' correlation of a table truth x prediction, for any number of classes; 0 if one is constant.

    Gorodkin, Comput. Biol. Chem. 28, 367 (2004).
    """
    total = float(table.sum())
    truth, predicted = table.sum(axis=1), table.sum(axis=0)
    shared = float(np.trace(table)) * total - float(truth @ predicted)
    size = math.sqrt((total**2 - float(predicted @ predicted)) * (total**2 - float(truth @ truth)))
    return shared / size if size > 0.0 else 0.0


def average_precision(positive: NDArray[np.bool_], score: Array) -> float:
    """Area under precision against recall, Σ (R_i - R_i-1) P_i over falling scores; NaN without positives."""
    count = int(positive.sum())
    if count == 0:
        return math.nan
    order = np.argsort(-score, kind="stable")
    hit, ranked = np.cumsum(positive[order]), score[order]
    # Rows of one score come together: only the last of them is a threshold.
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    recall, precision = hit[last] / count, hit[last] / (last + 1)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))
