"""The guard's own reading of the file of the lab's hard limits, which shares no code with the controller's.

It goes through the events of PyYAML's parser, where the controller's reading builds data with ruamel.yaml. It
takes fewer ways to write the same thing, so that a file which both understand means one thing.
"""

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

LARGEST = 200_000
_DEEPEST = 12
_MOST_EVENTS = 20_000
# What YAML 1.2 takes for a number in one way only: no octal, no underscores, no minutes and seconds.
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
# Whatever some YAML may take for a number, a date or a truth; it has to be quoted to be text.
_NOT_TEXT = re.compile(
    r"[-+.]?[0-9._][0-9a-fA-FxXoObBtTzZ_.:+\- ]*|[-+]?\.(inf|nan)|true|false|null|yes|no|on|off|~|=|<<|",
    re.IGNORECASE,
)
_LINE_BREAKS = re.compile("[\x85\u2028\u2029]")


class FileRefusedError(Exception):
    """The file cannot be used, so nothing may move; the message is one sentence without the file's name."""


@dataclass(frozen=True, slots=True)
class Book:
    """What the file says.

    Attributes:
        ranges: low, high and unit by parameter.
        free: numeric parameters that need no range.
        speeds: fastest change, its unit, and the setting that sets it or "", by parameter.
        never: combinations; by parameter either texts, or above, below and unit.
    """

    ranges: dict[str, tuple[float, float, str]] = field(default_factory=dict)
    free: frozenset[str] = frozenset()
    speeds: dict[str, tuple[float, str, str]] = field(default_factory=dict)
    never: tuple[dict[str, frozenset[str] | tuple[float, float, str]], ...] = ()


def content_of(path: Path) -> bytes:
    """Read the file's bytes.

    Raises:
        FileRefusedError: it is missing, no regular file, or too large.
    """
    try:
        # A pipe opened in this way does not wait for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise FileRefusedError(f"it cannot be opened ({getattr(error, 'strerror', error)})") from error
    try:
        regular = stat.S_ISREG(os.fstat(handle).st_mode)
        content = _read(handle) if regular else b""
    except OSError as error:
        raise FileRefusedError(f"it cannot be read ({error.strerror})") from error
    finally:
        os.close(handle)
    if not regular:
        raise FileRefusedError("it is no regular file")
    if len(content) > LARGEST:
        raise FileRefusedError(f"it is larger than {LARGEST} bytes")
    return content


def _read(handle: int) -> bytes:
    content = b""
    while len(content) <= LARGEST and (more := os.read(handle, LARGEST + 1)):
        content += more
    return content


def book_of(content: bytes) -> Book:
    """Take the file's bytes as limits.

    Raises:
        FileRefusedError: they say anything else, or anything more.
    """
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
        if _LINE_BREAKS.search(text):
            raise FileRefusedError("it has a line break that not every reader takes for one")
        return _book(_Reader(text).document())
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FileRefusedError(f"it is not understood ({type(error).__name__})") from error


class _Reader:
    """Builds mappings, lists, texts and numbers from the events of one document."""

    def __init__(self, text: str) -> None:
        self._events = yaml.parse(text, Loader=yaml.SafeLoader)
        self._seen = 0

    def document(self) -> object:
        self._expect(yaml.StreamStartEvent)
        start = self._expect(yaml.DocumentStartEvent)
        if start.version is not None or start.tags:
            raise FileRefusedError("it has a YAML directive; remove it")
        value = self._value(self._next(), 0)
        self._expect(yaml.DocumentEndEvent)
        self._expect(yaml.StreamEndEvent)
        return value

    def _next(self) -> Any:  # noqa: ANN401 - PyYAML's events have no common type that tells anything
        self._seen += 1
        if self._seen > _MOST_EVENTS:
            raise FileRefusedError("it is too long")
        return next(self._events)

    def _expect(self, kind: type) -> Any:  # noqa: ANN401 - see _next
        event = self._next()
        if not isinstance(event, kind):
            raise FileRefusedError("it is not one document of limits")
        return event

    def _value(self, event: Any, depth: int) -> object:  # noqa: ANN401 - see _next
        if depth > _DEEPEST:
            raise FileRefusedError("it is nested too deeply")
        if getattr(event, "tag", None) is not None or getattr(event, "anchor", None) is not None:
            raise FileRefusedError("it has a tag, an anchor or an alias; remove it")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value, plain=event.style is None)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                items.append(self._value(event, depth + 1))
            return items
        if not isinstance(event, yaml.MappingStartEvent):
            raise FileRefusedError("it has something that is no mapping, list, text or number")
        found: dict[str, object] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._value(event, depth + 1)
            if not isinstance(key, str):
                raise FileRefusedError("it has a key that is no text; put it in quotes")
            if key in found:
                raise FileRefusedError(f"it has {key[:60]!r} twice in one mapping")
            found[key] = self._value(self._next(), depth + 1)
        return found


def _scalar(value: str, *, plain: bool) -> str | float:
    if not plain:
        return value
    if _NUMBER.fullmatch(value):
        number = float(value)
        if number - number != 0.0:  # infinite
            raise FileRefusedError(f"{value[:60]} is larger than any number")
        return number
    if _NOT_TEXT.fullmatch(value):
        raise FileRefusedError(
            f"{value[:60]!r} may be read in two ways; write a plain number, or quote a text"
        )
    return value


def _book(said: Any) -> Book:  # noqa: ANN401 - every type is looked at below
    _has(said, needs={"limits"}, may={"unlimited", "rates", "forbidden"})
    ranges = {name: _range(body) for name, body in _dict(said["limits"]).items()}
    free = frozenset(_texts(said.get("unlimited", [])))
    speeds = {name: _speed(body) for name, body in _dict(said.get("rates", {})).items()}
    never = tuple(_combination(body) for body in _list(said.get("forbidden", [])))
    if free & set(ranges):
        raise FileRefusedError("a parameter stands under limits and under unlimited")
    numbers = {name for one in never for name, what in one.items() if isinstance(what, tuple)}
    numbers |= set(speeds) | {setter for _, _, setter in speeds.values() if setter}
    if unknown := sorted(numbers - free - set(ranges)):
        raise FileRefusedError(f"{unknown[0][:60]!r} stands neither under limits nor under unlimited")
    return Book(ranges, free, speeds, never)


def _range(body: Any) -> tuple[float, float, str]:  # noqa: ANN401 - see _book
    _has(body, needs={"low", "high", "unit"})
    low, high = _float(body["low"]), _float(body["high"])
    if not low <= high:
        raise FileRefusedError("a limit has low above high")
    return low, high, _str(body["unit"])


def _speed(body: Any) -> tuple[float, str, str]:  # noqa: ANN401 - see _book
    _has(body, needs={"at_most", "unit"}, may={"set_by"})
    at_most = _float(body["at_most"])
    if not at_most > 0:
        raise FileRefusedError("a rate allows at most 0")
    if body.get("set_by") == "":
        raise FileRefusedError("a rate is set by nothing")
    return at_most, _str(body["unit"]), _str(body.get("set_by", ""))


def _combination(body: Any) -> dict[str, frozenset[str] | tuple[float, float, str]]:  # noqa: ANN401 - see _book
    if not _dict(body):
        raise FileRefusedError("a forbidden combination is empty")
    found: dict[str, frozenset[str] | tuple[float, float, str]] = {}
    for name, what in body.items():
        if isinstance(what, dict):
            _has(what, needs={"unit"}, may={"above", "below"})
            above = _float(what["above"]) if "above" in what else float("-inf")
            below = _float(what["below"]) if "below" in what else float("inf")
            if len(what) == 1 or not above < below:
                raise FileRefusedError("a forbidden combination has a range that holds nothing")
            found[name] = (above, below, _str(what["unit"]))
        else:
            texts = [what] if isinstance(what, str) else _list(what)
            if not texts:
                raise FileRefusedError("a forbidden combination has an empty list")
            found[name] = frozenset(_texts(texts))
    return found


def _has(body: Any, *, needs: set[str], may: frozenset[str] | set[str] = frozenset()) -> None:  # noqa: ANN401 - see _book
    keys = set(_dict(body))
    if not needs <= keys or not keys <= needs | may:
        raise FileRefusedError(f"it has {sorted(keys)[:6]} where {sorted(needs)} belong")


def _dict(value: Any) -> dict[str, Any]:  # noqa: ANN401 - see _book
    if not isinstance(value, dict):
        raise FileRefusedError("it has no mapping where one belongs")
    return value


def _list(value: Any) -> list[Any]:  # noqa: ANN401 - see _book
    if not isinstance(value, list):
        raise FileRefusedError("it has no list where one belongs")
    return value


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - see _book
    return [_str(one) for one in _list(value)]


def _str(value: Any) -> str:  # noqa: ANN401 - see _book
    if not isinstance(value, str):
        raise FileRefusedError("it has no text where one belongs")
    return value


def _float(value: Any) -> float:  # noqa: ANN401 - see _book
    if not isinstance(value, float):
        raise FileRefusedError("it has no number where one belongs")
    return value
