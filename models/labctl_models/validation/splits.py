"""Folds from features and from columns: shuffled, held-out clusters, held-out groups, time in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from labctl_models.surrogates.clusters import (
    fourier_features,
    kmeans,
    median_gamma,
    nearest_other,
    standardised,
)
from labctl_models.validation.folds import Split, judged, partition, sanity_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from labctl_models.surrogates.protocol import Array

FEWEST_TRAINING = 10
MOST_GROUPS = 10


def neighbours(X: Array) -> NDArray[np.intp]:
    """The nearest other row (n,) of each row of X (n x d), in standardised features."""
    return nearest_other(standardised(X))[1][:, 0]


def twins(X: Array) -> NDArray[np.intp]:
    """Number (n,) of the recipe of each row, equal for rows whose X (n x d) is equal in every column."""
    return np.asarray(np.unique(np.asarray(X), axis=0, return_inverse=True)[1], dtype=np.intp).reshape(-1)


def shuffled(
    X: Array,
    *,
    k: int = 5,
    seed: int = 0,
    together: ArrayLike | None = None,
    near: NDArray[np.intp] | None = None,
) -> Split:
    """Ordinary k-fold cross-validation; rows of equal `together` (n,), such as `twins(X)`, share a fold.

    Raises:
        ValueError: there are fewer different rows (or values of `together`) than folds.
    """
    n = len(X)
    unit = np.arange(n) if together is None else np.unique(np.asarray(together), return_inverse=True)[1]
    count = int(unit.max()) + 1
    if count < k:
        raise ValueError(f"{count} rows or groups of rows cannot be dealt out to {k} folds")
    rng = np.random.default_rng(seed)
    fold = dealt(np.bincount(unit), k, rng)[unit]
    near = neighbours(X) if near is None else near
    return partition("shuffled", fold, near, seed=seed)


def dealt(sizes: NDArray[np.intp], k: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Fold number of each unit: largest first, in drawn order among equals, each to the smallest fold."""
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros(k, dtype=np.intp)
    fold = np.empty(len(sizes), dtype=np.intp)
    for unit in order:
        target = int(np.argmin(filled))
        fold[unit] = target
        filled[target] += sizes[unit]
    return fold


def loco(
    X: Array,
    *,
    ks: Iterable[int] = range(2, 11),
    seeds: Iterable[int] = (0,),
    together: ArrayLike | None = None,
    near: NDArray[np.intp] | None = None,
) -> tuple[Split, ...]:
    """Leave-one-cluster-out: k-means clusters of the standardised features, for each k and seed.

    Meredig et al., Mol. Syst. Des. Eng. 3, 819 (2018). The standardisation reads all rows of X but no
    outcome. A clustering is refused, with the reason, when a cluster is too small, when its folds are
    random in disguise, or when an earlier seed gave the same. Equal rows always share a cluster; rows of
    equal `together` (n,) follow the first of them.
    """
    return _clusterings("loco", standardised(X), X, ks=ks, seeds=seeds, together=together, near=near)


def kernel_loco(
    X: Array,
    *,
    ks: Iterable[int] = range(2, 11),
    seeds: Iterable[int] = (0,),
    together: ArrayLike | None = None,
    near: NDArray[np.intp] | None = None,
) -> tuple[Split, ...]:
    """Kernelised leave-one-cluster-out: k-means in the feature space of an RBF kernel, for each k and seed.

    Durdy et al., Digital Discovery 1, 763 (2022), with two differences: features are standardised, and the
    kernel's width is the median heuristic's. With a fixed width on unscaled features the kernel saturates
    and the clusters are random folds. The space is that of 200 random Fourier features.
    """
    Z = standardised(X)
    found: list[Split] = []
    ks = tuple(ks)
    for seed in seeds:
        image = fourier_features(Z, median_gamma(Z, seed), seed)
        found += _clusterings("kernel-loco", image, X, ks=ks, seeds=(seed,), together=together, near=near)
    return tuple(found)


def _clusterings(
    kind: str,
    space: Array,
    X: Array,
    *,
    ks: Iterable[int],
    seeds: Iterable[int],
    together: ArrayLike | None,
    near: NDArray[np.intp] | None,
) -> tuple[Split, ...]:
    near = neighbours(X) if near is None else near
    seeds = tuple(seeds)
    splits = []
    for k in ks:
        seen: dict[bytes, int] = {}
        for seed in seeds:
            try:
                fold = kmeans(space, k, seed)
            except ValueError as error:
                splits.append(Split(kind, k, seed, (), (), None, accepted=False, reason=f"{error}."))
                continue
            fold = _canonical(fold if together is None else _follow(fold, together))
            reason = judged(sanity_of(fold, near), len(fold))
            earlier = seen.setdefault(fold.tobytes(), seed)
            if earlier != seed and not reason:
                reason = f"These are the clusters of seed {earlier} once more."
            splits.append(partition(kind, fold, near, seed=seed, reason=reason))
    return tuple(splits)


def _canonical(fold: NDArray[np.intp]) -> NDArray[np.intp]:
    """The same partition with clusters numbered in the order in which they first occur."""
    _, first, inverse = np.unique(fold, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _follow(fold: NDArray[np.intp], together: ArrayLike) -> NDArray[np.intp]:
    _, first, inverse = np.unique(np.asarray(together), return_index=True, return_inverse=True)
    return fold[first[inverse]]


def by_group(
    X: Array,
    groups: Sequence[Any] | NDArray[Any],
    *,
    name: str = "group",
    seed: int = 0,
    near: NDArray[np.intp] | None = None,
) -> Split:
    """Leave one group out: `groups` (n,) names the lab, batch, operator or paper of each row.

    More than 10 groups are dealt out, whole, to 10 folds. Groups are not judged as clusters are: labs may
    well have measured the same recipes.

    Raises:
        ValueError: there is only one group, or not one group for each row.
    """
    names, fold = _named(groups, len(X))
    near = neighbours(X) if near is None else near
    if len(names) > MOST_GROUPS:
        fold = dealt(np.bincount(fold), MOST_GROUPS, np.random.default_rng(seed))[fold]
        names = tuple(f"groups {j + 1}" for j in range(MOST_GROUPS))
    return partition(name, fold, near, seed=seed, labels=names)


def ordered_groups(
    X: Array, order: Sequence[Any] | NDArray[Any], *, near: NDArray[np.intp] | None = None
) -> Split:
    """Groups in time: each is predicted from the earlier ones alone, `order` (n,) being a year or number.

    Groups before which there are fewer than 10 rows are trained on only. More than 10 moments are joined
    to 10 successive blocks of about equal size.

    Raises:
        ValueError: an entry is no number, or no group has 10 rows before it.
    """
    try:
        when = np.asarray(order, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("the order must be numbers, such as years") from None
    if when.shape != (len(X),) or not np.isfinite(when).all():
        raise ValueError("the order must be one number for each row, none missing")
    when = _blocks(when)
    times, counts = np.unique(when, return_counts=True)
    before = np.cumsum(counts) - counts
    tested = times[before >= FEWEST_TRAINING]
    if not len(tested):
        raise ValueError(f"no moment in the order has {FEWEST_TRAINING} rows before it")
    folds = tuple((np.flatnonzero(when < t), np.flatnonzero(when == t)) for t in tested)
    near = neighbours(X) if near is None else near
    sanity = sanity_of(np.searchsorted(times, when), near)
    return Split("ordered", len(folds), 0, folds, tuple(f"{t:g}" for t in tested), sanity, accepted=True)


def _blocks(when: Array) -> Array:
    """The moment at which the block of each row begins; as given when there are few moments."""
    times, counts = np.unique(when, return_counts=True)
    if len(times) <= MOST_GROUPS:
        return when
    block = (np.cumsum(counts) - counts) * MOST_GROUPS // len(when)
    _, first = np.unique(block, return_index=True)
    return np.asarray(times[first][np.searchsorted(first, np.searchsorted(times, when), side="right") - 1])


def _named(groups: Sequence[Any] | NDArray[Any], n: int) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    texts = np.array([str(group) for group in groups])
    if len(texts) != n:
        raise ValueError(f"there are {len(texts)} group entries for {n} rows")
    names, fold = np.unique(texts, return_inverse=True)
    if len(names) < 2:  # noqa: PLR2004  one group leaves nothing to train on
        raise ValueError("all rows are of one group, so no group can be held out")
    return tuple(names.tolist()), np.asarray(fold, dtype=np.intp)
