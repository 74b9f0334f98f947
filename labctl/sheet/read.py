"""Reads the rows of a sheet, in whichever dialect of CSV a spreadsheet saved it."""

import csv
import io
import re
from pathlib import Path

from labctl.config import CampaignConfig
from labctl.errors import RequestError
from labctl.export import FORMULA_STARTS
from labctl.sheet.columns import column_of, refuse_missing
from labctl.sheet.row import Row

_LARGEST_BYTES = 20_000_000


def read_rows(path: Path, config: CampaignConfig) -> list[Row]:
    """The rows of a campaign's sheet that are not empty.

    Raises:
        RequestError: it is no such sheet, or cannot be read; in one sentence with file and line.
    """
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
                    columns = [column_of(path, line, header, config) for header in cells]
            elif any(cells):
                rows.append(_row(path, line, columns, cells, config, comma=delimiter != ","))
    except csv.Error as error:
        raise RequestError(f"cannot be cut into cells ({error})", file=path, line=before + 1) from None
    refuse_missing(path, columns or [], config)
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


def _row(
    path: Path, line: int, columns: list[str], cells: list[str], config: CampaignConfig, *, comma: bool
) -> Row:
    named = {name: cell for name, cell in zip(columns, cells, strict=False) if name}
    strays = [(i, c) for i, c in enumerate(cells) if c and (i >= len(columns) or not columns[i])]
    if strays:
        place, cell = strays[0]
        raise RequestError(
            f"column {place + 1} is none of this sheet's, and holds {cell[:40]!r}; move it into message",
            file=path,
            line=line,
        )
    return Row(path, line, named, tuple(config.model.objectives), comma)
