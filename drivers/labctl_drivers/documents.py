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


def plain(value: Any) -> Any:  # noqa: ANN401 - it takes whatever a device reads, which has no common type
    """Turn a value into what strict JSON can hold.

    Numbers that are not finite become None, since JSON knows no NaN; arrays become lists; anything that
    JSON has no form for becomes its text.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    # numpy's arrays and scalars, without importing numpy for those who have none
    as_list = getattr(value, "tolist", None)
    return plain(as_list()) if callable(as_list) else str(value)


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
