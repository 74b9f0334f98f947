"""Novelty: how far a recipe lies from everything tried, on the scale of how far apart those lie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

MOST_NEIGHBOURS = 15
# A tree prunes once it can split every column a few times, that is from about 4^d archived rows on;
# otherwise plain distances are quicker (measured for 200 to 5,000 rows and 2 to 20 columns).
TREE_SPLITS = 4
CHUNK_ENTRIES = 2_000_000
# Share of the candidates, by mean distance, among which the distance to the nearest recipe decides.
UPPER_SHARE = 0.25
# Equal distances on a grid differ in their last digits by the order of subtraction; without this slack a
# candidate as far as everything else would land on either side by chance.
TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Novelty:
    """Novelty of q recipes.

    Attributes:
        distance: (q,) mean Euclidean distance to the k nearest archived recipes; inf for an empty archive.
        share: (q,) share in [0, 1] of archived recipes that lie nearer to their own neighbours; at 0.95 a
            recipe is lonelier than 95 % of those already tried.
        nearest: (q,) distance to the nearest archived recipe alone; inf for an empty archive.
    """

    distance: Array
    share: Array
    nearest: Array


def default_neighbours(n: int) -> int:
    """Neighbours to average over in an archive of n recipes: min(15, ⌈√n⌉, n - 1), at least 1.

    15 is the customary number of novelty search (Lehman and Stanley, Evol. Comput. 19, 189 (2011)), whose
    archives hold thousands. A lab's archive holds tens: there the 15 nearest are most of the archive, the
    mean distance to them measures remoteness from its centre, and a hole amid the tried recipes goes unseen.
    √n is the usual rate for nearest-neighbour density estimates; it reaches 15 at n = 197.
    """
    return max(1, min(MOST_NEIGHBOURS, math.isqrt(n - 1) + 1 if n > 1 else 1, n - 1))


def leave_one_out_distances(archive: Array, *, k: int | None = None) -> Array:
    """Mean distance (n,) of each archived recipe (n x d) to its k nearest others; inf for a single recipe.

    Replicates are others: a recipe tried k + 1 times has distance 0 to its own kind.

    Raises:
        ValueError: k is below 1.
    """
    archive = np.asarray(archive, dtype=np.float64)
    n = len(archive)
    if n <= 1:
        return np.full(n, np.inf)
    nearest = _nearest(archive, archive, _neighbours(k, n - 1, n) + 1)
    # Of equal rows the first found may be a twin instead of the row itself; both are at distance 0.
    return np.asarray(nearest[:, 1:].mean(axis=1), dtype=np.float64)


def novelty(X: Array, archive: Array, *, k: int | None = None) -> Novelty:
    """Novelty of the rows of X (q x d) against the archive (n x d), both in the unit cube.

    The share makes it free of scale: distances grow with the number of columns and shrink with n, ranks do
    not (novelty search; Lehman and Stanley 2011). The share counts archived recipes whose leave-one-out
    distance is clearly smaller, so ties count as not novel and a recipe tried before often has share 0.

    With n = 0 everything is new: distance inf, share 1. With n = 1 there is no distance to compare to:
    share 1 unless the recipe is the archived one. With n = 2 both archived distances are equal.

    Raises:
        ValueError: k is below 1, or the numbers of columns differ.
    """
    X, archive = np.asarray(X, dtype=np.float64), np.asarray(archive, dtype=np.float64)
    n = len(archive)
    k = _neighbours(k, n - 1, n)
    if n == 0:
        return Novelty(np.full(len(X), np.inf), np.ones(len(X)), np.full(len(X), np.inf))
    if X.shape[1] != archive.shape[1]:
        raise ValueError(f"the recipes have {X.shape[1]} columns and the archive {archive.shape[1]}")
    distances = _nearest(X, archive, k)
    distance = np.asarray(distances.mean(axis=1), dtype=np.float64)
    nearest = np.array(distances[:, 0])
    if n == 1:
        return Novelty(distance, (distance > 0.0).astype(np.float64), nearest)
    own = np.sort(leave_one_out_distances(archive, k=k))
    share = np.searchsorted(own, distance * (1.0 - TIE), side="left") / n
    return Novelty(distance, np.asarray(share, dtype=np.float64), nearest)


def most_novel(found: Novelty, *, share: float = UPPER_SHARE) -> Array:
    """Scores (q,) that order recipes: of the upper `share` by mean distance, the farthest nearest first.

    The recipe with the greatest mean distance is the wrong choice in a bounded space. At a corner all
    neighbours lie on one side, so their mean distance is greater than anywhere within (the edge effect of
    spatial statistics), and a recipe already tried in that corner is only one of the k neighbours: the next
    choice is that corner again. In the unit cube of four dimensions, 54 such choices after 6 reached 55 % of
    60 equal cells where chance reached 65 % and this order 81 % (means of 10 seeds). The mean distance
    therefore only says which recipes are novel; which of those is taken is decided by the nearest, which a
    twin in the same corner brings to almost 0.

    The scores of all others are below 0, in the same order, for where none of the novel may be chosen.
    """
    if not len(found.distance) or np.isinf(found.distance).any():
        return np.zeros(len(found.distance))
    novel = found.distance >= np.quantile(found.distance, 1.0 - share) * (1.0 - TIE)
    return np.where(novel, found.nearest, found.nearest - found.nearest.max() - 1.0)


def _neighbours(k: int | None, available: int, n: int) -> int:
    if k is None:
        return default_neighbours(n)
    if k < 1:
        raise ValueError(f"k is {k}; novelty needs at least 1 neighbour")
    return max(1, min(k, available))


def _nearest(X: Array, archive: Array, k: int) -> Array:
    """The k smallest distances (q x k) from each row of X to the archive, ascending; k <= len(archive)."""
    n, d = archive.shape
    if n >= TREE_SPLITS**d:
        found, _ = KDTree(archive).query(X, k=np.arange(1, k + 1))
        return np.asarray(found, dtype=np.float64)
    nearest = np.empty((len(X), k))
    rows = max(1, CHUNK_ENTRIES // n)
    for begin in range(0, len(X), rows):
        distances = cdist(X[begin : begin + rows], archive)
        if k < n:
            distances = np.partition(distances, k - 1, axis=1)[:, :k]
        distances.sort(axis=1)
        nearest[begin : begin + rows] = distances
    return nearest
