"""Whatever is done to a ledger behind its back is found, and the first bad event is named."""

import itertools
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl import ledger_file
from labctl.errors import RefusedError
from labctl.ledger import Ledger

EVENTS = 7
COUNTER = itertools.count()


def filled(folder: Path) -> Path:
    path = folder / f"{next(COUNTER)}.sqlite"
    with Ledger.write(path) as ledger:
        ledger.append("campaign", {"seed": 1})
        for number in range(1, EVENTS):
            ledger.append("proposal", {"n": number}, experiment=f"e{number:04d}", attempt=0)
    return path


def tamper(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("DROP TRIGGER event_is_never_changed")
        raw.execute("DROP TRIGGER event_is_never_removed")
        for statement, values in statements:
            raw.execute(statement, values)
        # Whoever tampers covers their tracks; guards that are gone are found by themselves.
        for statement in (ledger_file.NEVER_CHANGED, ledger_file.NEVER_REMOVED):
            raw.execute(statement)


def first_bad(path: Path) -> int:
    with Ledger.read(path) as ledger, pytest.raises(RefusedError) as refused:
        ledger.verify()
    named = re.search(r"event (\d+) \(", str(refused.value))
    assert named is not None
    return int(named[1])


quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(
    seq=st.integers(1, EVENTS),
    column=st.sampled_from(["time", "kind", "experiment", "attempt", "body", "prev", "hash"]),
    text=st.text(min_size=1, max_size=8),
    number=st.integers(5, 2**40),
)
def test_a_changed_field_is_found_at_its_event(
    tmp_path: Path, seq: int, column: str, text: str, number: int
) -> None:
    text = "".join(c for c in text if c.isprintable() and c != "\x00") + "~"
    path = filled(tmp_path)
    value: object = number if column == "attempt" else text
    tamper(path, (f"UPDATE event SET {column} = ? WHERE seq = ?", (value, seq)))  # noqa: S608 - our own names
    assert first_bad(path) == seq


@quick
@given(seq=st.integers(1, EVENTS - 1))
def test_a_missing_event_is_found_at_the_next(tmp_path: Path, seq: int) -> None:
    path = filled(tmp_path)
    tamper(path, ("DELETE FROM event WHERE seq = ?", (seq,)))
    assert first_bad(path) == seq + 1


@quick
@given(seq=st.integers(1, EVENTS - 1))
def test_a_missing_event_is_found_when_the_rest_is_renumbered(tmp_path: Path, seq: int) -> None:
    path = filled(tmp_path)
    move_down = [("UPDATE event SET seq = seq - 1 WHERE seq = ?", (n,)) for n in range(seq + 1, EVENTS + 1)]
    tamper(path, ("DELETE FROM event WHERE seq = ?", (seq,)), *move_down)
    assert first_bad(path) == seq


@quick
@given(pair=st.lists(st.integers(1, EVENTS), min_size=2, max_size=2, unique=True))
def test_swapped_events_are_found_at_the_first_of_them(tmp_path: Path, pair: list[int]) -> None:
    path = filled(tmp_path)
    a, b = pair
    moves = [("UPDATE event SET seq = ? WHERE seq = ?", way) for way in ((99, a), (a, b), (b, 99))]
    tamper(path, *moves)
    assert first_bad(path) == min(a, b)


@quick
@given(seq=st.integers(2, EVENTS))
def test_an_event_slipped_in_is_found(tmp_path: Path, seq: int) -> None:
    path = filled(tmp_path)
    move_up = [("UPDATE event SET seq = seq + 1 WHERE seq = ?", (n,)) for n in range(EVENTS, seq - 1, -1)]
    insert = (
        "INSERT INTO event SELECT ?, time, kind, 'e9999', attempt, body, prev, hash FROM event WHERE seq = ?",
        (seq, seq - 1),
    )
    tamper(path, *move_up, insert)
    assert first_bad(path) == seq


def test_a_forged_event_whose_hash_fits_is_found_at_the_one_after_it(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with Ledger.read(path) as ledger:
        event = list(ledger.events())[2]
    forged = type(event)(*[getattr(event, n) if n != "body" else '{"n":99}' for n in event.__slots__])
    tamper(
        path,
        ("UPDATE event SET body = ?, hash = ? WHERE seq = 3", (forged.body, forged.expected_hash())),
    )
    assert first_bad(path) == 4


def test_removing_the_end_needs_a_head_that_was_noted(tmp_path: Path) -> None:
    """A chain cannot know its own length: that is why commands print the head, and verify takes one."""
    path = filled(tmp_path)
    with Ledger.read(path) as ledger:
        head = ledger.head
    tamper(path, ("DELETE FROM event WHERE seq = ?", (EVENTS,)))
    with Ledger.read(path) as ledger:
        assert ledger.verify().events == EVENTS - 1
        assert head not in [event.hash for event in ledger.events()]


@quick
@given(seq=st.integers(1, EVENTS), column=st.sampled_from(["time", "kind", "body", "prev", "hash"]))
def test_a_changed_event_is_neither_read_nor_written_after(tmp_path: Path, seq: int, column: str) -> None:
    path = filled(tmp_path)
    tamper(path, (f"UPDATE event SET {column} = '{{' WHERE seq = ?", (seq,)))  # noqa: S608 - our own names
    sentence = rf"is damaged at event {seq} \(.*`labctl verify` says more"
    with Ledger.read(path) as ledger, pytest.raises(RefusedError, match=sentence):
        list(ledger.events())
    with Ledger.write(path) as ledger, pytest.raises(RefusedError, match=sentence):
        ledger.append("proposal", {}, experiment="e0099", attempt=0)
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM event").fetchone() == (EVENTS,)
