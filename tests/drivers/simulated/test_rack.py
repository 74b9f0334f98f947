"""A crucible is used once, whoever asks for it, and however often its owner dies."""

import multiprocessing
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.memory import knows
from labctl_drivers.protocol import FailureKind
from labctl_drivers.simulated.rack import Rack, RackEmptyError, Taken

SLOTS = 3
STEPS = st.lists(st.sampled_from(["k1", "k2", "k3", "k4", "k5", "refill", "reopen"]), max_size=20)


@settings(deadline=None, max_examples=60)
@given(STEPS)
def test_no_slot_twice_no_key_twice_and_never_less_than_none(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("rack")
    racks = [Rack(folder, SLOTS), Rack(folder, SLOTS)]
    given_out: dict[str, Taken] = {}
    left = SLOTS
    for turn, step in enumerate(steps):
        rack = racks[turn % 2]
        if step == "refill":
            assert rack.refill() == SLOTS
            left = SLOTS
        elif step == "reopen":
            rack.close()
            racks[turn % 2] = rack = Rack(folder, SLOTS)
        elif step in given_out:
            assert rack.take(step) == given_out[step]
        elif left == 0:
            with pytest.raises(RackEmptyError):
                rack.take(step)
        else:
            given_out[step] = rack.take(step)
            left -= 1
        assert [one.left() for one in racks] == [left, left]
        places = [(taken.load, taken.slot) for taken in given_out.values()]
        assert len(set(places)) == len(places)
        assert all(1 <= slot <= SLOTS for _, slot in places)
    assert sorted(taken.number for taken in given_out.values()) == list(range(1, len(given_out) + 1))
    for rack in racks:
        rack.close()
        rack.close()


def test_an_empty_rack_is_a_plain_fault_that_names_the_remedy() -> None:
    rack = Rack(None, 1)
    rack.take("k1")
    with pytest.raises(RackEmptyError, match=r"all 1 crucibles.*labctl sim refill") as caught:
        rack.take("k2")
    assert (caught.value.kind, caught.value.stage) == (FailureKind.INSTRUMENT_FAULT, "check")
    rack.refill()
    assert rack.take("k2") == Taken(2, 2, 1)


def take_many(folder: str, process: int, count: int) -> list[tuple[int, int]]:
    rack = Rack(Path(folder), 60)
    taken = [rack.take(f"p{process}-{number}") for number in range(count)]
    rack.close()
    return [(one.load, one.slot) for one in taken]


def test_processes_that_take_at_once_are_given_different_crucibles(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        lists = pool.starmap(take_many, [(str(tmp_path), process, 20) for process in range(3)])
    places = [place for one in lists for place in one]
    assert sorted(places) == [(1, slot) for slot in range(1, 61)]


def test_what_was_taken_survives_a_kill(tmp_path: Path) -> None:
    script = """
        import pathlib, sys
        from labctl_drivers.simulated.rack import Rack
        print(Rack(pathlib.Path(sys.argv[1]), 5).take("k1").slot, flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGKILL)
    rack = Rack(tmp_path, 5)
    assert rack.left() == 4
    assert (rack.take("k2").slot, rack.take("k1").slot) == (2, 1)
    rack.close()


def test_a_rack_is_not_taken_for_a_memory_of_attempts(tmp_path: Path) -> None:
    Rack(tmp_path, 5).take("campaign/e0001/1")
    assert not knows(tmp_path, "campaign")
