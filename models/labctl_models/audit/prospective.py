"""Prospective calibration: predictions that were written before their results, scored as results come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from labctl_models.audit.statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

COVERAGE = 0.9
ALARM = 20.0
"""Evidence at which intervals are held to be too narrow: reached by chance in 1 of 20 campaigns at most."""
FARTHEST = 1e150
"""Standard deviations beyond which a result is no farther off; the square of so many is still a number."""
BETS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Stakes on a miss, as parts of the largest that cannot lose everything. Small ones pay for intervals that
are a little too narrow, large ones for those that are much too narrow; none need be chosen beforehand."""


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """How t predictions fared, in the order in which their results came.

    Attributes:
        z: (t,) result minus mean, in standard deviations.
        log_score: (t,) log density of the result under the prediction; larger is better.
        covered: (t,) whether the result lay in the central interval.
        coverage: Share of results covered; NaN without any.
        interval: 95 % interval of that share; valid at a t fixed beforehand, unlike the alarm.
        evidence: (t,) betting evidence against the intervals, 1 at the outset.
        alarm_at: Number of the result, from 1, at which the evidence first reached 20; None if it never did.
        inflation: Factor >= 1 by which the standard deviations should be multiplied from now on.
    """

    z: Array
    log_score: Array
    covered: NDArray[np.bool_]
    coverage: float
    interval: tuple[float, float]
    evidence: Array
    alarm_at: int | None
    inflation: float


def watch(y: Array, mean: Array, sd: Array, *, coverage: float = COVERAGE) -> Watch:
    """Score t results y (t,) against their predictions, normal with mean (t,) and sd (t,) of a reading.

    The evidence is that of a gambler who bets on misses: M_t = Π(1 + λ(1[miss] - α)), 0 < λ < 1/α, averaged
    over several λ. If every interval covers its result with probability 1 - α or more, whatever happened
    before, nobody can win at this game, and M ever reaches 20 with probability at most 1/20, however often
    one looks (Ville's inequality; Ramdas et al., Stat. Sci. 38, 576 (2023)). What was scored stays scored:
    the first t entries do not depend on what comes after them.

    After an alarm `inflation` is the factor with which the past intervals would have covered as many as they
    said; before it is 1. Score later predictions by a new watch with the widened sd.

    Raises:
        ValueError: shapes differ, a number is not finite, an sd is not positive, or coverage not in (0, 1).
    """
    y, mean, sd = (np.asarray(values, dtype=np.float64) for values in (y, mean, sd))
    if not y.shape == mean.shape == sd.shape or y.ndim != 1:
        raise ValueError(
            f"results, means and sds must be as many; their shapes are {y.shape}, {mean.shape}, {sd.shape}"
        )
    if not (np.isfinite(y).all() and np.isfinite(mean).all() and np.isfinite(sd).all() and (sd > 0.0).all()):
        raise ValueError(
            "results, means and sds must be finite and sds positive; leave failed experiments out"
        )
    if not 0.0 < coverage < 1.0:
        raise ValueError(f"coverage is {coverage}; it must lie strictly between 0 and 1")
    with np.errstate(over="ignore"):  # a certainty that was wrong; beyond the farthest no miss is worse
        z = np.clip((y - mean) / sd, -FARTHEST, FARTHEST)
    width = float(ndtri(0.5 + coverage / 2.0))
    covered = np.abs(z) <= width
    evidence = miss_evidence(~covered, 1.0 - coverage)
    reached = np.flatnonzero(evidence >= ALARM)
    n, hits = len(z), int(covered.sum())
    return Watch(
        z=z,
        log_score=-0.5 * (z * z + math.log(2.0 * math.pi)) - np.log(sd),
        covered=covered,
        coverage=hits / n if n else math.nan,
        interval=wilson(hits, n) if n else (0.0, 1.0),
        evidence=evidence,
        alarm_at=int(reached[0]) + 1 if len(reached) else None,
        inflation=inflation(z, coverage=coverage) if len(reached) else 1.0,
    )


def miss_evidence(missed: NDArray[np.bool_], alpha: float) -> Array:
    """Evidence (t,) after each of t intervals, missed or not, that misses are commoner than `alpha`."""
    stakes = np.array(BETS)[:, None] / alpha
    steps = np.log1p(stakes * (np.asarray(missed, dtype=np.float64)[None, :] - alpha))
    # Averages of exponents, taken about the largest so that none overflows.
    logs = np.cumsum(steps, axis=1)
    top = logs.max(axis=0) if logs.size else np.empty(0)
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(top) * np.exp(logs - top).mean(axis=0), dtype=np.float64)


def inflation(z: Array, *, coverage: float = COVERAGE) -> float:
    """Factor >= 1 on the sd with which the intervals of t standardised results would have covered enough.

    The ⌈(t + 1) coverage⌉-th smallest |z| over that of a normal, which is the conformal choice and needs no
    normal residuals; with too few results for it, the root mean square of z.
    """
    t = len(z)
    if t == 0:
        return 1.0
    rank = math.ceil((t + 1) * coverage - 1e-9)
    if rank > t:
        return max(1.0, float(np.sqrt(np.mean(np.square(z)))))
    return max(1.0, float(np.sort(np.abs(z))[rank - 1]) / float(ndtri(0.5 + coverage / 2.0)))


def skill(log_score: Array, baseline: Array) -> tuple[float, float]:
    """Mean advantage in log score (t,) over a baseline (t,) on the same results, and its standard error.

    Scores only mean something beside another's: of a random arm, or of "as last time".
    """
    gain = np.asarray(log_score, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    if len(gain) == 0:
        return math.nan, math.nan
    error = float(gain.std(ddof=1)) / math.sqrt(len(gain)) if len(gain) > 1 else math.inf
    return float(gain.mean()), error
