"""Paired differences between candidates on the same folds, with a standard error that clusters decide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm, t

from labctl_models.validation.heldout import losses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl_models.surrogates.protocol import Array
    from labctl_models.validation.folds import Split
    from labctl_models.validation.heldout import HeldOut, Task


FEW_CLUSTERS = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much one candidate's mean error is below another's, on the same folds.

    Attributes:
        gain: Mean error of the other less that of the one; positive when the one is better.
        standard_error: Of the gain; NaN when there are not two clusters to compare.
        clusters: How many clusters the standard error rests on.
    """

    gain: float
    standard_error: float
    clusters: int

    @property
    def standard_errors(self) -> float:
        """The gain in standard errors; an exact tie counts 0."""
        if self.gain == 0.0:
            return 0.0
        return self.gain / self.standard_error if self.standard_error > 0.0 else math.nan

    def beats(self, by: float) -> bool:
        """Whether the gain is above `by` standard errors; never without a standard error."""
        return self.gain > 0.0 and self.gain > self.needed(by)

    def needed(self, by: float) -> float:
        """The gain from which on one is told from chance at `by` standard errors; NaN without any.

        With fewer than 5 clusters the standard error is hardly known itself, and `by` is replaced by the
        quantile of Student's t of the same level: 2 becomes 4.5 for three clusters.
        """
        if 2 <= self.clusters < FEW_CLUSTERS:  # noqa: PLR2004  one cluster has no spread
            by = float(t.ppf(norm.cdf(by), self.clusters - 1))
        return by * self.standard_error


def paired(task: Task, one: Mapping[Split, HeldOut], other: Mapping[Split, HeldOut]) -> Difference:
    """Compare two candidates on the splits that both have, weighting as the headline score does.

    Rows, hence clusters of different splits, are predicted again and again, so the folds of all splits are
    no independent trials. Each row's weighted differences are first added up over splits, giving Σ_i c_i with
    weights ω_i; rows are then summed within the clusters g of the split with most folds, and
    SE² = G / (G - 1) Σ_g (Σ_{i in g} (c_i - ω_i gain))²: the cluster-robust variance of a weighted mean.

    Raises:
        ValueError: no split is common to both.
    """
    shared = [split for split in one if split in other]
    if not shared:
        raise ValueError("the candidates have no split in common")
    n = len(task.y)
    gain, weight = np.zeros(n), np.zeros(n)
    ks = {split.k: sum(s.k == split.k for s in shared) for split in shared}
    for split in shared:
        a, b = one[split], other[split]
        share = 1.0 / (len(ks) * ks[split.k] * len(np.unique(a.fold)))
        each = share / np.bincount(a.fold)[a.fold]
        np.add.at(gain, a.rows, each * (losses(task, b) - losses(task, a)))
        np.add.at(weight, a.rows, each)
    total = float(gain.sum())
    finest = one[max(shared, key=lambda split: split.k)]
    by_row = gain - weight * total
    sums = _sums(by_row, finest)
    count = len(sums)
    if count < 2:  # noqa: PLR2004  one cluster has no spread
        return Difference(total, math.nan, count)
    variance = count / (count - 1) * float(np.sum(sums**2))
    return Difference(total, math.sqrt(variance), count)


def _sums(by_row: Array, finest: HeldOut) -> Array:
    """Sums within the finest split's folds; a row in several goes with the first of them."""
    cluster = np.full(len(by_row), finest.fold.max() + 1)
    cluster[finest.rows[::-1]] = finest.fold[::-1]
    sums = np.bincount(cluster, by_row)
    return np.asarray(sums[np.bincount(cluster) > 0], dtype=np.float64)
