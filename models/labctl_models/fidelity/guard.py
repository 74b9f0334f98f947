"""The guard: does a cheap source help to predict the target, on target readings that it did not see?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import norm, t

from labctl_models.fidelity.surrogate import FidelityProcess, FittedFidelities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.fidelity.readings import Readings
    from labctl_models.surrogates.protocol import Array

FEWEST = 5
"""Readings of target and source below which nothing is judged: a standard error of four is a guess."""
MARGIN = 0.1
"""Nats per target reading that a source has to earn; a tenth is an sd of the target that is 10 % smaller."""
LEVEL = 0.975
CHANCE = 2.0
"""Nats, over all target readings, that the pair's further hyperparameters gain by being fitted to them: an
Akaike correction for two, the correlation and what the source does to lengthscales and noise."""
LARGEST = 3.0
"""A single reading speaks for or against a source with no more nats than this."""
PATIENCE = 10
"""Target readings after which a source whose gain is still below the margin counts as no help."""
SAME = 1e-9
"""Recipes no farther apart than this are one."""

Standing: TypeAlias = Literal["helps", "unproven", "dropped"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the evidence says about one source.

    Attributes:
        source: Its number.
        used: Whether its readings take part in predicting the target.
        standing: "helps", "unproven" while the evidence is open, or "dropped" for no help or harm.
        because: The reason in one sentence.
        gain: Mean gain in log predictive density (nats per target reading) by the source, less what fitted
            hyperparameters gain by chance; NaN unjudged.
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

    Compared are a process of source and target with a process of the target alone, by the log density
    that each gives to a target reading left out, paired reading by reading (`_gains`). A source helps when
    it does where it was read itself, and does no harm on the whole of the target readings. Nothing but the
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
    judgements: list[Judgement] = []
    pairs: list[FittedFidelities | None] = []
    for s in cheap:
        if readings.count(s) < FEWEST:
            judgements.append(_waiting(readings, s))
            pairs.append(None)
            continue
        pair = _fit(readings.pair(s), seed, None if before is None else before.pairs[s])
        pairs.append(pair)
        judgements.append(_judgement(s, _gains(pair, without), _shared(pair), pair))
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


def _gains(pair: FittedFidelities, without: Array) -> Array:
    """By how many nats the pair predicts each target reading better than the target alone.

    The target alone is taken twice: fitted for itself, and as the pair has it when the source's readings
    are taken away. A source that only leads to luckier hyperparameters beats the first but not the second,
    and the smaller mean counts.
    """
    with_source = _left_out_density(pair)
    bereft = _left_out_density(pair.with_rows(np.flatnonzero(pair.source == 1)))
    each = (np.clip(with_source - other, -LARGEST, LARGEST) for other in (without, bereft))
    return min(each, key=lambda gains: float(gains.mean()))


def _shared(pair: FittedFidelities) -> NDArray[np.bool_]:
    """Which target readings are of a recipe that the source has read too; all, when those are too few."""
    apart = cdist(pair.at_target().X, pair.X[pair.source == 0]).min(axis=1)
    shared = apart <= SAME
    return shared if shared.sum() >= FEWEST else np.ones(len(shared), dtype=np.bool_)


def _judgement(source: int, all_gains: Array, shared: NDArray[np.bool_], pair: FittedFidelities) -> Judgement:
    gains = all_gains[shared]
    n = len(gains)
    gain = float(gains.mean()) - CHANCE / n
    reach = float(t.ppf(LEVEL, n - 1)) * float(gains.std(ddof=1)) / math.sqrt(n)
    low, high = gain - reach, gain + reach
    harmless = float(all_gains.mean()) - CHANCE / len(all_gains) > 0.0
    found = f"{gain:+.2f} nats per reading, {low:+.2f} to {high:+.2f}, over {n} left-out readings"
    standing: Standing
    if gain > MARGIN and low > 0.0 and harmless:
        standing, because = "helps", f"source {source} predicts the target better than none ({found})"
    elif gain < -MARGIN and high < 0.0:
        standing, because = "dropped", f"source {source} misleads about the target ({found})"
    elif high < MARGIN or (n >= PATIENCE and gain < MARGIN):
        standing, because = "dropped", f"source {source} does not help to predict the target ({found})"
    else:
        standing, because = "unproven", f"whether source {source} helps is still open ({found})"
    return Judgement(
        source=source,
        used=standing == "helps",
        standing=standing,
        because=because,
        gain=gain,
        low=low,
        high=high,
        target_readings=n,
        source_readings=int((pair.source == 0).sum()),
        correlation=float(pair.correlations[0]),
    )


def _waiting(readings: Readings, source: int) -> Judgement:
    have, target = readings.count(source), readings.count(readings.target)
    because = f"source {source} is judged from {FEWEST} readings on ({have} of it, {target} of the target)"
    return Judgement(
        source=source,
        used=False,
        standing="unproven",
        because=because,
        gain=math.nan,
        low=math.nan,
        high=math.nan,
        target_readings=target,
        source_readings=have,
        correlation=math.nan,
    )
