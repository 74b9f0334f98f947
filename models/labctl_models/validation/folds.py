"""What a split is, and whether its folds are regions or random folds in disguise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SAME_FOLD = 0.8
SMALLEST_FOLD = 5
SMALLEST_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Sanity:
    """How far the folds are regions of the features.

    Attributes:
        share: Share of rows whose nearest other row lies in the same fold.
        chance: What that share would be if rows were dealt out at random, Σ p_j² of the folds' shares.
        sizes: Rows in each fold, ascending.
    """

    share: float
    chance: float
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One way to hold rows out.

    Attributes:
        kind: Such as "shuffled", "loco", "kernel-loco", "group", "ordered", "element".
        k: Number of folds.
        seed: The seed of the folds; 0 where nothing is drawn.
        folds: For each fold the rows to train on and the rows to test on.
        labels: (k,) a name for each fold.
        sanity: Whether folds are regions; None where a row may be in several folds.
        accepted: Whether scores on these folds mean what their kind promises.
        reason: Why not; where accepted, empty or a remark.
    """

    kind: str
    k: int
    seed: int
    folds: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]
    labels: tuple[str, ...]
    sanity: Sanity | None
    accepted: bool
    reason: str = ""

    @property
    def name(self) -> str:
        """Kind, number of folds and seed in one word."""
        return f"{self.kind}-{self.k}-{self.seed}"


def sanity_of(fold: NDArray[np.intp], neighbour: NDArray[np.intp]) -> Sanity:
    """Sanity of a partition: fold number (n,) of each row, and each row's nearest other row (n,).

    Published kernelised clusterings of alloys have been ordinary random folds by this index.
    """
    sizes = np.bincount(np.unique(fold, return_inverse=True)[1])
    share = float(np.mean(fold == fold[neighbour]))
    return Sanity(share, float(np.sum((sizes / len(fold)) ** 2)), tuple(sorted(sizes.tolist())))


def smallest_fold(n: int) -> int:
    """Rows that the smallest cluster needs: 5, or 2 % of all rows in whole rows where that is more."""
    return max(SMALLEST_FOLD, int(SMALLEST_SHARE * n))


def judged(sanity: Sanity, n: int) -> str:
    """Why clusters with this sanity are no regions to hold out; empty when they are."""
    if len(sanity.sizes) < 2:  # noqa: PLR2004  one cluster leaves nothing to train on
        return "There is only one cluster, so nothing can be held out."
    if sanity.sizes[0] < smallest_fold(n):
        return (
            f"The smallest cluster has {sanity.sizes[0]} rows; fewer than {smallest_fold(n)} say too little."
        )
    if sanity.share < SAME_FOLD:
        return (
            f"Only {sanity.share:.0%} of rows have their nearest neighbour in the same fold (random folds: "
            f"{sanity.chance:.0%}), so these are no regions but random folds in disguise."
        )
    return ""


def folds_of(fold: NDArray[np.intp]) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]:
    """(train, test) rows of each fold of a partition, in the order of the fold numbers."""
    return tuple((np.flatnonzero(fold != j), np.flatnonzero(fold == j)) for j in np.unique(fold))


def partition(
    kind: str,
    fold: NDArray[np.intp],
    neighbour: NDArray[np.intp],
    *,
    seed: int,
    labels: Sequence[str] = (),
    reason: str = "",
) -> Split:
    """The split that a partition makes; refused when there is a reason."""
    folds = folds_of(fold)
    names = tuple(labels) or tuple(f"{kind} {j + 1}" for j in range(len(folds)))
    return Split(kind, len(folds), seed, folds, names, sanity_of(fold, neighbour), not reason, reason)
