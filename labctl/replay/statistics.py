"""Statistics over seeds: bands of curves, times until a level with censoring, and paired differences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

Floats = NDArray[np.float64]

RESAMPLES = 20_000
FEWEST_SEEDS = 5
"""With fewer pairs no interval is to be relied on, and no difference is claimed."""


@dataclass(frozen=True, slots=True)
class Band:
    """Quantiles over seeds at every experiment; None where those seeds have nothing measured yet."""

    median: tuple[float | None, ...]
    lower_quartile: tuple[float | None, ...]
    upper_quartile: tuple[float | None, ...]
    lowest: tuple[float | None, ...]
    highest: tuple[float | None, ...]


def band(curves: Floats, sign: float = 1.0) -> Band:
    """Quantiles of curves (seeds x experiments); NaN is nothing measured, which is worse than anything.

    Every quantile is a value that a seed really had, and between two middle ones the median is the worse one
    (inverse of the empirical distribution), so that at least half of the seeds are as good as the median.

    Args:
        curves: in the unit of what they show.
        sign: +1 where more is better, -1 where less is.
    """
    signed = np.where(np.isfinite(curves), sign * curves, -np.inf)
    rows = sign * np.quantile(signed, [0.5, 0.25, 0.75, 0.0, 1.0], axis=0, method="inverted_cdf")
    median, worse, better, worst, best = (
        tuple(float(v) if math.isfinite(v) else None for v in row) for row in rows
    )
    if sign > 0:
        return Band(median, worse, better, worst, best)
    return Band(median, better, worse, best, worst)


@dataclass(frozen=True, slots=True)
class Needed:
    """Experiments that runs needed to reach a level.

    Attributes:
        median: by when half of the runs were there (Kaplan-Meier); None if fewer got there in time.
        reached: how many runs got there.
        runs: how many there were.
        within: how long the longest of them went on.
        each: of each run; None where it never got there.
    """

    median: int | None
    reached: int
    runs: int
    within: int
    each: tuple[int | None, ...]


def needed(times: Sequence[int | None], lengths: Sequence[int]) -> Needed:
    """Times until a level, where a run that ended before reaching it is censored at its length.

    The median is where the product-limit curve of Kaplan and Meier, J. Am. Stat. Assoc. 53, 457 (1958),
    has come down to one half. Leaving out the runs that never got there would flatter a strategy.
    """
    ends = [length if t is None else t for t, length in zip(times, lengths, strict=True)]
    waiting, median = 1.0, None
    for moment in sorted({t for t in times if t is not None}):
        at_risk = sum(end >= moment for end in ends)
        waiting *= 1.0 - sum(t == moment for t in times) / at_risk
        if waiting <= 0.5 + 1e-12:
            median = moment
            break
    reached = sum(t is not None for t in times)
    return Needed(median, reached, len(times), max(lengths, default=0), tuple(times))


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference over seeds: mean, and the interval in which the true mean is expected.

    Attributes:
        low, high: 95 % interval; None with fewer than two seeds.
        seeds: how many pairs there are.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: int

    @property
    def shown(self) -> bool:
        """Whether there are seeds enough, and the interval leaves no difference out of account."""
        if self.seeds < FEWEST_SEEDS:
            return False
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def paired_difference(first: Floats, second: Floats) -> Difference:
    """Mean of first - second, both (seeds,), with a bootstrap interval that is honest for few seeds.

    Percentiles of 20 000 resampled means, moved outwards to the level that Student's t asks for with so few
    pairs: the plain percentile interval is too narrow by sqrt((n - 1) / n) and ignores the tails of t.
    Hesterberg, Am. Stat. 69, 371 (2015), section 5.3, the expanded percentile interval.
    """
    differences = first - second
    n = len(differences)
    if n < 2:  # noqa: PLR2004 - one pair has no spread
        return Difference(float(differences.mean()), None, None, n)
    rng = np.random.default_rng(20_000 + n)
    resampled = differences[rng.integers(n, size=(RESAMPLES, n))].mean(axis=1)
    tail = float(ndtr(math.sqrt(n / (n - 1)) * stdtrit(n - 1, 0.025)))
    low, high = np.quantile(resampled, [tail, 1.0 - tail])
    return Difference(float(differences.mean()), float(low), float(high), n)
