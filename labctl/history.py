"""Turns a table and its card into the rows of a replay, in the names and units of a campaign."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl import units
from labctl.card import Card, FailureRule, When
from labctl.errors import RequestError
from labctl.objective import Objective
from labctl.plural import counted, verb
from labctl.space import Continuous, Formula, Parameter
from labctl.space.parameters import NUMERIC
from labctl.tables import Column, Table, listed
from labctl_drivers.protocol import Bound, FailureKind, Setting
from labctl_drivers.replay import HistoricalRow

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class History:
    """What a table can answer.

    Attributes:
        rows: one for each usable row of the table, in its order.
        notes: sentences about rows that were left out.
    """

    rows: tuple[HistoricalRow, ...]
    notes: tuple[str, ...] = ()


def with_choices(card: Card, table: Table, parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """The parameters, where a formula without choices is given those of the table."""
    found = dict(parameters)
    for name, parameter in parameters.items():
        if isinstance(parameter, Formula) and not parameter.choices:
            cells = _column(card, table, name, "parameters").cells
            found[name] = Formula(choices=tuple(dict.fromkeys(c for c in cells if c)), about=parameter.about)
    return found


def history(
    card: Card, table: Table, parameters: Mapping[str, Parameter], objectives: Mapping[str, Objective]
) -> History:
    """The table's rows as recipes and results, each in the campaign's units.

    A row that lies outside a parameter's bounds, or lacks a setting, is left out and counted. A row is a
    failure where a rule of the card says so, or where the quantity that is optimised is missing or not
    finite (bad_reading); a quantity that is only observed may be missing.

    Args:
        card: says what the table's failures are.
        table: as :func:`labctl.datasets.read` gives it.
        parameters: of the campaign, by the names of the card's columns; formulas with their choices.
        objectives: of the campaign, by the names of the card's columns.

    Raises:
        RequestError: a column is missing, a unit cannot be converted, or no row is left.
    """
    usable = np.ones(len(table), dtype=bool)
    recipes: dict[str, list[Setting]] = {}
    notes: list[str] = []
    for name, parameter in parameters.items():
        recipes[name], fits, remark = _settings(card, table, name, parameter)
        if remark:
            notes.append(remark)
        usable &= fits
    rule_of = rules_met(card, table)
    goals = [name for name, objective in objectives.items() if objective.wanted]
    if card.no_value == "leave_out":
        measured_at_all = _measured(card, table, goals) | (rule_of >= 0)
        if n := int((~measured_at_all).sum()):
            what = f"{counted(n, 'row')} {verb(n, 'has', 'have')} no {', '.join(goals)}"
            notes.append(f"left out: {what}")
        usable &= measured_at_all
    rows = np.flatnonzero(usable)
    if not len(rows):
        reasons = "; ".join(notes) or "it has no rows"
        raise RequestError(f"no row can be replayed: {reasons}", file=table.path)
    values, factors = _results(card, table, objectives)
    made = []
    for row in rows.tolist():
        recipe = {name: settings[row] for name, settings in recipes.items()}
        measured = {name: v for name, numbers in values.items() if math.isfinite(v := float(numbers[row]))}
        rule = card.failures[rule_of[row]] if rule_of[row] >= 0 else None
        if rule is not None:
            bounds = _bounds(rule, factors)
            made.append(HistoricalRow(recipe, measured, rule.kind, rule.message, bounds))
        elif not any(name in measured for name in goals):
            made.append(_bad(recipe, measured, table.column(goals[0]), row))
        else:
            made.append(HistoricalRow(recipe, measured))
    if len(rows) < len(table):
        notes.append(f"{len(rows)} of {len(table)} rows of {table.path.name} can be replayed")
    return History(tuple(made), tuple(notes))


def _measured(card: Card, table: Table, goals: list[str]) -> NDArray[np.bool_]:
    """Rows in which something is written for a quantity that is optimised."""
    found = np.zeros(len(table), dtype=bool)
    for name in goals:
        found |= np.array([bool(cell) for cell in _column(card, table, name, "objectives").cells])
    return found


def _bad(recipe: dict[str, Setting], measured: dict[str, float], column: Column, row: int) -> HistoricalRow:
    seen = column.cells[row]
    message = (
        f"the table says {seen[:40]!r} for {column.name}" if seen else f"the table has no {column.name} here"
    )
    return HistoricalRow(recipe, measured, FailureKind.BAD_READING, message)


def _column(card: Card, table: Table, name: str, part: str) -> Column:
    if name not in table.names:
        raise RequestError(
            f"{part}.{name}: the table {card.name} has no such column; it has {listed(table.names, 30)}"
        )
    return table.column(name)


def _factor(card: Card, column: Column, unit: str, part: str) -> float:
    factor = units.factor(column.unit, unit)
    if factor is None:
        raise RequestError(
            f"{part}.{column.name}.unit: {unit} cannot be had from the {column.unit} "
            f"of the table {card.name}; write {column.unit}, or correct the card"
        )
    return factor


def _settings(
    card: Card, table: Table, name: str, parameter: Parameter
) -> tuple[list[Setting], NDArray[np.bool_], str]:
    """The settings of all rows, which rows have a usable one, and a sentence about the others."""
    column = _column(card, table, name, "parameters")
    raw: list[Setting]
    if isinstance(parameter, NUMERIC):
        if column.kind not in {"number", "integer", "flag"}:
            raise RequestError(
                f"parameters.{name}: the column holds {column.kind}, not numbers; use kind: "
                f"{'formula' if column.kind == 'formula' else 'categorical'}"
            )
        raw = (column.numbers * _factor(card, column, parameter.unit, "parameters")).tolist()
        absent = ~np.isfinite(column.numbers)
    else:
        raw = list(column.cells)
        absent = np.fromiter((not cell for cell in column.cells), dtype=bool, count=len(column.cells))
    if isinstance(parameter, Continuous):
        # A hundred thousand different numbers are looked at together; only those near or beyond a bound
        # are put to the parameter one by one.
        numbers = np.asarray(raw, dtype=np.float64)
        doubtful = np.flatnonzero(~absent & ~((numbers >= parameter.low) & (numbers <= parameter.high)))
    else:
        doubtful = np.flatnonzero(~absent)
    asked = {raw[row] for row in doubtful.tolist()}
    problem_of = {value: problem for value in asked if (problem := parameter.problem(value))}
    outside = np.zeros(len(raw), dtype=bool)
    outside[doubtful] = [raw[row] in problem_of for row in doubtful.tolist()]
    kept = {value: parameter.canonical(value) for value in asked if value not in problem_of}
    remarks = []
    if n := int(absent.sum()):
        remarks.append(f"{counted(n, 'row')} {verb(n, 'has', 'have')} no {name}")
    if n := int(outside.sum()):
        first = problem_of[raw[int(np.argmax(outside))]]
        remarks.append(
            f"{counted(n, 'row')} {verb(n, 'does', 'do')} not fit parameters.{name} "
            f"({first}; widen it to use {verb(n, 'it', 'them')})"
        )
    remark = f"left out: {' and '.join(remarks)}" if remarks else ""
    return [kept.get(v, v) for v in raw] if kept else raw, ~(absent | outside), remark


def _results(
    card: Card, table: Table, objectives: Mapping[str, Objective]
) -> tuple[dict[str, Floats], dict[str, float]]:
    values, factors = {}, {}
    for name, objective in objectives.items():
        column = _column(card, table, name, "objectives")
        if column.kind not in {"number", "integer", "flag"}:
            raise RequestError(f"objectives.{name}: the column of the table {card.name} holds no numbers")
        factors[name] = _factor(card, column, objective.unit, "objectives")
        values[name] = column.numbers * factors[name]
    return values, factors


def rules_met(card: Card, table: Table) -> NDArray[np.intp]:
    """For each row the first rule that it fits, or -1."""
    found = np.full(len(table), -1, dtype=np.intp)
    for i, rule in enumerate(card.failures):
        found[(found < 0) & _fitting(rule.when, table.column(rule.when.column))] = i
    return found


def _fitting(when: When, column: Column) -> NDArray[np.bool_]:
    """Which rows a rule is about; everything it says must hold."""
    fits = np.ones(len(column.cells), dtype=bool)
    if isinstance(when.equals, str):
        wanted = when.equals.strip().casefold()
        fits &= np.array([cell.strip().casefold() == wanted for cell in column.cells])
    elif when.equals is not None:
        fits &= column.numbers == when.equals
    if when.at_most is not None:
        fits &= column.numbers <= when.at_most
    if when.at_least is not None:
        fits &= column.numbers >= when.at_least
    if when.missing:
        fits &= np.array([not cell for cell in column.cells])
    return fits


def _bounds(rule: FailureRule, factors: Mapping[str, float]) -> dict[str, Bound]:
    """What a rule still tells of the campaign's quantities, in the campaign's units."""
    return {
        name: Bound(
            None if bound.low is None else bound.low * factors[name],
            None if bound.high is None else bound.high * factors[name],
        )
        for name, bound in rule.bound.items()
        if name in factors
    }
