"""Reads a campaign out of a table: its settings, their law, and notes on what was assumed."""

from collections.abc import Sequence

import numpy as np

from labctl import units
from labctl.errors import RequestError
from labctl.guess.guesses import Guess, Law, Plan, Rows
from labctl.guess.parameters import parameter_of, scaled, without_targets
from labctl.guess.settings import complete_rows, settings
from labctl.guess.sums import constant_sum
from labctl.tables import Column, Table, listed

MOST_PARAMETERS = 500
_FEW_LEVELS = 0.34
"""A setting takes few levels for the number of rows: up to about a third of it."""
_NEARLY_UNIQUE = 0.9
_FEWEST_ROWS = 6


def plan(table: Table, goal: Column) -> Plan:
    """Read a campaign out of a table.

    Raises:
        RequestError: nothing in the table could be varied, or it holds fewer than two recipes.
    """
    notes: list[str] = []
    columns, doubtful = settings(table, goal, notes)
    if not columns:
        columns, restored = doubtful, [c.name for c in doubtful]
        notes = [n for n in notes if not any(n.startswith(f"{name}:") for name in restored)]
    if not np.isfinite(goal.numbers).any():
        raise RequestError(f"column {goal.name!r} holds no number that is finite", file=table.path)
    written = np.fromiter((bool(cell) for cell in goal.cells), dtype=bool, count=len(table))
    sparse = written.sum() < len(table) / 2
    columns, rows = complete_rows(columns, written if sparse else np.ones(len(table), dtype=bool), notes)
    guesses = [g for c in columns if (g := parameter_of(c, rows, notes)) is not None]
    guesses = without_targets(guesses, goal, rows, notes)
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
    law = constant_sum(guesses, rows)
    parts = law.parts if law else ()
    guesses = [g if g.column.name in parts else scaled(g, rows, notes) for g in guesses]
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
