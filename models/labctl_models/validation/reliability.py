"""How far off stated uncertainties are, what chance alone would show at this n, and how to mend them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2

from labctl_models.validation.calibration import (
    PROPORTIONS,
    CalibrationScores,
    calibration_scores,
    checked_normal,
    interval_curve,
)

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

DRAWS = 400
CONFIDENCE = 0.95
ROWS_PER_BIN = 10
MOST_BINS = 10
FEWEST_TO_RECALIBRATE = 10
NULL_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Null:
    """What a statistic is when every stated sd is true: mean and 95 % quantile over simulated readings."""

    mean: float
    upper: float


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Whether predictions of one kind of fold state their uncertainty truly.

    Attributes:
        rows: How many different readings it rests on; intervals and nulls are those of this number.
        scores: Curve, areas and proper scores.
        area_null: Null of the miscalibration area.
        ence: Expected normalised calibration error; for true sds it is not 0, see its null.
        ence_null: Null of the ence.
        rms_z: Root mean square of (reading - mean) / sd: 1 for true sds, 2 when they are half of what they
            should be. On clusters held out this is the factor by which a strategy should inflate the sd
            outside the data (never below 1).
        rms_z_low: Lower end of its 95 % interval for independent readings.
        rms_z_high: Upper end. Readings of one cluster err together, so the true interval is wider.
        recalibrated: a and b of the sd a · sd + b that these readings would have had most probably.
        half_width_90: Conformal half width: what 90 % of new readings of this kind should err at most.
    """

    rows: int
    scores: CalibrationScores
    area_null: Null
    ence: float
    ence_null: Null
    rms_z: float
    rms_z_low: float
    rms_z_high: float
    recalibrated: tuple[float, float]
    half_width_90: float


def rms_z(y: Array, mean: Array, sd: Array, *, rows: int | None = None) -> tuple[float, float, float]:
    """Root mean square of z, and its 95 % interval if `rows` of the n readings are independent.

    Σ z² is chi-squared with `rows` degrees of freedom about its true mean. With few rows this sees what the
    calibration curve cannot.
    """
    y, mean, sd = checked_normal(y, mean, sd)
    value = math.sqrt(np.mean(((y - mean) / sd) ** 2))
    count = len(y) if rows is None else rows
    low, high = chi2.ppf([0.5 + 0.5 * CONFIDENCE, 0.5 - 0.5 * CONFIDENCE], count)
    return value, value * math.sqrt(count / low), value * math.sqrt(count / high)


def bins_for(n: int) -> int:
    """Number of bins of the ENCE: ten rows each, at least 2 and at most 10 bins."""
    return min(MOST_BINS, max(2, n // ROWS_PER_BIN))


def ence(y: Array, mean: Array, sd: Array, bins: int | None = None) -> float:
    """Expected normalised calibration error: mean over bins by sd of |RMSE - RMV| / RMV.

    RMV is the root mean stated variance of a bin. Levi et al., Sensors 22, 5540 (2022). Rows are dealt to
    bins of equal size in the order of their sd. It is positive by chance alone, about √(bins / (π n)), so it
    means nothing without `ence_null`.
    """
    y, mean, sd = checked_normal(y, mean, sd)
    return float(_ence((y - mean)[None], sd, bins_for(len(y)) if bins is None else bins)[0])


def ence_null(sd: Array, *, bins: int | None = None, draws: int = DRAWS, seed: int = 0) -> Null:
    """Null of the ENCE for these sds (n,)."""
    sd = np.asarray(sd, dtype=np.float64)
    errors = np.random.default_rng(seed).standard_normal((draws, len(sd))) * sd
    return _null(_ence(errors, sd, bins_for(len(sd)) if bins is None else bins))


def area_null(n: int, *, draws: int = DRAWS, seed: int = 0) -> Null:
    """Null of the miscalibration area for n independent readings."""
    curves = interval_curve(np.random.default_rng(seed).standard_normal((draws, n)))
    gap = np.abs(curves - PROPORTIONS)
    return _null(np.sum(0.5 * (gap[:, 1:] + gap[:, :-1]), axis=1) * PROPORTIONS[1])


def _ence(errors: Array, sd: Array, bins: int) -> Array:
    """ENCE (draws,) of errors (draws x n)."""
    order = np.argsort(sd, kind="stable")
    edges = np.linspace(0, len(sd), min(bins, len(sd)) + 1).astype(np.intp)[:-1]
    counts = np.diff(np.append(edges, len(sd)))
    rmse = np.sqrt(np.add.reduceat(errors[:, order] ** 2, edges, axis=1) / counts)
    rmv = np.sqrt(np.add.reduceat(sd[order] ** 2, edges) / counts)
    return np.asarray(np.mean(np.abs(rmse - rmv) / rmv, axis=1), dtype=np.float64)


def _null(values: Array) -> Null:
    return Null(float(np.mean(values)), float(np.quantile(values, 0.95)))


def recalibration(y: Array, mean: Array, sd: Array) -> tuple[float, float]:
    """The a, b >= 0 for which readings are most probable with sd a · sd + b.

    Palmer et al., npj Comput. Mater. 8, 115 (2022). With fewer than 10 readings, (rms(z), 0).
    """
    y, mean, sd = checked_normal(y, mean, sd)
    start = rms_z(y, mean, sd)[0]
    if len(y) < FEWEST_TO_RECALIBRATE or start == 0.0:
        return max(start, np.finfo(np.float64).tiny), 0.0
    size = math.sqrt(np.mean(sd**2))
    error, stated = np.abs(y - mean) / size, sd / size
    floor = 1e-6 * float(stated.min())

    def negative(parameters: Array) -> tuple[float, Array]:
        total = parameters[0] * stated + parameters[1] + floor
        slope = 1.0 / total - error**2 / total**3
        value = float(np.mean(np.log(total) + 0.5 * (error / total) ** 2))
        return value, np.array([np.mean(slope * stated), np.mean(slope)])

    starts = ((start, 0.0), (0.5 * start, 0.5 * start), (0.0, start))
    bounds = [(0.0, None), (0.0, None)]
    ends = [minimize(negative, np.array(s), jac=True, method="L-BFGS-B", bounds=bounds) for s in starts]
    best = min(ends, key=lambda end: float(end.fun))
    return float(best.x[0]), float(best.x[1]) * size


def calibration(
    y: Array, mean: Array, sd: Array, *, rows: int | None = None, half_width_90: float, seed: int = 0
) -> Calibration:
    """Everything about n stated uncertainties of readings, of which `rows` are different readings.

    Raises:
        ValueError: shapes differ, n is 0, a value is not finite, or an sd is not positive.
    """
    y, mean, sd = checked_normal(y, mean, sd)
    count = len(y) if rows is None else rows
    value, low, high = rms_z(y, mean, sd, rows=count)
    # The null of few readings is that of a systematic sample of the sds; beyond 2,000 the null hardly moves.
    sample = np.sort(sd)[np.linspace(0, len(sd) - 1, min(count, NULL_ROWS)).astype(np.intp)]
    return Calibration(
        rows=count,
        scores=calibration_scores(y, mean, sd),
        area_null=area_null(min(count, NULL_ROWS), seed=seed),
        ence=ence(y, mean, sd, bins_for(count)),
        ence_null=ence_null(sample, bins=bins_for(count), seed=seed),
        rms_z=value,
        rms_z_low=low,
        rms_z_high=high,
        recalibrated=recalibration(y, mean, sd),
        half_width_90=half_width_90,
    )
