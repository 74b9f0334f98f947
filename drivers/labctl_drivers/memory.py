"""An instrument's own memory of attempts by key, which survives the death of the controller."""

import contextlib
import json
import logging
import re
import secrets
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from labctl_drivers.documents import plain
from labctl_drivers.handed import whole
from labctl_drivers.protocol import Attempt, Bound, ExperimentFailed, FailureKind, Json, Reading

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Tables that are only ever added to. The primary keys are what makes a second start impossible, also
# when two processes try at the same moment.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS started (
    seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, attempt TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS finished (
    key TEXT PRIMARY KEY REFERENCES started(key), result TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS born (
    only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL) STRICT;
"""
_SELECT = """
SELECT started.key, attempt, detail, result FROM started LEFT JOIN finished ON started.key = finished.key
"""


class AlreadyStarted(ExperimentFailed):
    """This key was started before; ask the instrument what became of it."""

    def __init__(self, key: str) -> None:
        message = f"attempt {key} was started before; ask what became of it instead of starting it again"
        super().__init__(FailureKind.UNKNOWN, message, stage="check")


@dataclass(frozen=True, slots=True)
class Remembered:
    """One attempt that was started, and what came of it if that is known.

    Attributes:
        attempt: the attempt as it was started.
        detail: whatever the driver wanted to keep with it.
        result: the reading or the failure; None while it has neither.
    """

    attempt: Attempt
    detail: Mapping[str, Json] = field(default_factory=dict)
    result: Reading | ExperimentFailed | None = None


class Memory:
    """Remembers attempts in one SQLite file; safe to use from several threads.

    Every entry is on the disk (``synchronous=FULL``) before the call returns, so that a power cut cannot
    take back that a sample was used up.

    Args:
        folder: where the file is kept; None keeps everything in memory, for replays that need no crash.
        name: name of the instrument, and of its file.

    Attributes:
        id: drawn when the file was made, so that one which was lost and made anew is not taken for it; None
            for a memory without a file, which ends with its process.

    Raises:
        ValueError: the name could not be a file's.
        OSError: the folder cannot be made.
        sqlite3.DatabaseError: the file is damaged or no memory of an instrument.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a file; use letters, digits, _ and -")
        where = ":memory:"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            where = str(folder / f"{name}.sqlite")
        self._lock = threading.Lock()
        # isolation_level=None: each statement is its own transaction, committed when it returns.
        self._file = sqlite3.connect(where, isolation_level=None, check_same_thread=False, timeout=30.0)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=FULL")
        self._file.executescript(_SCHEMA)
        # Two processes may make the file at the same moment; the first id counts.
        self._file.execute("INSERT OR IGNORE INTO born VALUES (1, ?)", (secrets.token_hex(8),))
        born = self._file.execute("SELECT id FROM born").fetchone()[0]
        self.id: str | None = None if folder is None else str(born)
        self._unwritten: dict[str, Reading | ExperimentFailed] = {}
        # A driver that is only built to look at its options is never closed by anybody.
        weakref.finalize(self, self._file.close)

    def started(self, attempt: Attempt, detail: Mapping[str, Json] | None = None) -> None:
        """Write down that an attempt begins; call it before anything that cannot be undone.

        Raises:
            AlreadyStarted: this key was started before, by this or any other process.
        """
        row = (attempt.key, _dump(_packed_attempt(attempt)), _dump(dict(detail or {})))
        try:
            with self._lock:
                self._file.execute("INSERT INTO started (key, attempt, detail) VALUES (?, ?, ?)", row)
        except sqlite3.IntegrityError as error:
            raise AlreadyStarted(attempt.key) from error

    def finished(self, key: str, result: Reading | ExperimentFailed) -> None:
        """Write down what came of an attempt; the first result counts, later ones are ignored.

        The sample is used up by now, so a result that JSON cannot hold is written as far as it can, and one
        that cannot be written at all, on a full disk, is kept until this process ends.

        Raises:
            KeyError: this key was never started.
        """
        try:
            if self.lookup(key) is None:
                raise KeyError(f"attempt {key} was never started")
            row = (key, _dump(packed(result)))
            with self._lock:
                self._file.execute("INSERT OR IGNORE INTO finished VALUES (?, ?)", row)
        except sqlite3.Error as error:
            logger.warning("what came of attempt %s could not be written down (%s)", key, error)
            self._unwritten.setdefault(key, result)

    def lookup(self, key: str) -> Remembered | None:
        """Say what is known of an attempt; None if it was never started."""
        with self._lock:
            row = self._file.execute(f"{_SELECT} WHERE started.key = ?", (key,)).fetchone()
        if row is None:
            return None
        known = _remembered(row)
        return known if known.result is not None else replace(known, result=self._unwritten.get(key))

    def all(self) -> Iterator[Remembered]:
        """Every attempt, in the order they were started."""
        with self._lock:
            rows = self._file.execute(f"{_SELECT} ORDER BY seq").fetchall()
        return (_remembered(row) for row in rows)

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        with self._lock:
            self._file.close()


def knows(folder: Path, beginning: str) -> bool:
    """Whether an instrument whose memory is in this folder was ever told of a key that begins like this.

    Nothing is written, and a file that cannot be read says no here; building the instrument says what is
    wrong with it.
    """
    query = "SELECT 1 FROM started WHERE substr(key, 1, ?) = ?"
    for path in sorted(folder.rglob("*.sqlite")):  # each further lane has a folder of its own in it
        try:
            with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as file:
                if file.execute(query, (len(beginning), beginning)).fetchone() is not None:
                    return True
        except sqlite3.Error:
            continue
    return False


def _dump(value: Json) -> str:
    # NaN is written as NaN: a bad reading has to come back as it was, and only Python reads this file.
    try:
        return json.dumps(value, separators=(",", ":"), default=lambda array: array.tolist())
    except Exception:  # noqa: BLE001 - a lab's own object may do anything when it is looked at
        return json.dumps(plain(value, not_finite=float), separators=(",", ":"))


def _packed_attempt(attempt: Attempt) -> dict[str, Any]:
    # Field by field: asdict cannot copy the read-only mappings a controller may use.
    return {
        "key": attempt.key,
        "campaign": attempt.campaign,
        "experiment": attempt.experiment,
        "number": attempt.number,
        "recipe": dict(attempt.recipe),
        "units": dict(attempt.units),
    }


def _packed_reading(reading: Reading | None) -> dict[str, Any] | None:
    if reading is None:
        return None
    reading = whole(reading)
    return {
        "values": dict(reading.values),
        "units": dict(reading.units),
        "actual": dict(reading.actual),
        "raw": dict(reading.raw),
    }


def packed(result: Reading | ExperimentFailed) -> dict[str, Any]:
    """A result as JSON can hold it; NaN stays NaN, which only Python reads."""
    if isinstance(result, Reading):
        return {"reading": _packed_reading(result)}
    reading: object = result.reading
    bounds: Mapping[str, object] = result.bounds  # whatever a driver calls a bound
    return {
        "kind": _kind(result.kind),
        "message": result.message,
        "stage": result.stage,
        "reading": _packed_reading(reading) if isinstance(reading, Reading) else None,
        "bounds": {
            name: {"low": bound.low, "high": bound.high}
            for name, bound in bounds.items()
            if isinstance(bound, Bound)
        },
    }


def _kind(kind: object) -> str:
    """The name of a kind of failure; of a word that is none, that of a failure nobody tries again."""
    try:
        return FailureKind(str(kind)).value
    except ValueError:
        return FailureKind.UNKNOWN.value


def unpacked(body: Mapping[str, Any]) -> Reading | ExperimentFailed:
    """The result that :func:`packed` made this of."""
    reading = None if body["reading"] is None else Reading(**body["reading"])
    if "kind" not in body:
        return Reading(**body["reading"])
    return ExperimentFailed(
        FailureKind(body["kind"]),
        body["message"],
        stage=body["stage"],
        reading=reading,
        bounds={name: Bound(**bound) for name, bound in body["bounds"].items()},
    )


def _remembered(row: tuple[str, str, str, str | None]) -> Remembered:
    _, attempt, detail, result = row
    return Remembered(
        attempt=Attempt(**json.loads(attempt)),
        detail=json.loads(detail),
        result=None if result is None else unpacked(json.loads(result)),
    )
