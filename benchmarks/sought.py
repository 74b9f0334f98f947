"""What a search for the best of a table is judged by, and what chance gives, exactly, from the same start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl.replay.chance import reached_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labctl.replay.past import Past

    Floats = NDArray[np.float64]

MOMENTS = (25, 50)
"""After so many experiments the share found and the regret are read."""


TOP_SHARES = (0.01, 0.05)
"""Of the recipes, by their means, which count as good."""


@dataclass(frozen=True)
class Sought:
    """A table in which every recipe has one answer, and the best are sought.

    Attributes:
        worth: the answer of each recipe (n,), turned so that more is better.
        best: by name, the recipes that count as good.
        budget: experiments of each search, the start included.
        unit: of the answers.
    """

    worth: Floats
    best: dict[str, frozenset[int]]
    budget: int
    unit: str

    @property
    def names(self) -> list[str]:
        """What is measured, in the order of ``measure``."""
        first = [f"experiments to the first {name}" for name in self.best]
        share = [f"share of the {len(self._good)} best found by {moment}" for moment in MOMENTS]
        return [*first, *share, *(f"regret at {moment}, {self.unit}" for moment in MOMENTS)]

    @property
    def more_is_better(self) -> list[bool]:
        """Of each measure."""
        return [False] * len(self.best) + [True] * len(MOMENTS) + [False] * len(MOMENTS)

    @property
    def _good(self) -> frozenset[int]:
        return max(self.best.values(), key=len)

    def measure(self, rows: Sequence[int]) -> Floats:
        """All measures of one search; one that never got there counts as one experiment over the budget.

        Args:
            rows: which recipes were tried, in order, the whole budget.
        """
        first = [
            next((i for i, row in enumerate(rows, start=1) if row in best), self.budget + 1)
            for best in self.best.values()
        ]
        share = [len(self._good.intersection(rows[:moment])) / len(self._good) for moment in MOMENTS]
        regret = [self.worth.max() - self.worth[list(rows[:moment])].max() for moment in MOMENTS]
        return np.array([*first, *share, *regret], dtype=float)

    def chance(self, start: Sequence[int]) -> Floats:
        """The expectation of all measures if the rest after this start is drawn at random, none twice."""
        rest = np.setdiff1d(np.arange(len(self.worth)), start)
        first = []
        for best in self.best.values():
            met = next((i for i, row in enumerate(start, start=1) if row in best), None)
            if met is None:
                # The mean of a waiting time is the sum over all moments of the chance of still waiting.
                waiting = 1.0 - reached_by(np.isin(rest, list(best)).astype(float))
                met = len(start) + waiting[: self.budget - len(start) + 1].sum()
            first.append(met)
        good, regret = self._good, []
        drawn = [moment - len(start) for moment in MOMENTS]
        share = [
            (len(good.intersection(start)) + len(good - set(start)) * m / len(rest)) / len(good)
            for m in drawn
        ]
        for m in drawn:
            values = np.maximum(np.sort(self.worth[rest]), self.worth[list(start)].max(initial=-np.inf))
            regret.append(self.worth.max() - values @ greatest_of(m, len(rest)))
        return np.array([*first, *share, *regret], dtype=float)


def sought(past: Past, budget: int, unit: str) -> Sought:
    """What to look for in a table.

    Raises:
        ValueError: a recipe of the table has no answer; a failure is no value.
    """
    if not np.isfinite(past.worth).all():
        raise ValueError("some recipes of the table only failed, which this comparison does not know")
    best = {}
    for share in TOP_SHARES:
        last = past.rank(share)
        good = frozenset(i for i, value in enumerate(past.worth) if past.reaches(float(value), last))
        best[f"of the best {share:.0%} ({len(good)})"] = good
    return Sought(past.config.direction * past.worth, best, budget, unit)


def greatest_of(m: int, n: int) -> Floats:
    """The chance (n,) of each place in ascending order to be the greatest of m drawn from n without repeats.

    That all m lie among the first j has the chance C(j, m) / C(n, m).
    """
    at_most = np.zeros(n + 1)
    at_most[n] = 1.0
    for j in range(n, m, -1):
        at_most[j - 1] = at_most[j] * (j - m) / j
    return np.diff(at_most)
