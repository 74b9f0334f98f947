"""Bluesky documents sorted into runs, in whatever order several lanes wrote them, and read from a file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Document: TypeAlias = Mapping[str, Any]
"""One document without its name."""

_POINTS_AT = {
    "descriptor": "run_start",
    "stop": "run_start",
    "event": "descriptor",
    "event_page": "descriptor",
    "resource": "run_start",
    "stream_resource": "run_start",
    "stream_datum": "descriptor",
    "datum": "resource",
    "datum_page": "resource",
}
"""By name of a document, which of its fields holds the uid of the document that it belongs to."""


@dataclass(slots=True)
class Run:
    """The documents of one Bluesky run, in the order in which they came.

    Attributes:
        documents: each with its name; the first is the start document.
    """

    documents: list[tuple[str, Document]] = field(default_factory=list)

    @property
    def start(self) -> Document:
        """The start document, which carries the ids."""
        return self.documents[0][1]

    @property
    def uid(self) -> str:
        """The run's uid."""
        return str(self.start["uid"])

    @property
    def stop(self) -> Document | None:
        """The stop document; None while the run goes on, and for ever where its controller died."""
        name, document = self.documents[-1]
        return document if name == "stop" else None

    def events(self, stream: str = "primary") -> Iterator[Document]:
        """The events of a stream, in order."""
        streams = {d["uid"]: d["name"] for name, d in self.documents if name == "descriptor"}
        for name, document in self.documents:
            if name == "event" and streams.get(document["descriptor"]) == stream:
                yield document

    def data_keys(self, stream: str = "primary") -> Mapping[str, Mapping[str, Any]]:
        """What the events of a stream hold, by data key, with the units."""
        found: dict[str, Mapping[str, Any]] = {}
        for name, document in self.documents:
            if name == "descriptor" and document["name"] == stream:
                found |= document["data_keys"]
        return found


class Runs:
    """Sorts documents into runs.

    Event documents name their descriptor and not their run, so that the uids of descriptors are remembered
    for as long as a run is open. A document that belongs to no known run is left out.
    """

    def __init__(self) -> None:
        self._open: dict[str, Run] = {}
        self._run_of: dict[str, str] = {}

    def take(self, name: str, document: Document) -> Run | None:
        """Put a document to its run; the run, once this document completes it."""
        if name == "start":
            self._open[document["uid"]] = Run([(name, document)])
            self._run_of[document["uid"]] = document["uid"]
            return None
        uid = self._run_of.get(str(document.get(_POINTS_AT.get(name, ""))))
        if uid is None:
            return None
        run = self._open[uid]
        run.documents.append((name, document))
        if name != "stop":
            if "uid" in document:
                self._run_of[document["uid"]] = uid
            return None
        for _, part in run.documents:
            self._run_of.pop(str(part.get("uid")), None)
        return self._open.pop(uid)

    @property
    def unfinished(self) -> list[Run]:
        """The runs that have no stop document yet."""
        return list(self._open.values())


class Tail:
    """Reads a file of documents from where it was left the last time.

    Only whole lines are taken: the last one may be half written at this moment, or for ever after a crash.

    Args:
        path: a file of ``{"name": ..., "doc": ...}`` a line; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unreadable = 0
        self._offset = 0

    def new(self) -> Iterator[tuple[str, Document]]:
        """The documents that were added since the last call.

        Raises:
            OSError: the file cannot be read.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            if file.seek(0, 2) < self._offset:
                # Another file than before stands in its place.
                self._offset = 0
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                try:
                    told = json.loads(line)
                    found = str(told["name"]), dict(told["doc"])
                except (ValueError, KeyError, TypeError):
                    self.unreadable += 1
                    continue
                yield found
