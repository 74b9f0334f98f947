"""Power of the hidden-variable screen: what could it have seen, with so many rows and fields?"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import ndtr, stdtrit

DRAWS = 4000
MOST_SIMULATED = 200
SEED = 20220419


@lru_cache(maxsize=1024)
def power(n: int, m: int, effect: float, *, level: float = 0.05) -> float:
    """Probability that the screen finds a field with an effect, among m independent fields on n >= 4 rows.

    The residual is effect * field + noise, field and noise normal with standard deviation 1. A field is found
    where its rank correlation exceeds what the largest of m does with probability `level` without effects;
    that threshold is from Student's t, which is within 0.02 of the exact one from n = 10 on. The chance to
    exceed it is simulated with a fixed seed (4,000 draws, standard error below 0.008) up to 200 rows, beyond
    from Fisher's transformation with the variance of Bonett and Wright, Psychometrika 65, 23 (2000).
    """
    each = 1.0 - (1.0 - level) ** (1.0 / m)
    t = float(stdtrit(n - 2, 1.0 - each / 2.0))
    threshold = t / math.sqrt(n - 2 + t * t)
    if n > MOST_SIMULATED:
        rho = 6.0 / math.pi * math.asin(effect / math.sqrt(1.0 + effect * effect) / 2.0)
        sd = math.sqrt((1.0 + rho * rho / 2.0) / (n - 3))
        return float(ndtr((math.atanh(rho) - math.atanh(threshold)) / sd))
    rng = np.random.default_rng(SEED)
    field = rng.standard_normal((DRAWS, n))
    residual = effect * field + rng.standard_normal((DRAWS, n))
    # Without ties Spearman's correlation follows from squared differences of ranks alone.
    apart = field.argsort(axis=1).argsort(axis=1) - residual.argsort(axis=1).argsort(axis=1)
    rho_drawn = 1.0 - 6.0 * np.einsum("ij,ij->i", apart, apart) / (n * (n * n - 1))
    return float(np.mean(np.abs(rho_drawn) >= threshold))


@lru_cache(maxsize=256)
def smallest_visible(n: int, m: int, *, wanted: float = 0.8, level: float = 0.05) -> float:
    """Effect that is found with probability `wanted`, to two digits; inf beyond ten standard deviations."""
    low, high = 0.0, 10.0
    if power(n, m, high, level=level) < wanted:
        return math.inf
    while high - low > 0.005:  # noqa: PLR2004  half of the last digit given
        middle = (low + high) / 2.0
        low, high = (low, middle) if power(n, m, middle, level=level) >= wanted else (middle, high)
    return round(high, 2)
