"""The append-only, hash-chained record of a campaign: one SQLite file, one writer, any number of readers."""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from labctl import ledger_file
from labctl.errors import RefusedError, RequestError
from labctl.proposal import canonical_json

if TYPE_CHECKING:
    from filelock import BaseFileLock

GENESIS = "0" * 64

_COLUMNS = "seq, time, kind, experiment, attempt, body, prev, hash"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the ledger.

    Attributes:
        seq: 1, 2, 3, ... without gaps.
        time: UTC, ISO 8601, when it was written.
        kind: campaign, change, surrogate, verdict, proposal, decision, intent, outcome, settled, halt,
            suspect or resume.
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

    def fault(self, seq: int, prev: str) -> str | None:
        """What is wrong with this event if it stands after event ``seq``, whose hash is ``prev``; or None."""
        if self.seq != seq + 1:
            return f"follows event {seq}; the events between are gone"
        if self.prev != prev:
            return "does not follow the event before it; one of them was replaced"
        try:
            fits = self.expected_hash() == self.hash
        except (TypeError, ValueError):  # A part of it is no longer text.
            fits = False
        return None if fits else "was changed after it was written; its hash does not fit"

    def expected_hash(self) -> str:
        """The hash that this content must have."""
        content = [self.prev, self.seq, self.time, self.kind, self.experiment, self.attempt, self.body]
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that is still to be written; see :class:`Event`."""

    kind: str
    body: Mapping[str, Any] = field(default_factory=dict)
    experiment: str | None = None
    attempt: int | None = None


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

    Use :meth:`write` or :meth:`read`, as context managers. Whatever is read is checked against the chain on
    the way, and nothing is appended to a chain that does not hold.
    """

    def __init__(
        self, path: Path | None, connection: sqlite3.Connection, lock: "BaseFileLock | None" = None
    ) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._begun = not ledger_file.is_blank(connection)
        self._checked = not self._begun
        query = "SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1"
        last = connection.execute(query).fetchone() if self._begun else None
        self._seq: int = last[0] if last else 0
        self._head: str = last[1] if last else GENESIS

    @classmethod
    def write(cls, path: Path | None) -> Self:
        """Open for writing; None keeps the ledger in memory.

        The table is made with the first event, so that a ledger without events is never one that was begun.

        Raises:
            BusyError: another process holds it.
            RequestError: the file is no ledger, or cannot be written.
            RefusedError: its table of events, or what guards it, is not as it was made.
        """
        if path is None:
            return cls(None, sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))
        lock = ledger_file.hold(path)
        try:
            connection = ledger_file.open_to_write(path)
            try:
                return cls(path, connection, lock)
            except BaseException:
                connection.close()
                raise
        except ledger_file.UNREADABLE as error:
            lock.release()
            raise ledger_file.unusable(path, error) from None
        except BaseException:
            lock.release()
            raise

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open for reading; a running controller is not disturbed.

        Raises:
            RequestError: there is no such file, or it is no ledger.
            RefusedError: it has lost its events.
        """
        if not path.exists():
            raise RequestError("no ledger here yet; start the campaign with `labctl run`", file=path)
        try:
            connection = ledger_file.open_to_read(path)
            try:
                return cls(path, connection)
            except BaseException:
                connection.close()
                raise
        except ledger_file.UNREADABLE as error:
            raise ledger_file.unusable(path, error) from None

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
        """Add one event and commit it to the disk before returning; raises what :meth:`append_all` does."""
        return self.append_all([Entry(kind, body, experiment, attempt)])[0]

    def append_all(self, entries: Sequence[Entry]) -> list[Event]:
        """Add events and commit them to the disk before returning: all of them, or none.

        Raises:
            RefusedError: an experiment has such an event already, the ledger is open for reading only, its
                chain does not hold, or the disk is full.
            RequestError: a body holds text that is no Unicode.
            ValueError: a body holds what JSON cannot.
        """
        if not self.writable:
            raise RefusedError(f"{self.path} is open for reading only")
        if not self._checked:
            for _ in self.events():
                pass
        events = self._chained(entries)
        try:
            if not self._begun:
                self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._insert(events)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise RefusedError(
                f"{self.path}: cannot be written ({error}); nothing was; check the disk"
            ) from None
        if events:
            self._begun, self._seq, self._head = True, events[-1].seq, events[-1].hash
        return events

    def _chained(self, entries: Sequence[Entry]) -> list[Event]:
        """The entries as events that follow the last one."""
        time = datetime.now(UTC).isoformat(timespec="microseconds")
        seq, prev, events = self._seq, self._head, list[Event]()
        for entry in entries:
            body = canonical_json(entry.body)
            unhashed = Event(seq + 1, time, entry.kind, entry.experiment, entry.attempt, body, prev, "")
            try:
                event = replace(unhashed, hash=unhashed.expected_hash())
            except UnicodeEncodeError as error:
                raise RequestError(
                    f"{error.object[error.start : error.end]!r} is half a character, which no file can hold; "
                    "nothing was written; type the text anew"
                ) from None
            events.append(event)
            seq, prev = event.seq, event.hash
        return events

    def _insert(self, events: Sequence[Event]) -> None:
        if not self._begun:
            ledger_file.begin(self._connection)
        insert = f"INSERT INTO event({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - no user text
        for event in events:
            try:
                self._connection.execute(insert, astuple(event))
            except sqlite3.IntegrityError as error:
                raise RefusedError(
                    f"{event.experiment}: attempt {event.attempt} has its {event.kind} already; nothing was "
                    f"written ({error})"
                ) from None

    def events(self, after: int = 0) -> Iterator[Event]:
        """The events with ``seq`` above ``after``, in order; each is checked against the chain.

        Raises:
            RefusedError: names the first event that does not fit.
        """
        seq, prev = after, GENESIS if after == 0 else self._hash_of(after)
        for event in self._rows(after):
            if (fault := event.fault(seq, prev)) is not None:
                raise ledger_file.damaged(self.path, f"it {fault}", at=event.seq)
            yield event
            seq, prev = event.seq, event.hash
        if seq == 0 and self._begun:
            raise ledger_file.damaged(self.path, "its first event is gone", at=1)
        if after == 0:
            self._checked = True

    def _hash_of(self, seq: int) -> str:
        row = self._connection.execute("SELECT hash FROM event WHERE seq = ?", (seq,)).fetchone()
        return GENESIS if row is None else str(row[0])

    def _rows(self, after: int) -> Iterator[Event]:
        """The rows as they stand; from the beginning also those numbered below 1, which nobody may have."""
        if not self._begun:
            return
        where, values = ("", ()) if after == 0 else (" WHERE seq > ?", (after,))
        try:
            query = f"SELECT {_COLUMNS} FROM event{where} ORDER BY seq"  # noqa: S608 - no user text
            for row in self._connection.execute(query, values):
                yield Event(*row)
        except ledger_file.UNREADABLE as error:
            raise ledger_file.damaged(self.path, f"it cannot be read to its end: {error}") from None

    def verify(self) -> Verified:
        """Recompute the whole chain, and look at the table that holds it.

        Raises:
            RefusedError: names the first bad event and what is wrong with it.
        """
        prev, seq = GENESIS, 0
        for event in self._rows(0):
            if (fault := event.fault(seq, prev)) is not None:
                about = f"{event.kind} of {event.experiment}" if event.experiment else event.kind
                raise RefusedError(f"{self.path or 'ledger'}: event {event.seq} ({about}) {fault}")
            prev, seq = event.hash, event.seq
        if self._begun:
            what = "it holds no event" if seq == 0 else ledger_file.altered(self._connection)
            if what is not None:
                raise RefusedError(f"{self.path or 'ledger'}: {what}; put back a copy of the file")
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
