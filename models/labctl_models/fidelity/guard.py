"""The guard: does a cheap source help to predict the target, on target readings that it did not see?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy.stats import norm, t

from labctl_models.fidelity.surrogate import FidelityProcess, FittedFidelities

if TYPE_CHECKING:
    from labctl_models.fidelity.readings import Readings
    from labctl_models.surrogates.protocol import Array

FEWEST = 5
"""Readings of target and source below which nothing is judged: a standard error of four is a guess."""
MARGIN = 0.1
"""Nats per target reading that a source has to earn; a tenth is an sd of the target that is 10 % smaller."""
LEVEL = 0.99
LARGEST = 3.0
"""A single reading speaks for or against a source with no more nats than this."""
PATIENCE = 15
"""Target readings after which a source that is still undecided counts as no help."""

Standing: TypeAlias = Literal["helps", "unproven", "dropped"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the evidence says about one source.

    Attributes:
        source: Its number.
        used: Whether its readings take part in predicting the target.
        standing: "helps", "unproven" while the evidence is open, or "dropped" for no help or harm.
        because: The reason in one sentence.
        gain: Mean gain in log predictive density (nats per target reading) by the source; NaN unjudged.
        low, high: The interval of that gain at `LEVEL` on either side.
        target_readings: How many target readings the gain is the mean of.
        source_readings: How many readings the source has.
        correlation: With the target, as fitted; NaN when it was not fitted.
    """

    source: int
    used: bool
    standing: Standing
    because: str
    gain: float
    low: float
    high: float
    target_readings: int
    source_readings: int
    correlation: float


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Judgements of all cheap sources, and the models they rest on.

    Attributes:
        judgements: One for each source but the target, by number.
        alone: The process of the target alone (m = 1); None before its first reading.
        pairs: For each cheap source the process of it (0) and the target (1); None while not judged.
        together: The target with all used sources, by their own numbers; None when none is used.
    """

    judgements: tuple[Judgement, ...]
    alone: FittedFidelities | None
    pairs: tuple[FittedFidelities | None, ...]
    together: FittedFidelities | None

    @property
    def used(self) -> tuple[int, ...]:
        """Numbers of the sources that help."""
        return tuple(judgement.source for judgement in self.judgements if judgement.used)


def judge(readings: Readings, *, seed: int, before: Judged | None = None) -> Judged:
    """Judge every cheap source by the target readings, each predicted from all the others.

    Compared are a process of source and target with the same process of the target alone, by the
    log density that each gives to a target reading left out, paired reading by reading. Nothing but the
    readings decides, so a dropped source comes back when they change; `before`, the judgement of fewer
    readings, only makes the fits quicker.
    """
    cheap = range(readings.target)
    have = readings.count(readings.target)
    if have < FEWEST:
        waiting = tuple(_waiting(readings, s) for s in cheap)
        return Judged(waiting, None, (None,) * len(cheap), None)
    alone = _fit(readings.alone(), seed, None if before is None else before.alone)
    without = _left_out_density(alone)
    judgements, pairs = [], []
    for s in cheap:
        if readings.count(s) < FEWEST:
            judgements.append(_waiting(readings, s))
            pairs.append(None)
            continue
        pair = _fit(readings.pair(s), seed, None if before is None else before.pairs[s])
        pairs.append(pair)
        gains = np.clip(_left_out_density(pair) - without, -LARGEST, LARGEST)
        judgements.append(_judgement(s, gains, readings.count(s), float(pair.correlations[0])))
    used = [judgement.source for judgement in judgements if judgement.used]
    together = None
    if used:
        # Of two sources, the pair is the whole.
        known = None if before is None else before.together
        among = readings.among([*used, readings.target])
        together = pairs[0] if readings.m == 2 else _fit(among, seed, known)  # noqa: PLR2004  see above
    return Judged(tuple(judgements), alone, tuple(pairs), together)


def _fit(readings: Readings, seed: int, before: FittedFidelities | None) -> FittedFidelities:
    process = FidelityProcess(readings.m, starts=None if before is None else 2)
    start = None if before is None else before.card.hyperparameters
    return process.fit(readings.X, readings.source, readings.y, seed=seed, start=start)


def _left_out_density(fitted: FittedFidelities) -> Array:
    """Log predictive density of each target reading, from all the others."""
    target = fitted.at_target()
    belief = target.leave_one_out()
    spread = np.hypot(belief.sd, target.noise_sd)
    return np.asarray(norm.logpdf(target.y, belief.mean, spread), dtype=np.float64)


def _judgement(source: int, gains: Array, count: int, correlation: float) -> Judgement:
    n = len(gains)
    gain = float(gains.mean())
    reach = float(t.ppf(LEVEL, n - 1)) * float(gains.std(ddof=1)) / math.sqrt(n)
    low, high = gain - reach, gain + reach
    found = f"{gain:+.2f} nats per reading, {low:+.2f} to {high:+.2f}, over {n} left-out readings"
    standing: Standing
    if gain > MARGIN and low > 0.0:
        standing, because = "helps", f"source {source} predicts the target better than none ({found})"
    elif gain < -MARGIN and high < 0.0:
        standing, because = "dropped", f"source {source} misleads about the target ({found})"
    elif high < MARGIN or n >= PATIENCE:
        standing, because = "dropped", f"source {source} does not help to predict the target ({found})"
    else:
        standing, because = "unproven", f"whether source {source} helps is still open ({found})"
    return Judgement(source, standing == "helps", standing, because, gain, low, high, n, count, correlation)


def _waiting(readings: Readings, source: int) -> Judgement:
    have, target = readings.count(source), readings.count(readings.target)
    because = f"source {source} is judged from {FEWEST} readings on ({have} of it, {target} of the target)"
    return Judgement(source, False, "unproven", because, math.nan, math.nan, math.nan, target, have, math.nan)
