"""Reads any CSV file a stranger brings, and says in sentences what was assumed about it."""

import csv
import difflib
import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labctl import units
from labctl.cells import MISSING, Kind, Typed, typed
from labctl.errors import RequestError
from labctl.headers import goal_places, plain, read_unit, split_header, unlike_names

Floats = NDArray[np.float64]

LARGEST_BYTES = 200_000_000
_LOOK_AT = 200
"""Records from which the delimiter, the header and the width are told."""
_BINARY = {
    b"PK\x03\x04": "an Excel workbook or a zip archive; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"PAR1": "a Parquet file; save it as CSV",
    b"\x1f\x8b": "compressed; unpack it first",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"%PDF": "a PDF; save the table in it as CSV",
}
_DELIMITERS = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: plain and unique in its table.
        header: as the file has it.
        position: from 1, as the columns stand in the file.
        unit: as pint spells it, or ``unknown``.
        kind: what its cells are.
        cells: n texts, empty where nothing was recorded.
        numbers: n values; NaN where there is no number, infinities kept, true and false as 1 and 0.
    """

    name: str
    header: str
    position: int
    unit: str
    kind: Kind
    cells: tuple[str, ...]
    numbers: Floats


@dataclass(frozen=True)
class Table:
    """A table as it was read.

    Attributes:
        path: the file.
        sha256: digest of its bytes.
        columns: in the order of the file, each with n values.
        lines: line in the file of each of the n rows.
        notes: sentences on what was assumed.
    """

    path: Path
    sha256: str
    columns: tuple[Column, ...]
    lines: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of this name.

        Raises:
            RequestError: there is none; the sentence lists those there are.
        """
        if name not in self.names:
            raise RequestError(f"has no column {name!r}; it has {listed(self.names)}", file=self.path)
        return self.columns[self.names.index(name)]


def read_table(
    path: Path,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    remarks_in: Collection[str] = (),
    goal: str | None = None,
) -> Table:
    """Read a table of text cells.

    Args:
        path: the file.
        header: whether it has a line of headers; None to look.
        delimiter: what separates the cells; None to look.
        encoding: of the text; None to look (UTF-8, UTF-16, then Windows-1252).
        remarks_in: names or headers of columns of numbers in which text is expected, such as ``cracked``.
        goal: what a person calls the column they ask for. It is looked for before any cell is read, so that
            a name that no column has is not blamed on a cell; text is expected in it too.

    Raises:
        RequestError: in one sentence with file, row, column and value.
    """
    raw = _bytes(path)
    text, notes = _decoded(path, raw, encoding)
    if delimiter is None:
        delimiter = _delimiter(text)
        if delimiter != ",":
            notes += (f"cells are separated by {_DELIMITERS[delimiter]}",)
    lines, records = _records(path, text, delimiter)
    top, width = _header_place(records)
    has_header = header if header is not None else not _looks_like_data(records[top][:width])
    if not has_header and header is None:
        notes += ("it has no line of headers, so columns are numbered",)
    if top:
        notes += (f"the first {top} lines were taken as a heading above the table",)
    headers = [*records[top], *[""] * width][:width] if has_header else [""] * width
    lines, records = lines[top + has_header :], records[top + has_header :]
    if has_header and len(records) > 1 and _is_units(records[0], records[1], headers):
        headers = _with_units(headers, records[0])
        lines, records = lines[1:], records[1:]
        notes += ("the line under the headers holds units, which were taken from there",)
    _refuse_twins(path, headers)
    asked = () if goal is None else _asked(path, headers, goal)
    if not records:
        raise RequestError("has headers but no rows; add some", file=path)
    columns = _cut(path, lines, records, width)
    found, more = _named_columns(
        path, lines, headers, columns, comma=delimiter != ",", remarks_in=(*remarks_in, *asked)
    )
    digest = hashlib.sha256(raw).hexdigest()
    return Table(path, digest, found, np.asarray(lines, dtype=np.int64), (*notes, *more))


def _is_units(record: list[str], below: list[str], headers: list[str]) -> bool:
    """Whether a line under the headers holds units or nothing, and there is a number below one of them.

    Origin and many instruments write such a line; a dash in it stands for a pure number.
    """
    filled = [i for i, cell in enumerate(record[: len(headers)]) if cell.strip()]
    found = {i: read_unit(record[i].strip("()[] "), plain(headers[i])) for i in filled}
    numbers = {i for i in filled if i < len(below) and _looks_like_data([below[i]])}
    measured = {i for i, unit in found.items() if unit not in {None, units.UNKNOWN, "dimensionless"}}
    return None not in found.values() and bool(measured & numbers)


def _with_units(headers: list[str], record: list[str]) -> list[str]:
    """The headers, each with the unit that stands under it in brackets where it has none of its own."""
    given = [*record, *[""] * len(headers)]
    return [
        f"{header} ({unit.strip('()[] ')})"
        if unit.strip() and header.strip() and split_header(header)[1] == units.UNKNOWN
        else header
        for header, unit in zip(headers, given, strict=False)
    ]


def _refuse_twins(path: Path, headers: list[str]) -> None:
    """See that no two columns have the same header: which of them is meant, nobody could say."""
    counts = Counter(plain(header) for header in headers if plain(header))
    twins = [header for header, n in counts.items() if n > 1]
    if twins:
        raise RequestError(
            f"has several columns named {listed(twins)}; give them different headers", file=path
        )


def _asked(path: Path, headers: list[str], goal: str) -> tuple[str, ...]:
    """The header of the column a person asks for; none where columns have no headers, or several fit.

    Raises:
        RequestError: no header is like it; the sentence names the nearest first.
    """
    names = [name for name, _ in unlike_names(headers)]
    if not goal.strip():
        raise RequestError(f"say which column is meant, one of {listed(names, 30)}", file=path, key="goal")
    places = goal_places(headers, goal) or [i for i, n in enumerate(names) if n.casefold() == goal.casefold()]
    if not places:
        by_fold = {name.casefold(): name for name in names}
        near = [by_fold[n] for n in difflib.get_close_matches(goal.casefold(), by_fold, n=3, cutoff=0.6)]
        did_you_mean = f"did you mean {' or '.join(near)}? " if near else ""
        raise RequestError(
            f"has no column {goal!r}; {did_you_mean}choose one of {listed(names, 30)}", file=path
        )
    return tuple(headers[i] if headers[i].strip() else names[i] for i in places)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names for a sentence, the first few of them."""
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise RequestError("is a folder; name the CSV file in it", file=path)
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise RequestError(
                f"holds {size:,} bytes, and at most {LARGEST_BYTES:,} are read; keep the rows that matter",
                file=path,
            )
        raw = path.read_bytes()
    except OSError as error:
        raise RequestError(f"{error.strerror or 'cannot be read'}; check the path", file=path) from None
    for start, what in _BINARY.items():
        if raw.startswith(start):
            raise RequestError(f"is {what}", file=path)
    if not raw.strip():
        raise RequestError("is empty; give a CSV file with headers and rows", file=path)
    return raw


def _decoded(path: Path, raw: bytes, encoding: str | None) -> tuple[str, tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    if encoding is not None:
        try:
            return raw.decode(encoding), ()
        except (UnicodeDecodeError, LookupError):
            raise RequestError(f"is no {encoding} text; correct encoding in its card", file=path) from None
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        text, notes = raw.decode("utf-16", errors="replace"), ("the text is UTF-16",)
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text, notes = (
                raw.decode("cp1252", errors="replace"),
                ("the text is not UTF-8; read as Windows-1252",),
            )
    if "\x00" in text:
        raise RequestError("holds bytes that are no text; save the table as CSV", file=path)
    return text, notes


def _delimiter(text: str) -> str:
    """The delimiter by which most records have the same number of cells."""
    head = "".join(text[:200_000].splitlines(keepends=True)[:_LOOK_AT])
    best, most = ",", 0.0
    for delimiter in _DELIMITERS:
        try:
            widths = Counter(_width(r) for r in csv.reader(StringIO(head), delimiter=delimiter) if any(r))
        except csv.Error:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        share = count / max(sum(widths.values()), 1)
        if width > 1 and share > most + 1e-9:
            best, most = delimiter, share
    return best


def _records(path: Path, text: str, delimiter: str) -> tuple[list[int], list[list[str]]]:
    """The records that are not empty, with the line on which each begins."""
    lines, records, before = [], [], 0
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for record in reader:
            if any(cell.strip() for cell in record):
                lines.append(before + 1)
                records.append(record)
            before = reader.line_num
    except csv.Error as error:
        raise RequestError(
            f"cannot be cut into cells ({error}); look for a quote that is never closed",
            file=path,
            line=before + 1,
        ) from None
    if not records:
        raise RequestError("is empty; give a CSV file with headers and rows", file=path)
    return lines, records


def _width(record: list[str]) -> int:
    """Number of cells up to the last that is not blank."""
    width = len(record)
    while width and not record[width - 1].strip():
        width -= 1
    return width


def _header_place(records: list[list[str]]) -> tuple[int, int]:
    """Which record is the header, or the first row, and how many columns there are."""
    widths = [_width(record) for record in records[:_LOOK_AT]]
    usual = max(Counter(widths).items(), key=lambda item: (item[1], item[0]))[0]
    for place, width in enumerate(widths):
        filled = sum(bool(cell.strip()) for cell in records[place])
        if width >= usual and filled >= width / 2:
            # An unnamed last column shows in the rows only, and rows may lack their last cells.
            return place, max(width, usual)
    return 0, max(widths)


def _looks_like_data(record: list[str]) -> bool:
    """A line of headers holds words; a row of data holds a number in most of its cells."""
    filled = [cell.strip() for cell in record if cell.strip()]
    numbers = sum(
        bool(typed([cell], "", comma=True, keep_text=False).kind in {"number", "integer"}) for cell in filled
    )
    # A single cell that is a number may be the name 1e5; half of them is no accident.
    return numbers > len(filled) / 2


def _cut(path: Path, lines: list[int], records: list[list[str]], width: int) -> list[list[str]]:
    for line, record in zip(lines, records, strict=True):
        if len(record) < width:
            record.extend([""] * (width - len(record)))
        elif len(record) > width and _width(record) > width:
            raise RequestError(
                f"has {_width(record)} cells, but the table has {width} columns; "
                "put cells that hold the delimiter into quotes",
                file=path,
                line=line,
            )
    return [[record[i] for record in records] for i in range(width)]


def _named_columns(
    path: Path,
    lines: list[int],
    headers: list[str],
    columns: list[list[str]],
    *,
    comma: bool,
    remarks_in: Collection[str],
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    found, notes = [], []
    expected = {plain(name).casefold() for name in remarks_in} | {name.casefold() for name in remarks_in}
    named = zip(unlike_names(headers), headers, columns, strict=True)
    for position, ((name, unit), header, cells) in enumerate(named, start=1):
        keep_text = bool({name.casefold(), plain(header).casefold(), header.casefold()} & expected)
        column = typed(cells, name, comma=comma, keep_text=keep_text)
        if not plain(header) and not any(cell not in MISSING for cell in column.cells):
            continue
        if column.strays and not keep_text:
            _refuse_stray(path, lines, name, column)
        if unit == units.UNKNOWN and column.unit is not None:
            unit = column.unit  # noqa: PLW2901 - the cells say what the header did not
        found.append(Column(name, header, position, unit, column.kind, column.cells, column.numbers))
        notes += [note if note.startswith(f"{name}:") else f"{name}: {note}" for note in column.notes]
    return tuple(found), tuple(notes)


def _refuse_stray(path: Path, lines: list[int], name: str, column: Typed) -> None:
    row = column.strays[0]
    others = f" (and {len(column.strays) - 1} more)" if len(column.strays) > 1 else ""
    raise RequestError(
        f"row {row + 1}, column {name!r}: {column.cells[row][:40]!r} is no number{others}; "
        "correct it, or leave the cell empty",
        file=path,
        line=lines[row],
    )
