"""Small YAML 1.2 files, read with suspicion: plain data, no aliases, no double keys, no great depth."""

import re
import stat
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, events
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import YAMLError

LARGEST = 1_000_000
DEEPEST = 12
LONGEST = 20_000
"""Values in one file."""


class UnreadableError(ValueError):
    """The file cannot be read as plain data; the message is one sentence without the file's name."""


def read(path: Path) -> tuple[Any, bytes]:
    """Read a YAML file; return what it says and the bytes it says it in.

    YAML 1.2 takes ``0600`` for 600 and ``10:00`` for text, where YAML 1.1 makes 384 and 600 of them.

    Raises:
        UnreadableError: missing, unreadable, no regular file, larger than 1 MB, longer than 20,000 values,
            deeper than 12 levels, or not plain YAML.
    """
    content = _content(path)
    try:
        text = content.decode("utf-8-sig")
        _look_over(text)
        data = YAML(typ="safe", pure=True).load(text)
    except UnreadableError:
        raise
    except UnicodeDecodeError as error:
        raise UnreadableError("it is not UTF-8 text") from error
    except DuplicateKeyError as error:
        named = re.search(r'duplicate key "(.*?)" with', str(error.problem))
        raise UnreadableError(
            f"{named[1] if named else 'a key'!r} stands twice in one mapping; keep one"
        ) from error
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UnreadableError(f"it is not valid YAML ({_where(error)})") from error
    _refuse_odd_keys(data)
    return data, content


def _content(path: Path) -> bytes:
    try:
        # A pipe would wait for ever, and a device never ends.
        odd = not stat.S_ISREG(path.stat().st_mode)
        content = b""
        if not odd:
            with path.open("rb") as file:
                content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise UnreadableError(f"it cannot be read ({getattr(error, 'strerror', error)})") from error
    if odd:
        raise UnreadableError("it cannot be read (it is no regular file)")
    if len(content) > LARGEST:
        raise UnreadableError(f"it is larger than {LARGEST} bytes")
    return content


def _refuse_odd_keys(data: object) -> None:
    if isinstance(data, dict):
        odd = next((key for key in data if not isinstance(key, str | int | float | bool | None)), None)
        if odd is not None:
            raise UnreadableError("it is not valid YAML (a key is a list or a mapping); name keys by a word")
    for part in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        _refuse_odd_keys(part)


def _look_over(text: str) -> None:
    """Go through the file without building anything from it, and refuse what could blow up."""
    depth = values = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, events.AliasEvent):
            raise UnreadableError(f"it has the alias *{event.anchor}; write out what it stands for")
        if getattr(event, "tag", None) not in {None, "!"}:
            raise UnreadableError(f"it has the tag {event.tag}; remove it")
        depth += isinstance(event, events.CollectionStartEvent) - isinstance(event, events.CollectionEndEvent)
        values += isinstance(event, events.NodeEvent)
        if depth > DEEPEST:
            raise UnreadableError(f"it is nested deeper than {DEEPEST} levels")
        if values > LONGEST:
            raise UnreadableError(f"it holds more than {LONGEST} values")


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())[:120]
    return f"line {mark.line + 1}: {problem}" if mark is not None else problem
