"""A rack of crucibles, each used once; what has been taken from it survives the death of the controller."""

import sqlite3
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path

from labctl_drivers.protocol import ExperimentFailed, FailureKind

FILE = "rack.sqlite"
RESOURCE = "rack slot"
"""What an attempt takes from the rack, as resources are named."""

# A slot of a load can be taken once and a key takes one slot: both are primary keys, so that no two
# processes can do it, whatever they believe.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS loads (load INTEGER PRIMARY KEY, slots INTEGER NOT NULL CHECK (slots > 0)) STRICT;
CREATE TABLE IF NOT EXISTS taken (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,
    load INTEGER NOT NULL REFERENCES loads(load), slot INTEGER NOT NULL CHECK (slot > 0),
    UNIQUE (load, slot)) STRICT;
"""


class RackEmptyError(ExperimentFailed):
    """There is no crucible left; nothing was moved."""

    def __init__(self, slots: int) -> None:
        message = (
            f"all {slots} crucibles of the rack are used; put in a full one and say so with "
            "`labctl sim refill CAMPAIGN.yaml`"
        )
        super().__init__(FailureKind.INSTRUMENT_FAULT, message, stage="check")


@dataclass(frozen=True, slots=True)
class Taken:
    """One crucible that was given to one attempt.

    Attributes:
        number: how many crucibles were taken up to and with this one, over all loads.
        load: which full rack it came from, from 1.
        slot: its place in that rack, from 1.
    """

    number: int
    load: int
    slot: int


class Rack:
    """Gives out crucibles, in one SQLite file; several instruments and processes may share it.

    Args:
        folder: where the file is kept; None keeps it in memory.
        slots: crucibles in a full rack.

    Raises:
        OSError: the folder cannot be made.
        sqlite3.DatabaseError: the file is damaged or no rack.
    """

    def __init__(self, folder: Path | None, slots: int) -> None:
        where = ":memory:"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            where = str(folder / FILE)
        self._slots = slots
        self._lock = threading.Lock()
        self._file = sqlite3.connect(where, isolation_level=None, check_same_thread=False, timeout=30.0)
        weakref.finalize(self, self._file.close)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=FULL")
        self._file.executescript(_SCHEMA)
        self._file.execute("INSERT OR IGNORE INTO loads VALUES (1, ?)", (slots,))

    def take(self, key: str) -> Taken:
        """Take a crucible for an attempt; the same key is given the same one again.

        Raises:
            RackEmptyError: none is left.
        """
        with self._lock, self._file:
            # Immediately, and not on the first write: two who look at once must not see the same free slot.
            self._file.execute("BEGIN IMMEDIATE")
            query = "SELECT number, load, slot FROM taken WHERE key = ?"
            known = self._file.execute(query, (key,)).fetchone()
            if known is None:
                load, slots, used = self._state()
                if used >= slots:
                    raise RackEmptyError(slots)
                row = (key, load, used + 1)
                self._file.execute("INSERT INTO taken (key, load, slot) VALUES (?, ?, ?)", row)
                known = self._file.execute(query, (key,)).fetchone()
        return Taken(*known)

    def left(self) -> int:
        """How many crucibles are left."""
        with self._lock:
            _, slots, used = self._state()
        return slots - used

    def refill(self) -> int:
        """Note that a person has put in a full rack; gives the number of crucibles in it."""
        with self._lock:
            self._file.execute("INSERT INTO loads (slots) VALUES (?)", (self._slots,))
        return self._slots

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        with self._lock:
            self._file.close()

    def _state(self) -> tuple[int, int, int]:
        """The newest load, its crucibles, and how many of them are taken."""
        row = self._file.execute(
            "SELECT load, slots, (SELECT count(*) FROM taken WHERE taken.load = loads.load) "
            "FROM loads ORDER BY load DESC LIMIT 1"
        ).fetchone()
        load, slots, used = row
        return load, slots, used
