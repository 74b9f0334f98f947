"""Any byte of a ledger flipped: it is found, or it was no part of what the ledger says."""

import json
import os
import random
import re
from pathlib import Path

import pytest

from labctl.errors import LabctlError
from labctl.ledger import Event, Ledger

EVERY = os.environ.get("LABCTL_ALL_BYTES") == "1"
SOME = 300


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Event]]:
    path = tmp_path_factory.mktemp("whole") / "ledger.sqlite"
    with Ledger.write(path) as ledger:
        for n in range(12):
            body = {"n": n, "text": f"event number {n} " * 4}
            ledger.append("proposal", body, experiment=f"e{n + 1:04d}", attempt=0)
        events = list(ledger.events())
        # All of it in the one file.
        ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not path.with_name(f"{path.name}-wal").exists()
    return path.read_bytes(), events


def verdict(path: Path, content: bytes) -> tuple[str | None, list[Event]]:
    """What verify says of a file with this content, and its events where it says that all is well."""
    path.write_bytes(content)
    for beside in ("-wal", "-shm"):
        path.with_name(f"{path.name}{beside}").unlink(missing_ok=True)
    try:
        with Ledger.read(path) as ledger:
            ledger.verify()
            return None, list(ledger.events())
    except LabctlError as error:
        return str(error), []


def flipped(content: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed)


@pytest.mark.timeout(3600 if EVERY else 180)
def test_a_flipped_byte_is_found_or_says_nothing(whole: tuple[bytes, list[Event]], tmp_path: Path) -> None:
    content, events = whole
    draw = random.Random(3)  # noqa: S311 - not for secrets
    places = range(len(content)) if EVERY else sorted(draw.sample(range(len(content)), SOME))
    found = 0
    for place in places:
        said, still = verdict(tmp_path / "ledger.sqlite", flipped(content, place, draw.randrange(8)))
        if said is None:
            # Room that is not used, or a counter of SQLite's own: not one letter of the record is another.
            assert still == events, f"byte {place} changed the record, and nobody noticed"
        else:
            found += 1
            assert "Traceback" not in said
            assert "ledger.sqlite" in said
    assert found > 0


def test_a_flipped_byte_of_an_event_is_named_by_its_event(
    whole: tuple[bytes, list[Event]], tmp_path: Path
) -> None:
    content, events = whole
    draw = random.Random(4)  # noqa: S311 - not for secrets
    tried = 0
    for event in events:
        for text in (event.body, event.time, event.hash):
            begins = content.find(text.encode())
            assert begins >= 0
            places = range(begins, begins + len(text)) if EVERY else [begins + draw.randrange(len(text))]
            for place in places:
                said, _ = verdict(tmp_path / "ledger.sqlite", flipped(content, place, draw.randrange(7)))
                assert said is not None, f"byte {place} of event {event.seq} changed, and nobody noticed"
                named = re.search(r"event (\d+)", said)
                assert named is not None, said
                # The same time stands in one event only here; a hash stands in the event after it as well.
                assert int(named[1]) in (event.seq, event.seq + 1), said
                tried += 1
    assert tried >= 3 * len(events)
    assert json.loads(events[0].body)["n"] == 0
