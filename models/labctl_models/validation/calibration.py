"""Whether stated uncertainties are true: curve, areas, proper scores; the numbers of uncertainty-toolbox.

These are written here, in arrays, although uncertainty-toolbox 0.1.1 has most of them and the tests hold
this module to its values: importing that library loads matplotlib (seconds), its curve is a loop over
proportions, its quantile curve is mirrored (it takes prediction less truth for the residual), and it has
no ENCE, no null distribution at the n at hand and no rms(z).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

PROPORTIONS = np.linspace(0.0, 1.0, 100)
"""Expected shares at which the calibration curve is taken."""
LEVELS = np.linspace(0.01, 0.99, 99)
"""Quantile levels of the check score and of the interval score."""
SQRT_2PI = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationScores:
    """How true n stated uncertainties are; all but the curve are better when smaller.

    Attributes:
        expected: (100,) shares of readings that central intervals should hold.
        observed: (100,) shares that they do hold.
        miscalibration_area: Area between the two.
        mace: Mean absolute distance between the two.
        rmsce: Root mean squared distance between the two.
        sharpness: Root mean square of the sds, in units of y: how much is claimed to be known.
        nll: Mean negative log density, in nats.
        crps: Mean continuous ranked probability score, in units of y.
        check: Mean check (pinball) score over 99 levels, in units of y.
        interval: Mean interval score over 99 levels, in units of y.
    """

    expected: Array
    observed: Array
    miscalibration_area: float
    mace: float
    rmsce: float
    sharpness: float
    nll: float
    crps: float
    check: float
    interval: float


def calibration_scores(y: Array, mean: Array, sd: Array) -> CalibrationScores:
    """Scores of normal predictions (n,), (n,) of readings y (n,); sds include the noise.

    Raises:
        ValueError: shapes differ, n is 0, a value is not finite, or an sd is not positive.
    """
    y, mean, sd = checked_normal(y, mean, sd)
    z = (y - mean) / sd
    observed = interval_curve(z)
    gap = observed - PROPORTIONS
    density = np.exp(-0.5 * z**2) / SQRT_2PI
    crps = sd * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / math.sqrt(math.pi))
    return CalibrationScores(
        expected=PROPORTIONS.copy(),
        observed=observed,
        miscalibration_area=_area(gap),
        mace=float(np.mean(np.abs(gap))),
        rmsce=math.sqrt(np.mean(gap**2)),
        sharpness=math.sqrt(np.mean(sd**2)),
        nll=float(np.mean(0.5 * z**2 + np.log(sd) + 0.5 * math.log(2.0 * math.pi))),
        crps=float(np.mean(crps)),
        check=_check_score(y, mean, sd),
        interval=_interval_score(y, mean, sd),
    )


def interval_curve(z: Array) -> Array:
    """Share of |z| within each central interval of PROPORTIONS: (100,) from z (n,).

    z may have leading axes, (..., n) giving (..., 100).
    """
    reach = np.sort(np.abs(z), axis=-1)
    bounds = ndtri(0.5 + 0.5 * PROPORTIONS)
    flat = reach.reshape(-1, reach.shape[-1])
    counts = np.stack([np.searchsorted(row, bounds, side="right") for row in flat])
    return np.asarray(counts.reshape(*reach.shape[:-1], -1) / reach.shape[-1], dtype=np.float64)


def quantile_curve(z: Array) -> Array:
    """Share of z at or below each normal quantile of PROPORTIONS: (100,) from z (n,)."""
    return np.asarray(
        np.searchsorted(np.sort(z), ndtri(PROPORTIONS), side="right") / len(z), dtype=np.float64
    )


def _area(gap: Array) -> float:
    """Area between the straight-line curve and the diagonal; pieces that cross it are cut at the crossing."""
    a, b = gap[:-1], gap[1:]
    width = float(PROPORTIONS[1])
    crossing = a * b < 0.0
    whole = 0.5 * (np.abs(a) + np.abs(b))
    size = np.where(crossing, np.abs(a) + np.abs(b), 1.0)
    return float(np.sum(np.where(crossing, 0.5 * (a * a + b * b) / size, whole)) * width)


def _check_score(y: Array, mean: Array, sd: Array) -> float:
    total = 0.0
    for level in LEVELS:
        miss = y - (mean + ndtri(level) * sd)
        total += float(np.mean(np.maximum(level * miss, (level - 1.0) * miss)))
    return total / len(LEVELS)


def _interval_score(y: Array, mean: Array, sd: Array) -> float:
    """Gneiting and Raftery, J. Am. Stat. Assoc. 102, 359 (2007), equation 43, over 99 levels."""
    total = 0.0
    for level in LEVELS:
        reach = -ndtri(0.5 * level) * sd
        beyond = np.maximum(np.abs(y - mean) - reach, 0.0)
        total += float(np.mean(2.0 * reach + 2.0 / level * beyond))
    return total / len(LEVELS)


def checked_normal(y: Array, mean: Array, sd: Array) -> tuple[Array, Array, Array]:
    """The three as float64 arrays of one shape (n,).

    Raises:
        ValueError: shapes differ, n is 0, a value is not finite, or an sd is not positive.
    """
    y, mean, sd = (np.asarray(values, dtype=np.float64) for values in (y, mean, sd))
    if y.ndim != 1 or not len(y) or y.shape != mean.shape or y.shape != sd.shape:
        raise ValueError(
            f"readings, means and sds must be n each; shapes {y.shape}, {mean.shape}, {sd.shape}"
        )
    if not (np.isfinite(y).all() and np.isfinite(mean).all() and np.isfinite(sd).all()):
        raise ValueError("readings, means and sds must be finite")
    if (sd <= 0.0).any():
        raise ValueError("a stated sd is not positive; a reading is never certain")
    return y, mean, sd
