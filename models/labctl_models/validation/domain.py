"""Domain of applicability: how a recipe's distance to the known ones compares with theirs to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from labctl_models.surrogates.clusters import nearest, nearest_other
from labctl_models.surrogates.data import checked_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

Stamp: TypeAlias = Literal["inside", "edge", "outside"]
INSIDE_QUANTILE = 0.95
EDGE_FACTOR = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where q recipes lie with respect to the known ones.

    Attributes:
        distance: (q,) to the nearest known recipe, in standardised features.
        percentile: (q,) share of known recipes, in [0, 1], that lie nearer to their own nearest other.
        stamp: (q,) "inside", "edge" or "outside".
        nearest: (q x k) rows of the nearest known recipes, nearest first.
    """

    distance: Array
    percentile: Array
    stamp: tuple[Stamp, ...]
    nearest: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """The known recipes (n x d), standardised, and how far apart they lie.

    Attributes:
        known: (n x d) standardised.
        centre: (d,) what was subtracted.
        scale: (d,) by what it was divided then; a column that does not vary keeps its unit, so that a
            recipe that changes it is seen to leave the domain.
        own: (n,) distances from each known recipe to its nearest other, ascending.
    """

    known: Array
    centre: Array
    scale: Array
    own: Array

    @classmethod
    def of(cls, X: Array) -> Domain:
        """The domain of the recipes X (n x d, n >= 2).

        Raises:
            ValueError: there are fewer than 2 recipes, or a value is not finite.
        """
        X = checked_rows(X)
        if len(X) < 2:  # noqa: PLR2004  one recipe has no distance
            raise ValueError("a domain needs at least 2 recipes, so that there is a distance to compare with")
        centre, sd = X.mean(axis=0), X.std(axis=0)
        scale = np.where(sd > 0.0, sd, 1.0)
        known = (X - centre) / scale
        return cls(known, centre, scale, np.sort(nearest_other(known)[0][:, 0]))

    @property
    def inside(self) -> float:
        """The largest distance that counts as inside: the 95 % quantile of the known recipes' own."""
        return float(np.quantile(self.own, INSIDE_QUANTILE))

    def place(self, X: Array, *, k: int = 1, among: NDArray[np.bool_] | None = None) -> Place:
        """Place the rows of X (q x d); `among` (n,) limits the nearest rows given, to successes for example.

        Inside is up to the 95 % quantile of the leave-one-out nearest-neighbour distances of the known
        recipes, edge up to twice that (a convention of this project), outside beyond. Distance, percentile
        and stamp are always those to all known recipes.

        Raises:
            ValueError: X has another number of columns, or `among` names no recipe.
        """
        Q = (checked_rows(X, self.known.shape[1]) - self.centre) / self.scale
        distance, index = nearest(Q, self.known, k)
        reach = distance[:, 0]
        if among is not None:
            chosen = np.flatnonzero(among)
            if not len(chosen):
                raise ValueError("there is no known recipe of that kind")
            index = chosen[nearest(Q, self.known[chosen], k)[1]]
        percentile = np.searchsorted(self.own, reach * (1.0 - 1e-9), side="left") / len(self.own)
        limit = self.inside * (1.0 + 1e-9)
        stamps: tuple[Stamp, ...] = tuple(
            "inside" if r <= limit else "edge" if r <= EDGE_FACTOR * limit else "outside" for r in reach
        )
        return Place(reach, np.asarray(percentile, dtype=np.float64), stamps, index)
