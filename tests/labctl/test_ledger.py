"""The record itself: one writer, any number of readers, and no way to change what was written."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from labctl.errors import BusyError, RefusedError, RequestError
from labctl.ledger import GENESIS, Entry, Event, Ledger
from labctl.ledger_file import FORMAT

HOLDER = """
import sys, time
from pathlib import Path
from labctl.ledger import Ledger
with Ledger.write(Path(sys.argv[1])) as ledger:
    ledger.append("campaign", {"from": "the holder"})
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lab" / "ledger.sqlite"


def fill(ledger: Ledger) -> list[Event]:
    return [
        ledger.append("campaign", {"config": {"größe": 1.5}, "b": [1, 2]}),
        ledger.append("proposal", {"x": 1e-3}, experiment="e0001", attempt=0),
        ledger.append("intent", {"key": "k"}, experiment="e0001", attempt=1),
        ledger.append("outcome", {"y": 0.1 + 0.2}, experiment="e0001", attempt=1),
    ]


def test_what_is_appended_is_read_back_in_order_and_verifies(path: Path) -> None:
    with Ledger.write(path) as ledger:
        written = fill(ledger)
        assert len(ledger) == 4
        assert ledger.head == written[-1].hash
    with Ledger.read(path) as again:
        assert list(again.events()) == written
        assert list(again.events(after=2)) == written[2:]
        verified = again.verify()
    assert (verified.events, verified.head) == (4, written[-1].hash)
    assert [event.seq for event in written] == [1, 2, 3, 4]
    assert written[0].prev == GENESIS
    assert json.loads(written[3].body) == {"y": 0.30000000000000004}


def test_a_ledger_goes_on_where_it_stopped(path: Path) -> None:
    with Ledger.write(path) as ledger:
        before = fill(ledger)
    with Ledger.write(path) as ledger:
        event = ledger.append("proposal", {}, experiment="e0002", attempt=0)
        assert (event.seq, event.prev) == (5, before[-1].hash)
        assert ledger.verify().events == 5


def test_an_empty_ledger_verifies(path: Path) -> None:
    with Ledger.write(path) as ledger:
        assert (ledger.verify().events, ledger.verify().head) == (0, GENESIS)


def test_a_commit_is_on_the_disk_before_append_returns(path: Path) -> None:
    with Ledger.write(path) as ledger:
        ledger.append("campaign", {})
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("SELECT count(*) FROM event").fetchone() == (1,)
        with Ledger.write(None) as in_memory:
            in_memory.append("campaign", {})
        assert ledger._connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert ledger._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("statement", ["UPDATE event SET body = '{}' WHERE seq = 1", "DELETE FROM event"])
def test_the_file_itself_refuses_changes(path: Path, statement: str) -> None:
    with Ledger.write(path) as ledger:
        fill(ledger)
    with (
        closing(sqlite3.connect(path)) as raw,
        pytest.raises(sqlite3.IntegrityError, match="an event is never"),
    ):
        raw.execute(statement)
    with Ledger.read(path) as ledger:
        assert ledger.verify().events == 4


def test_an_attempt_has_one_outcome(path: Path) -> None:
    with Ledger.write(path) as ledger:
        fill(ledger)
        head = ledger.head
        with pytest.raises(RefusedError, match="e0001: attempt 1 has its outcome already"):
            ledger.append("outcome", {"y": 2}, experiment="e0001", attempt=1)
        assert (len(ledger), ledger.head) == (4, head)
        ledger.append("outcome", {"y": 2}, experiment="e0001", attempt=2)
        assert ledger.verify().events == 5


def test_a_number_that_json_cannot_hold_is_refused_before_anything_is_written(path: Path) -> None:
    with Ledger.write(path) as ledger:
        with pytest.raises(ValueError, match="JSON"):
            ledger.append("outcome", {"y": float("nan")})
        assert len(ledger) == 0
        ledger.append("campaign", {})
        assert ledger.verify().events == 1


def test_a_reader_cannot_write(path: Path) -> None:
    with Ledger.write(path) as ledger:
        fill(ledger)
    with Ledger.read(path) as reader:
        assert not reader.writable
        with pytest.raises(RefusedError, match="reading only"):
            reader.append("campaign", {})
        with pytest.raises(sqlite3.OperationalError):
            reader._connection.execute("INSERT INTO event VALUES (9,'','','',1,'','','')")


def test_a_second_writer_in_the_same_process_is_busy(path: Path) -> None:
    with Ledger.write(path), pytest.raises(BusyError, match="another controller holds this campaign") as busy:
        Ledger.write(path)
    assert busy.value.exit_code == 3
    with Ledger.write(path) as ledger:
        assert ledger.writable


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "held"
        yield process
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def test_another_process_is_busy_until_it_is_killed(path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(BusyError):
        Ledger.write(path)
    with Ledger.read(path) as reader:
        assert reader.verify().events == 1
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with Ledger.write(path) as ledger:
        ledger.append("change", {})
        assert ledger.verify().events == 2


def test_a_reader_sees_whole_events_while_they_are_written(path: Path) -> None:
    with Ledger.write(path) as ledger:
        ledger.append("campaign", {})
        seen: list[int] = []
        done = threading.Event()

        def look() -> None:
            while not done.is_set():
                with Ledger.read(path) as reader:
                    seen.append(reader.verify().events)

        thread = threading.Thread(target=look)
        thread.start()
        for number in range(60):
            ledger.append("proposal", {"n": number}, experiment=f"e{number:04d}", attempt=0)
        done.set()
        thread.join()
    assert seen == sorted(seen)
    assert seen[0] >= 1


def make_text(path: Path) -> None:
    path.write_text("campaign: no ledger\n" * 50)


def make_other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (x)")
        other.commit()


def make_folder(path: Path) -> None:
    path.mkdir()


def make_truncated(path: Path) -> None:
    with Ledger.write(path) as ledger:
        for number in range(200):
            ledger.append("proposal", {"n": "x" * 200}, experiment=f"e{number}", attempt=0)
    os.truncate(path, path.stat().st_size // 2)


def make_newer_format(path: Path) -> None:
    with Ledger.write(path) as ledger:
        fill(ledger)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA user_version={FORMAT + 1}")


STRANGERS = {
    make_text: "is no labctl ledger",
    make_other_database: "is a SQLite file, but no labctl ledger",
    make_folder: "cannot be opened",
    make_truncated: "damaged",
    make_newer_format: f"ledger of format {FORMAT + 1}",
}


@pytest.mark.parametrize("make", STRANGERS)
@pytest.mark.parametrize("way", ["read", "write"])
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path, make: object, way: str) -> None:
    path = tmp_path / "ledger.sqlite"
    assert callable(make)
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(RequestError, match=STRANGERS[make]) as wrong:
        (Ledger.read if way == "read" else Ledger.write)(path)
    assert str(path) in str(wrong.value)
    assert wrong.value.exit_code == 2
    assert (path.read_bytes() if path.is_file() else None) == before


def test_reading_what_is_not_there_makes_nothing(path: Path) -> None:
    with pytest.raises(RequestError, match="no ledger here yet"):
        Ledger.read(path)
    assert not path.parent.exists()


def test_a_ledger_whose_maker_died_at_once_can_be_begun(tmp_path: Path) -> None:
    empty, blank = tmp_path / "empty.sqlite", tmp_path / "blank.sqlite"
    empty.touch()
    with closing(sqlite3.connect(blank)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
    assert blank.stat().st_size > 0
    for path in (empty, blank):
        with Ledger.write(path) as ledger:
            ledger.append("campaign", {})
        with Ledger.read(path) as reader:
            assert reader.verify().events == 1


def test_a_name_with_odd_characters_is_still_a_file(tmp_path: Path) -> None:
    path = tmp_path / "50% für #1?mode=rw" / "ledger.sqlite"
    with Ledger.write(path) as ledger:
        fill(ledger)
    with Ledger.read(path) as reader:
        assert reader.verify().events == 4


def test_a_full_disk_is_said_in_one_sentence(path: Path) -> None:
    with Ledger.write(path) as ledger:
        ledger.append("campaign", {})
        pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
        ledger._connection.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(RefusedError, match=r"cannot be written .*disk is full"):
            ledger.append("proposal", {"much": "x" * 100_000}, experiment="e0001", attempt=0)
        assert len(ledger) == 1
        assert ledger.verify().events == 1


def test_events_are_appended_together_or_not_at_all(path: Path) -> None:
    with Ledger.write(path) as ledger:
        fill(ledger)
        decision = Entry("decision", {"verdict": "approved"}, "e0001", 0)
        with pytest.raises(RefusedError, match="e0001: attempt 1 has its outcome already"):
            ledger.append_all([decision, Entry("outcome", {}, "e0001", 1)])
        with pytest.raises(RequestError, match="half a character"):
            ledger.append_all([decision, Entry("outcome", {"message": "a\ud800b"}, "e0001", 2)])
        assert (len(ledger), ledger.verify().events) == (4, 4)
        written = ledger.append_all([decision, Entry("outcome", {}, "e0001", 2)])
        assert [event.seq for event in written] == [5, 6]
        assert ledger.verify().events == 6


SPOILT = {
    "DROP TABLE event": "its table of events is gone",
    "ALTER TABLE event RENAME TO other; CREATE VIEW event AS SELECT * FROM other": "table of events is gone",
    "DROP TRIGGER event_is_never_removed; DELETE FROM event": "it holds no event",
    "DROP TRIGGER event_is_never_changed": "guards its events against changes is gone",
    "CREATE TABLE more(x)": "that labctl did not make",
    "INSERT INTO event VALUES (-5, 't', 'note', NULL, NULL, '{}', 'x', 'y')": r"event -5 \(note\)",
    "INSERT INTO event VALUES (0, 't', 'note', NULL, NULL, '{}', 'x', 'y')": r"event 0 \(note\)",
}


@pytest.mark.parametrize("statements", SPOILT)
def test_a_spoilt_table_is_found_and_never_begun_anew(path: Path, statements: str) -> None:
    with Ledger.write(path) as ledger:
        fill(ledger)
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(statements)
        before = list(raw.execute("SELECT sql FROM sqlite_schema"))
    with pytest.raises(RefusedError, match=SPOILT[statements]), Ledger.read(path) as reader:
        reader.verify()
    with pytest.raises(RefusedError, match="damaged"), Ledger.write(path) as writer:
        writer.append("campaign", {})
    with closing(sqlite3.connect(path)) as raw:
        assert list(raw.execute("SELECT sql FROM sqlite_schema")) == before


def test_a_link_that_leads_to_itself_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").symlink_to("ledger.sqlite")
    for way in (Ledger.read, Ledger.write):
        with pytest.raises(RequestError, match=r"ledger\.sqlite: "):
            way(tmp_path / "ledger.sqlite")


def test_a_pipe_is_no_ledger(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ledger.sqlite")
    for way in (Ledger.read, Ledger.write):
        with pytest.raises(RequestError, match="pipe or a device"):
            way(tmp_path / "ledger.sqlite")
