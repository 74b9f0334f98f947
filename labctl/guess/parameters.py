"""What kind of parameter a column is, over which range, and on which scale."""

import re
from dataclasses import replace

import numpy as np

from labctl import units
from labctl.guess.guesses import Guess, Rows
from labctl.tables import Column

_FORMULAS = re.compile(r"formula|composition", re.IGNORECASE)


def parameter_of(column: Column, rows: Rows, notes: list[str]) -> Guess | None:
    """The parameter that a column is in the usable rows; None, with a note, where it does not vary there."""
    if column.kind in {"text", "flag", "formula"}:
        choices = tuple(dict.fromkeys(c for c, usable in zip(column.cells, rows, strict=True) if usable))
        if len(choices) < 2:  # noqa: PLR2004 - one value is no choice
            notes.append(f"{column.name}: left out, since it has one value in the complete rows")
            return None
        if column.kind == "formula":
            return Guess(column, "formula")
        if column.kind == "text" and _FORMULAS.search(column.name):
            notes += _why_no_formulas(column.name, choices)
        return Guess(column, "categorical", choices=choices)
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


def _why_no_formulas(name: str, choices: tuple[str, ...]) -> list[str]:
    """A note with the first name in a column of formulas that is none; none where all could be read."""
    from labctl.space.chemistry import formula_problem  # noqa: PLC0415 - pymatgen takes a second to import

    odd = next((choice for choice in choices if formula_problem(choice) is not None), None)
    return [] if odd is None else [f"{name}: taken as names, since {odd[:40]!r} is no chemical formula"]


def without_targets(guesses: list[Guess], goal: Column, rows: Rows, notes: list[str]) -> list[Guess]:
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


def scaled(guess: Guess, rows: Rows, notes: list[str]) -> Guess:
    """A log scale for positive numbers over three decades, most of which lie in the lower ones."""
    if guess.kind != "continuous" or guess.low <= 0 or guess.high / guess.low < 1e3:  # noqa: PLR2004 - three decades
        return guess
    if np.median(guess.column.numbers[rows]) > guess.high / 10:
        return guess
    notes.append(f"{guess.column.name}: spans {guess.low:g} to {guess.high:g}, so its scale is logarithmic")
    return replace(guess, scale="log")
