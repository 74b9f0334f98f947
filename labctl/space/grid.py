"""The values that an instrument can set in steps, computed in whole numbers so that none drifts."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_EXACT = 2**53
"""Up to here a double holds every whole number."""
_MOST_DIGITS = 22
"""Up to here a double holds every power of ten."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The numbers (first + k · step) / scale for k from 0 to last; scale is a power of ten.

    Each number is the double nearest to its decimal: one division of two whole numbers that doubles hold.
    """

    first: int
    step: int
    last: int
    scale: int

    def values(self, k: NDArray[np.int64] | int) -> Floats:
        """The numbers at these places."""
        found: Floats = (self.first + np.asarray(k, dtype=np.int64) * self.step) / np.float64(self.scale)
        return found

    def places(self, values: Floats | float) -> NDArray[np.int64]:
        """The places nearest to these numbers."""
        k = np.rint((np.asarray(values, dtype=np.float64) * self.scale - self.first) / self.step)
        found: NDArray[np.int64] = np.clip(k, 0, self.last).astype(np.int64)
        return found

    def nearest(self, values: Floats | float) -> Floats:
        """The numbers of the grid nearest to these."""
        return self.values(self.places(values))

    def has(self, values: Floats | float) -> NDArray[np.bool_]:
        """Which of these are numbers of the grid, to the last bit."""
        found: NDArray[np.bool_] = self.nearest(values) == values
        return found


@lru_cache(maxsize=4096)
def grid_between(low: float, high: float, step: float, origin: float) -> Grid:
    """The numbers origin + k · step from low to high, each as the decimal that was typed.

    Raises:
        ValueError: the step is none, leaves fewer than two numbers, or has too many digits to be exact.
    """
    if step <= 0:
        raise ValueError(f"step is {step:g}, but must be above 0")
    wide, start = _fraction(step), _fraction(origin)
    before = ceil((_fraction(low) - start) / wide)
    last = floor((_fraction(high) - start) / wide) - before
    if last < 1:
        raise ValueError(f"step ({step:g}) leaves fewer than two values between {low:g} and {high:g}")
    first = start + before * wide
    scale = 10 ** max(_digits(step), _digits(origin))
    if scale > 10**_MOST_DIGITS or scale * max(abs(first), abs(first + last * wide)) >= _EXACT:
        raise ValueError(f"step ({step!r}) or origin ({origin!r}) has too many digits to be kept; round it")
    return Grid(int(first * scale), int(wide * scale), last, scale)


def _fraction(value: float) -> Fraction:
    return Fraction(Decimal(repr(float(value))))


def _digits(value: float) -> int:
    exponent = Decimal(repr(float(value))).normalize().as_tuple().exponent
    return max(0, -int(exponent))
