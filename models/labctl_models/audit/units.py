"""Values in another unit than the rest: off by a known factor or by the zero of the kelvin scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from labctl_models.audit.digits import readings
from labctl_models.audit.domain import pca_map
from labctl_models.audit.finding import MEDIUM, SIGNIFICANT, Finding, NotApplicableError, graded
from labctl_models.audit.statistics import nearest, spread
from labctl_models.audit.wording import counted, verb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

FACTORS: Mapping[str, float] = {
    "10 (a decimal point)": 10.0,
    "100 (percent, cm against m)": 100.0,
    "1000 (milli, kilo)": 1000.0,
    "1e6 (micro, mega)": 1e6,
    "2.54 (inch against cm)": 2.54,
    "25.4 (inch against mm)": 25.4,
    "6.895 (ksi against MPa)": 6.894757,
    "9.807 (kgf against N)": 9.80665,
    "4.184 (calorie against joule)": 4.184,
}
KELVIN = 273.15
NEIGHBOURS = 7
FEWEST_VALUES = 30
# A factor is told from ordinary scatter where it is this many standard deviations away, and recognised
# where the value is within the other number of them from where the unit would put it.
FAR, CLOSE = 8.0, 3.0
EXPLAINED = 0.8
# A long tail thins out, another unit stands apart: between them may lie so many values for each beyond.
BETWEEN = 0.25
WRONG_MEDIUM, WRONG_HIGH = 0.02, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class UnitOutliers:
    """Values that another unit explains.

    Attributes:
        rows: (r,) their positions.
        reason: The factor or offset, in words; "" without rows.
        direction: True where the values are too large by it, False where too small.
        visible: Smallest factor that could have been seen; inf where only the offset could.
    """

    rows: NDArray[np.intp]
    reason: str
    direction: bool
    visible: float


def unit_outliers(values: Array, expected: Array, *, temperatures: bool = False) -> UnitOutliers:
    """Values (n,) that differ from the expected (n,) by one known factor; temperatures also by 273.15.

    Three conditions must hold, so that a broad or skew distribution raises nothing: the values lie outside
    what n normal values reach, on a robust scale; four fifths of all such outliers agree on one factor that
    is far beyond the scatter; and hardly any value lies between them and the rest, as in a tail many would.
    A single outlier may agree with a factor by coincidence; the finding says how many there are.
    """
    none = np.empty(0, dtype=np.intp)
    visible = math.inf
    limit = max(float(-ndtri(SIGNIFICANT / 2.0 / max(len(values), 1))), 3.0)
    positive = (values > 0.0) & (expected > 0.0)
    if np.mean(positive) >= 0.99:  # noqa: PLR2004  a factor needs quantities above zero; zeros are told elsewhere
        places = np.flatnonzero(positive)
        ratio = np.log(values[positive] / expected[positive])
        ratio -= np.median(ratio)
        sd = spread(ratio)
        if sd > 0.0:
            visible = math.exp(FAR * sd)
            marks = {name: math.log(factor) for name, factor in FACTORS.items()}
            found = _explained(ratio, sd, limit, marks)
            if found is not None:
                return UnitOutliers(places[found[0]], f"a factor {found[1]}", found[2], visible)
    if not temperatures:
        return UnitOutliers(none, "", direction=True, visible=visible)
    difference = values - expected
    difference = difference - np.median(difference)
    sd = spread(difference)
    if sd > 0.0:
        found = _explained(difference, sd, limit, {f"{KELVIN} (kelvin against Celsius)": KELVIN})
        if found is not None:
            return UnitOutliers(found[0], f"an offset of {found[1]}", found[2], visible)
    return UnitOutliers(none, "", direction=True, visible=visible)


def _explained(
    off: Array, sd: float, limit: float, marks: Mapping[str, float]
) -> tuple[NDArray[np.intp], str, bool] | None:
    """Outliers on one side that one mark explains, its name and whether they are too large; or None.

    Marks too close to be told apart at this scatter are all named.
    """
    outlying = np.abs(off) > limit * sd
    # Where half a value of so many normal ones is expected: the outer edge of the ordinary.
    edge = float(-ndtri(0.25 / len(off))) * sd
    best: tuple[NDArray[np.intp], bool] | None = None
    for mark in marks.values():
        for sign in (1.0, -1.0):
            # A milder outlier than half the mark is no witness against it; too many of them lie between.
            beyond = outlying & (sign * off > 0.5 * mark)
            rows = np.flatnonzero(beyond & (np.abs(off - sign * mark) <= CLOSE * sd))
            between = np.count_nonzero((sign * off > edge) & (sign * off < mark - CLOSE * sd))
            apart = mark >= FAR * sd and between <= max(1.0, BETWEEN * len(rows))
            agreed = len(rows) >= max(1.0, EXPLAINED * np.count_nonzero(beyond))
            if apart and agreed and (best is None or len(rows) > len(best[0])):
                best = (rows, sign > 0.0)
    if best is None:
        return None
    found = float(np.abs(np.median(off[best[0]])))
    error = CLOSE * sd / math.sqrt(len(best[0]))
    nearest_mark = min(marks, key=lambda name: abs(marks[name] - found))
    names = [name for name, mark in marks.items() if abs(mark - found) <= error] or [nearest_mark]
    return best[0], " or ".join(names), best[1]


def expected_from_neighbours(X: Array, y: Array) -> Array:
    """Median outcome (n,) of the seven nearest other recipes of X (n x m): one wrong unit moves none."""
    _, rows = nearest(X, None, NEIGHBOURS)
    return np.asarray(np.median(y[rows], axis=1), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class UnitsCheck:
    """Are there values in another unit than the rest?"""

    name: str = "labels.units"
    area: str = "labels"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding for each reading with values that another unit explains."""
        del seed
        found, visible = [], {}
        for name, values in readings(table).items():
            rows = np.flatnonzero(table.measured if name == "outcome" else np.isfinite(table.columns[name]))
            if len(values) < FEWEST_VALUES:
                continue
            expected = np.full(len(values), np.median(values))
            if name == "outcome":
                expected = expected_from_neighbours(pca_map(table.X[rows]).scores, values)
            odd = unit_outliers(values, expected, temperatures=name in table.temperatures)
            visible[name] = odd.visible
            if len(odd.rows) == 0:
                continue
            k, share = len(odd.rows), len(odd.rows) / len(values)
            word = "large" if odd.direction else "small"
            found.append(
                Finding(
                    id=f"{self.name}:{name}",
                    area=self.area,
                    # One of them is enough to be taken for the best recipe.
                    severity=max(MEDIUM, graded(share, medium=WRONG_MEDIUM, high=WRONG_HIGH)),
                    title=f"{name}: {counted(k, 'value')} {verb(k, 'is', 'are')} too {word} by {odd.reason}",
                    value=float(k),
                    expected=0.0,
                    meaning="One value in a wrong unit can outweigh all others in a fit, and may be taken "
                    "for the best recipe.",
                    remedy="Look these rows up in their sources and convert them; replicate a recipe before "
                    "believing its record.",
                    detail={
                        "rows": rows[odd.rows],
                        "values": values[odd.rows],
                        "expected": expected[odd.rows],
                        "smallest_visible_factor": odd.visible,
                    },
                )
            )
        if not visible:
            raise NotApplicableError(f"no reading has {FEWEST_VALUES} values")
        return found
