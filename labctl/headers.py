"""What the header of a column says: a plain name and a unit, however its author wrote them."""

import re
import unicodedata

from labctl import units

_BRACKETS = re.compile(r"^(?P<name>.*\S)\s*(?:\((?P<a>[^()]*)\)|\[(?P<b>[^\[\]]*)\]|\{(?P<c>[^{}]*)\})$")
_AFTER_MARK = re.compile(r"^(?P<name>.*\S)\s*(?:,|\s/|;)\s*(?:in\s+)?(?P<unit>\S.*)$")
_AFTER_IN = re.compile(r"^(?P<name>.*\S)\s+in\s+(?P<unit>\S+)$")
_TEMPERATURE = re.compile(r"temp|^t$|^t[ _]|anneal|°|furnace|boil|melt", re.IGNORECASE)

# A header such as gap_eV ends in a unit only if that ending can hardly be anything else.
_SUFFIXES = {"eV", "meV", "MPa", "GPa", "kPa", "mm", "nm", "um", "degC", "mL"}

_LATEX = {r"\mu": "µ", r"\circ": "°", r"\Omega": "Ω", r"\cdot": "*", r"\AA": "Å", r"\degree": "°"}
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_LONGEST_NAME = 80


def split_header(header: str) -> tuple[str, str]:
    """Name and canonical unit of a header; the unit is ``unknown`` where none is recognised.

    >>> split_header("Temperature [°C]"), split_header("time, min"), split_header("Score")
    (('Temperature', 'degC'), ('time', 'min'), ('Score', 'unknown'))
    """
    text = plain(header)
    match = _BRACKETS.match(text)
    if match is not None:
        found = next(group for group in match.group("a", "b", "c") if group is not None)
        unit = read_unit(found, match["name"])
        if unit is not None:
            return _tidy(match["name"]), unit
    for pattern in (_AFTER_MARK, _AFTER_IN):
        match = pattern.match(text)
        unit = read_unit(match["unit"], match["name"]) if match is not None else None
        if match is not None and unit is not None:
            return _tidy(match["name"]), unit
    stem, _, suffix = text.rpartition("_")
    if stem and suffix in _SUFFIXES:
        return _tidy(text), units.canonical(suffix) or units.UNKNOWN
    if text.rstrip().endswith("%"):
        return _tidy(text.rstrip(" %")) or "percent", "percent"
    return _tidy(text), units.UNKNOWN


def read_unit(text: str, name: str = "") -> str | None:
    """The canonical spelling of a unit as people write it beside a quantity of this name, or None."""
    text = plain(text).translate(_POWERS)
    if not text or len(text) > 40 or text.isdigit():  # noqa: PLR2004 - no unit is longer
        return None
    if text in {"C", "F"} and _TEMPERATURE.search(name):
        return "degC" if text == "C" else "degF"
    if text.casefold() in {"a.u.", "arb. u.", "arb. units", "arb.u.", "a. u."}:
        return units.UNKNOWN
    text = text.strip(".")
    squeezed = re.sub(r"\s+", "", text)
    for share in ("wt", "at", "mol", "vol", "mass", "weight"):
        if re.fullmatch(rf"{share}\.?%|%{share}\.?|{share}percent", squeezed, re.IGNORECASE):
            return "percent"
    # cm2 and s-1 are powers to a chemist; pint wants them spelled out.
    text = re.sub(r"(?<=[A-Za-zµμΩÅ])\^?(-?[1-6])(?![\w.])", r"^\1", text)
    # A rate of heating is a difference of temperatures over time.
    text = re.sub(r"^(?:°C|℃|degC)\s*/", "delta_degC/", text).replace("°C", "degC")
    return units.canonical(text)


def plain(text: str) -> str:
    """The text without LaTeX, control characters, line breaks and repeated blanks."""
    if "$" in text or "\\" in text:
        for command, sign in _LATEX.items():
            text = text.replace(command, sign)
        text = re.sub(r"\^\{?°\}?", "°", text)
        text = re.sub(r"[${}]", "", text)
    printable = (c if c.isprintable() and unicodedata.category(c) != "Zs" else " " for c in text)
    return re.sub(r" +", " ", "".join(printable)).strip()


def unlike_names(headers: list[str]) -> list[tuple[str, str]]:
    """Name and unit for each header, where no two names are the same and none is empty."""
    found: list[tuple[str, str]] = []
    taken: set[str] = set()
    for position, header in enumerate(headers, start=1):
        name, unit = split_header(header)
        name = name[:_LONGEST_NAME].strip() or f"column {position}"
        unique, n = name, 1
        while unique in taken:
            n += 1
            unique = f"{name} ({n})"
        taken.add(unique)
        found.append((unique, unit))
    return found


def goal_places(headers: list[str], wanted: str) -> list[int]:
    """Places of the headers that a person may mean by a name: the closest kind of match decides.

    From strict to lax: the header as it is written, its name without the unit, both again whatever the
    case, and last the start of exactly one header, as ``Permittivity`` is that of ``Permittivity @1kHz``.
    """
    for fold in (str.strip, plain, _folded):
        hits = [i for i, header in enumerate(headers) if fold(wanted) == fold(header)]
        hits = hits or [
            i for i, header in enumerate(headers) if fold(wanted) == fold(split_header(header)[0])
        ]
        if hits:
            return hits
    start = _folded(wanted)
    begun = [i for i, header in enumerate(headers) if start and _folded(header).startswith(start)]
    return begun if len(begun) == 1 else []


def _folded(text: str) -> str:
    return plain(text).casefold()


def _tidy(name: str) -> str:
    return name.strip().rstrip(",;:/").strip()
