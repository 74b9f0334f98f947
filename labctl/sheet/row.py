"""A row of a sheet, and the numbers and bounds that a person may write into its cells."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import RequestError
from labctl.proposal import Interval


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the sheet: its cells by the plain name of their column."""

    file: Path
    line: int
    cells: Mapping[str, str]
    results: tuple[str, ...]
    comma: bool

    @property
    def filled(self) -> bool:
        """Whether a result, a failure or a message stands in it."""
        return any(self.cells.get(name) for name in (*self.results, "failed", "message"))

    def wrong(self, column: str, what: str) -> RequestError:
        """The error to raise over a cell of this row."""
        return RequestError(what, file=self.file, line=self.line, key=column)

    def number(self, column: str) -> float:
        """The number in a cell, with a decimal point or comma.

        Raises:
            RequestError: it is none, or can be read in two ways.
        """
        return self._number(column, self.cells[column])

    def bound(self, column: str) -> Interval | None:
        """The bound in a cell such as ``>150`` or ``≤5``; None for a cell without one."""
        found = re.match(r"([<>≤≥]=?)(.*)", self.cells[column], re.DOTALL)
        if found is None:
            return None
        end = self._number(column, found[2])
        return Interval(low=end) if found[1][0] in ">≥" else Interval(high=end)

    def _number(self, column: str, cell: str) -> float:
        text = re.sub(r"[\s\u00a0\u202f]", "", cell).replace("−", "-")
        if re.fullmatch(r"[+-]?\d{1,3},\d{3}", text) and not self.comma:
            raise self.wrong(column, f"{text!r} can mean two numbers; write it without the comma")
        try:
            value = float(re.sub(r"^([+-]?\d*),(\d*)", r"\1.\2", text))
        except ValueError:
            hint = "record a failure in the column failed" if column in self.results else "write one"
            raise self.wrong(column, f"{self.cells[column][:40]!r} is no number; {hint}") from None
        if not math.isfinite(value):
            raise self.wrong(
                column, f"{text} is no result; leave it empty and write bad_reading in the column failed"
            )
        return value
