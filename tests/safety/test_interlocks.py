"""An interlock brings the instrument into its safe state within a second, at every step of the plan."""

import statistics
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

from labctl_drivers.engine import Lane
from labctl_drivers.protocol import ExperimentFailed, FailureKind

Furnace: TypeAlias = Any
Look: TypeAlias = Callable[[], object]
Plan: TypeAlias = Any

K = FailureKind
SECOND = 1.0
# Some of many may meet a moment in which other programs keep the machine busy.
BUSY = 5.0


def messages_of(lane: Lane, furnace: Furnace, lab: SimpleNamespace) -> list[str]:
    seen: list[str] = []
    lane.engine.msg_hook = lambda message: seen.append(message.command)
    assert lane.run(furnace, lab.attempt("count")).reading == lab.read
    return seen


def test_a_door_that_opens_at_any_message_of_the_plan_makes_the_furnace_safe(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)
    commands = messages_of(lane, furnace, lab)
    assert {"open_run", "checkpoint", "set", "wait", "sleep", "trigger", "save", "close_run"} <= set(commands)
    furnace.heater.seconds = 0.25
    ended, delays = [], []
    for step, command in enumerate(commands):
        left = [step]

        def open_at_step(_message: object, left: list[int] = left) -> None:
            if left[0] == 0:
                furnace.open_door()
            left[0] -= 1

        lane.engine.msg_hook = open_at_step
        furnace.door, furnace.made_safe, before = None, [], len(furnace.started)
        finished = lane.run(furnace, lab.attempt(f"step {step}"))
        assert furnace.made_safe, (step, command)
        delays.append(furnace.made_safe[0] - furnace.tripped_at)
        assert delays[-1] < BUSY, (step, command)
        assert not furnace.hot
        if finished.failure is None:
            # It came too late to break off what was measured; it holds the lane all the same.
            assert command in {"close_run", "create", "read", "save", "sleep"}, (step, command)
        else:
            assert finished.failure.kind is K.ABORTED, (step, command)
            assert finished.interlock == "door: it is open"
            assert finished.failure.message == "interlock door: it is open"
        ended.append(finished.failure is not None)
        assert finished.suspect is None
        # Nothing begins again by itself, not even with the door shut.
        furnace.door, begun = None, len(furnace.started)
        again = lane.run(furnace, lab.attempt(f"after {step}"))
        assert (again.failure.kind, again.interlock) == (K.ABORTED, "door: it is open")
        assert again.failure.message.startswith("not started: lane test holds until a person has looked")
        assert len(furnace.started) == begun <= before + 1
        lane.release()
        assert lane.held is None
    assert sum(ended) >= len(ended) - 3
    assert statistics.median(delays) < SECOND
    lane.engine.msg_hook = None
    furnace.heater.seconds = 0.0
    assert lane.run(furnace, lab.attempt("last")).reading == lab.read


def test_an_open_door_keeps_an_attempt_from_starting(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)
    furnace.open_door()
    finished = lane.run(furnace, lab.attempt())
    assert (finished.failure.kind, finished.failure.stage) == (K.ABORTED, "interlock")
    assert finished.interlock == "door: it is open"
    assert finished.run_uid is not None
    assert furnace.started == []
    assert furnace.made_safe


def raising() -> None:
    raise OSError("no answer from the PLC")


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (raising, "door: it cannot be read: OSError: no answer from the PLC"),
        (lambda: time.sleep(3600), "door: its look did not return within 0.4 s"),
        (lambda: "", "door: it tripped without saying why"),
        (lambda: False, "door: it says False"),
        (lambda: "two\n lines", "door: two lines"),
    ],
    ids=["raises", "hangs", "silent", "no text", "two lines"],
)
def test_whatever_a_look_gives_but_none_counts_as_tripped(
    look: Look,
    said: str,
    lane: Lane,
    furnace: Furnace,
    lab: SimpleNamespace,
) -> None:
    lane.connect(furnace)
    furnace.heater.seconds = 0.2
    begun = threading.Event()

    def later() -> object:
        if not furnace.started:
            return None
        begun.set()
        return look()

    furnace.on_look = later
    finished = lane.run(furnace, lab.attempt())
    assert begun.is_set()
    assert (finished.failure.kind, finished.interlock) == (K.ABORTED, said)
    assert not furnace.hot
    assert finished.seconds < 5


def test_interlocks_that_cannot_be_named_count_as_tripped(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)
    furnace.interlocks = lambda: 5
    finished = lane.run(furnace, lab.attempt())
    assert finished.interlock.startswith("interlocks: it cannot be read: TypeError")
    assert furnace.started == []


def test_an_instrument_that_notices_its_open_door_first_is_aborted_too(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)

    def start(_: object) -> Plan:
        furnace.open_door()
        raise RuntimeError("heater contactor dropped out")
        yield

    furnace.start = start
    finished = lane.run(furnace, lab.attempt())
    assert (finished.failure.kind, finished.interlock) == (K.ABORTED, "door: it is open")
    assert (
        finished.failure.message == "interlock door: it is open; RuntimeError: heater contactor dropped out"
    )


def test_what_the_driver_itself_ended_stays_what_it_was(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)

    def start(_: object) -> Plan:
        furnace.open_door()
        raise ExperimentFailed(K.UNKNOWN, "started before", stage="process")
        yield

    furnace.start = start
    finished = lane.run(furnace, lab.attempt())
    assert (finished.failure.kind, finished.interlock) == (K.UNKNOWN, "door: it is open")
    assert lane.held == "interlock door: it is open"


def test_the_safe_state_does_not_wait_for_a_plan_that_hangs(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)
    free = threading.Event()

    def start(_: object) -> Plan:
        furnace.hot = True
        furnace.open_door()
        free.wait(30)  # what no plan may do: nothing else on the lane's loop gets a turn
        return lab.read
        yield

    furnace.start = start
    furnace.heater.halt = lambda: None
    finished = lane.run(furnace, lab.attempt())
    assert furnace.made_safe[0] - furnace.tripped_at < BUSY
    assert not furnace.hot
    assert (finished.failure.kind, finished.interlock) == (K.ABORTED, "door: it is open")
    assert finished.suspect == "furnace did not end within 0.5 s"
    free.set()


def test_queued_attempts_do_not_begin_after_an_interlock(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)
    furnace.heater.seconds = 0.3
    running, *queued = [lane.submit(furnace, lab.attempt(f"k{n}")) for n in range(4)]
    while not furnace.started:
        time.sleep(0.005)
    furnace.open_door()
    assert running.result(20).interlock == "door: it is open"
    furnace.door = None
    for future in queued:
        finished = future.result(20)
        assert (finished.failure.kind, finished.failure.stage) == (K.ABORTED, "lane")
        assert finished.interlock == "door: it is open"
    assert len(furnace.started) == 1
