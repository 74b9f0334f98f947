"""The sheet that a person fills in: one row an experiment, written as CSV and read back as results."""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl import units
from labctl.config import CampaignConfig
from labctl.errors import RequestError
from labctl.export import FORMULA_STARTS, safe
from labctl.files import write_whole
from labctl.headers import split_header
from labctl.proposal import Interval, Outcome
from labctl.record import as_asked, checked_outcome
from labctl.space.parameters import NUMERIC, Continuous, Parameter
from labctl.state import Experiment
from labctl_drivers.protocol import Recipe, Setting

if TYPE_CHECKING:
    from labctl.campaign import Campaign

REMARKS = ("failed", "message", "by")
_LARGEST_BYTES = 20_000_000


def write_sheet(path: Path, experiments: Sequence[Experiment], config: CampaignConfig) -> None:
    """Write a row for each experiment, with empty cells for its results.

    Settings are written with the six digits that a person can set; the ledger keeps all of them.

    Raises:
        RequestError: the file exists, since it may hold results, or cannot be written.
    """
    refuse_overwriting(path)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([safe(header) for header in _headers(config)])
    blank = [""] * (len(config.model.objectives) + len(REMARKS))
    for e in experiments:
        recipe = [safe(_shown(p, e.proposal.recipe[n])) for n, p in config.model.parameters.items()]
        writer.writerow([e.id, *recipe, *blank])
    # The mark at the beginning makes Excel read the text as UTF-8.
    write_whole(path, text.getvalue().encode("utf-8-sig"))


def refuse_overwriting(path: Path) -> None:
    """Look whether a sheet can be written here, before anything is proposed for it.

    Raises:
        RequestError: there is a file already, or no folder.
    """
    if path.exists():
        raise RequestError("exists, and may hold results; name another file", file=path)
    if not path.resolve().parent.is_dir():
        raise RequestError("cannot be written, since there is no such folder; make it first", file=path)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a sheet.

    Attributes:
        now: the experiments that were recorded from it.
        before: how many of its rows had been recorded already.
    """

    now: list[Experiment]
    before: int


def record_sheet(campaign: "Campaign", path: Path, *, by: str) -> Recorded:
    """Record every filled-in row of a sheet; rows without a result are left for later.

    Everything is checked before anything is recorded. A row that was recorded already with the same
    content is passed over, so that a growing sheet can be read again and again. A setting that a person
    changed is recorded as what was really done, and makes the result ``off_recipe``.

    Args:
        campaign: open for work.
        path: the sheet, also as Excel saves it (semicolons, decimal commas).
        by: who says so, where the sheet does not.

    Raises:
        RequestError: in one sentence with file, line and column; nothing was recorded.
    """
    rows = _read(path, campaign)
    filled, seen = list[tuple[str, Outcome]](), dict[str, int]()
    for row in rows:
        if not row.filled:
            continue
        experiment = _experiment(row, campaign)
        if experiment.id in seen:
            raise row.wrong(
                "experiment", f"{experiment.id} stands on line {seen[experiment.id]} too; keep one"
            )
        seen[experiment.id] = row.line
        outcome = _outcome(row, experiment, campaign, by)
        if experiment.outcome is None:
            filled.append((experiment.id, outcome))
        elif not _same(experiment.outcome, outcome):
            raise row.wrong(
                "experiment", f"{experiment.id} was recorded with another result, which stays; empty this row"
            )
    return Recorded(
        [_record(campaign, experiment, outcome) for experiment, outcome in filled], len(seen) - len(filled)
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the sheet: its cells by the plain name of their column."""

    file: Path
    line: int
    cells: Mapping[str, str]
    results: tuple[str, ...]
    comma: bool

    @property
    def filled(self) -> bool:
        return any(self.cells.get(name) for name in (*self.results, "failed", "message"))

    def wrong(self, column: str, what: str) -> RequestError:
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


def _headers(config: CampaignConfig) -> list[str]:
    objectives = [_with_unit(name, o.unit) for name, o in config.model.objectives.items()]
    parameters = [_with_unit(n, getattr(p, "unit", None)) for n, p in config.model.parameters.items()]
    return ["experiment", *parameters, *objectives, *REMARKS]


def _with_unit(name: str, unit: str | None) -> str:
    return name if unit is None else f"{name} [{unit}]"


def _shown(parameter: Parameter, value: Setting) -> Setting:
    return float(f"{value:.6g}") if isinstance(parameter, Continuous) else value


def _read(path: Path, campaign: "Campaign") -> list[_Row]:
    text = _text(path)
    delimiter = _delimiter(path, text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns: list[str] | None = None
    rows, before = [], 0
    try:
        for record in reader:
            line, before = before + 1, reader.line_num
            cells = [_cell(cell) for cell in record]
            if columns is None:
                if cells and cells[0].casefold() == "experiment":
                    columns = [_column(path, line, header, campaign.config) for header in cells]
            elif any(cells):
                rows.append(_row(path, line, columns, cells, campaign.config, comma=delimiter != ","))
    except csv.Error as error:
        raise RequestError(f"cannot be cut into cells ({error})", file=path, line=before + 1) from None
    _refuse_missing(path, columns or [], campaign.config)
    return rows


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise RequestError(
                "is too large for a sheet that a person filled in; name another file", file=path
            )
        raw = path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot be read ({error.strerror or error}); check the path", file=path) from None
    if raw.startswith(b"PK\x03\x04"):
        raise RequestError("is an Excel workbook; save the sheet as CSV", file=path)
    try:
        return raw.decode("utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _delimiter(path: Path, text: str) -> str:
    """The sign after the first header, which is always ``experiment``."""
    found = re.search(r'^"?experiment"?[ ]*([,;\t|])', text, re.MULTILINE | re.IGNORECASE)
    if found is None:
        raise RequestError(
            "has no column experiment at its left; use the sheet that `labctl propose` wrote", file=path
        )
    return found[1]


def _cell(text: str) -> str:
    """A cell as it was meant, without the apostrophe that keeps spreadsheets from running it."""
    text = text.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text


def _column(path: Path, line: int, header: str, config: CampaignConfig) -> str:
    """The plain name behind a header; an empty text for a column that is none of the sheet's.

    Raises:
        RequestError: the unit in the header is not the campaign's.
    """
    known = {**config.model.parameters, **config.model.objectives}
    for name, item in known.items():
        if header in {name, _with_unit(name, getattr(item, "unit", None))}:
            return name
    name, unit = split_header(header)
    if name in known and unit != units.UNKNOWN:
        expected = getattr(known[name], "unit", "no unit")
        raise RequestError(
            f"is in {unit}, but the campaign has {expected}; convert it", file=path, line=line, key=name
        )
    return header.casefold() if header.casefold() in {"experiment", *REMARKS} else ""


def _row(
    path: Path, line: int, columns: list[str], cells: list[str], config: CampaignConfig, *, comma: bool
) -> _Row:
    named = {name: cell for name, cell in zip(columns, cells, strict=False) if name}
    strays = [(i, c) for i, c in enumerate(cells) if c and (i >= len(columns) or not columns[i])]
    if strays:
        place, cell = strays[0]
        raise RequestError(
            f"column {place + 1} is none of this sheet's, and holds {cell[:40]!r}; move it into message",
            file=path,
            line=line,
        )
    return _Row(path, line, named, tuple(config.model.objectives), comma)


def _refuse_missing(path: Path, columns: list[str], config: CampaignConfig) -> None:
    goal, _ = config.goal
    if goal not in columns:
        raise RequestError(f"has no column {_with_unit(goal, config.goal[1].unit)!r}; add it", file=path)
    twice = [name for name in columns if name and columns.count(name) > 1]
    if twice:
        raise RequestError(f"has the column {twice[0]!r} twice; remove one", file=path)


def _experiment(row: _Row, campaign: "Campaign") -> Experiment:
    try:
        experiment = campaign.find(row.cells.get("experiment", ""))
    except RequestError as error:
        raise row.wrong("experiment", error.what) from None
    recordable = experiment.status in {"proposed", "approved"} or experiment.outcome is not None
    if experiment.proposal.route != "hand" or not recordable:
        raise row.wrong(
            "experiment", f"{experiment.id} is {experiment.status} and not done by hand; empty this row"
        )
    return experiment


def _outcome(row: _Row, experiment: Experiment, campaign: "Campaign", by: str) -> Outcome:
    filled = [name for name in row.results if row.cells.get(name)]
    bounds = {name: bound for name in filled if (bound := row.bound(name)) is not None}
    values = {name: row.number(name) for name in filled if name not in bounds}
    kind = row.cells.get("failed", "").casefold().replace(" ", "_") or None
    message = row.cells.get("message", "")
    actual = _changed(row, experiment, campaign.bench.space.parameters)
    try:
        return checked_outcome(
            campaign.config,
            values,
            asked=experiment.proposal.recipe,
            failed=kind,
            message=message,
            actual=actual,
            bounds=bounds,
            by=row.cells.get("by") or by,
        )
    except RequestError as error:
        raise row.wrong((error.key or "").removeprefix("--"), error.what) from None


def _changed(row: _Row, experiment: Experiment, parameters: Mapping[str, Parameter]) -> Recipe:
    """The settings of the row that are not those asked for."""
    changed: dict[str, Any] = {}
    for name, parameter in parameters.items():
        text, asked = row.cells.get(name), experiment.proposal.recipe[name]
        if not text:
            continue
        if isinstance(parameter, NUMERIC):
            value = row.number(name)
            if not as_asked(value, asked):
                changed[name] = value
        elif text != asked:
            problem = parameter.problem(text)
            if problem is not None:
                raise row.wrong(
                    name, f"{problem}; write what was really used into message, and off_recipe into failed"
                )
            changed[name] = text
    return changed


def _same(before: Outcome, now: Outcome) -> bool:
    parts = ("status", "kind", "message", "values", "bounds", "actual")
    return all(getattr(before, part) == getattr(now, part) for part in parts)


def _record(campaign: "Campaign", experiment: str, outcome: Outcome) -> Experiment:
    return campaign.record(
        experiment,
        outcome.values,
        failed=None if outcome.kind is None else outcome.kind.value,
        message=outcome.message,
        actual=outcome.actual,
        bounds=outcome.bounds,
        by=outcome.source,
    )
