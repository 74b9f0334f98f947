"""Readings that are no readings: exact zeros, and digits that a person rounded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtrc

from labctl_models.audit.finding import SIGNIFICANT, Finding, NotApplicableError, graded
from labctl_models.audit.wording import counted, verb

if TYPE_CHECKING:
    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

FEWEST_VALUES = 50
FEWEST_ZEROS = 3
COMMON = 0.05
# A lattice of tens: finest and coarsest decimal places that are looked at.
FINEST, COARSEST = 8, -6
ON_LATTICE = 0.9
FEWEST_STEPS = 10
ROUNDING_ERROR = 1e-6
ROUND = 0.2
ZEROS_MEDIUM, ZEROS_HIGH = 0.05, 0.3
ROUNDED_MEDIUM, ROUNDED_HIGH = 0.3, 0.9


@dataclass(frozen=True, slots=True)
class Zeros:
    """Exact zeros among n readings: how many, how often the commonest other value occurs, and the p.

    Zero is suspicious where it occurs oftener than any other value: readings that are rounded repeat all
    their values, readings that are not repeat none.
    """

    count: int
    commonest_other: int
    p: float


def exact_zeros(values: Array) -> Zeros:
    """Zeros among finite values (n,), against the commonest other value.

    p is the probability that, of two values equally common, one has at least so large a part of both; that
    the other is the commonest of many only makes the test more careful. Where one value besides zero makes
    up a twentieth of all, these are counts or levels, among which zero is a value like others: p is 1.
    """
    distinct, counts = np.unique(values, return_counts=True)
    zeros = int(counts[distinct == 0.0].sum())
    others = counts[distinct != 0.0]
    other = int(others.max()) if len(others) else 0
    if zeros < FEWEST_ZEROS or len(others) == 0 or other > COMMON * len(values):
        return Zeros(zeros, other, 1.0)
    return Zeros(zeros, other, _at_least(zeros, zeros + other, 0.5))


@dataclass(frozen=True, slots=True)
class Rounding:
    """Last digits of n readings that are multiples of `unit`.

    Attributes:
        unit: The decimal place, such as 0.1 or 10, of which nine tenths of the values are multiples.
        digits: (10,) how often each last digit occurs.
        rounded: Share of readings that someone rounded to 0 or 5, beyond the fifth that is so by chance.
        p: Probability of so many 0 and 5 without rounding.
    """

    unit: float
    digits: Array
    rounded: float
    p: float


def resolution(values: Array) -> float | None:
    """Largest power of ten of which nine tenths of the values (n,) are multiples; None below 1e-8."""
    for places in range(COARSEST, FINEST + 1):
        scaled = values * 10.0**places
        # Decimal fractions are not exact in binary; a few units in the last place is not another digit.
        # Nor may the allowance grow with the number until any number will do.
        allowance = np.minimum(1e-9 * np.maximum(1.0, np.abs(scaled)), 1e-3)
        on = np.abs(scaled - np.round(scaled)) <= allowance
        if float(np.mean(on)) >= ON_LATTICE:
            return 10.0**-places
    return None


def last_digits(values: Array) -> Rounding:
    """Test of terminal digits of readings (n,): are 0 and 5 commoner than a fifth?

    Over a range of many units the last digit of a smooth distribution is uniform, whatever its shape: for a
    normal one with a standard deviation of s units the share of any digit is off by about exp(-2π²s²/100),
    which is below 1e-6 at s = 8. With fewer steps across the middle half nothing can be said.

    Raises:
        NotApplicableError: too few values, too narrow a range, or numbers that nobody read off a scale.
    """
    if len(values) < FEWEST_VALUES:
        raise NotApplicableError(f"{len(values)} readings are too few; {FEWEST_VALUES} are needed")
    unit = resolution(values)
    if unit is None:
        raise NotApplicableError("the values have so many digits that they were computed, not read")
    low, high = np.quantile(values, [0.25, 0.75])
    if (high - low) / unit < FEWEST_STEPS:
        raise NotApplicableError("the values vary by few units of their last digit, so it need not be even")
    whole = np.round(values / unit)
    kept = np.abs(values / unit - whole) <= ROUNDING_ERROR
    counts = np.bincount((np.abs(whole[kept]) % 10).astype(np.intp), minlength=10).astype(np.float64)
    n, k = int(counts.sum()), int(counts[0] + counts[5])
    if n == 0:
        raise NotApplicableError("no value is a multiple of the last digit that most of them share")
    return Rounding(unit, counts, max(0.0, (k / n - ROUND) / (1.0 - ROUND)), _at_least(k, n, ROUND))


def _at_least(k: int, n: int, share: float) -> float:
    return 1.0 if k <= 0 else float(bdtrc(k - 1, n, share))


def readings(table: AuditTable) -> dict[str, Array]:
    """Name -> values of what instruments read: the outcome, if it is a quantity, and the columns named so."""
    found = {}
    if table.outcome == "regression":
        found["outcome"] = table.y[table.measured]
    for name in table.readings:
        column = table.columns[name]
        if column.dtype.kind == "f":
            found[name] = column[np.isfinite(column)]
    if not found:
        raise NotApplicableError("the table has no quantity that an instrument read")
    return found


@dataclass(frozen=True, slots=True)
class ZerosCheck:
    """Does zero stand for something else, such as "nothing found"?"""

    name: str = "labels.zeros"
    area: str = "labels"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding for each reading with more exact zeros than copies of any other value."""
        del seed
        columns = readings(table)
        found = []
        for name, values in columns.items():
            zeros = exact_zeros(values)
            if zeros.p * len(columns) > SIGNIFICANT:
                continue
            share = zeros.count / len(values)
            found.append(
                Finding(
                    id=f"{self.name}:{name}",
                    area=self.area,
                    severity=graded(share, medium=ZEROS_MEDIUM, high=ZEROS_HIGH),
                    title=f"{name}: {counted(zeros.count, 'value')} {verb(zeros.count, 'is', 'are')} exactly "
                    f"0, and no other value occurs more than {counted(zeros.commonest_other, 'time')}",
                    value=float(zeros.count),
                    expected=float(zeros.commonest_other),
                    meaning="A zero that means failed, missing or below detection teaches a model a cliff "
                    "that is not there.",
                    remedy="Find out what zero means; record it as a failure or as a bound, and leave it "
                    "out of the outcome.",
                    detail={"share": share, "values": np.sort(values), "p": zeros.p},
                )
            )
        return found


@dataclass(frozen=True, slots=True)
class RoundingCheck:
    """Were readings rounded by hand?"""

    name: str = "labels.rounding"
    area: str = "labels"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding for each reading whose last digits are too often 0 or 5."""
        del seed
        columns = readings(table)
        found, reasons = [], []
        for name, values in columns.items():
            try:
                last = last_digits(values[values != 0.0])
            except NotApplicableError as reason:
                reasons.append(f"{name}: {reason}")
                continue
            if last.p * len(columns) > SIGNIFICANT:
                continue
            found.append(
                Finding(
                    id=f"{self.name}:{name}",
                    area=self.area,
                    severity=graded(last.rounded, medium=ROUNDED_MEDIUM, high=ROUNDED_HIGH),
                    title=f"{name}: about {last.rounded:.0%} of the values are rounded to 0 or 5 in the "
                    f"place of {last.unit:g}",
                    value=last.rounded,
                    expected=0.0,
                    meaning=f"These values carry an error of up to {2.5 * last.unit:g} that no noise "
                    "estimate from repeats can see.",
                    remedy="Take the readings from the instrument's file instead of a notebook, or give "
                    "these rows a larger uncertainty.",
                    detail={"digits": last.digits, "unit": last.unit, "p": last.p},
                )
            )
        if len(reasons) == len(columns):
            raise NotApplicableError("; ".join(reasons))
        return found


def chance_of_a_tie(values: Array, noise_sd: float) -> float:
    """Probability that two readings of one recipe agree to the last digit: unit / (2 √π noise), at most 1."""
    unit = resolution(values)
    if unit is None:
        return 0.0
    return min(1.0, unit / (2.0 * math.sqrt(math.pi) * noise_sd)) if noise_sd > 0.0 else 1.0
