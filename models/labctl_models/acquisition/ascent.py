"""Gradient polish: climb a score from good recipes to better ones, never out of bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from labctl_models.acquisition.score import FLAT
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl_models.acquisition.score import Score
    from labctl_models.surrogates.protocol import Array

MAX_STEPS = 50
# What rounding may leave in a constraint that holds.
SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear condition over columns: Σ coefficients · x[columns] >= rhs, or == rhs with `equality`."""

    columns: tuple[int, ...]
    coefficients: tuple[float, ...]
    rhs: float
    equality: bool = False

    def __post_init__(self) -> None:
        """Refuse a condition that has not one coefficient for each of its columns."""
        if len(self.columns) != len(self.coefficients) or not self.columns:
            raise ValueError("a linear constraint needs one coefficient for each of its columns")


@dataclass(frozen=True, slots=True)
class Ascent:
    """Where the ascent ended: recipes X (s x d) and what was climbed there (s,), row by row."""

    X: Array
    value: Array


def ascend(
    score: Score,
    starts: Array,
    *,
    free: Sequence[int],
    lower: Array,
    upper: Array,
    constraints: Sequence[Linear] = (),
) -> Ascent:
    """Climb a score from each start (s x d), one end for each start.

    Only the columns in `free` move, within lower and upper (both (d,)); the others (choices, settings held
    for a batch) stay at the start's values. No end is worse than its start or breaks a constraint beyond
    1e-9 more than its start did, whatever the optimiser returns. L-BFGS-B without constraints, SLSQP with.

    Raises:
        ValueError: a start is outside the bounds or breaks a constraint by more than 1e-6.
    """
    X = np.array(starts, dtype=np.float64)
    lower, upper = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    columns = np.asarray(sorted(set(free)), dtype=np.intp)
    cage = _Cage.around(X, columns, lower, upper, constraints)
    value = score.log(X)
    if len(columns) == 0:
        return Ascent(X, value)
    with one_thread():
        for row, start in enumerate(X.copy()):
            end = cage.hold(start, _climb(score, start, cage))
            reached = float(score.log(end[None])[0])
            if reached > value[row]:
                X[row], value[row] = end, reached
    return Ascent(X, value)


@dataclass(frozen=True, slots=True)
class _Cage:
    """The feasible set seen by the free columns: their bounds, and A x >= b, C x == e over all columns."""

    columns: np.ndarray[tuple[int], np.dtype[np.intp]]
    lower: Array
    upper: Array
    A: Array
    b: Array
    C: Array
    e: Array

    @classmethod
    def around(
        cls,
        starts: Array,
        columns: np.ndarray[tuple[int], np.dtype[np.intp]],
        lower: Array,
        upper: Array,
        constraints: Sequence[Linear],
    ) -> _Cage:
        d = starts.shape[1]

        def stacked(rows: list[Linear]) -> tuple[Array, Array]:
            matrix = np.zeros((len(rows), d))
            for i, condition in enumerate(rows):
                # add, because a column may be named twice
                np.add.at(matrix[i], list(condition.columns), list(condition.coefficients))
            return matrix, np.asarray([condition.rhs for condition in rows], dtype=np.float64)

        A, b = stacked([c for c in constraints if not c.equality])
        C, e = stacked([c for c in constraints if c.equality])
        moved = starts[:, columns]
        outside = (moved < lower[columns] - SLACK).any() or (moved > upper[columns] + SLACK).any()
        broken = (starts @ A.T < b - 1e-6).any() or (np.abs(starts @ C.T - e) > 1e-6).any()  # noqa: PLR2004
        if outside or broken:
            raise ValueError("every start of an ascent must lie within the bounds and keep the constraints")
        return cls(columns, lower[columns], upper[columns], A, b, C, e)

    @property
    def constrained(self) -> bool:
        return bool(len(self.A) or len(self.C))

    def hold(self, start: Array, goal: Array) -> Array:
        """The farthest recipe on the way from a feasible start to the goal that is feasible too.

        The way is first turned parallel to the equalities, so that they hold at every length of it.
        """
        step = goal - start
        if len(self.C):
            C = self.C[:, self.columns]
            moved = step[self.columns]
            step[self.columns] = moved - np.linalg.pinv(C) @ (C @ moved)
        longest = 1.0
        if len(self.A):
            spare, use = self.A @ start - self.b, -(self.A @ step)
            longest = _longest(longest, spare, use)
        moved = step[self.columns]
        longest = _longest(longest, self.upper - start[self.columns], moved)
        longest = _longest(longest, start[self.columns] - self.lower, -moved)
        end = start + longest * step
        # Only the last bit can be outside the bounds now.
        end[self.columns] = np.clip(end[self.columns], self.lower, self.upper)
        return end


def _longest(longest: float, spare: Array, use: Array) -> float:
    """The largest fraction of a step whose `use` of each bound stays within what it has to `spare`."""
    # What exceeds the spare by no more than rounding does not stop the step.
    tight = use > np.maximum(spare, 0.0) + 1e-12
    if not tight.any():
        return longest
    return min(longest, float((np.maximum(spare[tight], 0.0) / use[tight]).min()))


def _climb(score: Score, start: Array, cage: _Cage) -> Array:
    """Where the optimiser goes from one start: a full recipe (d,), not yet held to the constraints."""
    columns = cage.columns

    def fall(moved: Array) -> tuple[float, Array]:
        x = start.copy()
        x[columns] = np.clip(moved, cage.lower, cage.upper)
        heights, slopes = score.log_with_slopes(x[None])
        value, slope = float(heights[0]), slopes[0]
        # Where no improvement is possible at all there is no slope either, and the optimiser stops.
        return -max(value, FLAT), -slope[columns]

    conditions = []
    rest = start.copy()
    rest[columns] = 0.0
    for matrix, rhs, kind in ((cage.A, cage.b, "ineq"), (cage.C, cage.e, "eq")):
        if len(matrix):
            M, r = matrix[:, columns], rhs - matrix @ rest
            conditions.append({"type": kind, "fun": lambda m, M=M, r=r: M @ m - r, "jac": lambda _, M=M: M})
    bounds = np.column_stack([cage.lower, cage.upper])
    result = minimize(
        fall,
        start[columns],
        jac=True,
        method="SLSQP" if cage.constrained else "L-BFGS-B",
        bounds=bounds,
        constraints=conditions,
        options={"maxiter": MAX_STEPS, "ftol": 1e-6},
    )
    end = start.copy()
    if np.isfinite(result.x).all():
        end[columns] = result.x
    return end
