"""Whether a split lets a model look its answers up: AVE bias, memorisation, smoothness leak, duplicates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from labctl_models.surrogates.clusters import farthest, nearest
from labctl_models.validation.scores import correlation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array
    from labctl_models.validation.folds import Split
    from labctl_models.validation.heldout import HeldOut, Task

THRESHOLDS = 51
FEWEST_OF_A_CLASS = 10
PERMUTATIONS = 200
NEIGHBOURS = (1, 5)
QUANTILES = (0.25, 0.5, 0.75)
TWIN = 1e-6
NEAR_QUANTILE = 0.01


@dataclass(frozen=True, slots=True)
class Ave:
    """Asymmetric validation embedding bias; above 0 nearest-neighbour lookup is rewarded, below 0 punished.

    Attributes:
        value: Sum of the two parts, in [-2, 2]; NaN where a class has fewer than 10 rows on either side.
        actives: H(Va, Ta) - H(Va, Ti): held-out positives nearer to known positives than to negatives.
        inactives: H(Vi, Ti) - H(Vi, Ta): the same of negatives. The parts can cancel, so look at both.
        closed_form: The same in the limit of infinitely many thresholds.
        largest_distance: The distance that counts as 1.
    """

    value: float
    actives: float
    inactives: float
    closed_form: float
    largest_distance: float


NO_AVE = Ave(math.nan, math.nan, math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Memorisation:
    """Skill of looking up the k nearest training rows against predicting the training mean.

    Attributes:
        k: Neighbours averaged.
        skill: 1 - MSE(lookup) / MSE(mean), for classes of their indicators; 1 is perfect, 0 useless.
        null_mean: Its mean when outcomes are permuted among the training rows.
        z: (skill - null mean) / null sd.
        p: Share of permutations that do as well, itself counted in; at least 1 / 201.
    """

    k: int
    skill: float
    null_mean: float
    z: float
    p: float


@dataclass(frozen=True, slots=True)
class Leakage:
    """What the folds of one split give away.

    Attributes:
        ave: AVE bias, mean over folds; of numbers also over the 25 %, 50 % and 75 % quantiles of y, of more
            than two classes over each against the rest (both are conventions of this project).
        memorisation: For 1 and 5 neighbours, pooled over folds.
        smoothness: Rank correlation of a held-out row's distance to the training rows and its absolute
            error; clearly positive means that errors follow distance, as a lookup table's do. NaN for
            classes and without predictions.
        twins: Share of held-out rows with an equal row in training.
        near_twins: Share with a training row nearer than the 1 % quantile of nearest-neighbour distances
            within the table.
    """

    ave: Ave
    memorisation: tuple[Memorisation, ...]
    smoothness: float
    twins: float
    near_twins: float


def ave_bias(
    V: Array, v: NDArray[np.bool_], T: Array, t: NDArray[np.bool_], *, fewest: int = FEWEST_OF_A_CLASS
) -> Ave:
    """AVE bias of validation rows V (m x d) with positives v (m,) and training rows T (n x d), t (n,).

    Wallach and Heifets, J. Chem. Inf. Model. 58, 916 (2018): H(V, T) is the mean over 51 thresholds in
    [0, 1] of the share of V nearer to T than the threshold; AVE = H(Va,Ta) - H(Va,Ti) + H(Vi,Ti) - H(Vi,Ta).
    Distances are divided by the largest between a row of V and one of T, which is given back: outlying rows
    make it large and the bias small.
    """
    if min(v.sum(), (~v).sum(), t.sum(), (~t).sum()) < fewest:
        return NO_AVE
    to_active, to_inactive = nearest(V, T[t])[0][:, 0], nearest(V, T[~t])[0][:, 0]
    largest = farthest(V, T)
    if largest == 0.0:
        return Ave(0.0, 0.0, 0.0, 0.0, 0.0)
    to_active, to_inactive = to_active / largest, to_inactive / largest
    actives = _shares(to_active[v]) - _shares(to_inactive[v])
    inactives = _shares(to_inactive[~v]) - _shares(to_active[~v])
    lead = to_inactive - to_active
    closed = float(lead[v].mean() - lead[~v].mean())
    return Ave(actives + inactives, actives, inactives, closed, largest)


def _shares(distance: Array) -> float:
    grid = np.linspace(0.0, 1.0, THRESHOLDS)
    return float(np.mean(np.searchsorted(np.sort(distance), grid, side="left") / len(distance)))


def memorisation(
    Z: Array, Y: Array, folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]], k: int, *, seed: int = 0
) -> Memorisation:
    """Memorisation skill over folds: Z (n x d) standardised rows, Y (n x c) outcomes or class indicators."""
    rng = np.random.default_rng(seed)
    lookup, mean = 0.0, 0.0
    null = np.zeros(PERMUTATIONS)
    for train, test in folds:
        index = nearest(Z[test], Z[train], k)[1]
        known, truth = Y[train], Y[test]
        mean += float(np.sum((truth - known.mean(axis=0)) ** 2))
        lookup += float(np.sum((truth - known[index].mean(axis=1)) ** 2))
        for draw in range(PERMUTATIONS):
            permuted = known[rng.permutation(len(known))]
            null[draw] += float(np.sum((truth - permuted[index].mean(axis=1)) ** 2))
    if mean == 0.0:
        return Memorisation(k, math.nan, math.nan, math.nan, math.nan)
    skill, null = 1.0 - lookup / mean, 1.0 - null / mean
    spread = float(null.std())
    z = (skill - float(null.mean())) / spread if spread > 0.0 else math.nan
    p = (1 + int((null >= skill).sum())) / (PERMUTATIONS + 1)
    return Memorisation(k, skill, float(null.mean()), z, p)


def leakage(task: Task, Z: Array, split: Split, own: Array, *, seed: int = 0) -> Leakage:
    """What a split gives away: Z (n x d) standardised rows, `own` (n,) distance to the nearest other row.

    The smoothness leak needs predictions and is left NaN; see `smoothness`.
    """
    Y = np.eye(task.classes)[task.labels] if task.classes else task.y[:, None]
    distance = _distances(Z, split)
    apart = own[own > TWIN]
    near = max(TWIN, float(np.quantile(apart, NEAR_QUANTILE))) if len(apart) else TWIN
    return Leakage(
        ave=_mean_ave(task, Z, split),
        memorisation=tuple(memorisation(Z, Y, split.folds, k, seed=seed) for k in NEIGHBOURS),
        smoothness=math.nan,
        twins=float(np.mean(distance <= TWIN)),
        near_twins=float(np.mean(distance <= near)),
    )


def smoothness(task: Task, Z: Array, split: Split, held_out: HeldOut) -> float:
    """Rank correlation of the distance of held-out rows to training and their absolute error; for numbers."""
    error = np.abs(held_out.mean - task.y[held_out.rows])
    return correlation(rankdata(_distances(Z, split)), rankdata(error))


def _distances(Z: Array, split: Split) -> Array:
    """Distance of each held-out row to the nearest training row, in the order of the folds."""
    return np.concatenate([nearest(Z[test], Z[train])[0][:, 0] for train, test in split.folds])


def _mean_ave(task: Task, Z: Array, split: Split) -> Ave:
    found = []
    for train, test in split.folds:
        for positive in _halves(task, train):
            one = ave_bias(Z[test], positive[test], Z[train], positive[train])
            if not math.isnan(one.value):
                found.append((one.value, one.actives, one.inactives, one.closed_form, one.largest_distance))
    return Ave(*np.mean(found, axis=0).tolist()) if found else NO_AVE


def _halves(task: Task, train: NDArray[np.intp]) -> list[NDArray[np.bool_]]:
    if task.classes == 2:  # noqa: PLR2004  positive and negative
        return [task.labels == 1]
    if task.classes:
        return [task.labels == c for c in range(task.classes)]
    cuts = sorted(set(np.quantile(task.y[train], QUANTILES).tolist()))
    return [task.y > cut for cut in cuts]
