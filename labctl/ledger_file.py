"""The SQLite file under a ledger: how it is locked, begun and opened, and told from any other file."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from labctl.errors import BusyError, RefusedError, RequestError
from labctl.files import refuse_odd

if TYPE_CHECKING:
    from filelock import BaseFileLock

APPLICATION_ID = 0x6C616263  # "labc": tells a ledger from any other SQLite file
FORMAT = 1
_PATIENCE_S = 0.2
UNREADABLE = (sqlite3.Error, UnicodeError)
"""What reading a damaged file raises; where its schema is no text, sqlite3 fails while it words its error."""

_EVENT = """CREATE TABLE event(
    seq INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    experiment TEXT,
    attempt INTEGER,
    body TEXT NOT NULL,
    prev TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE(experiment, kind, attempt)
) STRICT"""
NEVER_CHANGED = """CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END"""
NEVER_REMOVED = """CREATE TRIGGER event_is_never_removed BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'an event is never removed'); END"""
_SCHEMA = (_EVENT, NEVER_CHANGED, NEVER_REMOVED)


def hold(path: Path) -> "BaseFileLock":
    """Take the campaign's lock, which the operating system drops when the process dies.

    Raises:
        BusyError: another process holds it.
        RequestError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only writers need it

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A reader that asks whether the lock is held has it for an instant.
        lock = FileLock(f"{path}.lock", timeout=_PATIENCE_S, poll_interval=0.02)
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"{path}: another controller holds this campaign; stop it first, or look with `labctl status`"
        ) from None
    except OSError as error:
        raise RequestError(f"cannot be written ({error.strerror}); check the folder", file=path) from None
    return lock


def held(path: Path) -> bool:
    """Whether a controller holds the campaign of this ledger just now; makes no file."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - see above

    lock = Path(f"{path}.lock")
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        # A folder that may only be read tells nothing.
        return False


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open the file, and make it where there is none.

    Raises:
        RequestError: it is no regular file, another program's, or of another format.
        RefusedError: its table of events, or what guards it, is not as it was made.
        sqlite3.Error: it cannot be opened.
    """
    connection = _connect(path, mode="rwc")
    try:
        if not is_blank(connection):
            _refuse_strangers(path, connection)
            _refuse_altered(path, altered(connection))
        connection.execute("PRAGMA synchronous=FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open the file, which is left as it is.

    Raises:
        RequestError: nothing was written to it yet, or it is no ledger that this version can read.
        RefusedError: it has no table of events.
        sqlite3.Error: it cannot be opened.
    """
    connection = _connect(path, mode="ro")
    try:
        _refuse_blank(path, connection)
        _refuse_strangers(path, connection)
        _refuse_altered(path, None if _has_events(connection) else "its table of events is gone")
    except BaseException:
        connection.close()
        raise
    return connection


def begin(connection: sqlite3.Connection) -> None:
    """Make the table and its guards, inside the transaction that writes the first event."""
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={FORMAT}")


def is_blank(connection: sqlite3.Connection) -> bool:
    """Whether nothing was ever written into the file, or its maker died at once."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return application == 0 and connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is None


def altered(connection: sqlite3.Connection) -> str | None:
    """What of the table or its guards is not as it was made, or None."""
    try:
        found = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}
    except UNREADABLE as error:
        return f"what it says of its table of events cannot be read ({error})"
    if _EVENT not in found:
        return "its table of events was replaced"
    if not found.issuperset(_SCHEMA):
        return "the trigger that guards its events against changes is gone"
    if found - set(_SCHEMA):
        return "it holds a table, view or trigger that labctl did not make"
    return None


def unusable(path: Path, error: Exception) -> RequestError:
    """What to tell a person about a file that SQLite cannot open."""
    if isinstance(error, sqlite3.OperationalError):
        return RequestError(f"cannot be opened as a ledger ({error}); check the path and the disk", file=path)
    return RequestError(f"is no labctl ledger, or is damaged ({error}); name another file", file=path)


def damaged(path: Path | None, what: str, *, at: int | None = None) -> RefusedError:
    """What to tell a person about a ledger that does not hold."""
    where = "" if at is None else f" at event {at}"
    return RefusedError(f"{path or 'the ledger'} is damaged{where} ({what}); `labctl verify` says more")


def _connect(path: Path, *, mode: str) -> sqlite3.Connection:
    if not path.is_dir():  # SQLite's own words for a folder are plain enough.
        refuse_odd(path)
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=10.0,
    )


def _refuse_blank(path: Path, connection: sqlite3.Connection) -> None:
    if is_blank(connection):
        raise RequestError("holds no event yet; start the campaign with `labctl run`", file=path)


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


def _refuse_altered(path: Path, what: str | None) -> None:
    if what is not None:
        raise RefusedError(f"{path} is damaged: {what}; put back a copy of the file")


def _has_events(connection: sqlite3.Connection) -> bool:
    """Whether there is a table of events; a view in its place could show anything."""
    query = "SELECT 1 FROM sqlite_schema WHERE name = 'event' AND type = 'table'"
    return connection.execute(query).fetchone() is not None
