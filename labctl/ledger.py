"""The append-only, hash-chained record of a campaign: one SQLite file, one writer, any number of readers."""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from labctl.errors import BusyError, RefusedError, RequestError
from labctl.proposal import canonical_json

if TYPE_CHECKING:
    from filelock import BaseFileLock

APPLICATION_ID = 0x6C616263  # "labc": tells a ledger from any other SQLite file
FORMAT = 1
GENESIS = "0" * 64

_SCHEMA = """
CREATE TABLE event(
    seq INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    experiment TEXT,
    attempt INTEGER,
    body TEXT NOT NULL,
    prev TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE(experiment, kind, attempt)
) STRICT;
CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;
CREATE TRIGGER event_is_never_removed BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'an event is never removed'); END;
"""

_COLUMNS = "seq, time, kind, experiment, attempt, body, prev, hash"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the ledger.

    Attributes:
        seq: 1, 2, 3, ... without gaps.
        time: UTC, ISO 8601, when it was written.
        kind: campaign, change, surrogate, verdict, proposal, decision, intent or outcome.
        experiment: id of the experiment it belongs to, or None.
        attempt: 0 for what concerns the experiment as a whole, from 1 for each try; None without experiment.
        body: canonical JSON.
        prev: hash of the event before, or 64 zeros.
        hash: SHA-256 over prev and everything else here.
    """

    seq: int
    time: str
    kind: str
    experiment: str | None
    attempt: int | None
    body: str
    prev: str
    hash: str

    def expected_hash(self) -> str:
        """The hash that this content must have."""
        content = [self.prev, self.seq, self.time, self.kind, self.experiment, self.attempt, self.body]
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Verified:
    """A chain that holds.

    Attributes:
        events: how many there are.
        head: hash of the last one.
    """

    events: int
    head: str


class Ledger:
    """A ledger, open for writing by this process alone or for reading.

    Use :meth:`write` or :meth:`read`, as context managers.
    """

    def __init__(
        self, path: Path | None, connection: sqlite3.Connection, lock: "BaseFileLock | None" = None
    ) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        last = connection.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        self._seq: int = last[0] if last else 0
        self._head: str = last[1] if last else GENESIS

    @classmethod
    def write(cls, path: Path | None) -> Self:
        """Open for writing, and make the file if there is none; None keeps the ledger in memory.

        Raises:
            BusyError: another process holds it.
            RequestError: the file is no ledger, or cannot be written.
        """
        if path is None:
            connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            connection.executescript(_SCHEMA)
            return cls(None, connection)
        lock = _hold(path)
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
            try:
                # A file without tables is new, or its maker died at once.
                if connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is None:
                    connection.executescript(
                        f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id={APPLICATION_ID};"
                        f" PRAGMA user_version={FORMAT}; COMMIT;"
                    )
                _refuse_strangers(path, connection)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                return cls(path, connection, lock)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            lock.release()
            raise _unusable(path, error) from None
        except BaseException:
            lock.release()
            raise

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open for reading; a running controller is not disturbed.

        Raises:
            RequestError: there is no such file, or it is no ledger.
        """
        if not path.exists():
            raise RequestError("no ledger here yet; start the campaign with `labctl run`", file=path)
        try:
            connection = _reader(path)
            try:
                _refuse_strangers(path, connection)
                return cls(path, connection)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise _unusable(path, error) from None

    @property
    def head(self) -> str:
        """Hash of the last event, or 64 zeros."""
        return self._head

    @property
    def writable(self) -> bool:
        """Whether this process may append."""
        return self.path is None or self._lock is not None

    def __len__(self) -> int:
        return self._seq

    def append(
        self,
        kind: str,
        body: Mapping[str, Any],
        *,
        experiment: str | None = None,
        attempt: int | None = None,
    ) -> Event:
        """Add one event and commit it to the disk before returning.

        Raises:
            RefusedError: this experiment has such an event already, the ledger is open for reading only, or
                the disk is full.
            ValueError: the body holds what JSON cannot.
        """
        if not self.writable:
            raise RefusedError(f"{self.path} is open for reading only")
        time = datetime.now(UTC).isoformat(timespec="microseconds")
        unhashed = Event(self._seq + 1, time, kind, experiment, attempt, canonical_json(body), self._head, "")
        event = replace(unhashed, hash=unhashed.expected_hash())
        try:
            self._connection.execute(
                f"INSERT INTO event({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - no user text
                astuple(event),
            )
        except sqlite3.IntegrityError as error:
            raise RefusedError(
                f"{experiment}: attempt {attempt} has its {kind} already; nothing was written ({error})"
            ) from None
        except sqlite3.Error as error:
            raise RefusedError(
                f"{self.path}: cannot be written ({error}); nothing was; check the disk"
            ) from None
        self._seq, self._head = event.seq, event.hash
        return event

    def events(self, after: int = 0) -> Iterator[Event]:
        """The events with ``seq`` above ``after``, in order."""
        cursor = self._connection.execute(
            f"SELECT {_COLUMNS} FROM event WHERE seq > ? ORDER BY seq",  # noqa: S608 - no user text
            (after,),
        )
        for row in cursor:
            yield Event(*row)

    def verify(self) -> Verified:
        """Recompute the whole chain.

        Raises:
            RefusedError: names the first bad event and what is wrong with it.
        """
        prev, seq = GENESIS, 0
        for event in self.events():
            place = f"{self.path or 'ledger'}: event {event.seq} ({event.kind}"
            place += f" of {event.experiment})" if event.experiment else ")"
            if event.seq != seq + 1:
                raise RefusedError(f"{place} follows event {seq}; the events between are gone")
            if event.prev != prev:
                raise RefusedError(f"{place} does not follow the event before it; one of them was replaced")
            if event.expected_hash() != event.hash:
                raise RefusedError(f"{place} was changed after it was written; its hash does not fit")
            prev, seq = event.hash, event.seq
        return Verified(seq, prev)

    def close(self) -> None:
        """Close the file and let go of the lock."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _hold(path: Path) -> "BaseFileLock":
    """Take the campaign's lock, which the operating system drops when the process dies."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only writers need it

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"{path}: another controller holds this campaign; stop it first, or look with `labctl status`"
        ) from None
    except OSError as error:
        raise RequestError(f"cannot be written ({error.strerror}); check the folder", file=path) from None
    return lock


def _reader(path: Path) -> sqlite3.Connection:
    from urllib.parse import quote  # noqa: PLC0415

    return sqlite3.connect(
        f"file:{quote(str(path.resolve()))}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=10.0,
    )


def _refuse_strangers(path: Path, connection: sqlite3.Connection) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise RequestError("is a SQLite file, but no labctl ledger; name another file", file=path)
    if version != FORMAT:
        raise RequestError(
            f"is a ledger of format {version}, and this labctl reads format {FORMAT}; update labctl",
            file=path,
        )


def _unusable(path: Path, error: sqlite3.Error) -> RequestError:
    if isinstance(error, sqlite3.OperationalError):
        return RequestError(f"cannot be opened as a ledger ({error}); check the path and the disk", file=path)
    return RequestError(f"is no labctl ledger, or is damaged ({error}); name another file", file=path)
