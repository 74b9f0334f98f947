"""Several goals at once: expected growth of the volume that the Pareto front dominates, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr

from labctl_models.acquisition.improvement import LOG_SQRT_2PI, log_expected_improvement
from labctl_models.acquisition.logs import log_difference, log_sum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl_models.surrogates.protocol import Array

MOST_GOALS = 4
"""With more goals the dominated volume falls apart into too many boxes; a scalarisation is the way then."""
BLOCK = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """The part of goal space that no point of the front dominates, as disjoint boxes (k x m each).

    All goals are maximised. Upper ends are infinite where a box is open.
    """

    lower: Array
    upper: Array

    @property
    def goals(self) -> int:
        """How many goals."""
        return int(self.lower.shape[1])


def pareto(Y: Array) -> Array:
    """The rows of Y (n x m, all maximised) that no other row dominates, each once, by the first column."""
    Y = np.unique(np.asarray(Y, dtype=np.float64), axis=0)[::-1]
    kept: list[int] = []
    for row in range(len(Y)):
        if not any((Y[k] >= Y[row]).all() for k in kept):
            kept.append(row)
    return Y[kept]


def reference_point(Y: Array) -> Array:
    """The corner (m,) that volume is measured from: a tenth of the front's range below its worst values.

    The rule of Ishibuchi et al., GECCO 2011, as botorch takes it; of one point alone, of all results' range.
    """
    Y = np.asarray(Y, dtype=np.float64)
    front = pareto(Y)
    low = front.min(axis=0)
    spread = front.max(axis=0) - low
    spread = np.where(spread > 0.0, spread, Y.max(axis=0) - Y.min(axis=0))
    return np.asarray(low - 0.1 * np.where(spread > 0.0, spread, 1.0))


def boxes(front: Array, reference: Array) -> Boxes:
    """Cut what lies above ``reference`` (m,) and is not dominated by ``front`` (p x m) into disjoint boxes.

    Goal by goal: between two neighbouring values of the last goal, what is not dominated is, in the other
    goals, what the points above that slab leave. That is the slicing of Fonseca, Paquete and López-Ibáñez
    (IEEE CEC 2006), turned round to the part that is free.

    Raises:
        ValueError: there are more goals than boxes can serve, or shapes do not match.
    """
    reference = np.asarray(reference, dtype=np.float64)
    front = np.asarray(front, dtype=np.float64).reshape(-1, len(reference))
    if len(reference) > MOST_GOALS:
        raise ValueError(f"boxes serve up to {MOST_GOALS} goals, not {len(reference)}")
    front = pareto(front[(front > reference).all(axis=1)])
    corners = _free(front, reference)
    lower = np.array([low for low, _ in corners], dtype=np.float64).reshape(-1, len(reference))
    upper = np.array([high for _, high in corners], dtype=np.float64).reshape(-1, len(reference))
    return Boxes(lower, upper)


def _free(front: Array, reference: Array) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    if len(reference) == 1:
        best = float(front.max()) if len(front) else float(reference[0])
        return [((best,), (float("inf"),))]
    found = []
    edges = [float(reference[-1]), *sorted({float(v) for v in front[:, -1]}), float("inf")]
    for low, high in pairwise(edges):
        above = front[front[:, -1] >= high][:, :-1]
        inner = _free(pareto(above) if len(above) else above, reference[:-1])
        found += [((*a, low), (*b, high)) for a, b in inner]
    return found


def dominated_volume(front: Array, reference: Array) -> float:
    """The volume between ``reference`` (m,) and ``front`` (p x m), all goals maximised."""
    reference = np.asarray(reference, dtype=np.float64)
    front = np.asarray(front, dtype=np.float64).reshape(-1, len(reference))
    front = front[(front > reference).all(axis=1)]
    if not len(front):
        return 0.0
    if len(reference) == 1:
        return float(front.max() - reference[0])
    volume, edges = 0.0, [float(reference[-1]), *sorted({float(v) for v in front[:, -1]})]
    for low, high in pairwise(edges):
        volume += (high - low) * dominated_volume(front[front[:, -1] >= high][:, :-1], reference[:-1])
    return volume


def log_expected_growth(means: Sequence[Array], sds: Sequence[Array], free: Boxes) -> Array:
    """Logarithm (q,) of the expected growth of the dominated volume by one result with independent goals.

    means and sds hold one array (q,) a goal. In a box the growth is a product over goals of
    E[min((f - lower)+, upper - lower)], a difference of two expected improvements: Yang et al., J. Global
    Optim. 75, 3 (2019); taken in logarithms, so that it ranks recipes also where no growth is likely, as
    Ament et al. (NeurIPS 2023) do by sampling.
    """
    q = len(means[0])
    out = np.empty(q)
    rows = max(1, BLOCK // max(1, len(free.lower)))
    for begin in range(0, q, rows):
        block = slice(begin, begin + rows)
        out[block] = log_sum(np.sum(_sides([m[block] for m in means], [s[block] for s in sds], free), axis=0))
    return out


def log_expected_growth_slopes(
    means: Sequence[Array], sds: Sequence[Array], free: Boxes
) -> tuple[Array, list[Array], list[Array]]:
    """The logarithm (q,) and, for each goal, its derivatives by mean and by sd (both (q,)); for few rows."""
    sides = _sides(means, sds, free)
    terms = np.sum(sides, axis=0)
    value = log_sum(terms)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        shares = np.exp(terms - np.where(np.isfinite(value), value, 0.0))
    by_mean, by_sd = [], []
    for goal, side in enumerate(sides):
        mean, sd = means[goal][None], sds[goal][None]
        safe = np.where(sd > 0.0, sd, 1.0)
        usable = np.isfinite(side) & (sd > 0.0) & np.isfinite(value)
        with np.errstate(all="ignore"):
            z_low = (mean - free.lower[:, goal, None]) / safe
            z_high = (mean - free.upper[:, goal, None]) / safe
            slope_mean = np.exp(log_difference(log_ndtr(z_low), log_ndtr(z_high)) - side)
            density = np.exp(-0.5 * z_low**2 - LOG_SQRT_2PI - side) - np.exp(
                np.where(np.isfinite(z_high), -0.5 * z_high**2, -np.inf) - LOG_SQRT_2PI - side
            )
            # Where a box's slope is too steep for a double, its share is too small for one.
            parts = [shares * slope_mean, shares * density]
        counted = [np.where(usable & np.isfinite(part), part, 0.0).sum(axis=0) for part in parts]
        by_mean.append(counted[0])
        by_sd.append(counted[1])
    return value, by_mean, by_sd


def _sides(means: Sequence[Array], sds: Sequence[Array], free: Boxes) -> list[Array]:
    """For each goal the logarithm (k x q) of the expected length that a result adds to each box."""
    found = []
    for goal, (mean, sd) in enumerate(zip(means, sds, strict=True)):
        lower, upper = free.lower[:, goal], free.upper[:, goal]
        ends, where = np.unique(np.concatenate([lower, upper[np.isfinite(upper)]]), return_inverse=True)
        gains = np.array([log_expected_improvement(mean, sd, float(end)) for end in ends])
        above = np.full((len(upper), len(mean)), -np.inf)
        above[np.isfinite(upper)] = gains[where[len(lower) :]]
        found.append(log_difference(gains[where[: len(lower)]], above))
    return found
