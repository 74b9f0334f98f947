"""What drawing recipes at random finds, exactly and without simulation, replicates and failures included."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RandomSearch:
    """How many experiments random search needs until one is good enough.

    Attributes:
        expected: mean number of experiments, given that a good answer comes up before the pool is empty;
            None if there is none to be had.
        median: experiments after which every second search has found one; None if that never happens.
        never: chance that the whole pool gives no good answer.
        good: mean number of recipes that give a good answer.
    """

    expected: float | None
    median: int | None
    never: float
    good: float


def random_search(chances: Floats) -> RandomSearch:
    """Draw recipes one by one without replacement, each good with its own chance (n,).

    With K good ones among N, the first is met after (N + 1) / (K + 1) draws on average (the smallest of K
    places among N). A recipe with replicates is good with the share of its answers that are, so K itself is
    a sum of independent chances (Poisson-binomial), and the mean is taken over it.
    """
    n, counts = len(chances), good_recipes(chances)
    never = float(counts[0])
    reached = reached_by(chances)
    half = np.flatnonzero(reached >= 0.5 - 1e-12)
    if never > 1.0 - 1e-12:
        return RandomSearch(None, None, 1.0, 0.0)
    some = np.arange(1, len(counts))
    expected = float(counts[1:] @ ((n + 1) / (some + 1))) / (1.0 - never)
    return RandomSearch(expected, int(half[0]) if len(half) else None, never, float(chances.sum()))


def good_recipes(chances: Floats) -> Floats:
    """Probability of K = 0, 1, ... good recipes when each is good by itself with its own chance."""
    certain = int((chances >= 1.0).sum())
    counts = np.zeros(certain + 1)
    counts[certain] = 1.0
    for chance in chances[(chances > 0.0) & (chances < 1.0)]:
        counts = np.append(counts * (1.0 - chance), 0.0) + np.append(0.0, counts * chance)
    return counts


def reached_by(chances: Floats) -> Floats:
    """Probability that 0, 1, ..., n draws without replacement hold a good answer, n + 1 numbers."""
    n, counts = len(chances), good_recipes(chances)
    k = np.arange(len(counts))
    missed, reached = np.ones(len(counts)), [0.0]
    for drawn in range(n):
        # The next draw misses too: n - k - drawn of the n - drawn that are left are no good.
        missed = missed * np.maximum(n - k - drawn, 0) / (n - drawn)
        reached.append(1.0 - float(counts @ missed))
    return np.clip(reached, 0.0, 1.0)


def share_found(experiments: int, pool: int) -> float:
    """Expected share of any fixed set of recipes among the first experiments of a random search: i / N."""
    return min(experiments, pool) / pool
