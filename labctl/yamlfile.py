"""Reads YAML that a stranger wrote: small, shallow, without aliases, and with the line of every key."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.errors import RequestError
from labctl.files import refuse_odd

LARGEST_BYTES = 1_000_000
DEEPEST_LEVEL = 20
MOST_KEYS = 2_000
"""In one mapping; the parser takes a millisecond for each, and nobody reads so many."""
MOST_VALUES = 20_000

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class YamlFile:
    """The content of one YAML file and where in it each key stands.

    Attributes:
        path: the file.
        data: its content, of plain dicts, lists, strings, numbers, booleans and None.
        lines: the line (from 1) of every key path.
    """

    path: Path
    data: dict[str, Any]
    lines: Mapping[KeyPath, int]

    def line_of(self, key_path: KeyPath) -> int | None:
        """The line of this key, or of the nearest key above it that the file has."""
        for length in range(len(key_path), 0, -1):
            if key_path[:length] in self.lines:
                return self.lines[key_path[:length]]
        return None


def read_yaml(path: Path | str) -> YamlFile:
    """Read a YAML 1.2 mapping.

    YAML 1.2 is used so that ``no`` stays a word and ``1e-3`` is a number.

    Raises:
        RequestError: the file cannot be read, is too large, too long or too deep, uses aliases or tags,
            repeats a key, holds half characters, or is no mapping.
    """
    path = Path(path)
    text = _read_text(path)
    from ruamel.yaml import YAML  # noqa: PLC0415 - keeps `labctl --help` quick
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    try:
        _refuse_what_is_unsafe(path, text)
        yaml = YAML(typ="safe", pure=True)
        node = yaml.compose(text)
        lines: dict[KeyPath, int] = {}
        _note_lines(path, node, (), lines)
        data = None if node is None else yaml.constructor.construct_document(node)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = (error.problem or "not readable as YAML").strip()
        raise RequestError(
            f"not valid YAML: {what}; mend that line",
            file=path,
            line=mark.line + 1 if mark is not None else None,
        ) from None
    except (YAMLError, ValueError) as error:
        first = (str(error).splitlines() or ["unreadable"])[0]
        raise RequestError(f"not valid YAML: {first}", file=path) from None
    if not isinstance(data, dict):
        raise RequestError("must be a YAML mapping of keys to values", file=path)
    return YamlFile(path, data, lines)


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise RequestError("is a folder; name the YAML file in it", file=path)
    refuse_odd(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise RequestError(f"{reason}; check the path", file=path) from None
    if len(raw) > LARGEST_BYTES:
        raise RequestError(f"larger than {LARGEST_BYTES:,} bytes; put tables into CSV files", file=path)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError("not UTF-8 text; save it as UTF-8", file=path) from None


def _refuse_what_is_unsafe(path: Path, text: str) -> None:
    """Look at the parser's flat stream of events, which needs no recursion, before anything is built."""
    from ruamel.yaml import YAML, events  # noqa: PLC0415

    # How many values stand at each level so far; a mapping has two for each key, and a list may have more.
    counts, values = [0], 0
    for event in YAML(typ="safe", pure=True).parse(text):
        line = event.start_mark.line + 1
        _refuse_event(path, line, event)
        if isinstance(event, events.MappingEndEvent | events.SequenceEndEvent):
            counts.pop()
        elif isinstance(event, events.NodeEvent):
            values += 1
            counts[-1] += 1
        if isinstance(event, events.MappingStartEvent | events.SequenceStartEvent):
            counts.append(0 if isinstance(event, events.MappingStartEvent) else -MOST_VALUES)
        if len(counts) - 1 > DEEPEST_LEVEL:
            raise RequestError(f"nested deeper than {DEEPEST_LEVEL} levels", file=path, line=line)
        if counts[-1] > 2 * MOST_KEYS:
            raise RequestError(f"has more than {MOST_KEYS:,} keys in one mapping", file=path, line=line)
        if values > MOST_VALUES:
            raise RequestError(
                f"holds more than {MOST_VALUES:,} values; put tables into CSV files", file=path, line=line
            )


def _refuse_event(path: Path, line: int, event: object) -> None:
    from ruamel.yaml import events  # noqa: PLC0415

    if isinstance(event, events.AliasEvent):
        raise RequestError("uses a YAML alias (*name); write the value out", file=path, line=line)
    tag = getattr(event, "tag", None)
    if tag not in (None, "!"):
        raise RequestError(f"uses the YAML tag {tag}; remove it", file=path, line=line)
    # An escape may stand for half of a character, which no UTF-8 file can hold.
    text = str(getattr(event, "value", ""))
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise RequestError("holds half a character (\\ud800 to \\udfff); remove it", file=path, line=line)


def _note_lines(file: Path, node: object, path: KeyPath, lines: dict[KeyPath, int]) -> None:
    from ruamel.yaml.nodes import MappingNode, SequenceNode  # noqa: PLC0415

    if isinstance(node, MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not str(key.tag).endswith(":str"):
                shown = key.value if isinstance(key.value, str) else "a list or mapping"
                raise RequestError(f"the key {shown} is no text; put it in quotes", file=file, line=line)
            here = (*path, str(key.value))
            lines[here] = line
            _note_lines(file, value, here, lines)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*path, index)] = value.start_mark.line + 1
            _note_lines(file, value, (*path, index), lines)
