"""The laws of a space over all its numbers at once, in their own scale: what drawing alone cannot meet."""

import numpy as np
from numpy.typing import NDArray

from labctl.space.parameters import NUMERIC, Integer, Ordinal, ends
from labctl.space.space import LinearSystem, Space
from labctl_drivers.protocol import Recipe

Floats = NDArray[np.float64]
_MOST_NODES = 2_000
"""Of a mixed-integer programme; a limit in seconds would give another recipe on a slower machine."""


class Numbers:
    """The numeric parameters of a space, each scaled from its lowest to its highest value onto 0 to 1.

    Unlike the columns of the unit cube, these are linear in the value also where the scale is logarithmic,
    so that every law is linear here.

    Attributes:
        names: in the order of the k columns.
        system: the laws over these columns.
    """

    def __init__(self, space: Space) -> None:
        self._parameters = {n: p for n, p in space.parameters.items() if isinstance(p, NUMERIC)}
        self._space = space
        self.names = tuple(self._parameters)
        bounds = np.array([ends(p) for p in self._parameters.values()]).reshape(-1, 2)
        self._low, self._span = bounds[:, 0], bounds[:, 1] - bounds[:, 0]
        self.system = self._laws()

    def _laws(self) -> LinearSystem:
        place = {name: i for i, name in enumerate(self.names)}
        equal: list[tuple[Floats, float]] = []
        below: list[tuple[Floats, float]] = []

        def law(weights: dict[str, float], number: float) -> tuple[Floats, float]:
            row = np.zeros(len(place))
            for name, weight in weights.items():
                row[place[name]] = weight
            scaled, rest = row * self._span, number - float(row @ self._low)
            size = np.abs(scaled).max() or 1.0  # a solver's tolerance is absolute
            return scaled / size, rest / size

        equal += [law(dict.fromkeys(m.parts, 1.0), m.total) for m in self._space.mixtures.values()]
        for constraint in self._space.constraints:
            for relation, number in constraint.sides():
                row, rest = law(self._space.weights(constraint), number)
                if relation == "=":
                    equal.append((row, rest))
                else:
                    below.append((row, rest) if relation == "<=" else (-row, -rest))
        shape = (-1, len(place))
        return LinearSystem(
            np.array([row for row, _ in equal]).reshape(shape),
            np.array([rest for _, rest in equal]),
            np.array([row for row, _ in below]).reshape(shape),
            np.array([rest for _, rest in below]),
        )

    def put(self, recipe: Recipe, columns: Floats) -> Recipe:
        """The recipe with its numbers taken from k columns, whole numbers and levels being the nearest."""
        filled = dict(recipe)
        for name, value in zip(self.names, self._low + columns * self._span, strict=True):
            parameter = self._parameters[name]
            low, high = ends(parameter)
            filled[name] = parameter.canonical(float(np.clip(value, low, high)))
        return filled

    def nearest(self, target: Floats) -> Floats | None:
        """The lawful columns nearest to these (sum of distances), or None if no recipe is lawful.

        A mixed-integer programme: whole numbers, levels and the number of a mixture's parts are exact.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415 - not every space needs it

        programme = _Programme(len(self.names), target)
        programme.add(self.system.A_eq, self.system.b_eq, self.system.b_eq)
        programme.add(self.system.A_ub, -np.inf, self.system.b_ub)
        for i, parameter in enumerate(self._parameters.values()):
            if isinstance(parameter, Integer):
                programme.steps(i, round(self._span[i]))
            elif isinstance(parameter, Ordinal):
                programme.levels(i, (np.asarray(parameter.levels) - self._low[i]) / self._span[i])
        for mixture in self._space.mixtures.values():
            if mixture.max_parts is not None:
                columns = [self.names.index(part) for part in mixture.parts]
                programme.at_most(columns, self._low, self._span, mixture.max_parts)
        A, low, high, cost, whole, upper = programme.matrices()
        found = milp(
            cost,
            constraints=LinearConstraint(A, low, high),
            bounds=Bounds(np.zeros(len(cost)), upper),
            integrality=whole,
            options={"node_limit": _MOST_NODES},
        )
        return None if found.x is None else np.asarray(found.x[: len(self.names)], dtype=np.float64)


class _Programme:
    """Collects a mixed-integer programme: k columns, k distances from a target, then helpers."""

    def __init__(self, k: int, target: Floats) -> None:
        self.k = k
        self.rows: list[tuple[dict[int, float], float, float]] = []
        self.whole = [0] * (2 * k)
        self.upper = [1.0] * (2 * k)
        for i in range(k):  # distance >= |column - target|
            self.rows.append(({i: 1.0, k + i: -1.0}, -np.inf, float(target[i])))
            self.rows.append(({i: 1.0, k + i: 1.0}, float(target[i]), np.inf))

    def add(self, A: Floats, low: Floats | float, high: Floats | float) -> None:
        for row, a, b in zip(A, np.broadcast_to(low, len(A)), np.broadcast_to(high, len(A)), strict=True):
            self.rows.append(({int(i): float(row[i]) for i in np.flatnonzero(row)}, float(a), float(b)))

    def helper(self, most: float) -> int:
        """A new whole number from 0 to `most`."""
        self.whole.append(1)
        self.upper.append(most)
        return len(self.whole) - 1

    def steps(self, column: int, n: int) -> None:
        """This column moves in n equal steps."""
        self.rows.append(({column: float(n), self.helper(n): -1.0}, 0.0, 0.0))

    def levels(self, column: int, levels: Floats) -> None:
        """This column takes one of these levels."""
        picks = [self.helper(1) for _ in levels]
        self.rows.append((dict.fromkeys(picks, 1.0), 1.0, 1.0))
        chosen = {pick: -float(level) for pick, level in zip(picks, levels, strict=True)}
        self.rows.append(({column: 1.0, **chosen}, 0.0, 0.0))

    def at_most(self, columns: list[int], low: Floats, span: Floats, n: int) -> None:
        """At most n of these columns lie above zero; what cannot be zero counts in any case."""
        used = []
        for i in columns:
            pick = self.helper(1)
            used.append(pick)
            zero = -float(low[i] / span[i])  # where zero lies in this column; 0 or below where low is above
            if zero < 0:
                self.rows.append(({pick: 1.0}, 1.0, 1.0))
            else:
                self.rows.append(({i: 1.0, pick: -(1.0 - zero)}, -np.inf, zero))
        self.rows.append((dict.fromkeys(used, 1.0), -np.inf, float(n)))

    def matrices(self) -> tuple[object, Floats, Floats, Floats, Floats, Floats]:
        """Rows as a sparse matrix with their bounds, costs, which are whole, and the upper bounds."""
        from scipy.sparse import coo_array  # noqa: PLC0415

        entries = [(r, c, v) for r, (row, _, _) in enumerate(self.rows) for c, v in row.items()]
        at, to, values = zip(*entries, strict=True)
        size = len(self.whole)
        A = coo_array((values, (at, to)), shape=(len(self.rows), size)).tocsr()
        cost = np.zeros(size)
        cost[self.k : 2 * self.k] = 1.0
        low, high = (np.array([row[i] for row in self.rows]) for i in (1, 2))
        return A, low, high, cost, np.array(self.whole, dtype=float), np.array(self.upper)
