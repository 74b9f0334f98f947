"""Small YAML files, read with suspicion: plain data, no aliases, no double keys, no great depth or size."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

LARGEST = 1_000_000
DEEPEST = 12


class UnreadableError(ValueError):
    """The file cannot be read as plain data; the message is one sentence without the file's name."""


class _PlainLoader(yaml.SafeLoader):
    """The safe loader, which also refuses a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - the signature is PyYAML's
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise UnreadableError(f"{key!r} stands twice in one mapping; keep one")
        return super().construct_mapping(node, deep)


def read(path: Path) -> tuple[Any, bytes]:
    """Read a YAML file; return what it says and the bytes it says it in.

    Raises:
        UnreadableError: missing, unreadable, larger than 1 MB, deeper than 12 levels, or not plain YAML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise UnreadableError(f"it cannot be read ({getattr(error, 'strerror', error)})") from error
    if len(content) > LARGEST:
        raise UnreadableError(f"it is larger than {LARGEST} bytes")
    try:
        text = content.decode("utf-8")
        _look_over(text)
        # A subclass of the safe loader: it makes numbers, text, lists and mappings and nothing else.
        return yaml.load(text, Loader=_PlainLoader), content  # noqa: S506 - see the line above
    except UnreadableError:
        raise
    except UnicodeDecodeError as error:
        raise UnreadableError("it is not UTF-8 text") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UnreadableError(f"it is not valid YAML ({_where(error)})") from error


def _look_over(text: str) -> None:
    """Go through the file without building anything from it, and refuse what could blow up."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise UnreadableError(f"it has the alias *{event.anchor}; write out what it stands for")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise UnreadableError(f"it is nested deeper than {DEEPEST} levels")


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or " ".join(str(error).split())[:120]
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(problem)
