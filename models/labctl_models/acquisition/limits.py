"""The chance that an outcome keeps its limits, on a logarithmic scale, with its slopes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr

from labctl_models.acquisition.logs import log_difference

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
NEVER = -1e6
"""Logarithm of a chance that is none: finite, so that it still ranks below whatever is possible."""


def log_chance_kept(mean: Array, sd: Array, low: float, high: float) -> Array:
    """Logarithm (q,) of P(low <= f <= high) for f normal with mean and sd (both (q,)); ends may be infinite.

    The weight that constrained expected improvement gives to an outcome: Schonlau, Welch and Jones (1998);
    Gardner et al., ICML 2014. Where sd is 0 it is 0 or the least number there is.
    """
    value, _, _ = log_chance_kept_slopes(mean, sd, low, high)
    return value


def log_chance_kept_slopes(mean: Array, sd: Array, low: float, high: float) -> tuple[Array, Array, Array]:
    """The logarithm (q,) of the chance and its derivatives by mean and by sd, both (q,).

    Raises:
        ValueError: low is not below high.
    """
    if not low < high:
        raise ValueError(f"the limits {low:g} and {high:g} leave no value between them")
    mean, sd = np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64)
    uncertain = sd > 0.0
    safe = np.where(uncertain, sd, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        a, b = (low - mean) / safe, (high - mean) / safe
    # Both ends on the side where the normal tail is small, so that their difference keeps its digits.
    mirrored = a > 0.0
    first, second = np.where(mirrored, -b, a), np.where(mirrored, -a, b)
    value = log_difference(log_ndtr(second), log_ndtr(first))
    certain = np.where((mean >= low) & (mean <= high), 0.0, NEVER)
    value = np.maximum(np.where(uncertain, value, certain), NEVER)
    sloped = uncertain & (value > NEVER)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        at_low = np.exp(np.where(np.isfinite(a), -0.5 * a * a, -np.inf) - LOG_SQRT_2PI - value)
        at_high = np.exp(np.where(np.isfinite(b), -0.5 * b * b, -np.inf) - LOG_SQRT_2PI - value)
        by_mean = (at_low - at_high) / safe
        by_sd = (
            np.where(np.isfinite(a), a, 0.0) * at_low - np.where(np.isfinite(b), b, 0.0) * at_high
        ) / safe
    return value, np.where(sloped, by_mean, 0.0), np.where(sloped, by_sd, 0.0)
