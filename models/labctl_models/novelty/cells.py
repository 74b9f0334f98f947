"""Cells of a space: which of them are filled, how well, and where the next empty one lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

ROUNDS = 25
CHUNK_ENTRIES = 4_000_000
MOST_CELLS = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Equal boxes between bounds, for the few descriptors that a person can name.

    Attributes:
        low: (m,) lower bounds of the descriptors.
        high: (m,) upper bounds; what lies beyond a bound counts to the box at it.
        bins: boxes along each descriptor.
    """

    low: Array
    high: Array
    bins: tuple[int, ...]

    @classmethod
    def over(cls, descriptors: Array, bins: int | tuple[int, ...]) -> Grid:
        """Boxes between the least and the greatest of these descriptors (q x m).

        Raises:
            ValueError: there are no descriptors, a number of boxes is below 1, or there are more boxes than
                a whole number of the machine can count; many dimensions want a tessellation.
        """
        descriptors = np.asarray(descriptors, dtype=np.float64)
        m = descriptors.shape[1]
        each = (bins,) * m if isinstance(bins, int) else bins
        if not len(descriptors) or len(each) != m or min(each) < 1:
            raise ValueError(
                f"{len(each)} numbers of boxes {each} do not fit {descriptors.shape} descriptors"
            )
        total = 1
        for b in each:
            total *= b
        if total > MOST_CELLS:
            raise ValueError(f"a grid of {total:.0e} boxes cannot be counted; use a tessellation instead")
        return cls(descriptors.min(axis=0), descriptors.max(axis=0), tuple(each))

    def cell(self, descriptors: Array) -> NDArray[np.intp]:
        """The number of the box (q,) in which each row of the descriptors (q x m) lies."""
        descriptors, bins = np.asarray(descriptors, dtype=np.float64), np.array(self.bins)
        extent = np.where(self.high > self.low, self.high - self.low, 1.0)
        place = np.floor((descriptors - self.low) / extent * bins).astype(np.intp)
        return np.asarray(np.ravel_multi_index(tuple(np.clip(place, 0, bins - 1).T), self.bins), np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Tessellation:
    """Cells of about equal content around centres (c x m), for many descriptors, where a grid has too many.

    Vassiliades, Chatzilygeroudis and Mouret, IEEE Trans. Evol. Comput. 22, 623 (2018).
    """

    centres: Array

    @classmethod
    def over(cls, descriptors: Array, count: int, seed: int) -> Tessellation:
        """At most `count` cells over these descriptors (q x m), by k-means; the same for the same seed.

        Where there are no more distinct rows than cells, each is a cell of its own.

        Raises:
            ValueError: there are no descriptors, or fewer than one cell is asked for.
        """
        distinct = np.unique(np.asarray(descriptors, dtype=np.float64), axis=0)
        if not len(distinct) or count < 1:
            raise ValueError(f"{len(distinct)} distinct descriptors cannot be parted into {count} cells")
        if len(distinct) <= count:
            return cls(distinct)
        rng = np.random.default_rng(seed)
        centres = distinct[np.sort(rng.choice(len(distinct), size=count, replace=False))]
        for _ in range(ROUNDS):
            members = cls(centres).cell(distinct)
            sizes = np.bincount(members, minlength=count)
            sums = np.column_stack([np.bincount(members, column, count) for column in distinct.T])
            # A centre that lost all its members stays where it is.
            moved = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
            if np.array_equal(moved, centres):
                break
            centres = moved
        return cls(centres)

    def cell(self, descriptors: Array) -> NDArray[np.intp]:
        """The number of the cell (q,) whose centre is nearest to each row of the descriptors (q x m)."""
        descriptors = np.asarray(descriptors, dtype=np.float64)
        found = np.empty(len(descriptors), dtype=np.intp)
        half_squares = 0.5 * (self.centres**2).sum(axis=1)
        rows = max(1, CHUNK_ENTRIES // len(self.centres))
        for begin in range(0, len(descriptors), rows):
            block = slice(begin, begin + rows)
            found[block] = (half_squares - descriptors[block] @ self.centres.T).argmin(axis=1)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Elites:
    """The best of each filled cell.

    Attributes:
        cell: (f,) numbers of the filled cells, ascending.
        row: (f,) which row is the best of that cell; the first of equals.
        value: (f,) its value; more is better.
    """

    cell: NDArray[np.intp]
    row: NDArray[np.intp]
    value: Array


def elites(cells: NDArray[np.intp], values: Array) -> Elites:
    """The best row of each cell (MAP-Elites: Mouret and Clune, arXiv 1504.04909); cells and values are (n,).

    Raises:
        ValueError: the lengths differ, or a value is not finite.
    """
    cells, values = np.asarray(cells, dtype=np.intp), np.asarray(values, dtype=np.float64)
    if cells.shape != values.shape or not np.isfinite(values).all():
        raise ValueError(f"{len(cells)} cells need as many finite values; there are {len(values)}")
    order = np.lexsort((np.arange(len(cells)), -values, cells))
    filled, first = np.unique(cells[order], return_index=True)
    rows = order[first]
    return Elites(np.asarray(filled, np.intp), np.asarray(rows, np.intp), values[rows])


def coverage(cells: NDArray[np.intp], reachable: NDArray[np.intp]) -> float:
    """Share in [0, 1] of the reachable cells that are filled.

    Args:
        cells: (n,) in which each result lies; repeats count once.
        reachable: (q,) in which any candidate lies; a cell that no recipe can reach is nobody's gap.

    Raises:
        ValueError: no cell is reachable.
    """
    possible = np.unique(reachable)
    if not len(possible):
        raise ValueError("no cell is reachable, so none can be covered")
    return float(np.isin(possible, cells).mean())


def qd_score(found: Elites, floor: float) -> float:
    """Sum over the filled cells of how far their best lies above the floor (QD-score).

    Pugh et al., Proc. GECCO 2015, 967. With the least value of all as the floor every filled cell counts.
    """
    return float((found.value - floor).sum())
