"""Turns the text cells of one column into numbers, formulas, flags, dates or categories."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from labctl import units
from labctl.headers import read_unit

Floats = NDArray[np.float64]
Kind = Literal["number", "integer", "flag", "formula", "text", "date", "empty"]

MISSING = frozenset(
    {"", "NA", "N/A", "n/a", "na", "n.a.", "N.A.", "NaN", "nan", "NAN", "null", "NULL", "#N/A"}
)
"""Cells that mean nothing was recorded. ``Na`` is sodium, and is not among them."""
_MISSING_NUMBER = MISSING | {"-", "--", "---", "–", "—", "?", "none", "None", "NONE", "missing", "*", "."}

_DIGITS = frozenset("0123456789+-.eE")
_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?", re.IGNORECASE | re.ASCII
)
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:[. ]\d{3})+|\d+),\d+(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:[, '’]\d{3})+(?:\.\d+)?", re.ASCII)
_WITH_UNIT = re.compile(r"(?P<number>[+-]?[\d.,]+(?:[eE][+-]?\d+)?)(?P<unit>\s+\D\S{0,11}|\s?%|\s?°[CF])")
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ].{0,25})?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?: .{0,20})?"
    r"|\d{1,2}:\d{2}(?::\d{2})?"
)
_TRUE, _FALSE = frozenset({"true", "yes"}), frozenset({"false", "no"})
_FORMULA_PART = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*)|[()\[\]{}·. \d]")
_FORMULA_HINT = re.compile(r"formula|composition|compound|material|alloy|chemical", re.IGNORECASE)
_SYMBOLS = frozenset(
    re.findall(
        "[A-Z][a-z]?",
        "HHeLiBeBCNOFNeNaMgAlSiPSClArKCaScTiVCrMnFeCoNiCuZnGaGeAsSeBrKrRbSrYZrNbMoTcRuRhPdAgCdInSnSbTeIXeCsBa"
        "LaCePrNdPmSmEuGdTbDyHoErTmYbLuHfTaWReOsIrPtAuHgTlPbBiPoAtRnFrRaAcThPaUNpPuAmCmBkCfEsFmMdNoLrRfDbSgBhHs"
        "MtDsRgCnNhFlMcLvTsOgD",
    )
)
"""Symbols of the elements, and D for deuterium."""
_STRAY_SHARE = 0.2
"""A column with at most this share of text among its numbers is a column of numbers with mistakes in it."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What the cells of a column are.

    Attributes:
        kind: their kind.
        cells: as written, without blanks around them; empty where nothing was recorded.
        numbers: n values, NaN where a cell holds no number.
        unit: the unit written in the cells, or None.
        strays: rows whose text stands among numbers.
        notes: what was assumed.
    """

    kind: Kind
    cells: tuple[str, ...]
    numbers: Floats
    unit: str | None = None
    strays: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def typed(raw: Sequence[str], header: str, *, comma: bool, keep_text: bool) -> Typed:
    """Decide what a column holds.

    Args:
        raw: its cells, n of them.
        header: its header, for hints.
        comma: a comma inside a number is a decimal sign, as where semicolons separate the cells.
        keep_text: text among the numbers is expected, however much of it there is.
    """
    cells = [cell.strip() for cell in raw]
    quick = _quick_numbers(cells)
    if quick is not None:
        return Typed(_number_kind(quick), tuple(cells), quick)
    unit, cells, notes = _without_units(cells, header)
    numbers, strays, more = _slow_numbers(cells, comma=comma)
    n_numbers = int((~np.isnan(numbers)).sum())
    n_filled = n_numbers + len(strays)
    if n_numbers and (len(strays) <= _STRAY_SHARE * n_filled or keep_text):
        tidy = tuple("" if cell in _MISSING_NUMBER else cell for cell in cells)
        return Typed(_number_kind(numbers), tidy, numbers, unit, strays, (*notes, *more))
    mixed = f"{header}: taken as names, since {len(strays)} of {n_filled} cells hold no number"
    return _words([cell.strip() for cell in raw], header, (mixed,) if n_numbers else ())


def _quick_numbers(cells: list[str]) -> Floats | None:
    """Plain decimal numbers and blanks only, which is nearly every column; None for anything else."""
    if not frozenset().union(*cells) <= _DIGITS:
        return None
    try:
        numbers = np.array([float(cell) if cell else np.nan for cell in cells], dtype=np.float64)
    except ValueError:
        return None
    return None if len(numbers) and np.isnan(numbers).all() else numbers


def _slow_numbers(cells: list[str], *, comma: bool) -> tuple[Floats, tuple[int, ...], tuple[str, ...]]:
    filled = {cell for cell in cells if cell not in _MISSING_NUMBER}
    plain_text = {cell: cell.replace("−", "-").replace("\xa0", " ").replace("\u202f", " ") for cell in filled}
    odd = [text for text in plain_text.values() if not _NUMBER.fullmatch(text)]
    as_thousands = (
        bool(odd)
        and not comma
        and all(
            _THOUSANDS.fullmatch(t) for t in odd if _DECIMAL_COMMA.fullmatch(t) or _THOUSANDS.fullmatch(t)
        )
    )
    meaning = {cell: _value(text, comma=not as_thousands) for cell, text in plain_text.items()}
    numbers = np.full(len(cells), np.nan)
    strays = []
    for row, cell in enumerate(cells):
        if cell in meaning:
            value = meaning[cell]
            if value is None:
                strays.append(row)
            else:
                numbers[row] = value
    notes: tuple[str, ...] = ()
    if any("," in text and _value(text, comma=not as_thousands) is not None for text in odd):
        notes = ("commas separate thousands" if as_thousands else "a comma is the decimal sign",)
    return numbers, tuple(strays), notes


def _value(text: str, *, comma: bool) -> float | None:
    if _NUMBER.fullmatch(text):
        return float(text)
    if comma and _DECIMAL_COMMA.fullmatch(text):
        whole, _, rest = text.partition(",")
        return float(f"{re.sub(r'[. ]', '', whole)}.{rest}")
    if _THOUSANDS.fullmatch(text):
        return float(re.sub(r"[, '’]", "", text))
    return None


def _without_units(cells: list[str], header: str) -> tuple[str | None, list[str], tuple[str, ...]]:
    """Take off a unit that every cell repeats, such as ``45 %`` or ``300 °C``."""
    found: set[str] = set()
    bare = []
    for cell in cells:
        match = _WITH_UNIT.fullmatch(cell)
        if match is None and cell not in _MISSING_NUMBER:
            return None, cells, ()
        if match is not None:
            found.add(match["unit"].strip())
        bare.append(match["number"] if match is not None else "")
    if len(found) != 1:
        return None, cells, ()
    written = next(iter(found))
    unit = read_unit(written, header)
    if unit is None or unit == units.UNKNOWN:
        return None, cells, ()
    return unit, bare, (f"its cells are in {written}",)


def _number_kind(numbers: Floats) -> Kind:
    finite = numbers[np.isfinite(numbers)]
    return "integer" if len(finite) and bool((finite == np.round(finite)).all()) else "number"


def _words(cells: list[str], header: str, notes: tuple[str, ...]) -> Typed:
    cells = ["" if cell in MISSING else cell for cell in cells]
    numbers = np.full(len(cells), np.nan)
    values = set(cells) - {""}
    if not values:
        return Typed("empty", tuple(cells), numbers)
    folded = {value.casefold() for value in values}
    if folded <= _TRUE | _FALSE:
        flags = np.array([float(c.casefold() in _TRUE) if c else np.nan for c in cells])
        return Typed("flag", tuple(cells), flags, notes=notes)
    if all(_DATE.fullmatch(value) for value in values):
        return Typed("date", tuple(cells), numbers, notes=notes)
    readable = _formulas(values, header)
    if readable is not None:
        lost = tuple(row for row, cell in enumerate(cells) if cell and cell not in readable)
        tidy = tuple(cell if cell in readable else "" for cell in cells)
        if lost:
            notes += (
                f"{len(lost)} cells are no chemical formula, such as {cells[lost[0]]!r}, and count as empty",
            )
        return Typed("formula", tidy, numbers, notes=notes)
    return Typed("text", tuple(cells), numbers, notes=notes)


def _formulas(values: set[str], header: str) -> set[str] | None:
    """The values that are chemical formulas, if this is a column of formulas; else None.

    A cheap look comes first, so that pymatgen is imported for likely formulas only. ``BCC`` and ``P1`` can
    be read as formulas as well, so without a hint in the header there must be several elements, and
    subscripts or two-letter symbols, in most of them.
    """
    likely = {value: parts for value in values if (parts := _elements(value)) is not None}
    if len(likely) < 0.95 * len(values):
        return None
    if not _FORMULA_HINT.search(header):
        rich = sum(
            len(set(parts)) > 1 and any(c.islower() or c.isdigit() for c in v) for v, parts in likely.items()
        )
        if len(values) < 3 or rich < 0.5 * len(values):  # noqa: PLR2004 - two names are a category
            return None
    from labctl.space.chemistry import formula_problem  # noqa: PLC0415 - pymatgen takes a second to import

    good = {value for value in likely if formula_problem(value) is None}
    return good if len(good) >= 0.95 * len(values) else None


def is_element(text: str) -> bool:
    """Whether a text is the symbol of an element."""
    return text in _SYMBOLS


def _elements(text: str) -> tuple[str, ...] | None:
    """The element symbols in what may be a formula, or None where it cannot be one."""
    position, found = 0, []
    while position < len(text):
        match = _FORMULA_PART.match(text, position)
        if match is None:
            return None
        if match[1]:
            if match[1] not in _SYMBOLS:
                return None
            found.append(match[1])
        position = match.end()
    return tuple(found) or None
