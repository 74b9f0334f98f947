"""An instrument remembers what it started, through crashes, other processes and bad readings."""

import contextlib
import math
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.memory import AlreadyStarted, Memory, knows
from labctl_drivers.protocol import Attempt, Bound, ExperimentFailed, FailureKind, Reading

Attempts: TypeAlias = Callable[..., Attempt]

READING = Reading({"y": 2.5}, {"y": "nm"}, actual={"x": 1.01, "dye": "red"}, raw={"trace": [1, None, "a"]})


@pytest.fixture(params=["on disk", "in memory"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path / "deep" if request.param == "on disk" else None, "toy")
    yield memory
    memory.close()


def same(one: ExperimentFailed, two: ExperimentFailed) -> bool:
    return (one.kind, one.message, one.stage, one.bounds, one.reading) == (
        two.kind,
        two.message,
        two.stage,
        two.bounds,
        two.reading,
    )


def test_an_attempt_goes_from_never_to_started_to_finished(memory: Memory, attempt: Attempts) -> None:
    assert memory.lookup("k1") is None
    memory.started(attempt("k1", {"x": 1.0, "dye": "red"}, x="mm"), {"row": 3})
    known = memory.lookup("k1")
    assert known.attempt == attempt("k1", {"x": 1.0, "dye": "red"}, x="mm")
    assert (known.detail, known.result) == ({"row": 3}, None)
    memory.finished("k1", READING)
    assert memory.lookup("k1").result == READING


def test_a_key_is_started_once(memory: Memory, attempt: Attempts) -> None:
    memory.started(attempt("k1"))
    with pytest.raises(AlreadyStarted, match="k1 was started before") as caught:
        memory.started(attempt("k1", {"x": 9.0}))
    assert caught.value.kind is FailureKind.UNKNOWN
    assert memory.lookup("k1").attempt.recipe == {"x": 1.0}
    assert len(list(memory.all())) == 1


def test_the_first_result_stands_and_none_comes_without_a_start(memory: Memory, attempt: Attempts) -> None:
    with pytest.raises(KeyError, match="never started"):
        memory.finished("k1", READING)
    memory.started(attempt("k1"))
    memory.finished("k1", READING)
    memory.finished("k1", ExperimentFailed(FailureKind.ABORTED, "late", stage="process"))
    assert memory.lookup("k1").result == READING


@given(
    kind=st.sampled_from(FailureKind),
    message=st.text(),
    stage=st.text(),
    low=st.none() | st.floats(allow_nan=False),
    high=st.none() | st.floats(allow_nan=False),
    values=st.none() | st.dictionaries(st.text(), st.floats(allow_nan=False)),
)
@settings(max_examples=50, deadline=None)
def test_every_failure_comes_back_as_it_was(
    *,
    kind: FailureKind,
    message: str,
    stage: str,
    low: float | None,
    high: float | None,
    values: dict[str, float] | None,
) -> None:
    reading = None if values is None else Reading(values, {}, {}, {})
    failure = ExperimentFailed(kind, message, stage=stage, reading=reading, bounds={"y": Bound(low, high)})
    memory = Memory(None, "toy")
    memory.started(Attempt("k", "c", "e", 1, {}, {}))
    memory.finished("k", failure)
    assert same(memory.lookup("k").result, failure)
    memory.close()


def test_a_reading_of_nan_and_read_only_mappings_come_back(memory: Memory, attempt: Attempts) -> None:
    frozen = MappingProxyType({"y": math.nan})
    memory.started(attempt("k1", MappingProxyType({"x": 1.0})))
    memory.finished("k1", Reading(frozen, MappingProxyType({"y": "nm"})))
    assert math.isnan(memory.lookup("k1").result.values["y"])


def test_what_is_on_disk_outlives_the_process_and_keeps_its_order(tmp_path: Path, attempt: Attempts) -> None:
    first = Memory(tmp_path, "toy")
    for number in (3, 1, 2):
        first.started(attempt(f"k{number}"))
    first.finished("k1", READING)
    first.close()
    second = Memory(tmp_path, "toy")
    assert [known.attempt.key for known in second.all()] == ["k3", "k1", "k2"]
    assert [known.result for known in second.all()] == [None, READING, None]
    second.close()


def test_two_processes_cannot_both_start_a_key(tmp_path: Path, attempt: Attempts) -> None:
    one, two = Memory(tmp_path, "toy"), Memory(tmp_path, "toy")
    one.started(attempt("k1"))
    with pytest.raises(AlreadyStarted):
        two.started(attempt("k1"))
    one.close()
    two.close()


def test_a_killed_process_leaves_its_start_behind(tmp_path: Path) -> None:
    script = """
        import os, pathlib, signal, sys
        from labctl_drivers.memory import Memory
        from labctl_drivers.protocol import Attempt
        memory = Memory(pathlib.Path(sys.argv[1]), "toy")
        for number in range(5):
            memory.started(Attempt(f"k{number}", "c", "e", 1, {"x": 1.0}, {}))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    memory = Memory(tmp_path, "toy")
    assert [known.attempt.key for known in memory.all()] == [f"k{number}" for number in range(5)]
    memory.close()


def test_a_power_cut_cannot_take_back_a_start(tmp_path: Path) -> None:
    memory = Memory(tmp_path, "toy")
    assert memory._file.execute("PRAGMA synchronous").fetchone() == (2,)
    assert memory._file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    memory.close()


@pytest.mark.parametrize("name", ["", "../up", "a b", "a/b", "x" * 65])
def test_a_name_that_is_no_file_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot name a file"):
        Memory(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_not_taken_for_an_empty_memory(tmp_path: Path) -> None:
    (tmp_path / "toy.sqlite").write_bytes(b"not a database at all, but long enough to have a header" * 20)
    with pytest.raises(sqlite3.DatabaseError):
        Memory(tmp_path, "toy")


def test_a_folder_tells_whether_a_campaign_was_known(tmp_path: Path, attempt: Attempts) -> None:
    assert not knows(tmp_path / "absent", "")
    memory = Memory(tmp_path, "furnace")
    assert not knows(tmp_path, "")
    key = "anneal/seed-1/e0001/1"
    memory.started(attempt(key))
    memory.close()
    assert knows(tmp_path, "anneal/seed-1/")
    assert not knows(tmp_path, key + "x")
    (tmp_path / "furnace.sqlite").write_bytes(b"no memory" * 99)
    assert not knows(tmp_path, "anneal/seed-1/")


def circle() -> list[Any]:
    around: list[Any] = [1.0]
    around.append(around)
    return around


@pytest.mark.parametrize(
    ("odd", "kept"),
    [
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        ({"one"}, ["one"]),
        (Path("a"), "a"),
        ({(1, 2): 3}, {"(1, 2)": 3}),
        (circle(), [1.0, "…"]),
        (1 + 2j, "(1+2j)"),
        pytest.param(10**5000, "a whole number of 16610 bits", id="huge"),
    ],
)
def test_a_measured_value_is_kept_whatever_stands_beside_it(
    memory: Memory, attempt: Attempts, odd: object, kept: object
) -> None:
    memory.started(attempt("k1", {"x": 1.0}, x="mm"))
    memory.finished("k1", Reading({"y": 2.5, "z": math.inf}, {"y": "nm"}, raw={"odd": odd}))
    known = memory.lookup("k1")
    assert known is not None
    assert known.result == Reading({"y": 2.5, "z": math.inf}, {"y": "nm"}, raw={"odd": kept})
    memory.started(attempt("k2", {"x": 1.0}, x="mm"))
    failure = ExperimentFailed("melted", odd, stage="set", bounds={"y": odd})  # type: ignore[arg-type,dict-item]
    memory.finished("k2", failure)
    known = memory.lookup("k2")
    assert known is not None
    assert isinstance(known.result, ExperimentFailed)
    assert known.result.kind is FailureKind.UNKNOWN


def test_parts_of_a_reading_that_are_none_are_left_out(memory: Memory, attempt: Attempts) -> None:
    memory.started(attempt("k1", {"x": 1.0}, x="mm"))
    memory.finished("k1", Reading({"y": 2.5}, None, actual=None, raw=[1]))  # type: ignore[arg-type]
    known = memory.lookup("k1")
    assert known is not None
    assert known.result == Reading({"y": 2.5}, {}, raw={"raw": [1]})


def test_a_result_that_no_disk_takes_is_kept_until_the_process_ends(
    tmp_path: Path, attempt: Attempts, caplog: pytest.LogCaptureFixture
) -> None:
    memory = Memory(tmp_path, "toy")
    memory.started(attempt("k1", {"x": 1.0}, x="mm"))
    with contextlib.closing(sqlite3.connect(tmp_path / "toy.sqlite")) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON finished BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
        other.commit()
    memory.finished("k1", READING)
    known = memory.lookup("k1")
    assert known is not None
    assert known.result == READING
    assert "could not be written down (disk is full)" in caplog.text
    memory.close()
    again = Memory(tmp_path, "toy").lookup("k1")
    assert again is not None
    assert again.result is None


def test_a_memory_has_an_id_that_lasts_as_long_as_its_file(tmp_path: Path) -> None:
    first = Memory(tmp_path, "toy")
    same_file = Memory(tmp_path, "toy")
    assert first.id is not None
    assert first.id == same_file.id
    first.close()
    same_file.close()
    assert Memory(tmp_path, "toy").id == first.id
    (tmp_path / "toy.sqlite").unlink()
    assert Memory(tmp_path, "toy").id not in (None, first.id)
    assert Memory(None, "toy").id is None
