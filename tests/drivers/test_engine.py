"""A lane is always ready for the next attempt, whatever ended the last one, alone and beside others."""

import math
import random
import threading
import time
from collections.abc import Callable, Generator, Mapping
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from bluesky import plan_stubs as bps
from bluesky.run_engine import get_bluesky_event_loop

from labctl_drivers.engine import Lane, LaneError
from labctl_drivers.protocol import Attempt, FailureKind, Reading

Attempts: TypeAlias = Callable[..., Attempt]
Documents: TypeAlias = Callable[..., list[dict[str, Any]]]
Plan: TypeAlias = Generator[Any, Any, Reading]
Scripts: TypeAlias = Callable[..., Any]

GOOD = Reading({"y": 2.5}, {"y": "nm"})
K = FailureKind


def test_the_time_limit_of_the_lane_breaks_an_attempt_off(
    scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    with Lane("short", time_limit_s=0.1) as lane:
        instrument = scripted(toys.sleeping(60.0))
        finished = toys.carried_out(lane, instrument, attempt())
        assert finished.failure.kind is K.INSTRUMENT_FAULT
        assert finished.failure.message == "timed out after 0.1 s, the time limit of lane short"
        assert 0.1 <= finished.seconds < 30
        assert instrument.stopped == 1
        assert toys.still_works(lane, attempt)


def test_an_abort_from_another_thread_keeps_its_reason(
    *,
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
    capsys: pytest.CaptureFixture[str],
    toys: SimpleNamespace,
) -> None:
    instrument = scripted(toys.sleeping(60.0))
    lane.connect(instrument)
    future = lane.submit(instrument, attempt())
    toys.abort_when_running(lane)
    failure = future.result(timeout=20).failure
    assert (failure.kind, failure.message) == (K.ABORTED, "the door was opened")
    (stop,) = documents("stop")
    assert (stop["exit_status"], stop["reason"]) == ("abort", "aborted: the door was opened")
    assert instrument.stopped == 1
    assert capsys.readouterr().out == ""
    assert toys.still_works(lane, attempt)


def test_only_the_first_of_two_aborts_counts(
    lane: Lane, scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    instrument = scripted(toys.sleeping(60.0))
    lane.connect(instrument)
    future = lane.submit(instrument, attempt())
    toys.abort_when_running(lane, "first")
    lane.abort("second")
    assert future.result(timeout=20).failure.message == "first"


def test_an_abort_spares_what_waits_and_finds_nothing_when_idle(
    lane: Lane, scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    assert lane.abort("nothing runs") is False
    slow, quick = scripted(toys.sleeping(60.0)), scripted(toys.measuring)
    lane.connect(slow)
    lane.connect(quick)
    first, second = lane.submit(slow, attempt("a")), lane.submit(quick, attempt("b"))
    toys.abort_when_running(lane)
    assert first.result(timeout=20).failure.kind is K.ABORTED
    assert second.result(timeout=20).reading == GOOD


def test_an_abort_at_any_moment_leaves_document_and_outcome_in_agreement(
    lane: Lane, scripted: Scripts, attempt: Attempts, documents: Documents
) -> None:
    draw = random.Random(0)  # noqa: S311 - it only picks moments

    def plan(_: Attempt) -> Plan:
        for _step in range(draw.randrange(5)):
            yield from bps.null()
        yield from bps.sleep(draw.uniform(0.0, 0.002))
        return GOOD

    instrument = scripted(plan)
    lane.connect(instrument)
    outcomes = {}
    for number in range(100):
        future = lane.submit(instrument, attempt(f"k{number}"))
        time.sleep(draw.uniform(0.0, 0.008))
        broken_off = lane.abort("now")
        finished = future.result(timeout=20)
        assert (finished.failure is not None) == broken_off
        outcomes[finished.run_uid] = "abort" if broken_off else "success"
    assert {stop["run_start"]: stop["exit_status"] for stop in documents("stop")} == outcomes
    assert len(outcomes) == len(documents("start")) == 100
    assert set(outcomes.values()) == {"abort", "success"}


def test_an_abort_that_a_driver_swallows_is_an_abort_all_the_same(
    lane: Lane, scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    begun = threading.Event()

    def stubborn(_: Attempt) -> Plan:
        begun.set()
        try:
            yield from bps.sleep(60.0)
        except Exception:  # noqa: BLE001 - what a careless driver does
            yield from bps.null()
        return GOOD

    instrument = scripted(stubborn)
    lane.connect(instrument)
    future = lane.submit(instrument, attempt())
    assert begun.wait(10)
    toys.abort_when_running(lane)
    failure = future.result(timeout=20).failure
    assert failure.kind is K.ABORTED
    assert failure.reading == GOOD


@pytest.mark.parametrize("how", ["stop", "halt", "abort", "request_pause"])
def test_a_run_engine_that_somebody_else_interrupts_has_measured_nothing(
    how: str, lane: Lane, scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    started = threading.Event()

    def plan(_: Attempt) -> Plan:
        yield from bps.checkpoint()
        started.set()
        yield from bps.sleep(60.0)
        return GOOD

    instrument = scripted(plan)
    lane.connect(instrument)
    future = lane.submit(instrument, attempt())
    assert started.wait(10)
    getattr(lane.engine, how)()
    finished = future.result(timeout=20)
    assert finished.failure.kind is K.ABORTED
    assert finished.reading is None
    assert instrument.stopped == 1
    assert toys.still_works(lane, attempt)


def test_a_subscriber_that_raises_fails_nothing_and_is_reported_once(
    lane: Lane, attempt: Attempts, caplog: pytest.LogCaptureFixture, toys: SimpleNamespace
) -> None:
    def broken(_name: str, _doc: Mapping[str, Any]) -> None:
        raise OSError("disk full")

    lane.subscribe(broken, label="the mirror")
    assert toys.still_works(lane, attempt)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1
    assert warned[0].startswith("the mirror could not take a start document (OSError: disk full)")


def test_a_stop_that_fails_is_told(
    lane: Lane, scripted: Scripts, attempt: Attempts, caplog: pytest.LogCaptureFixture, toys: SimpleNamespace
) -> None:
    class Stuck(scripted):
        def stop(self) -> None:
            raise RuntimeError("relay welded")

    failure = toys.carried_out(lane, Stuck(toys.raising(ValueError("bad"))), attempt()).failure
    assert failure.message == "ValueError: bad; and toy could not be stopped: RuntimeError: relay welded"
    assert "relay welded" in caplog.text


def test_two_lanes_on_one_loop_run_side_by_side(
    scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    with Lane("a") as one, Lane("b", beside=one) as two:
        assert one.engine.loop is two.engine.loop
        instruments = [scripted(toys.sleeping(0.5)), scripted(toys.sleeping(0.5))]
        for lane, instrument in zip((one, two), instruments, strict=True):
            lane.connect(instrument)
        clock = time.monotonic()
        futures = [one.submit(instruments[0], attempt("a")), two.submit(instruments[1], attempt("b"))]
        finished = [future.result(timeout=20) for future in futures]
        wall = time.monotonic() - clock
    assert all(each.reading == GOOD for each in finished)
    assert wall < 0.8 * sum(each.seconds for each in finished)


def test_the_shared_loop_outlives_the_lane_that_made_it(attempt: Attempts, toys: SimpleNamespace) -> None:
    one = Lane("a")
    two = Lane("b", beside=one)
    one.close()
    assert toys.still_works(two, attempt)
    two.close()
    assert two.engine.loop.is_closed()


def test_devices_belong_to_the_loop_of_their_lane(
    scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.mv(instrument.device, 1.0)
        return GOOD

    with Lane("old") as old, Lane("new") as new:
        assert old.engine.loop is not new.engine.loop
        loops = []

        def make() -> object:
            loops.append(get_bluesky_event_loop())
            return toys.arm()()

        instrument = scripted(plan, make=make)
        assert toys.carried_out(old, instrument, attempt()).reading == GOOD
        assert loops == [old.engine.loop]


def test_a_lane_refuses_what_it_cannot_do(
    scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    def no_plug() -> None:
        raise OSError("no such port")

    with pytest.raises(ValueError, match="time limit"):
        Lane("a", time_limit_s=math.nan)
    lane = Lane("a", time_limit_s=math.inf)
    with pytest.raises(LaneError, match="connect toy before"):
        lane.run(scripted(toys.measuring), attempt())
    with pytest.raises(LaneError, match="cannot connect toy: OSError: no such port"):
        lane.connect(scripted(toys.measuring, make=no_plug))
    instrument = scripted(toys.measuring)
    lane.connect(instrument)
    lane.connect(instrument)
    assert instrument.connected == 1
    lane.close()
    lane.close()
    with pytest.raises(LaneError, match="closed"):
        lane.submit(instrument, attempt())
    with pytest.raises(LaneError, match="closed"):
        Lane("b", beside=lane)


def test_every_new_instrument_is_connected_also_where_an_old_one_stood(
    lane: Lane, scripted: Scripts, toys: SimpleNamespace
) -> None:
    for _ in range(50):
        instrument = scripted(toys.measuring)
        lane.connect(instrument)
        assert instrument.connected == 1
        del instrument


def test_closing_ends_what_runs_and_leaves_no_thread(
    scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    before = set(threading.enumerate())
    lane = Lane("a")
    instrument = scripted(toys.sleeping(60.0))
    lane.connect(instrument)
    future, waiting = lane.submit(instrument, attempt("a")), lane.submit(instrument, attempt("b"))
    while not future.running():
        time.sleep(0.005)
    lane.close()
    assert future.result(timeout=0).failure.message == "the lane was closed"
    assert waiting.cancelled()
    assert set(threading.enumerate()) <= before


class Quits:
    """A device that raises what is meant to end a program."""

    name, parent = "oven", None

    def __init__(self, error: BaseException, *, later: bool) -> None:
        self.error, self.later = error, later

    def set(self, _value: float) -> Any:  # noqa: ANN401 - a Status of ophyd-async
        if not self.later:
            raise self.error
        from ophyd_async.core import AsyncStatus  # noqa: PLC0415 - takes a moment to import

        return AsyncStatus(self._quit())

    async def _quit(self) -> None:
        raise self.error


class Beyond(BaseException):
    """No Exception."""


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt("ctrl"), SystemExit(3), Beyond("far")], ids=repr)
def test_whatever_a_device_raises_is_a_failure_of_that_attempt_alone(
    scripted: Scripts, attempt: Attempts, toys: SimpleNamespace, error: BaseException, *, later: bool
) -> None:
    def plan(_attempt: Attempt) -> Plan:
        yield from bps.abs_set(Quits(error, later=later), 1.0, wait=True)
        return GOOD

    with Lane("one") as one, Lane("two", beside=one) as two:
        finished = toys.carried_out(one, scripted(plan), attempt())
        assert finished.failure.kind is K.INSTRUMENT_FAULT
        assert type(error).__name__ in finished.failure.message
        assert "oven" in finished.failure.message
        assert toys.still_works(two, attempt)
        assert toys.still_works(one, attempt)


@pytest.mark.parametrize("values", [None, [1.0], {"y": 10**400}, {"y": 1 + 2j}, {"y": "OVERLOAD"}])
def test_readings_that_are_none_are_bad_readings(
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    toys: SimpleNamespace,
    values: Any,  # noqa: ANN401 - anything
) -> None:
    def plan(_attempt: Attempt) -> Plan:
        yield from bps.null()
        return Reading(values, {"y": "nm"})

    assert toys.carried_out(lane, scripted(plan), attempt()).failure.kind is K.BAD_READING
