"""Which columns of a stranger's table are settings, what laws they obey, and how long to search it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from labctl import units
from labctl.cells import is_element
from labctl.errors import RequestError
from labctl.headers import goal_places
from labctl.tables import Column, Table, listed

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]

MOST_PARAMETERS = 500
_MOST_CHOICES = 30
_FEW = 2
_EXACT = 5e-7
_ROUNDED = 5e-3
"""How far sums may stray, relative to their size, and still be one total that was rounded."""
_ID = re.compile(
    r"(?:.*[ _:])?(?:index|idx|no\.?|nr\.?|#|row)|sample|run|experiment|exp|number", re.IGNORECASE
)
_NAMED_ID = re.compile(r"(?:.*[ _:])?(?:id|uid|identifier|year|doi)", re.IGNORECASE)
_WHO_OR_WHERE = re.compile(
    r"(?:.*[ _:.-])?(?:operator|user|researcher|lab|laborator(?:y|ium)|institut(?:e|ion)|site"
    r"|batch|lot|charge|date|day)",
    re.IGNORECASE,
)
_FEW_LEVELS = 0.34
"""A setting takes few levels for the number of rows: up to about a third of it."""
_NEARLY_UNIQUE = 0.9
_FEWEST_ROWS = 6


@dataclass(frozen=True, slots=True)
class Guess:
    """One parameter that a column is taken for.

    Attributes:
        column: the column.
        kind: of parameter.
        low: least value in its unit; of numbers only.
        high: greatest value.
        scale: of continuous parameters.
        choices: of categories.
    """

    column: Column
    kind: Literal["continuous", "integer", "categorical", "formula"]
    low: float = 0.0
    high: float = 0.0
    scale: Literal["linear", "log"] = "linear"
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Law:
    """Columns that add up to a constant: exactly (low equals high), or within rounding."""

    parts: tuple[str, ...]
    low: float
    high: float
    unit: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign on a table is made of.

    Attributes:
        goal: the column that is optimised.
        parameters: in the order of the file.
        law: a mixture, if one was seen.
        recipes: number of distinct recipes.
        sparse: most rows have no value of the goal, so the table is mostly about other things.
        notes: what was assumed or left out.
    """

    goal: Column
    parameters: tuple[Guess, ...]
    law: Law | None
    recipes: int
    sparse: bool
    notes: tuple[str, ...]

    @property
    def budget(self) -> int:
        """Experiments: ten for each parameter, between 30 and 60, and never more than there are recipes."""
        return min(self.recipes, max(30, min(60, 10 * len(self.parameters))))

    @property
    def initial(self) -> int:
        """Experiments of the start: two for each parameter, but at most a quarter of the recipes."""
        return max(1, min(max(5, 2 * len(self.parameters)), self.recipes // 4, self.budget // 2))


def find_goal(table: Table, wanted: str) -> Column:
    """The column a person means, by its full header, its name without the unit, or how only it begins.

    Raises:
        RequestError: there is none, or several, or it holds no numbers; the sentence lists candidates.
    """
    numeric = [c for c in table.columns if c.kind in {"number", "integer", "flag"}]
    hits = [table.columns[i] for i in goal_places([c.header for c in table.columns], wanted)]
    hits = hits or [c for c in table.columns if c.name.casefold() == wanted.casefold()]
    if not hits:
        raise RequestError(f"has no column {wanted!r}; choose one of {_names(numeric)}", file=table.path)
    if len(hits) > 1:
        headers = [c.header.strip() for c in hits]
        unlike = len(set(headers)) == len(headers)
        remedy = f"name one of {listed(headers)}" if unlike else "give them different headers in the file"
        raise RequestError(f"several columns are called {wanted!r}; {remedy}", file=table.path)
    if hits[0] not in numeric:
        raise RequestError(
            f"column {wanted!r} holds no numbers to optimise; choose one of {_names(numeric)}",
            file=table.path,
        )
    return hits[0]


def plan(table: Table, goal: Column) -> Plan:
    """Read a campaign out of a table.

    Raises:
        RequestError: nothing in the table could be varied, or it holds fewer than two recipes.
    """
    notes: list[str] = []
    columns, doubtful = _settings(table, goal, notes)
    if not columns:
        columns, restored = doubtful, [c.name for c in doubtful]
        notes = [n for n in notes if not any(n.startswith(f"{name}:") for name in restored)]
    if not np.isfinite(goal.numbers).any():
        raise RequestError(f"column {goal.name!r} holds no number that is finite", file=table.path)
    written = np.fromiter((bool(cell) for cell in goal.cells), dtype=bool, count=len(table))
    sparse = written.sum() < len(table) / 2
    columns, rows = _complete(columns, written if sparse else np.ones(len(table), dtype=bool), notes)
    guesses = [g for c in columns if (g := _guess(c, rows, notes)) is not None]
    guesses = _without_targets(guesses, goal, rows, notes)
    if not guesses:
        raise RequestError(
            f"nothing in it could be varied to change {goal.name!r}; "
            "a setting is a column with at least two values",
            file=table.path,
        )
    if len(guesses) > MOST_PARAMETERS:
        raise RequestError(
            f"{len(guesses)} columns could be settings, and at most {MOST_PARAMETERS} can be; "
            "keep the columns that were varied",
            file=table.path,
        )
    law = _law(guesses, rows)
    parts = law.parts if law else ()
    guesses = [g if g.column.name in parts else _scaled(g, rows, notes) for g in guesses]
    values = [
        g.column.cells if g.choices or g.kind == "formula" else g.column.numbers.tolist() for g in guesses
    ]
    recipes = len({row for row, usable in zip(zip(*values, strict=True), rows, strict=True) if usable})
    notes += _measured_notes(guesses, parts, rows)
    if law is not None:
        notes.append(_law_note(law))
    unknown = [
        g.column.name
        for g in guesses
        if g.kind in {"continuous", "integer"} and g.column.unit == units.UNKNOWN
    ]
    if unknown:
        many = "they are written as unknown, please add them"
        one = "it is written as unknown, please add it"
        notes.append(f"no unit is known for {listed(unknown)}: {many if len(unknown) > 1 else one}")
    if goal.unit == units.UNKNOWN:
        notes.append(f"no unit is known for {goal.name}: it is written as unknown, please add it")
    return Plan(goal, tuple(guesses), law, recipes, bool(sparse), tuple(notes))


def _measured_notes(guesses: Sequence[Guess], parts: Sequence[str], rows: Rows) -> list[str]:
    """Notes on numbers that differ in nearly every row while most settings take few levels."""
    n = int(rows.sum())
    free = [g for g in guesses if g.kind in {"continuous", "integer"} and g.column.name not in parts]
    levels = {g.column.name: len(np.unique(g.column.numbers[rows])) for g in free}
    levels |= {g.column.name: len(g.choices) for g in guesses if g.choices}
    if n < _FEWEST_ROWS or sum(k <= _FEW_LEVELS * n for k in levels.values()) < len(levels) / 2:
        return []
    return [
        f"{g.column.name}: looks measured rather than set, with {levels[g.column.name]} values in {n} rows; "
        "if so, move it to objectives with goal: observe"
        for g in free
        if g.kind == "continuous" and levels[g.column.name] >= _NEARLY_UNIQUE * n
    ]


def _law_note(law: Law) -> str:
    exact = law.low == law.high
    total = f"{law.low:g}" if exact else f"{law.low:g} to {law.high:g}, so the mixture has a tolerance"
    return f"{listed(law.parts)} are taken as a mixture: in every row they add up to {total}"


def _names(columns: Sequence[Column]) -> str:
    return listed([c.name for c in columns], 30) if columns else "none, since no column holds numbers"


def _settings(table: Table, goal: Column, notes: list[str]) -> tuple[list[Column], list[Column]]:
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


def _complete(columns: list[Column], wanted: Rows, notes: list[str]) -> tuple[list[Column], Rows]:
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


def _guess(column: Column, rows: Rows, notes: list[str]) -> Guess | None:
    if column.kind in {"text", "flag", "formula"}:
        choices = tuple(dict.fromkeys(c for c, usable in zip(column.cells, rows, strict=True) if usable))
        if len(choices) < 2:  # noqa: PLR2004 - one value is no choice
            notes.append(f"{column.name}: left out, since it has one value in the complete rows")
            return None
        return (
            Guess(column, "formula")
            if column.kind == "formula"
            else Guess(column, "categorical", choices=choices)
        )
    values = column.numbers[rows]
    low, high = float(values.min()), float(values.max())
    if low == high or not np.isfinite(high - low):
        notes.append(f"{column.name}: left out, since its values {low:g} to {high:g} span no usable range")
        return None
    whole = (
        column.kind == "integer" and column.unit in {units.UNKNOWN, "dimensionless"} and high - low < 2**31
    )
    exact = max(abs(low), abs(high)) < 2**53
    return Guess(column, "integer" if whole and exact else "continuous", low, high)


def _without_targets(guesses: list[Guess], goal: Column, rows: Rows, notes: list[str]) -> list[Guess]:
    """Leave out columns that rise or fall strictly with the target: they were computed from it."""
    usable = rows & np.isfinite(goal.numbers)
    levels, rank = np.unique(goal.numbers[usable], return_inverse=True)
    if len(levels) < 10:  # noqa: PLR2004 - fewer can agree by chance
        return guesses
    kept = []
    for guess in guesses:
        numbers = guess.column.numbers[usable]
        theirs, order = np.unique(numbers, return_inverse=True)
        same = len(theirs) == len(levels) and (
            np.array_equal(order, rank) or np.array_equal(order, len(levels) - 1 - rank)
        )
        if not (same and guess.kind in {"continuous", "integer"}):
            kept.append(guess)
    lost = [g.column.name for g in guesses if g not in kept] if kept else []
    notes += [
        f"{name}: left out, since it goes strictly with {goal.name}, as if computed from it" for name in lost
    ]
    return kept or guesses


def _scaled(guess: Guess, rows: Rows, notes: list[str]) -> Guess:
    """A log scale for positive numbers over three decades, most of which lie in the lower ones."""
    if guess.kind != "continuous" or guess.low <= 0 or guess.high / guess.low < 1e3:  # noqa: PLR2004 - three decades
        return guess
    if np.median(guess.column.numbers[rows]) > guess.high / 10:
        return guess
    notes.append(f"{guess.column.name}: spans {guess.low:g} to {guess.high:g}, so its scale is logarithmic")
    return replace(guess, scale="log")


def _law(guesses: list[Guess], rows: Rows) -> Law | None:
    """The longest run of columns in one unit whose sum is the same in every row."""
    by_unit: dict[str, list[Guess]] = {}
    for guess in guesses:
        if guess.kind == "continuous" and guess.low >= 0:
            by_unit.setdefault(guess.column.unit, []).append(guess)
    best: Law | None = None
    for unit, members in by_unit.items():
        law = _longest(members, rows, unit)
        if law is not None and (best is None or len(law.parts) > len(best.parts)):
            best = law
    return best


def _longest(members: list[Guess], rows: Rows, unit: str) -> Law | None:
    everything = np.array([g.column.numbers[rows] for g in members]).T
    if len(everything) < 5:  # noqa: PLR2004 - fewer rows can agree by chance
        return None
    few = np.cumsum(np.hstack([np.zeros((min(len(everything), 50), 1)), everything[:50]]), axis=1)
    for size in range(len(members), 1, -1):
        for start in range(len(members) - size + 1):
            sums = few[:, start + size] - few[:, start]
            if np.ptp(sums) > _ROUNDED * abs(sums).max():
                continue
            sums = everything[:, start : start + size].sum(axis=1)
            total = float(np.median(sums))
            pure = any(abs(total - t) <= _ROUNDED * t for t in (1.0, 100.0))
            if np.ptp(sums) > _ROUNDED * total or total <= 0 or (size == 2 and not pure):  # noqa: PLR2004
                continue
            parts = tuple(g.column.name for g in members[start : start + size])
            tidy = float(f"{total:.6g}")
            if np.abs(sums - tidy).max() <= _EXACT * tidy:
                return Law(parts, tidy, tidy, unit)
            return Law(parts, float(f"{sums.min():.9g}"), float(f"{sums.max():.9g}"), unit)
    return None
