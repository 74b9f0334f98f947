"""Names of settings and quantities as Bluesky's documents take them: without dots and slashes, and back."""

import re
from collections.abc import Mapping
from typing import TypeVar

Item = TypeVar("Item")

# A percent sign that would be read as an escape is escaped too, so that no two names share a key.
_ESCAPED = re.compile(r"[./]|%(?=25|2E|2F)")
_ESCAPE = re.compile(r"%(25|2E|2F)")


def data_key(name: str) -> str:
    """The key of a name; most names are their own.

    Event-model refuses keys with ``.`` or ``/``, which its tools use to cut paths, so these two are written
    as a URL writes them: ``Rel. density`` becomes ``Rel%2E density``.
    """
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", name)


def name_of(key: str) -> str:
    """The name behind a key."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), key)


def keyed(values: Mapping[str, Item]) -> dict[str, Item]:
    """The same values under the keys of their names."""
    return {data_key(name): value for name, value in values.items()}
