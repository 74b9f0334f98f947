"""The words of a new campaign's files, with comments for the person who will change them."""

import json
import math
import re

from labctl import units
from labctl.cells import MISSING
from labctl.errors import RequestError
from labctl.guess import Guess, Law, Plan
from labctl.tables import Column, Table

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[ .-][A-Za-z0-9_]+)*")
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"})
_BOUND = re.compile(r"(?P<sign>[<>≤≥])\s*=?\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_MOST_REMARKS = 50


def quoted(text: str) -> str:
    """The text as a YAML scalar that every reader takes for text."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _RESERVED:
        return text
    return json.dumps(text, ensure_ascii=False)


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
    texts = [c for c, v in zip(goal.cells, goal.numbers, strict=True) if c not in MISSING and math.isnan(v)]
    distinct = list(dict.fromkeys(texts)) if goal.kind != "flag" else []
    if len(distinct) > _MOST_REMARKS:
        raise RequestError(f"column {goal.name!r} holds {len(distinct)} different texts; keep numbers in it")
    lines, notes = [], []
    for text in distinct:
        match = _BOUND.fullmatch(text)
        times = texts.count(text)
        lines.append(
            f"  - when: {{column: {quoted(goal.name)}, equals: {json.dumps(text, ensure_ascii=False)}}}"
        )
        if match is not None:
            side = "high" if match["sign"] in "<≤" else "low"
            lines += [
                "    kind: censored",
                f"    message: {json.dumps(f'the table says {text}', ensure_ascii=False)}",
                f"    bound: {{{quoted(goal.name)}: {{{side}: {float(match['number'])!r}}}}}",
            ]
            notes.append(f"{goal.name}: {text!r} in {times} rows is taken as a bound (censored)")
        else:
            lines += [
                "    kind: bad_reading  # or infeasible, if the recipe made no sample; see the top of this file",
                f"    message: {json.dumps(f'the table says {text}', ensure_ascii=False)}",
            ]
            notes.append(
                f"{goal.name}: {text!r} in {times} rows is taken as a bad reading; if it means that no sample "
                "was made, write kind: infeasible in table.card.yaml"
            )
    return ("failures:\n" + "\n".join(lines) + "\n" if lines else "failures: []\n"), tuple(notes)


def card(name: str, copy: str, table: Table, plan: Plan, rules: str) -> str:
    """The card of the table: every column, with what it was taken for."""
    headers = [column.header for column in table.columns]
    has_header = any(header.strip() for header in headers)
    roles = {guess.column.position: "parameter" for guess in plan.parameters} | {
        plan.goal.position: "objective"
    }
    lines = [
        f"# What labctl takes {copy} for. Correct whatever is wrong; the table itself stays as it is.",
        "#",
        "# unit: as in mm, degC, minute, percent, S/cm; unknown where the table does not say.",
        "# role: parameter (was set), objective (was measured) or metadata (only noted).",
        "# failures: rows that hold no result, and why. Kinds: infeasible (the recipe makes no sample), censored",
        "#   (beyond what the detector sees; give a bound), bad_reading, off_recipe, instrument_fault. A row",
        "#   without a value is a bad reading. Zeros are taken as measured; if a zero means that no sample was",
        "#   made, say so:  - {when: {column: NAME, equals: 0}, kind: infeasible, message: it cracked}",
        f"name: {quoted(name)}",
        f"title: {json.dumps(f'The table {copy}', ensure_ascii=False)}",
        "caveats:",
        "  - This card was written by labctl init from the table alone; nobody has checked it yet.",
        f"file: {{beside: {quoted(copy)}}}",
        f"header: {'true' if has_header else 'false'}",
        "columns:",
    ]
    lines += [_card_column(column, roles.get(column.position, "metadata")) for column in table.columns]
    return "\n".join(lines) + "\n" + rules


def _card_column(column: Column, role: str) -> str:
    header = json.dumps(column.header, ensure_ascii=False) if column.header.isprintable() else None
    given = f", header: {header}" if header and column.header.strip() != column.name else ""
    return (
        f"  - {{name: {quoted(column.name)}{given}, position: {column.position}, "
        f"unit: {quoted(column.unit)}, role: {role}}}"
    )


def campaign(name: str, plan: Plan, *, maximise: bool, schema: str, card: str) -> str:
    """The campaign file."""
    goal, wish = plan.goal, "maximize" if maximise else "minimize"
    parts = [
        schema_line(schema)
        + f"# Replays a table: every answer is a row of it, so the {plan.recipes} recipes it holds are what can be tried.\n"
        "#\n"
        f"# Run it:  labctl run campaign.yaml      Units, failures and sources of the table: {card}\n"
        f"campaign: {quoted(name)}\n"
        f"purpose: {json.dumps(f'Find the recipe with the {"largest" if maximise else "smallest"} {goal.name}.', ensure_ascii=False)}\n",
        "# What was varied, with its unit and its bounds, which are the least and the greatest value in the table.\n"
        "# If one of these was measured and not set, move it to objectives with goal: observe.\n"
        "parameters:\n" + "".join(_parameter(guess) for guess in plan.parameters),
    ]
    if plan.law is not None:
        parts.append(_law(plan.law))
    parts += [
        "# What is wanted: exactly one goal to maximize or minimize; others may be there with goal: observe.\n"
        f"objectives:\n  {quoted(goal.name)}: {{goal: {wish}, unit: {quoted(goal.unit)}}}\n",
        f"instrument:\n  kind: replay\n  dataset: {card}\n",
        "# So many experiments are spread over the space before a model is asked; then the budget is shared between\n"
        "# improving on the best (improve) and recipes at random (random), which keep the model honest.\n"
        f"strategy:\n  initial: {plan.initial}\n  arms: {{improve: 9, random: 1}}\n",
        "# The campaign ends after so many experiments; add target: {value: ..., unit: ...} to stop earlier.\n"
        f"budget:\n  experiments: {plan.budget}\n",
        "seed: 0\n",
    ]
    return "\n".join(parts)


def _parameter(guess: Guess) -> str:
    name = quoted(guess.column.name)
    if guess.kind == "formula":
        return f"  # Its choices are the formulas in the table.\n  {name}: {{kind: formula}}\n"
    if guess.kind == "categorical":
        choices = ", ".join(json.dumps(choice, ensure_ascii=False) for choice in guess.choices)
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
    if law.low == law.high:
        return (
            f"# In every row these add up to {law.low:g}, so they are one mixture.\n"
            f"mixtures:\n  mixture:\n    parts: [{', '.join(names)}]\n"
            f"    total: {_number(law.low)}\n    unit: {quoted(law.unit)}\n"
        )
    terms = ", ".join(f"{name}: 1" for name in names)
    return (
        f"# In every row these add up to {law.low:g} to {law.high:g}: a mixture whose contents were rounded.\n"
        f"constraints:\n  - terms: {{{terms}}}\n    at_least: {_number(law.low)}\n"
        f"    at_most: {_number(law.high)}\n    unit: {quoted(law.unit)}\n"
    )
