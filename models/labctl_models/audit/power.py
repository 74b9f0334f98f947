"""Power of the hidden-variable screen: what could it have seen, with so many rows and fields?"""

from __future__ import annotations

import math

from scipy.special import ndtr, stdtrit

LARGEST = 10.0


def power(n: int, m: int, effect: float, *, level: float = 0.05) -> float:
    """Probability that the screen finds a field with an effect, among m independent fields on n >= 4 rows.

    The residual is effect * field + noise, field and noise normal with standard deviation 1. A field is found
    where its rank correlation exceeds what the largest of m does with probability `level` without effects;
    that threshold is Student's, within 0.02 of the exact one from n = 10 on. The rank correlation about its
    expectation 6/π arcsin(r/2) is taken as normal after Fisher's transformation, with the variance of Bonett
    and Wright, Psychometrika 65, 23 (2000); from n = 20 on this agrees with simulation to 0.02.
    """
    each = 1.0 - (1.0 - level) ** (1.0 / m)
    t = float(stdtrit(n - 2, 1.0 - each / 2.0))
    threshold = t / math.sqrt(n - 2 + t * t)
    rho = 6.0 / math.pi * math.asin(effect / math.sqrt(1.0 + effect * effect) / 2.0)
    sd = math.sqrt((1.0 + rho * rho / 2.0) / (n - 3))
    above, below = math.atanh(rho) - math.atanh(threshold), -math.atanh(rho) - math.atanh(threshold)
    return float(ndtr(above / sd) + ndtr(below / sd))


def smallest_visible(n: int, m: int, *, wanted: float = 0.8, level: float = 0.05) -> float:
    """Effect that is found with probability `wanted`, rounded up to two digits; inf beyond ten."""
    low, high = 0.0, LARGEST
    if power(n, m, high, level=level) < wanted:
        return math.inf
    while high - low > 1e-4:  # noqa: PLR2004  far below the last digit given
        middle = (low + high) / 2.0
        low, high = (low, middle) if power(n, m, middle, level=level) >= wanted else (middle, high)
    return math.ceil(100.0 * high) / 100.0
