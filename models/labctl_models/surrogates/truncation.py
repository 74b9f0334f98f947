"""How probable it is that a normal reading falls into an interval, and how that changes with its mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erfcx, log_ndtr

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
# Beyond this many standard deviations from its peak a density adds nothing to a double.
FAR = 9.0
FADED = 40.0


@dataclass(frozen=True, slots=True)
class Inside:
    """What is known of a normal reading that fell into an interval, each (m,).

    Attributes:
        log_probability: Log of the probability that it does.
        slope: Derivative of that by the reading's mean.
        curvature: Minus the second derivative; from 0, where the interval says nothing, to 1 / variance,
            where it says as much as the number itself.
    """

    log_probability: Array
    slope: Array
    curvature: Array


def inside(mean: Array, variance: Array, low: Array, high: Array) -> Inside:
    """P(low <= t <= high), all (m,), for t normal with this mean and variance; low < high, infinite if open.

    With a and b the ends in standard units and E and V the moments of the truncated standard normal, slope
    and curvature are E / sd and (1 - V) / variance: Rasmussen and Williams (2006), section 3.9, for a step
    in place of their sigmoid. One end: the inverse Mills ratio by the scaled complementary error function.
    Two ends: Gauss-Legendre quadrature, which loses no digits however narrow or far the interval is.
    """
    sd = np.sqrt(variance)
    a, b = (low - mean) / sd, (high - mean) / sd
    # Mirrored where needed, so that an interval that is open on one side is open above, and a closed one
    # does not lie below the mean.
    flipped = np.isinf(a) | (np.isfinite(b) & (a < -b))
    start, end = np.where(flipped, -b, a), np.where(flipped, -a, b)
    log_p, moment, lost = np.zeros(len(a)), np.zeros(len(a)), np.zeros(len(a))
    one = np.isinf(end) & np.isfinite(start)
    two = np.isfinite(end) & np.isfinite(start)
    log_p[one], moment[one], lost[one] = _above(start[one])
    log_p[two], moment[two], lost[two] = _between(start[two], end[two])
    slope = np.where(flipped, -moment, moment) / sd
    return Inside(log_p, slope, np.clip(lost, 0.0, 1.0) / variance)


def _above(a: Array) -> tuple[Array, Array, Array]:
    """Log probability, mean and 1 - variance of a standard normal above a."""
    with np.errstate(over="ignore", divide="ignore"):
        # Far below 0 the function overflows to infinity, and its inverse is 0 as it should be.
        ratio = math.sqrt(2.0 / math.pi) / erfcx(a / math.sqrt(2.0))
    # For a large, E - a is 1/a - 2/a³ + ..., of which the difference would leave no digits.
    excess = np.where(a > 1e4, 1.0 / np.maximum(a, 1.0), ratio - a)  # noqa: PLR2004  a² times the rounding
    with np.errstate(invalid="ignore"):
        lost = np.where(ratio > 0.0, ratio * excess, 0.0)
    return log_ndtr(-a), ratio, lost


def _between(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """The same within [a, b], whose middle is at or above 0."""
    peak = np.maximum(a, 0.0)
    low = np.maximum(a, -FAR)
    high = np.minimum(b, np.where(peak > 0.0, peak + np.minimum(FAR, FADED / np.maximum(peak, 1e-300)), FAR))
    half = 0.5 * (high - low)
    t = low[:, None] + half[:, None] * (NODES + 1.0)
    # Density by its own peak: exp(-(t² - peak²) / 2).
    density = WEIGHTS * np.exp(-0.5 * (t - peak[:, None]) * (t + peak[:, None]))
    total = density.sum(axis=1)
    mean = (density * t).sum(axis=1) / total
    variance = (density * (t - mean[:, None]) ** 2).sum(axis=1) / total
    log_p = np.log(total * half) - 0.5 * peak * peak - LOG_SQRT_2PI
    return log_p, mean, 1.0 - variance
