"""The words of a new campaign's files, with comments for the person who will change them."""

import json
import re
from string import Template

from labctl import units
from labctl.guess import Guess, Law, Plan, remarks
from labctl.plural import counted
from labctl.tables import Column, Table

_PLAIN = re.compile(r"[A-Za-zµ][A-Za-z0-9_/^()%°µ]*(?:[ .-][A-Za-z0-9_/^()%°µ]+)*")
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"})


_CARD = Template("""\
# What labctl takes $file for. Correct whatever is wrong; the table itself stays as it is.
#
# unit: as in mm, degC, minute, percent, S/cm; unknown where the table does not say.
# role: parameter (was set), objective (was measured) or metadata (only noted).
# failures: rows that hold no result, and why. The kinds are infeasible (the recipe makes no sample),
#   censored (beyond what the detector sees; give a bound), bad_reading, off_recipe and instrument_fault.
#   Zeros are taken as measured; if a zero means that no sample was made, say so:
#   - {when: {column: NAME, equals: 0}, kind: infeasible, message: the sample cracked}
# no_value: what a row without a value is, bad_reading or leave_out.
name: $name
title: $title
caveats:
  - This card was written by labctl init from the table alone; nobody has checked it yet.
file: {beside: $copy}
header: $header
no_value: $no_value
columns:
$columns
$rules""")

_CAMPAIGN = Template("""\
# Replays a table: every answer is a row of it, so only its $recipes recipes can be tried.
#
# Run it with   labctl run campaign.yaml
# Units, failures and sources of the table stand in $card.
campaign: $name
purpose: $purpose

# What was varied, with its unit and the least and the greatest value in the table.
# If one of these was measured and not set, move it to objectives with goal: observe.
parameters:
$parameters$law
# What is wanted: exactly one goal to maximize or minimize; others may be there with goal: observe.
objectives:
$objective

instrument:
  kind: replay
  dataset: $card

# So many experiments are spread over the space before a model is asked. Then the budget is shared
# between improving on the best (improve) and recipes at random (random), which keep the model honest.
strategy:
  initial: $initial
  arms: {improve: 9, random: 1}

# The campaign ends after so many experiments; add target: {value: ..., unit: ...} to stop earlier.
budget:
  experiments: $budget

seed: 0
""")


def quoted(text: str) -> str:
    """The text as a YAML scalar that every reader takes for text."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _RESERVED:
        return text
    return _text(text)


def _text(text: str) -> str:
    """A double-quoted YAML scalar; JSON's are that as long as the text is printable."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def schema_line(schema: str) -> str:
    """The comment by which editors find the schema, and complete keys."""
    return f"# yaml-language-server: $schema={schema}\n"


def failures(goal: Column) -> tuple[str, tuple[str, ...]]:
    """Rules for the texts that stand in place of a number, as YAML, and notes about them.

    ``<0.5`` and ``>200`` are bounds and become censored; what any other word means, nobody but the owner of
    the table knows, so it becomes a bad reading until they say so.

    Raises:
        RequestError: there are too many different texts for a column of numbers.
    """
    lines, notes = [], []
    for remark in remarks(goal):
        text, rows = remark.text, counted(remark.times, "row")
        lines.append(f"  - when: {{column: {quoted(goal.name)}, equals: {_text(text)}}}")
        if remark.censored:
            side = f"high: {remark.high!r}" if remark.high is not None else f"low: {remark.low!r}"
            lines += [
                "    kind: censored",
                f"    message: {_text(f'the table says {text}')}",
                f"    bound: {{{quoted(goal.name)}: {{{side}}}}}",
            ]
            notes.append(f"{goal.name}: {text!r} in {rows} is taken as a bound (censored)")
        else:
            lines += [
                "    kind: bad_reading  # or infeasible, if the recipe made no sample",
                f"    message: {_text(f'the table says {text}')}",
            ]
            notes.append(
                f"{goal.name}: {text!r} in {rows} is taken as a bad reading; "
                "if it means that no sample was made, write kind: infeasible in table.card.yaml"
            )
    return ("failures:\n" + "\n".join(lines) + "\n" if lines else "failures: []\n"), tuple(notes)


def card(name: str, copy: str, table: Table, plan: Plan, rules: str) -> str:
    """The card of the table: every column, with what it was taken for."""
    has_header = any(column.header.strip() for column in table.columns)
    roles = {guess.column.position: "parameter" for guess in plan.parameters} | {
        plan.goal.position: "objective"
    }
    return _CARD.substitute(
        file=copy,
        name=quoted(name),
        title=_text(f"The table {copy}"),
        copy=quoted(copy),
        header="true" if has_header else "false",
        no_value="leave_out" if plan.sparse else "bad_reading",
        columns="\n".join(_card_column(c, roles.get(c.position, "metadata")) for c in table.columns),
        rules=rules,
    )


def _card_column(column: Column, role: str) -> str:
    header = _text(column.header) if column.header.isprintable() else None
    given = f", header: {header}" if header and column.header.strip() != column.name else ""
    return (
        f"  - {{name: {quoted(column.name)}{given}, position: {column.position}, "
        f"unit: {quoted(column.unit)}, role: {role}}}"
    )


def campaign(name: str, plan: Plan, *, maximise: bool, schema: str, card: str) -> str:
    """The campaign file."""
    goal, wish = plan.goal, "maximize" if maximise else "minimize"
    text = _CAMPAIGN.substitute(
        recipes=plan.recipes,
        card=card,
        name=quoted(name),
        purpose=_text(f"Find the recipe with the {'largest' if maximise else 'smallest'} {goal.name}."),
        parameters="".join(_parameter(guess) for guess in plan.parameters),
        law="" if plan.law is None else "\n" + _law(plan.law),
        objective=f"  {quoted(goal.name)}: {{goal: {wish}, unit: {quoted(goal.unit)}}}",
        initial=plan.initial,
        budget=plan.budget,
    )
    return schema_line(schema) + text


def _parameter(guess: Guess) -> str:
    name = quoted(guess.column.name)
    if guess.kind == "formula":
        return f"  # Its choices are the formulas in the table.\n  {name}: {{kind: formula}}\n"
    if guess.kind == "categorical":
        choices = ", ".join(_text(choice) for choice in guess.choices)
        return f"  {name}: {{kind: categorical, choices: [{choices}]}}\n"
    unit = quoted(guess.column.unit)
    if guess.kind == "integer":
        return f"  {name}: {{kind: integer, unit: {unit}, low: {int(guess.low)}, high: {int(guess.high)}}}\n"
    scale = ", scale: log" if guess.scale == "log" else ""
    todo = "  # unit?" if guess.column.unit == units.UNKNOWN else ""
    ends = f"low: {_number(guess.low)}, high: {_number(guess.high)}"
    return f"  {name}: {{kind: continuous, unit: {unit}, {ends}{scale}}}{todo}\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)  # noqa: PLR2004 - exact


def _law(law: Law) -> str:
    names = [quoted(part) for part in law.parts]
    total = float(f"{(law.low + law.high) / 2:.4g}")
    exact = law.low == law.high
    total, sums = (law.low, f"{law.low:g}") if exact else (total, f"{law.low:g} to {law.high:g}, as rounded")
    # A little more than the widest miss, so that the miss itself is not lost to rounding.
    miss = 0.0 if exact else float(f"{1.001 * max(law.high - total, total - law.low):.4g}")
    return (
        f"# In every row these add up to {sums}, so they are one mixture.\n"
        f"mixtures:\n  mixture:\n    parts: [{', '.join(names)}]\n"
        f"    total: {_number(total)}\n    unit: {quoted(law.unit)}\n"
        + (f"    tolerance: {_number(miss)}\n" if miss else "")
    )
