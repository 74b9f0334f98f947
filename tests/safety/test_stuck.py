"""Every wait has an end: what hangs is left behind, is suspect, and holds its lane and no other."""

import asyncio
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from bluesky import plan_stubs as bps

from labctl_drivers.engine import Lane, LaneError
from labctl_drivers.patience import Patience
from labctl_drivers.protocol import FailureKind

Furnace: TypeAlias = Any
Plan: TypeAlias = Any

K = FailureKind
SOON = 5.0


def hang() -> None:
    time.sleep(3600)


def running(furnace: Furnace) -> None:
    while not furnace.heater.told:
        time.sleep(0.005)


def test_a_device_that_never_ends_is_suspect_and_holds_its_lane(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)
    furnace.heater.stuck = True
    lane.time_limit_s = 0.3
    finished = lane.run(furnace, lab.attempt())
    assert finished.failure.kind is K.INSTRUMENT_FAULT
    assert finished.suspect == "heater did not end within 0.5 s of being stopped"
    assert finished.failure.message == (
        "timed out after 0.3 s, the time limit of lane test; and "
        "heater did not end within 0.5 s of being stopped"
    )
    assert furnace.made_safe
    assert finished.seconds < SOON
    assert lane.held == finished.suspect
    again = lane.run(furnace, lab.attempt("k2"))
    assert (again.failure.kind, again.failure.stage, again.suspect) == (K.ABORTED, "lane", finished.suspect)
    assert "\n" not in again.failure.message
    assert len(furnace.started) == 1
    # Once a person has looked, and has put it right.
    furnace.heater.stuck = False
    lane.release()
    lane.time_limit_s = 20.0
    assert lane.run(furnace, lab.attempt("k3")).reading == lab.read


def test_a_device_that_ends_when_it_is_stopped_is_not_suspect(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)
    furnace.heater.seconds = 60.0
    lane.time_limit_s = 0.3
    finished = lane.run(furnace, lab.attempt())
    assert (finished.failure.kind, finished.suspect, lane.held) == (K.INSTRUMENT_FAULT, None, None)


def test_a_device_that_dies_and_returns_costs_one_attempt(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)
    furnace.heater.gone = ConnectionError("no route to the furnace")
    finished = lane.run(furnace, lab.attempt())
    assert finished.failure.kind is K.INSTRUMENT_FAULT
    assert finished.failure.message == "heater: ConnectionError: no route to the furnace"
    assert finished.suspect is None
    furnace.heater.gone = None
    assert lane.run(furnace, lab.attempt("k2")).reading == lab.read


def test_a_stop_that_hangs_makes_the_instrument_suspect(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)
    furnace.heater.gone = ConnectionError("no route to the furnace")
    furnace.on_stop = hang
    finished = lane.run(furnace, lab.attempt())
    assert finished.suspect == "furnace could not be stopped: its stop did not return within 0.5 s"
    assert finished.failure.message.endswith(finished.suspect)
    assert finished.seconds < SOON
    assert lane.run(furnace, lab.attempt("k2")).suspect == finished.suspect


def test_a_stop_that_raises_after_an_interlock_is_suspect_too(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    def welded() -> None:
        raise RuntimeError("relay welded")

    lane.connect(furnace)
    furnace.heater.seconds = 60.0
    furnace.on_stop = welded
    future = lane.submit(furnace, lab.attempt())
    running(furnace)
    furnace.open_door()
    finished = future.result(SOON)
    assert finished.failure.kind is K.ABORTED
    assert finished.interlock == "door: it is open"
    assert finished.suspect == "furnace could not be stopped: RuntimeError: relay welded"


def blocking(free: threading.Event, begun: threading.Event | None = None) -> Callable[..., Plan]:
    def start(_: object) -> Plan:
        yield from bps.null()
        if begun is not None:
            begun.set()
        free.wait(60)  # what no plan may do: nothing else on the lane's loop gets a turn

    return start


def test_a_plan_that_never_lets_go_is_left_behind(lane: Lane, furnace: Furnace, lab: SimpleNamespace) -> None:
    lane.connect(furnace)
    free = threading.Event()
    furnace.start = blocking(free)
    lane.time_limit_s = 0.2
    finished = lane.run(furnace, lab.attempt())
    assert finished.failure.kind is K.INSTRUMENT_FAULT
    assert finished.failure.message.startswith("timed out after 0.2 s")
    assert finished.suspect == "furnace did not end within 0.5 s"
    assert finished.seconds < SOON
    with pytest.raises(LaneError, match="its last attempt still goes on; close it and open a new one"):
        lane.release()
    assert lane.run(furnace, lab.attempt("k2")).suspect == finished.suspect
    free.set()
    deadline = time.monotonic() + SOON
    while lane.held and time.monotonic() < deadline:
        time.sleep(0.05)
        try:
            lane.release()
        except LaneError:
            continue
    del furnace.start
    lane.time_limit_s = 20.0
    assert lane.run(furnace, lab.attempt("k3")).reading == lab.read


def test_an_engine_that_hangs_behind_a_measured_sample_keeps_the_reading(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(_: object, *, success: bool) -> None:  # which Bluesky calls at the end of every run
        assert success
        await asyncio.sleep(3600)

    lane.connect(furnace)
    monkeypatch.setattr(type(furnace.heater), "stop", stop, raising=False)
    finished = lane.run(furnace, lab.attempt())
    assert finished.reading == lab.read
    assert finished.suspect == lane.held == "furnace did not end within 0.5 s"
    assert furnace.made_safe
    assert finished.seconds < SOON


def test_an_abort_of_a_plan_that_never_lets_go_comes_back(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    lane.connect(furnace)
    free, begun = threading.Event(), threading.Event()
    furnace.start = blocking(free, begun)
    future = lane.submit(furnace, lab.attempt())
    assert begun.wait(SOON)
    clock = time.monotonic()
    while not lane.abort("the operator's stop"):
        time.sleep(0.005)
    assert time.monotonic() - clock < SOON
    finished = future.result(SOON)
    assert (finished.failure.kind, finished.suspect) == (K.ABORTED, "furnace did not end within 0.5 s")
    # Nobody's output is kept from standard output for as long as the plan hangs.
    print("still here")  # noqa: T201 - what the test is about
    assert capsys.readouterr().out == "still here\n"
    free.set()


def test_one_lane_that_hangs_leaves_another_alone(furnace: Furnace, lab: SimpleNamespace) -> None:
    patience = Patience(stop_s=0.5, end_s=0.5)
    with (
        Lane("a", patience=patience, time_limit_s=0.3) as one,
        Lane("b", beside=one, patience=patience) as two,
    ):
        other = lab.furnace()
        one.connect(furnace)
        two.connect(other)
        furnace.heater.stuck, furnace.on_stop = True, hang
        stuck = one.submit(furnace, lab.attempt())
        readings = [two.run(other, lab.attempt(f"k{n}")).reading for n in range(3)]
        assert stuck.result(SOON).suspect
        assert two.run(other, lab.attempt("k4")).reading == lab.read
        assert readings == [lab.read] * 3
        assert (bool(one.held), two.held) == (True, None)


def test_a_connect_that_hangs_is_told_and_leaves_other_lanes_alone(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    free = threading.Event()
    furnace.on_connect = lambda: free.wait(60)
    with pytest.raises(LaneError, match=r"cannot connect furnace: its connect did not return within 0\.5 s"):
        lane.connect(furnace)
    with pytest.raises(LaneError, match="connect furnace before its first attempt"):
        lane.submit(furnace, lab.attempt())
    other = lab.furnace()
    lane.connect(other)
    assert lane.run(other, lab.attempt()).reading == lab.read
    free.set()
    lane.connect(furnace)
    assert lane.run(furnace, lab.attempt("k2")).reading == lab.read


def test_a_guard_that_hangs_or_breaks_lets_nothing_through(furnace: Furnace, lab: SimpleNamespace) -> None:
    def broken(*_: object) -> str | None:
        raise KeyError("limits")

    for guard, said in (
        (lambda *_: hang(), "the check of the lab's limits did not return within 0.3 s"),
        (broken, "KeyError: 'limits'"),
    ):
        with Lane("test", guard=guard, patience=Patience(answer_s=0.3)) as lane:
            lane.connect(furnace)
            finished = lane.run(furnace, lab.attempt())
            assert (finished.failure.kind, finished.failure.stage) == (K.ABORTED, "guard")
            assert finished.failure.message == f"not started: the lab's limits could not be checked: {said}"
            assert lane.held is None
    assert (furnace.started, furnace.made_safe) == ([], [])


def test_attempts_that_wait_can_be_aborted_with_the_one_that_runs(
    lane: Lane, furnace: Furnace, lab: SimpleNamespace
) -> None:
    lane.connect(furnace)
    furnace.heater.seconds = 30.0
    futures = [lane.submit(furnace, lab.attempt(f"k{n}")) for n in range(3)]
    running(furnace)
    assert lane.abort("the operator went home", waiting=True)
    first, *others = [future.result(SOON) for future in futures]
    assert (first.failure.kind, first.failure.message) == (K.ABORTED, "the operator went home")
    for finished in others:
        assert (finished.failure.kind, finished.failure.stage) == (K.ABORTED, "queue")
        assert (finished.failure.message, finished.run_uid) == ("the operator went home", None)
    assert len(furnace.started) == 1
    furnace.heater.seconds = 0.0
    assert lane.run(furnace, lab.attempt("afterwards")).reading == lab.read


def test_closing_a_lane_does_not_wait_for_ever(furnace: Furnace, lab: SimpleNamespace) -> None:
    lane = Lane("test", patience=Patience(stop_s=0.3, end_s=0.3))
    lane.connect(furnace)
    furnace.heater.stuck, furnace.on_stop = True, hang
    future = lane.submit(furnace, lab.attempt())
    running(furnace)
    clock = time.monotonic()
    lane.close()
    assert time.monotonic() - clock < SOON
    assert future.result(0).failure.message.startswith("the lane was closed")
