"""Every experiment as JSON, CSV or Parquet: its prediction, what came, and how it failed."""

import csv
import io
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from labctl.config import CampaignConfig
from labctl.cost import cost_of
from labctl.errors import RequestError
from labctl.files import write_whole
from labctl.instrument import TARGET
from labctl.proposal import Outcome
from labctl.space.parameters import NUMERIC, Parameter
from labctl.state import Experiment, Settlement
from labctl.view import View
from labctl_drivers.protocol import Recipe

Cell = float | int | str | None
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet run a text cell instead of showing it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the flat exports.

    Attributes:
        name: its header, with the unit.
        kind: what its cells hold where they are not empty.
        cell: an experiment's cell.
    """

    name: str
    kind: Literal["number", "integer", "text"]
    cell: Callable[[Experiment], Cell]


def as_record(experiment: Experiment, config: CampaignConfig | None = None) -> dict[str, Any]:
    """Everything the ledger says of one experiment, as plain JSON types; with a config, also its cost."""
    proposal, outcome = experiment.proposal, experiment.outcome
    attempts = itertools.zip_longest(experiment.intents, experiment.outcomes)
    return {
        "id": experiment.id,
        "status": experiment.status,
        "proposed_at": experiment.proposed_at,
        "decided_at": experiment.decided_at,
        "started_at": experiment.started_at,
        "ended_at": experiment.ended_at,
        "proposed_seq": experiment.proposed_seq,
        "ended_seq": experiment.ended_seq,
        "arm": proposal.arm,
        "fidelity": proposal.fidelity,
        "strategy": proposal.strategy,
        "because": proposal.because,
        "evidence": proposal.evidence,
        "shares": proposal.shares,
        "domain": None if proposal.domain is None else proposal.domain.body(),
        "feasibility": proposal.feasibility,
        "route": proposal.route,
        "recipe": dict(proposal.recipe),
        "predictions": {name: p.body() for name, p in proposal.predictions.items()},
        "acquisition": proposal.acquisition,
        "value": proposal.value,
        "alternatives": [a.body() for a in proposal.alternatives],
        "decision": None if experiment.decision is None else experiment.decision.body(),
        "attempts": [
            {
                "attempt": number,
                "intent": None if intent is None else intent.body(),
                "outcome": None if result is None else result.body(),
                "settled": next((_settled(s) for s in experiment.settled if s.attempt == number), None),
            }
            for number, (intent, result) in enumerate(attempts, start=1)
        ],
        "values": {} if outcome is None else dict(outcome.values),
        "z": z_scores(experiment),
        "failure": None if outcome is None or outcome.kind is None else _failure(outcome),
        "actual": {} if outcome is None else dict(outcome.actual),
        "raw": {} if outcome is None else dict(outcome.raw),
        "surrogate": proposal.surrogate,
        "data": proposal.data,
        "code": proposal.code,
        "seed": proposal.seed,
        **({} if config is None else {"cost": _cost(config, experiment)}),
        "cpu_seconds": proposal.cpu_seconds,
        "result_hash": experiment.result_hash or None,
    }


def _settled(settlement: Settlement) -> dict[str, Any]:
    """Who settled an attempt and when, and the outcome that it had before."""
    return {
        "verdict": settlement.verdict,
        "by": settlement.by,
        "at": settlement.at,
        "before": settlement.before.body(),
    }


def z_scores(experiment: Experiment) -> dict[str, float]:
    """By objective, how many predicted standard deviations the measurement lies above its prediction."""
    outcome = experiment.outcome
    if outcome is None or outcome.status != "measured":
        return {}
    return {
        name: (outcome.values[name] - p.mean) / p.measurement_sd
        for name, p in experiment.proposal.predictions.items()
        if name in outcome.values and p.measurement_sd > 0
    }


def as_records(view: View) -> dict[str, Any]:
    """A whole campaign as plain JSON types: its goal, units and config, and every experiment."""
    config, state = view.config, view.state
    goal, objective = config.goal
    return {
        "campaign": config.name,
        "goal": {"name": goal, "direction": objective.goal, "unit": objective.unit},
        "goals": [{"name": n, "direction": o.goal, "unit": o.unit} for n, o in config.goals.items()],
        "front": [c.experiment for c in view.summary.front],
        "units": {**config.space.units, **{n: o.unit for n, o in config.model.objectives.items()}},
        "config": config.as_json(),
        "began_with": state.campaign,
        "ledger": str(view.ledger),
        "events": state.seq,
        "head": state.head,
        "experiments": [as_record(e, config) for e in state],
    }


def as_csv(view: View) -> str:
    """One row an experiment, failures included; text that a spreadsheet would run gets an apostrophe."""
    columns = _columns(view)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([safe(c.name) for c in columns])
    writer.writerows([safe(c.cell(e)) for c in columns] for e in view.state)
    return text.getvalue()


def safe(cell: Cell) -> Cell:
    """A cell that a spreadsheet shows and never runs; numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def write_export(view: View, path: Path) -> None:
    """Write every experiment to a file; its suffix says how.

    Raises:
        RequestError: the suffix is none of .csv, .parquet and .json, or the file cannot be written.
    """
    writers = {".csv": _csv_bytes, ".parquet": _parquet_bytes, ".json": _json_bytes}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise RequestError("cannot be told from its suffix; end it in .csv, .parquet or .json", file=path)
    write_whole(path, writer(view))


def _csv_bytes(view: View) -> bytes:
    # The mark at the beginning makes Excel read degC signs and formulas as UTF-8.
    return as_csv(view).encode("utf-8-sig")


def _json_bytes(view: View) -> bytes:
    return (json.dumps(as_records(view), ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def _parquet_bytes(view: View) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - only this format needs it
    import pyarrow.parquet as pq  # noqa: PLC0415

    types = {"number": pa.float64(), "integer": pa.int64(), "text": pa.string()}
    columns = _columns(view)
    arrays = [pa.array([c.cell(e) for e in view.state], types[c.kind]) for c in columns]
    about = {k: v for k, v in as_records(view).items() if k != "experiments"}
    table = pa.table(dict(zip((c.name for c in columns), arrays, strict=True)))
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"labctl": json.dumps(about, ensure_ascii=False)}), sink)
    return sink.getvalue()


def _failure(outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": None if outcome.kind is None else outcome.kind.value,
        "stage": outcome.stage,
        "message": outcome.message,
        "bounds": {name: bound.body() for name, bound in outcome.bounds.items()},
    }


def _columns(view: View) -> list[Column]:
    config = view.config
    columns = [
        Column("experiment", "text", lambda e: e.id),
        Column("status", "text", lambda e: e.status),
        Column("arm", "text", lambda e: e.proposal.arm),
        *([Column("fidelity", "text", _fidelity)] if config.model.fidelities else []),
        *_recipe_columns("recipe", config, lambda e: e.proposal.recipe),
    ]
    reached = {name for e in view.state if e.outcome is not None for name in e.outcome.actual}
    actual = _recipe_columns("actual", config, lambda e: {} if e.outcome is None else e.outcome.actual)
    columns += [
        column for name, column in zip(config.model.parameters, actual, strict=True) if name in reached
    ]
    for name, objective in config.model.objectives.items():
        label = f"{name} [{objective.unit}]"
        columns += _objective_columns(name, label)
        if config.model.fidelities:
            columns.append(Column(f"read by a cheaper fidelity: {label}", "number", _by_stand_in(name)))
    columns += [
        Column("failure kind", "text", lambda e: _of_last(e, "kind")),
        Column("stage", "text", lambda e: _of_last(e, "stage")),
        Column("message", "text", lambda e: _of_last(e, "message")),
    ]
    if _priced(config):
        columns.append(Column("cost", "number", lambda e: _cost(config, e)))
    return _unlike([*columns, *_ABOUT])


def _priced(config: CampaignConfig) -> bool:
    fidelities = (None, *config.model.fidelities)
    return any(config.instrument(fidelity).cost is not None for fidelity in fidelities)


def _cost(config: CampaignConfig, experiment: Experiment) -> float | None:
    """What all its attempts cost; None without a price, and where it is no number."""
    cost = cost_of(config, experiment) if _priced(config) else math.nan
    return cost if math.isfinite(cost) else None


_ABOUT = (
    Column("attempts", "integer", lambda e: max(len(e.intents), len(e.outcomes))),
    Column("source", "text", lambda e: _of_last(e, "source")),
    Column("decision", "text", lambda e: None if e.decision is None else e.decision.verdict),
    Column("decided by", "text", lambda e: None if e.decision is None else e.decision.by),
    Column("reason", "text", lambda e: None if e.decision is None else e.decision.reason),
    Column("because", "text", lambda e: e.proposal.because),
    Column("evidence", "text", lambda e: e.proposal.evidence),
    Column("strategy", "text", lambda e: e.proposal.strategy),
    Column("domain", "text", lambda e: None if e.proposal.domain is None else e.proposal.domain.where),
    Column(
        "distance percentile",
        "number",
        lambda e: None if e.proposal.domain is None else e.proposal.domain.percentile,
    ),
    Column("chance of a sample", "number", lambda e: e.proposal.feasibility),
    Column("acquisition", "text", lambda e: e.proposal.acquisition),
    Column("acquisition value", "number", lambda e: e.proposal.value),
    Column("route", "text", lambda e: e.proposal.route),
    Column("proposed at", "text", lambda e: e.proposed_at),
    Column("decided at", "text", lambda e: e.decided_at),
    Column("started at", "text", lambda e: e.started_at),
    Column("ended at", "text", lambda e: e.ended_at),
    Column("event of proposal", "integer", lambda e: e.proposed_seq),
    Column("event of outcome", "integer", lambda e: e.ended_seq),
    Column("surrogate", "text", lambda e: e.proposal.surrogate),
    Column("data", "text", lambda e: e.proposal.data),
    Column("code", "text", lambda e: e.proposal.code),
    Column("seed", "integer", lambda e: e.proposal.seed),
    Column("cpu seconds", "number", lambda e: e.proposal.cpu_seconds),
    Column("result hash", "text", lambda e: e.result_hash or None),
)


def _of_last(experiment: Experiment, part: Literal["kind", "stage", "message", "source"]) -> Cell:
    value = None if experiment.outcome is None else getattr(experiment.outcome, part)
    return None if value is None else str(value)


def _recipe_columns(prefix: str, config: CampaignConfig, of: Callable[[Experiment], Recipe]) -> list[Column]:
    def column(name: str, parameter: Parameter) -> Column:
        if isinstance(parameter, NUMERIC):
            return Column(f"{prefix}: {name} [{parameter.unit}]", "number", lambda e: _float(of(e).get(name)))
        return Column(f"{prefix}: {name}", "text", lambda e: _text(of(e).get(name)))

    return [column(name, parameter) for name, parameter in config.model.parameters.items()]


def _objective_columns(name: str, label: str) -> list[Column]:
    def predicted(e: Experiment, part: str) -> Cell:
        p = e.proposal.predictions.get(name)
        return None if p is None else float(getattr(p, part))

    def value(e: Experiment, status: str) -> Cell:
        outcome = None if e.proposal.fidelity is not None else e.outcome
        return outcome.values.get(name) if outcome is not None and outcome.status == status else None

    def bound(e: Experiment, side: str) -> Cell:
        outcome = e.outcome
        return None if outcome is None or name not in outcome.bounds else getattr(outcome.bounds[name], side)

    return [
        Column(f"measured: {label}", "number", lambda e: value(e, "measured")),
        Column(f"predicted mean: {label}", "number", lambda e: predicted(e, "mean")),
        Column(f"predicted sd: {label}", "number", lambda e: predicted(e, "sd")),
        Column(f"predicted noise sd: {label}", "number", lambda e: predicted(e, "noise_sd")),
        Column(f"z: {name}", "number", lambda e: z_scores(e).get(name)),
        # A failure's reading is no result, and stands apart so that nobody averages over it by accident.
        Column(f"read in spite of failure: {label}", "number", lambda e: value(e, "failed")),
        Column(f"known to be at least: {label}", "number", lambda e: bound(e, "low")),
        Column(f"known to be at most: {label}", "number", lambda e: bound(e, "high")),
    ]


def _fidelity(experiment: Experiment) -> str:
    return experiment.proposal.fidelity or TARGET


def _by_stand_in(name: str) -> Callable[[Experiment], Cell]:
    """A stand-in's reading is no result, and stands apart as a failure's does."""

    def value(e: Experiment) -> Cell:
        return None if e.proposal.fidelity is None or e.outcome is None else e.outcome.values.get(name)

    return value


def _float(value: object) -> float | None:
    """A setting as a number; what an instrument reported in words is only in the JSON."""
    return float(value) if isinstance(value, int | float) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _unlike(columns: list[Column]) -> list[Column]:
    """The same columns with names that differ; a name ``a [mm]`` may stand beside an ``a`` in mm."""
    names: set[str] = set()
    unlike = []
    for column in columns:
        name = column.name
        while name in names:
            name += "'"
        names.add(name)
        unlike.append(Column(name, column.kind, column.cell))
    return unlike
