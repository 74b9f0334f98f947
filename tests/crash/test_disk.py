"""A disk that is full or fails at any write, and a write-ahead log that was cut off anywhere."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from crash_bench import acts, faults, told, unfinished

from labctl.ledger import Ledger

Die = Callable[..., bool]
EVERY = os.environ.get("LABCTL_ALL_WRITES") == "1"
EXPERIMENTS = 3
PAGE = 4096
WRITER = """
import sys
from pathlib import Path
from labctl.ledger import Ledger
path = Path(sys.argv[1])
ledger = Ledger.write(path)
for n in range(40):
    kind = ("campaign", "proposal", "intent", "outcome")[n % 4]
    event = ledger.append(kind, {"n": n, "text": "x" * (37 * n % 700)}, experiment=f"e{n:04d}", attempt=0)
    print(event.seq, event.hash, Path(f"{path}-wal").stat().st_size, flush=True)
import os
os.kill(os.getpid(), 9)
"""


def test_a_log_cut_at_every_512_bytes_opens_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "whole" / "ledger.sqlite"
    ended = subprocess.run(
        [sys.executable, "-c", WRITER, str(path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == -9, ended.stderr
    said = [line.split() for line in ended.stdout.splitlines()]
    acknowledged = [(int(seq), digest, int(size)) for seq, digest, size in said]
    assert len(acknowledged) == 40
    log = path.with_name(f"{path.name}-wal").read_bytes()
    # Everything is still in the log, so that every cut is one through all that was ever written.
    assert path.stat().st_size <= PAGE
    assert acknowledged[-1][2] == len(log)
    for size in range(0, len(log) + 512, 512):
        copy = tmp_path / "cut" / "ledger.sqlite"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        copy.with_name(f"{copy.name}-wal").write_bytes(log[:size])
        with Ledger.write(copy) as ledger:
            assert ledger.verify().events == len(ledger)
            events = list(ledger.events())
            assert [e.hash for e in events] == [digest for _, digest, _ in acknowledged[: len(events)]]
            kept = sum(end <= size for _, _, end in acknowledged)
            assert len(events) >= kept, f"cut at {size}: event {kept} was acknowledged"
            ledger.append("note", {"after": "the cut"})
            assert ledger.verify().events == len(events) + 1
        shutil.rmtree(copy.parent)


def sweep(folder: Path, die: Die, key: str, amounts: list[int]) -> int:
    """Run a campaign with each amount of room; gives how often it was not enough."""
    refused = 0
    for amount in amounts:
        place = folder / f"{amount}"
        die(place, "askable", experiments=EXPERIMENTS, **{key: amount})
        # No act without a committed intent, and whatever was committed is there.
        assert faults(place) == [], f"{key} {amount}"
        before, state = told(place)
        refused += len(state) < EXPERIMENTS or bool(state.pending)
        done = acts(place)
        assert not die(place, "askable", experiments=EXPERIMENTS)
        assert faults(place, before) == []
        assert unfinished(place, EXPERIMENTS) == []
        assert done.items() <= acts(place).items()
        shutil.rmtree(place)
    return refused


@pytest.mark.timeout(1200)
def test_a_write_that_fails_anywhere_starts_nothing_unwritten(tmp_path: Path, die: Die) -> None:
    whole = tmp_path / "whole"
    die(whole, "askable", experiments=EXPERIMENTS, point="after outcome", times=EXPERIMENTS)
    largest = (whole / "ledger.sqlite-wal").stat().st_size
    # Every page of the log with its header, and odd places between; a few of them unless all are asked for.
    step = (PAGE + 24) // 2 if EVERY else largest // 12
    amounts = [300, 5000, *range(7000, largest + 1, step)]
    refused = sweep(tmp_path, die, "file_size", amounts)
    assert refused >= len(amounts) - 2


def test_a_ledger_that_may_not_grow_starts_nothing_unwritten(tmp_path: Path, die: Die) -> None:
    whole = tmp_path / "whole"
    die(whole, "askable", experiments=EXPERIMENTS)
    with sqlite3.connect(whole / "ledger.sqlite") as file:
        (pages,) = file.execute("PRAGMA page_count").fetchone()
    file.close()
    amounts = list(range(3, pages))
    assert sweep(tmp_path, die, "pages", amounts if EVERY else amounts[:4]) > 0
