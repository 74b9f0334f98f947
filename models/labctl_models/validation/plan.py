"""Which splits a validation makes, which of them it accepts, and in what order they are run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labctl_models.validation import chemistry
from labctl_models.validation.splits import by_group, kernel_loco, loco, ordered_groups, shuffled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array
    from labctl_models.validation.folds import Split

SHUFFLED_FOLDS = 5
USUAL_K = 6
"""Clusters to begin with: enough for a standard error, and not yet small."""
KERNEL_KS = (3, 6, 10)
"""Numbers of clusters of the kernelised clusterings."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The splits of a validation.

    Attributes:
        made: Shuffled folds and clusters, refused ones included.
        rungs: The accepted ones in the order of the race.
        extra: Kernelised clusters, groups, time and chemistry, which only the yardsticks and the best run on.
    """

    made: tuple[Split, ...]
    rungs: tuple[tuple[Split, ...], ...]
    extra: tuple[Split, ...]

    @property
    def regions(self) -> tuple[Split, ...]:
        """The accepted clusterings."""
        return tuple(split for split in self.made if split.kind == "loco" and split.accepted)

    @property
    def why_none(self) -> str:
        """The reason for which the first clustering was refused."""
        return next((split.reason for split in self.made if not split.accepted), "")

    @property
    def looked_into(self) -> tuple[Split, ...]:
        """The shuffled folds and the clustering of middle k, which the leakage tests look into."""
        regions = [split for split in self.regions if split.seed == self.regions[0].seed]
        return (self.made[0], *regions[len(regions) // 2 : len(regions) // 2 + 1])


def planned(
    X: Array,
    near: NDArray[np.intp],
    *,
    ks: Iterable[int],
    seeds: Iterable[int],
    seed: int,
    extra: tuple[Split, ...] = (),
    together: NDArray[np.intp] | None = None,
) -> Plan:
    """Splits of X (n x d): shuffled folds, then clusters by k for each seed; `near` (n,) nearest other rows.

    The first rung holds the shuffled folds and the fewest, middle and most clusters of the first seed,
    beginning with the number nearest to 6, since a short race may reach no more; the second the other
    numbers of clusters; each further seed is a rung. Without an accepted clustering, the rungs are shuffled
    folds of three seeds.

    Raises:
        ValueError: no k or no seed, or a k is below 2.
    """
    ks, seeds = tuple(sorted(set(ks))), tuple(dict.fromkeys(seeds))
    if not ks or not seeds or ks[0] < 2:  # noqa: PLR2004  one cluster holds nothing out
        raise ValueError("the numbers of clusters must be 2 or more, and there must be a seed for them")
    plain = shuffled(X, k=SHUFFLED_FOLDS, seed=seed, together=together, near=near)
    clusters = loco(X, ks=ks, seeds=seeds, together=together, near=near)
    regions = [split for split in clusters if split.accepted]
    if not regions:
        more = tuple(
            shuffled(X, k=SHUFFLED_FOLDS, seed=seed + step, together=together, near=near) for step in (1, 2)
        )
        return Plan((plain, *more, *clusters), ((plain,), *((split,) for split in more)), extra)
    by_seed = [[split for split in regions if split.seed == one] for one in seeds]
    by_seed = [splits for splits in by_seed if splits]
    leading = by_seed[0]
    chosen = sorted(
        {0, len(leading) // 2, len(leading) - 1}, key=lambda i: (abs(leading[i].k - USUAL_K), leading[i].k)
    )
    first = (plain, *(leading[i] for i in chosen))
    second = tuple(split for i, split in enumerate(leading) if i not in chosen)
    rungs = (first, *(tuple(rung) for rung in (second, *by_seed[1:]) if rung))
    return Plan((plain, *clusters), rungs, extra)


def extra_splits(
    X: Array,
    near: NDArray[np.intp],
    *,
    groups: Mapping[str, Sequence[Any]] | None = None,
    order: Sequence[Any] | None = None,
    formulas: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[Split, ...]:
    """The splits by columns (n,), by time (n,), by formula (n,), and by kernelised clusters.

    Raises:
        ValueError: a column is of one group only or not of n entries, or an entry is no number or formula.
    """
    found: list[Split] = []
    for name, column in (groups or {}).items():
        try:
            found.append(by_group(X, column, name=f"group: {name}", seed=seed, near=near))
        except ValueError as error:
            raise ValueError(f"column {name!r} cannot be held out by group: {error}") from None
    if order is not None:
        found.append(ordered_groups(X, order, near=near))
    if formulas is not None:
        if len(formulas) != len(X):
            raise ValueError(f"there are {len(formulas)} formulas for {len(X)} rows")
        try:
            found.append(chemistry.chemical_systems(formulas, near, seed=seed))
        except ValueError as error:
            if "chemical systems" not in str(error):
                raise
        found += [
            chemistry.by_element(formulas),
            chemistry.by_periodic_group(formulas),
            chemistry.by_period(formulas),
        ]
    ks = [k for k in KERNEL_KS if k < len(X)]
    return (*found, *kernel_loco(X, ks=ks, seeds=(seed,), near=near))
