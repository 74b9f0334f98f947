"""Bluesky documents on their way out: a JSON-lines file, and a shield against sinks that break."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

logger = logging.getLogger(__name__)

Sink: TypeAlias = Callable[[str, Mapping[str, Any]], object]
"""What Bluesky calls a callback: it is given the name of a document and the document."""


_DEEPEST = 100
_MOST_BITS = 1024
"""Of a whole number: one with more has no room in a float, and soon none in JSON either."""


def _none(_: float) -> None:
    return None


def plain(  # noqa: PLR0911 - one return for each sort of value
    value: Any,  # noqa: ANN401 - it takes whatever a device reads, which has no common type
    *,
    not_finite: Callable[[float], object] = _none,
    inside: tuple[int, ...] = (),
) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Turn a value into what strict JSON can hold; never raises.

    Arrays become lists, and anything that JSON has no form for becomes its text. A list that holds itself is
    cut off where it begins anew, and so is whatever is nested deeper than 100.

    Args:
        value: anything.
        not_finite: what becomes of NaN and the infinities, which JSON does not know; None by default.
        inside: the ids of the containers around the value.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else not_finite(value)
    if isinstance(value, str):
        return _writable(value)
    if isinstance(value, int):
        bits = value.bit_length()
        return value if bits <= _MOST_BITS else f"a whole number of {bits} bits"
    if id(value) in inside or len(inside) >= _DEEPEST:
        return "\u2026"
    within = (*inside, id(value))
    try:
        if isinstance(value, Mapping):
            return {
                _text(key): plain(item, not_finite=not_finite, inside=within) for key, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [plain(item, not_finite=not_finite, inside=within) for item in value]
        # numpy's arrays and scalars, without importing numpy for those who have none
        as_list = getattr(value, "tolist", None)
        return plain(as_list(), not_finite=not_finite, inside=within) if callable(as_list) else _text(value)
    except Exception:  # noqa: BLE001 - a lab's own object may do anything when it is looked at
        return _text(value)


def _text(value: object) -> str:
    try:
        return _writable(str(value))
    except Exception:  # noqa: BLE001 - see above
        return f"a {type(value).__name__} that has no text"


def _writable(text: str) -> str:
    """The text with a question mark for every half of a character, which no UTF-8 file can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class JsonLines:
    """Appends every document to a file, one ``{"name": ..., "doc": ...}`` a line.

    Each line is handed to the operating system in one append, so that several lanes can share a file and
    a killed controller leaves whole lines behind.

    Args:
        path: the file; its folder is made when it is missing.

    Raises:
        OSError: the folder or the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("ab", buffering=0)

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Append one document."""
        line = json.dumps({"name": str(name), "doc": plain(doc)}, allow_nan=False, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._file.close()


class Shielded:
    """Passes documents on to a sink, and lets no exception of the sink reach the experiment.

    Bluesky fails a run when a subscriber raises; a full disk or a sleeping data server must not cost a
    sample. The first exception is logged as a warning, later ones only for debugging.
    """

    def __init__(self, sink: Sink, label: str) -> None:
        self._sink = sink
        self._label = label
        self._warned = False

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Pass one document on."""
        try:
            self._sink(name, doc)
        except Exception as error:  # noqa: BLE001 - whatever a sink does wrong, the experiment goes on
            level = logging.DEBUG if self._warned else logging.WARNING
            self._warned = True
            logger.log(
                level,
                "%s could not take a %s document (%s: %s); experiments go on without it",
                self._label,
                name,
                type(error).__name__,
                error,
            )
