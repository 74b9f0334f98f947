"""What the texts mean that stand in a column of numbers in place of a value: bounds, and failures."""

import math
import re
from dataclasses import dataclass

from labctl.cells import MISSING
from labctl.errors import RequestError
from labctl.tables import Column

_BOUND = re.compile(r"(?P<sign>[<>≤≥])\s*=?\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_MOST_REMARKS = 50


@dataclass(frozen=True, slots=True)
class Remark:
    """A text in place of a number.

    Attributes:
        text: as the cells have it.
        times: in how many rows.
        low: the value is at least this, in the column's unit; None where nothing is known.
        high: the value is at most this.
    """

    text: str
    times: int
    low: float | None = None
    high: float | None = None

    @property
    def censored(self) -> bool:
        """Whether it is a bound, such as ``<0.5`` or ``>200``; any other word is a reading that failed."""
        return self.low is not None or self.high is not None


def remarks(goal: Column) -> tuple[Remark, ...]:
    """The texts that stand in place of a number, in the order of the file.

    Raises:
        RequestError: there are too many different ones for a column of numbers.
    """
    if goal.kind not in {"number", "integer"}:
        return ()
    texts = [c for c, v in zip(goal.cells, goal.numbers, strict=True) if c not in MISSING and math.isnan(v)]
    distinct = list(dict.fromkeys(texts))
    if len(distinct) > _MOST_REMARKS:
        raise RequestError(f"column {goal.name!r} holds {len(distinct)} different texts; keep numbers in it")
    return tuple(_remark(text, texts.count(text)) for text in distinct)


def is_bound(text: str) -> bool:
    """Whether a text is a bound on a number, such as ``<0.5``."""
    return _BOUND.fullmatch(text) is not None


def _remark(text: str, times: int) -> Remark:
    match = _BOUND.fullmatch(text)
    if match is None:
        return Remark(text, times)
    value = float(match["number"])
    return Remark(text, times, high=value) if match["sign"] in "<≤" else Remark(text, times, low=value)
