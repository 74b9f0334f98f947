"""Which columns look like settings, and which rows have all of them."""

import re

import numpy as np

from labctl import units
from labctl.cells import is_element
from labctl.guess.guesses import Rows
from labctl.tables import Column, Table

_MOST_CHOICES = 30
_FEW = 2
_ID = re.compile(
    r"(?:.*[ _:])?(?:index|idx|no\.?|nr\.?|#|row)|sample|run|experiment|exp|number", re.IGNORECASE
)
_NAMED_ID = re.compile(r"(?:.*[ _:])?(?:id|uid|identifier|year|doi)", re.IGNORECASE)
_WHO_OR_WHERE = re.compile(
    r"(?:.*[ _:.-])?(?:operator|user|researcher|lab|laborator(?:y|ium)|institut(?:e|ion)|site"
    r"|batch|lot|charge|date|day)",
    re.IGNORECASE,
)


def settings(table: Table, goal: Column, notes: list[str]) -> tuple[list[Column], list[Column]]:
    """Columns that look like settings, and columns that would do if there were no others."""
    good, doubtful = [], []
    for column in table.columns:
        if column is goal:
            continue
        why, usable = _why_not(column)
        if why is None:
            good.append(column)
            continue
        notes.append(f"{column.name}: left out, since {why}")
        if usable:
            doubtful.append(column)
    return good, doubtful


def _why_not(column: Column) -> tuple[str | None, bool]:
    """Why a column is no setting, or None; and whether it could be one if need be."""
    n = len(column.cells)
    filled = [cell for cell in column.cells if cell]
    distinct = len(set(filled))
    unitless = column.unit == units.UNKNOWN  # ID in mm is an inner diameter
    words = column.kind in {"text", "flag"}
    reasons = [
        (column.kind == "date", "it is a date or a time of day", False),
        (not filled, "it is empty", False),
        (distinct == 1, f"it is {filled[0][:40]!r} in every row" if filled else "", False),
        (len(filled) <= n / 2, f"it is empty in {n - len(filled)} of {n} rows", False),
        (unitless and bool(_NAMED_ID.fullmatch(column.name)), "by its name it identifies the row", True),
        (
            column.kind == "text" and bool(_WHO_OR_WHERE.fullmatch(column.name)),
            "by its name it says who, where or when, which nobody sets to change the result",
            True,
        ),
        (_is_index(column, all_differ=distinct == n), "it looks like a running number", True),
        (
            words and (distinct > _MOST_CHOICES or distinct == len(filled) > _FEW),
            f"it looks like a label, with {distinct} different texts in {len(filled)} rows",
            distinct <= _MOST_CHOICES,
        ),
    ]
    return next(((why, usable) for applies, why, usable in reasons if applies), (None, True))


def _is_index(column: Column, *, all_differ: bool) -> bool:
    if column.kind != "integer" or not all_differ:
        return False
    steps = np.diff(column.numbers)
    runs = bool((steps == 1).all()) and column.numbers[0] in {0.0, 1.0}
    # A first column that counts the rows may still be a setting that was swept evenly, such as Fe in percent.
    named = column.unit != units.UNKNOWN or is_element(column.name)
    return bool(_ID.fullmatch(column.name)) or (runs and column.position == 1 and not named)


def complete_rows(columns: list[Column], wanted: Rows, notes: list[str]) -> tuple[list[Column], Rows]:
    """Drop the columns with most blanks until at least half of the wanted rows are complete."""
    n = int(wanted.sum())
    present = {c.position: _present(c) & wanted for c in columns}
    columns = list(columns)
    while columns:
        rows = np.all([present[c.position] for c in columns], axis=0)
        complete = int(rows.sum())
        if complete >= max(min(2, n), n / 2):
            if complete < n:
                notes.append(f"{n - complete} of {n} rows lack a setting and cannot be replayed")
            return columns, rows
        worst = min(columns, key=lambda c: int(present[c.position].sum()))
        columns.remove(worst)
        lacking = n - int(present[worst.position].sum())
        notes.append(f"{worst.name}: left out, since it is empty in {lacking} of {n} rows")
    return [], wanted


def _present(column: Column) -> Rows:
    if column.kind in {"number", "integer"}:
        return np.isfinite(column.numbers)
    return np.fromiter((bool(cell) for cell in column.cells), dtype=bool, count=len(column.cells))
