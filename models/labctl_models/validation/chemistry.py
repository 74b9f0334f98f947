"""Folds from chemical formulas alone: hold out a chemical system, an element, a group or a period."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labctl_models.formulas import SYMBOLS, amounts_of
from labctl_models.validation.folds import Split, partition, smallest_fold
from labctl_models.validation.splits import dealt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

# Atomic number of the noble gas that ends each period.
PERIOD_ENDS = (2, 10, 18, 36, 54, 86, 118)
LANTHANIDES, ACTINIDES = (57, 71), (89, 103)
LANTHANIDE_LABEL, ACTINIDE_LABEL = "lanthanides", "actinides"


def period_of(z: int) -> int:
    """Period (1 to 7) of the element of atomic number z."""
    return next(row for row, end in enumerate(PERIOD_ENDS, start=1) if z <= end)


def group_of(z: int) -> str:
    """Group ("1" to "18") of the element of atomic number z, "lanthanides" or "actinides"."""
    if LANTHANIDES[0] <= z <= LANTHANIDES[1]:
        return LANTHANIDE_LABEL
    if ACTINIDES[0] <= z <= ACTINIDES[1]:
        return ACTINIDE_LABEL
    period = period_of(z)
    from_end = PERIOD_ENDS[period - 1] - z
    begin = 1 if period == 1 else PERIOD_ENDS[period - 2] + 1
    # The first two places of a period are groups 1 and 2; all others count back from the noble gas.
    place = z - begin
    return str(place + 1) if place < 2 and from_end > 0 and z != 2 else str(18 - from_end)  # noqa: PLR2004  see above


def chemical_systems(formulas: Sequence[str], near: NDArray[np.intp], *, k: int = 5, seed: int = 0) -> Split:
    """Folds of whole chemical systems: all formulas of the same set of elements share one of k folds.

    `near` (n,) is each row's nearest other row. A formula is the smallest unit here, not the composition.

    Raises:
        ValueError: there are fewer systems than folds, or a formula is none.
    """
    systems = ["-".join(SYMBOLS[z - 1] for z in sorted(zs)) for zs in _elements(formulas)]
    names, unit = np.unique(systems, return_inverse=True)
    if len(names) < k:
        raise ValueError(f"{len(names)} chemical systems cannot be dealt out to {k} folds")
    fold = dealt(np.bincount(unit), k, np.random.default_rng(seed))[unit]
    return partition("chemical-system", fold, near, seed=seed)


def by_element(formulas: Sequence[str]) -> Split:
    """Leave one element out: the test rows are all that contain it, so a row can be in several folds.

    Elements, groups and periods as in MatFold (Witman and Schindler, Digital Discovery 4, 625 (2025)). An
    element is passed over when it occurs in too few rows or in more than half of them.

    Raises:
        ValueError: a formula is none.
    """
    return _containing("element", formulas, lambda z: SYMBOLS[z - 1])


def by_periodic_group(formulas: Sequence[str]) -> Split:
    """Leave one group of the periodic table out; see `by_element`."""
    return _containing("periodic-group", formulas, group_of)


def by_period(formulas: Sequence[str]) -> Split:
    """Leave one period of the periodic table out; see `by_element`."""
    return _containing("period", formulas, lambda z: str(period_of(z)))


def _elements(formulas: Sequence[str]) -> list[tuple[int, ...]]:
    return [tuple(amounts_of(formula, position)) for position, formula in enumerate(formulas, start=1)]


def _containing(kind: str, formulas: Sequence[str], label: Callable[[int], str]) -> Split:
    held = [{label(z) for z in zs} for zs in _elements(formulas)]
    n = len(held)
    labels = sorted(set().union(*held), key=lambda text: (len(text), text))
    folds, names, over = [], [], []
    for name in labels:
        inside = np.array([name in row for row in held])
        if smallest_fold(n) <= inside.sum() <= n // 2:
            folds.append((np.flatnonzero(~inside), np.flatnonzero(inside)))
            names.append(name)
        else:
            over.append(name)
    passed = f"Passed over, being in too few or too many rows: {', '.join(over)}." if over else ""
    if len(folds) < 2:  # noqa: PLR2004  one fold is no cross-validation
        reason = f"Fewer than 2 labels can be held out. {passed}"
        return Split(kind, len(folds), 0, tuple(folds), tuple(names), None, accepted=False, reason=reason)
    return Split(kind, len(folds), 0, tuple(folds), tuple(names), None, accepted=True, reason=passed)
