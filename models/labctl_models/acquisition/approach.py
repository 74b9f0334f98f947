"""Expected approach to a target value: how much nearer a recipe may come than the nearest one known."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.acquisition.logs import log_sum

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
NODES = 48
FARTHEST = 1e150
"""Standard deviations whose square is still a number; a density is 0 long before."""
REACH = 9.0
"""Standard deviations beyond which a normal density adds nothing that a double can hold beside its centre."""


def log_expected_approach(mean: Array, sd: Array, target: float, miss: float) -> Array:
    """Logarithm (q,) of E[max(miss - |f - target|, 0)] for f normal with mean and sd (both (q,)).

    ``miss`` is how far the best known recipe lies from the target. The value itself is modelled, not its
    distance to the target: no smooth surrogate can follow a kink. The gain then has the shape of a tent,
    which is averaged over the density of f. Where nothing can be gained the logarithm is -inf.
    """
    value, _, _ = log_expected_approach_slopes(mean, sd, target, miss)
    return value


def log_expected_approach_slopes(
    mean: Array, sd: Array, target: float, miss: float
) -> tuple[Array, Array, Array]:
    """The logarithm (q,) and its derivatives by mean and by sd, both (q,).

    Each half of the tent is integrated by Gauss and Legendre's rule over the part of it that the density
    reaches. In logarithms, because three nearly equal terms of the closed form cancel far from the target.
    """
    mean, sd = np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64)
    uncertain = (sd > 0.0) & (miss > 0.0)
    safe = np.where(sd > 0.0, sd, 1.0)
    halves = [
        _half(mean, safe, low, high) for low, high in ((target - miss, target), (target, target + miss))
    ]
    f, log_width = (np.concatenate([half[i] for half in halves], axis=0) for i in (0, 1))
    with np.errstate(divide="ignore", under="ignore", over="ignore"):
        gain = np.maximum(miss - np.abs(f - target), 0.0)
        z = (f - mean) / safe
        terms = log_width + np.log(gain) - 0.5 * z * z - LOG_SQRT_2PI - np.log(safe)
        value = log_sum(terms)
        shares = np.exp(terms - np.where(np.isfinite(value), value, 0.0))
        certain = np.log(np.maximum(miss - np.abs(mean - target), 0.0))
    value = np.where(sd > 0.0, np.where(uncertain, value, -np.inf), certain)
    sloped = uncertain & np.isfinite(value)
    # An infinite z has no share; it would be no number times nothing.
    z = np.clip(z, -FARTHEST, FARTHEST)
    with np.errstate(over="ignore"):
        by_mean, by_sd = ((shares * part).sum(axis=0) / safe for part in (z, z * z - 1.0))
    # A slope too steep for a double is of an sd so small that there is no tail to climb.
    by_mean, by_sd = (np.where(sloped & np.isfinite(slope), slope, 0.0) for slope in (by_mean, by_sd))
    return value, by_mean, by_sd


def _half(mean: Array, sd: Array, low: float, high: float) -> tuple[Array, Array]:
    """Nodes (k x q) and log weights over the part of [low, high] that matters at each mean."""
    nodes, weights = _rule()
    # Around the place in the interval where the density is highest, as far as it reaches.
    centre = np.clip(mean, low, high)
    begin, end = np.maximum(low, centre - REACH * sd), np.minimum(high, centre + REACH * sd)
    width = np.maximum(end - begin, 0.0)
    with np.errstate(divide="ignore"):
        return begin + nodes[:, None] * width, np.log(weights)[:, None] + np.log(width)


@cache
def _rule() -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return np.asarray((nodes + 1.0) / 2.0), np.asarray(weights / 2.0)
