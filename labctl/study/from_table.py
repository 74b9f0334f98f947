"""The study of a table: a stranger's CSV, or one with a card."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from labctl.card import Card
from labctl.errors import RequestError
from labctl.guess import Guess, Plan, Remark, find_goal, is_bound, plan, remarks
from labctl.headers import goal_places
from labctl.history import rules_met
from labctl.plural import counted
from labctl.proposal import recipe_key
from labctl.space import Categorical, Continuous, Formula, Integer, Parameter, Space
from labctl.study.study import Floats, Study
from labctl.tables import Column, Table
from labctl_drivers.protocol import FailureKind

_MOST_CLASSES = 12
_NAMELESS = frozenset({"target", "y", "value", "result", "output", "property", "label"})


def of_table(
    table: Table, *, goal: str, name: str, card: Card | None = None, every_row: bool = False
) -> Study:
    """The study of a table: of a stranger's CSV, or of one with a card.

    A card says which columns were set; without one, :mod:`labctl.guess` does, and its notes say what it
    took for what. A text in place of a number of the goal is a bound or a failed reading, as when a campaign
    is made of the table. Every other column is kept as logged. Rows that lack a setting are left out, unless
    ``every_row`` is wanted: then a missing number is the median of the others and a missing category one
    of its own, which is good enough to look at the table, though not to fit to it.

    Raises:
        RequestError: the goal is no column, or nothing in the table could be varied.
    """
    column = _goal(table, goal)
    numbered = _numbered(column, table)
    planned = plan(_settings_only(table, column, numbered, card), numbered)
    parameters = {guess.column.name: _parameter(guess, table) for guess in planned.parameters}
    rows = _complete_rows(table, planned)
    left_out = len(table) - len(rows)
    if every_row and left_out:
        table = _imputed(table, planned)
        parameters = {g.column.name: _parameter(_widened(g, table), table) for g in planned.parameters}
        rows = np.flatnonzero(_has_formulas(table, planned))
    y, classes = _outcome(column, table)
    values = {n: _cells(table.column(n), parameters[n]) for n in parameters}
    kept = {n: [v[i] for i in rows] for n, v in values.items()}
    space = Space(parameters)
    told = remarks(column) if card is None else ()
    failed, kinds = _failures(card, table, rows) if card is not None else _remarked(told, column, rows)
    logged = {c.name: _logged(c)[rows] for c in table.columns if c is not column and c.kind != "empty"}
    formula = next((n for n, p in parameters.items() if isinstance(p, Formula)), None)
    X = space.encode_columns(kept)
    return Study(
        name=name,
        source=str(table.path),
        goal=column.name,
        unit=column.unit,
        direction=0,
        outcome="classification" if classes else "regression",
        classes=classes,
        space=space,
        X=X,
        y=y[rows],
        recipes=_keys(kept),
        ids=tuple(f"line {int(table.lines[i])}" for i in rows),
        formulas=None if formula is None else np.array(kept[formula]),
        failed=failed,
        kinds=kinds,
        columns=logged,
        cohorts=_cohorts(table, logged, parameters, card),
        modelled=tuple(n for n in parameters if n in logged),
        pool=_distinct(X) if failed is not None else None,
        called=_called(card, column.name),
        notes=(
            *table.notes,
            *_notes_of(planned),
            *(_note(remark, column.name) for remark in told),
            *((f"{left_out} of {counted(len(table), 'row')} lack a setting",) if left_out else ()),
        ),
    )


def _goal(table: Table, wanted: str) -> Column:
    """The goal: a column of numbers, or of a few classes."""
    places = goal_places([c.header for c in table.columns], wanted)
    named = [table.columns[i] for i in places] or [
        c for c in table.columns if c.name.casefold() == wanted.casefold()
    ]
    if len(named) == 1 and named[0].kind == "text":
        return named[0]
    return find_goal(table, wanted)


def _called(card: Card | None, name: str) -> str:
    """What a card says that a column means, where its own name says nothing; else ``""``."""
    if card is None or name.casefold() not in _NAMELESS:
        return ""
    meaning = next((c.meaning for c in card.columns if c.name == name), "")
    # A meaning with several parts is an explanation, and no name for an axis.
    return "" if "," in meaning or ";" in meaning else meaning


def _notes_of(planned: Plan) -> tuple[str, ...]:
    """What was assumed, without advice on the files of a campaign, of which none is made here."""
    assumed = [n for n in planned.notes if not n.startswith("no unit is known") and "replayed" not in n]
    return tuple(n.partition("; if so, move it")[0] for n in assumed)


def _note(remark: Remark, goal: str) -> str:
    meaning = "a bound (censored)" if remark.censored else "a reading that failed"
    return f"{goal}: {remark.text!r} in {counted(remark.times, 'row')} is taken as {meaning}"


def _numbered(column: Column, table: Table) -> Column:
    """A text column with its classes numbered, as :func:`labctl.guess.plan` wants its goal."""
    if column.kind != "text":
        return column
    y, _ = _outcome(column, table)
    return replace(column, numbers=y)


def _settings_only(table: Table, goal: Column, numbered: Column, card: Card | None) -> Table:
    """The columns that may be settings, and the numbered goal, which the guess knows by being the same."""
    wanted = None if card is None else set(card.with_role("parameter"))
    columns = tuple(
        numbered if c is goal else c for c in table.columns if c is goal or wanted is None or c.name in wanted
    )
    return replace(table, columns=columns)


def _parameter(guess: Guess, table: Table) -> Parameter:
    """The parameter that a guess describes.

    Raises:
        RequestError: its values could be no parameter's, such as a name with a line break in it.
    """
    try:
        return _unchecked(guess)
    except ValidationError as error:
        why = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise RequestError(f"column {guess.column.name!r} {why}", file=table.path) from None


def _unchecked(guess: Guess) -> Parameter:
    if guess.kind == "formula":
        return Formula(choices=tuple(dict.fromkeys(c for c in guess.column.cells if c)))
    if guess.kind == "categorical":
        return Categorical(choices=guess.choices)
    if guess.kind == "integer":
        return Integer(low=int(guess.low), high=int(guess.high), unit=guess.column.unit)
    return Continuous(low=guess.low, high=guess.high, unit=guess.column.unit, scale=guess.scale)


def _complete_rows(table: Table, planned: Plan) -> NDArray[np.intp]:
    complete = np.ones(len(table), dtype=bool)
    for guess in planned.parameters:
        column = table.column(guess.column.name)
        if guess.kind in ("continuous", "integer"):
            complete &= np.isfinite(column.numbers)
        else:
            complete &= np.array([bool(cell) for cell in column.cells])
            if guess.kind == "categorical":
                complete &= np.isin(np.array(column.cells), np.array(guess.choices))
    return np.flatnonzero(complete)


_NOT_STATED = "not stated"


def _imputed(table: Table, planned: Plan) -> Table:
    """Every missing setting filled in: numbers by their median, categories by one of their own."""
    wanted = {guess.column.name: guess for guess in planned.parameters}
    columns = []
    for column in table.columns:
        guess = wanted.get(column.name)
        if guess is not None and guess.kind in ("continuous", "integer"):
            known = column.numbers[np.isfinite(column.numbers)]
            middle = float(np.median(known)) if len(known) else guess.low
            middle = round(middle) if guess.kind == "integer" else middle
            columns.append(
                replace(column, numbers=np.where(np.isfinite(column.numbers), column.numbers, middle))
            )
        elif guess is not None and guess.kind == "categorical":
            columns.append(replace(column, cells=tuple(cell or _NOT_STATED for cell in column.cells)))
        else:
            columns.append(column)
    return replace(table, columns=tuple(columns))


def _widened(guess: Guess, table: Table) -> Guess:
    """The guess with the bounds and choices of every row."""
    column = table.column(guess.column.name)
    if guess.kind == "categorical":
        return replace(guess, choices=tuple(dict.fromkeys(column.cells)))
    if guess.kind == "formula":
        return guess
    return replace(guess, low=float(column.numbers.min()), high=float(column.numbers.max()))


def _has_formulas(table: Table, planned: Plan) -> NDArray[np.bool_]:
    """Rows in which every formula is written; nothing can stand in for a formula."""
    found = np.ones(len(table), dtype=bool)
    for guess in planned.parameters:
        if guess.kind == "formula":
            found &= np.array([bool(cell) for cell in table.column(guess.column.name).cells])
    return found


def _cells(column: Column, parameter: Parameter) -> list[Any]:
    numeric = not isinstance(parameter, Categorical | Formula)
    return list(column.numbers.tolist()) if numeric else list(column.cells)


def _outcome(column: Column, table: Table) -> tuple[Floats, tuple[str, ...]]:
    """Numbers as they are; flags and texts as numbered classes.

    Raises:
        RequestError: a text column with too many different texts to be classes.
    """
    if column.kind == "flag":
        return column.numbers.astype(np.float64), ("0", "1")
    if column.kind != "text":
        levels = np.unique(column.numbers[np.isfinite(column.numbers)])
        two = column.kind == "integer" and set(levels.tolist()) == {0.0, 1.0}
        return column.numbers.astype(np.float64), ("0", "1") if two else ()
    classes = tuple(sorted({cell for cell in column.cells if cell}))
    if classes and all(map(is_bound, classes)):
        raise RequestError(
            f"column {column.name!r} holds bounds only, such as {classes[0]!r}; give it measured numbers too",
            file=table.path,
        )
    if len(classes) > _MOST_CLASSES:
        raise RequestError(
            f"column {column.name!r} holds {len(classes)} different texts, and at most {_MOST_CLASSES} "
            "can be classes; choose another column",
            file=table.path,
        )
    number = {c: float(i) for i, c in enumerate(classes)}
    return np.array([number.get(cell, np.nan) for cell in column.cells]), classes


def _failures(
    card: Card, table: Table, rows: NDArray[np.intp]
) -> tuple[NDArray[np.bool_] | None, NDArray[Any] | None]:
    if not card.failures:
        return None, None
    rule = rules_met(card, table)[rows]
    kinds = np.array([card.failures[i].kind.value if i >= 0 else "" for i in rule], dtype=np.str_)
    return rule >= 0, kinds


def _remarked(
    told: Sequence[Remark], goal: Column, rows: NDArray[np.intp]
) -> tuple[NDArray[np.bool_] | None, NDArray[Any] | None]:
    """Which rows failed, and how, by the texts in place of a number; nothing where there are none."""
    if not told:
        return None, None
    kind = {r.text: FailureKind.CENSORED if r.censored else FailureKind.BAD_READING for r in told}
    kinds = np.array(
        [kind[goal.cells[i]].value if goal.cells[i] in kind else "" for i in rows], dtype=np.str_
    )
    return kinds != "", kinds


def _logged(column: Column) -> NDArray[Any]:
    if column.kind in ("number", "integer", "flag"):
        return np.where(np.isfinite(column.numbers), column.numbers, np.nan)
    return np.array(column.cells, dtype=np.str_)


_COHORT_WORDS = ("lab", "batch", "operator", "doi", "year", "reference", "source", "campaign", "lot", "group")


def _cohorts(
    table: Table, logged: Mapping[str, NDArray[Any]], parameters: Mapping[str, Parameter], card: Card | None
) -> tuple[str, ...]:
    """Columns that by their name say where a row is from."""
    noted = set(card.with_role("metadata")) if card is not None else set(logged)
    return tuple(
        c.name
        for c in table.columns
        if c.name in logged
        and c.name in noted
        and c.name not in parameters
        and any(word in c.name.casefold().replace("_", " ").split() for word in _COHORT_WORDS)
    )


def _keys(columns: Mapping[str, Sequence[Any]]) -> NDArray[Any]:
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    return np.array([recipe_key(dict(zip(names, row, strict=True))) for row in rows], dtype=np.str_)


def _distinct(X: Floats) -> Floats:
    return np.unique(X, axis=0)
