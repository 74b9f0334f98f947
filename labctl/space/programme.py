"""A mixed-integer programme for the recipe nearest to a wish, row by row."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from labctl.space.quiet import off_stdout
from labctl_drivers.protocol import Setting

Floats = NDArray[np.float64]
_GAVE_UP = 4
"""The status that says neither solved nor impossible."""
_MOST_NODES = 2_000
"""Of a mixed-integer programme; a limit in seconds would give another recipe on a slower machine."""


class Programme:
    """Collects a mixed-integer programme: k columns from 0 to 1, k distances from a target, then helpers."""

    def __init__(self, k: int, target: Floats) -> None:
        self.k = k
        self.costs: dict[int, float] = {}
        self._picks: dict[str, dict[str, int]] = {}
        self.rows: list[tuple[dict[int, float], float, float]] = []
        self.whole = [0] * (2 * k)
        self.upper = [1.0] * (2 * k)
        for i in range(k):  # distance >= |column - target|
            self.rows.append(({i: 1.0, k + i: -1.0}, -np.inf, float(target[i])))
            self.rows.append(({i: 1.0, k + i: 1.0}, float(target[i]), np.inf))

    def add(self, A: Floats, low: Floats | float, high: Floats | float) -> None:
        """Each row of A (m x k) times the columns lies between low and high."""
        for row, a, b in zip(A, np.broadcast_to(low, len(A)), np.broadcast_to(high, len(A)), strict=True):
            self.rows.append(({int(i): float(row[i]) for i in np.flatnonzero(row)}, float(a), float(b)))

    def helper(self, most: float) -> int:
        """A new whole number from 0 to `most`."""
        self.whole.append(1)
        self.upper.append(most)
        return len(self.whole) - 1

    def steps(self, column: int, first: float, step: float, n: int) -> None:
        """This column is first + i · step for an i from 0 to n."""
        self.rows.append(({column: 1.0 / step, self.helper(n): -1.0}, first / step, first / step))

    def levels(self, column: int, levels: Floats) -> None:
        """This column takes one of these levels."""
        picks = [self.helper(1) for _ in levels]
        self.rows.append((dict.fromkeys(picks, 1.0), 1.0, 1.0))
        chosen = {pick: -float(level) for pick, level in zip(picks, levels, strict=True)}
        self.rows.append(({column: 1.0, **chosen}, 0.0, 0.0))

    def choose(
        self, name: str, choices: Sequence[str], now: str, held: Collection[Setting] | None
    ) -> dict[str, int]:
        """A helper for each choice of a category, one of which is 1; another one than now costs 1.

        Args:
            name: of the parameter.
            choices: of it.
            now: what is kept where possible.
            held: the only ones that may be taken; None for all.
        """
        picks = {choice: self.helper(1 if held is None or choice in held else 0) for choice in choices}
        self.rows.append((dict.fromkeys(picks.values(), 1.0), 1.0, 1.0))
        self.costs |= {pick: 1.0 for choice, pick in picks.items() if choice != now}
        self._picks[name] = picks
        return picks

    def solved(self) -> Floats | None:
        """The columns and helpers of the cheapest solution, or None if there is none."""
        from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415 - not every space needs it
        from scipy.sparse import coo_array  # noqa: PLC0415

        if not self.rows:
            return np.zeros(len(self.whole))
        entries = [(r, c, v) for r, (row, _, _) in enumerate(self.rows) for c, v in row.items()]
        at, to, values = zip(*entries, strict=True)
        size = len(self.whole)
        A = coo_array((values, (at, to)), shape=(len(self.rows), size)).tocsr()
        cost = np.zeros(size)
        cost[self.k : 2 * self.k] = 1.0
        cost[list(self.costs)] = list(self.costs.values())
        low, high = (np.array([row[i] for row in self.rows]) for i in (1, 2))
        # Where presolving leaves a solution that the programme itself does not take, the solver gives up.
        for presolve in (True, False):
            with off_stdout():
                found = milp(
                    cost,
                    constraints=LinearConstraint(A, low, high),
                    bounds=Bounds(np.zeros(size), np.array(self.upper)),
                    integrality=np.array(self.whole, dtype=float),
                    options={"node_limit": _MOST_NODES, "presolve": presolve},
                )
            if found.status != _GAVE_UP:
                break
        return None if found.x is None else np.asarray(found.x, dtype=np.float64)

    def chosen(self, solution: Floats) -> dict[str, str]:
        """The choice of each category in a solution."""
        return {
            name: max(picks, key=lambda choice: solution[picks[choice]])
            for name, picks in self._picks.items()
        }
