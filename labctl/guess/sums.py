"""Finds columns that add up to the same total in every row, as the parts of a mixture do."""

import numpy as np

from labctl.guess.guesses import Guess, Law, Rows

_EXACT = 5e-7
_ROUNDED = 5e-3
"""How far sums may stray, relative to their size, and still be one total that was rounded."""


def constant_sum(guesses: list[Guess], rows: Rows) -> Law | None:
    """The longest run of columns in one unit whose sum is the same in every row."""
    by_unit: dict[str, list[Guess]] = {}
    for guess in guesses:
        if guess.kind == "continuous" and guess.low >= 0:
            by_unit.setdefault(guess.column.unit, []).append(guess)
    best: Law | None = None
    for unit, members in by_unit.items():
        law = _longest(members, rows, unit)
        if law is not None and (best is None or len(law.parts) > len(best.parts)):
            best = law
    return best


def _longest(members: list[Guess], rows: Rows, unit: str) -> Law | None:
    everything = np.array([g.column.numbers[rows] for g in members]).T
    if len(everything) < 5:  # noqa: PLR2004 - fewer rows can agree by chance
        return None
    few = np.cumsum(np.hstack([np.zeros((min(len(everything), 50), 1)), everything[:50]]), axis=1)
    for size in range(len(members), 1, -1):
        for start in range(len(members) - size + 1):
            sums = few[:, start + size] - few[:, start]
            if np.ptp(sums) > _ROUNDED * abs(sums).max():
                continue
            sums = everything[:, start : start + size].sum(axis=1)
            total = float(np.median(sums))
            pure = any(abs(total - t) <= _ROUNDED * t for t in (1.0, 100.0))
            if np.ptp(sums) > _ROUNDED * total or total <= 0 or (size == 2 and not pure):  # noqa: PLR2004
                continue
            parts = tuple(g.column.name for g in members[start : start + size])
            tidy = float(f"{total:.6g}")
            if np.abs(sums - tidy).max() <= _EXACT * tidy:
                return Law(parts, tidy, tidy, unit)
            return Law(parts, float(f"{sums.min():.9g}"), float(f"{sums.max():.9g}"), unit)
    return None
