"""A lane carries out what it is given, tells failures apart, and is always ready for the next attempt."""

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeAlias

import pytest
from bluesky import plan_stubs as bps
from bluesky.run_engine import get_bluesky_event_loop
from ophyd_async.core import AsyncStatus, StandardReadable, init_devices, soft_signal_rw

from labctl_drivers.engine import Finished, Lane, LaneError
from labctl_drivers.protocol import Attempt, Bound, ExperimentFailed, FailureKind, Instrument, Reading

Attempts: TypeAlias = Callable[..., Attempt]
Documents: TypeAlias = Callable[..., list[dict[str, Any]]]
Plan: TypeAlias = Generator[Any, Any, Reading]
Scripts: TypeAlias = Callable[..., Any]

GOOD = Reading({"y": 2.5}, {"y": "nm"})
K = FailureKind


class Arm(StandardReadable):
    """A real ophyd-async device that can be told to fail or to hang."""

    def __init__(self, name: str = "arm", error: Exception | None = None, seconds: float = 0.0) -> None:
        with self.add_children_as_readables():
            self.position = soft_signal_rw(float, 0.0, units="mm")
        self.error = error
        self.seconds = seconds
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def set(self, value: float) -> None:
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        await self.position.set(value)


def arm(**how: object) -> Callable[[], Arm]:
    def make() -> Arm:
        with init_devices(set_name=False):
            device = Arm(**how)
        return device  # noqa: RET504 - it is connected only when the block above ends

    return make


def measuring(_: Attempt) -> Plan:
    yield from bps.null()
    return GOOD


def sleeping(seconds: float) -> Callable[[Attempt], Plan]:
    def plan(_: Attempt) -> Plan:
        yield from bps.sleep(seconds)
        return GOOD

    return plan


def raising(error: Exception) -> Callable[[Attempt], Plan]:
    def plan(_: Attempt) -> Plan:
        yield from bps.null()
        raise error

    return plan


def carried_out(lane: Lane, instrument: Instrument, attempt: Attempts) -> Finished:
    lane.connect(instrument)
    return lane.run(instrument, attempt)


def abort_when_running(lane: Lane, reason: str = "the door was opened") -> None:
    while not lane.abort(reason):
        time.sleep(0.005)


def still_works(lane: Lane, scripted: Scripts, attempt: Attempts) -> bool:
    return carried_out(lane, scripted(measuring), attempt("afterwards")).reading == GOOD


def test_a_measured_attempt_is_one_run_with_one_event(
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
) -> None:
    finished = carried_out(lane, scripted(measuring), attempt("k7", {"x": 3.5, "dye": "red"}, x="mm"))
    assert finished.reading == GOOD
    assert finished.failure is None
    (start,), (event,), (stop,) = documents("start"), documents("event"), documents("stop")
    assert (start["campaign"], start["experiment"], start["attempt"]) == ("test", "e0001", 1)
    assert (start["key"], start["recipe"], start["units"]) == ("k7", {"x": 3.5, "dye": "red"}, {"x": "mm"})
    assert start["blop_suggestions"] == [{"_id": "e0001", "x": 3.5, "dye": "red"}]
    assert start["uid"] == stop["run_start"] == finished.run_uid
    assert event["data"] == {"y": 2.5}
    assert documents("descriptor")[0]["data_keys"]["y"]["units"] == "nm"
    assert (stop["exit_status"], stop["num_events"]) == ("success", {"primary": 1})


@pytest.mark.parametrize("kind", list(FailureKind))
def test_a_failure_the_driver_declares_passes_through(
    kind: FailureKind,
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
) -> None:
    failure = ExperimentFailed(kind, "it went so", stage="process", bounds={"y": Bound(low=1.0)})
    instrument = scripted(raising(failure))
    finished = carried_out(lane, instrument, attempt())
    assert finished.failure is failure
    assert finished.reading is None
    (stop,) = documents("stop")
    assert stop["exit_status"] == ("abort" if kind is K.ABORTED else "fail")
    assert stop["reason"] == f"{kind.value}: it went so"
    assert instrument.stopped == (kind in {K.INSTRUMENT_FAULT, K.ABORTED, K.UNKNOWN})
    assert still_works(lane, scripted, attempt)


def test_a_refusal_before_anything_moved_stops_nothing(
    lane: Lane, scripted: Scripts, attempt: Attempts
) -> None:
    instrument = scripted(raising(ExperimentFailed(K.UNKNOWN, "started before", stage="check")))
    assert carried_out(lane, instrument, attempt()).failure.kind is K.UNKNOWN
    assert instrument.stopped == 0


def test_a_device_that_fails_is_named_with_its_cause(
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.mv(instrument.device, 1.0)
        return GOOD

    instrument = scripted(plan, make=arm(error=RuntimeError("jammed <Gear at 0x7f00dead>\n  twice")))
    failure = carried_out(lane, instrument, attempt()).failure
    assert failure.kind is K.INSTRUMENT_FAULT
    assert failure.message == "arm: RuntimeError: jammed <Gear> twice"
    assert failure.stage == "set"
    assert instrument.stopped == 1
    assert documents("stop")[0]["reason"] == f"instrument_fault: {failure.message}"
    assert still_works(lane, scripted, attempt)


def test_a_failure_declared_inside_a_device_passes_through(
    lane: Lane, scripted: Scripts, attempt: Attempts
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.mv(instrument.device, 1.0)
        return GOOD

    cracked = ExperimentFailed(K.INFEASIBLE, "cracked", stage="process")
    instrument = scripted(plan, make=arm(error=cracked))
    assert carried_out(lane, instrument, attempt()).failure is cracked
    assert instrument.stopped == 0


def test_a_fault_in_the_driver_itself_is_an_instrument_fault(
    lane: Lane, scripted: Scripts, attempt: Attempts
) -> None:
    failure = carried_out(lane, scripted(raising(KeyError("nozzle"))), attempt()).failure
    assert (failure.kind, failure.message) == (K.INSTRUMENT_FAULT, "KeyError: 'nozzle'")


def test_a_wait_that_runs_out_names_device_and_time(
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.abs_set(instrument.device, 1.0, group="g")
        yield from bps.wait("g", timeout=0.05)
        return GOOD

    instrument = scripted(plan, make=arm(seconds=30.0))
    failure = carried_out(lane, instrument, attempt()).failure
    assert (failure.kind, failure.message) == (K.INSTRUMENT_FAULT, "timed out after 0.05 s waiting for arm")
    assert documents("stop")[0]["exit_status"] == "fail"
    assert still_works(lane, scripted, attempt)


def test_the_time_limit_of_the_lane_breaks_an_attempt_off(scripted: Scripts, attempt: Attempts) -> None:
    with Lane("short", time_limit_s=0.1) as lane:
        instrument = scripted(sleeping(60.0))
        finished = carried_out(lane, instrument, attempt())
        assert finished.failure.kind is K.INSTRUMENT_FAULT
        assert finished.failure.message == "timed out after 0.1 s, the time limit of lane short"
        assert 0.1 <= finished.seconds < 30
        assert instrument.stopped == 1
        assert still_works(lane, scripted, attempt)


def test_an_abort_from_another_thread_keeps_its_reason(
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
    capsys: pytest.CaptureFixture[str],
) -> None:
    instrument = scripted(sleeping(60.0))
    lane.connect(instrument)
    future = lane.submit(instrument, attempt())
    abort_when_running(lane)
    failure = future.result(timeout=20).failure
    assert (failure.kind, failure.message) == (K.ABORTED, "the door was opened")
    (stop,) = documents("stop")
    assert (stop["exit_status"], stop["reason"]) == ("abort", "aborted: the door was opened")
    assert instrument.stopped == 1
    assert capsys.readouterr().out == ""
    assert still_works(lane, scripted, attempt)


def test_only_the_first_of_two_aborts_counts(lane: Lane, scripted: Scripts, attempt: Attempts) -> None:
    instrument = scripted(sleeping(60.0))
    lane.connect(instrument)
    future = lane.submit(instrument, attempt())
    abort_when_running(lane, "first")
    lane.abort("second")
    assert future.result(timeout=20).failure.message == "first"


def test_an_abort_spares_what_waits_and_finds_nothing_when_idle(
    lane: Lane, scripted: Scripts, attempt: Attempts
) -> None:
    assert lane.abort("nothing runs") is False
    slow, quick = scripted(sleeping(60.0)), scripted(measuring)
    lane.connect(slow)
    lane.connect(quick)
    first, second = lane.submit(slow, attempt("a")), lane.submit(quick, attempt("b"))
    abort_when_running(lane)
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
    lane: Lane, scripted: Scripts, attempt: Attempts
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
    abort_when_running(lane)
    failure = future.result(timeout=20).failure
    assert failure.kind is K.ABORTED
    assert failure.reading == GOOD


@pytest.mark.parametrize("how", ["stop", "halt", "abort", "request_pause"])
def test_a_run_engine_that_somebody_else_interrupts_has_measured_nothing(
    how: str, lane: Lane, scripted: Scripts, attempt: Attempts
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
    assert still_works(lane, scripted, attempt)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_a_bad_reading_and_is_kept(
    value: float,
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.null()
        return Reading({"y": value, "z": 1.0}, {"y": "nm", "z": "nm"})

    failure = carried_out(lane, scripted(plan), attempt()).failure
    assert failure.kind is K.BAD_READING
    assert failure.reading.values["z"] == 1.0
    assert str(failure.reading.values["y"]) == str(value)
    assert documents("event")[0]["data"] == {"y": None, "z": 1.0}


@pytest.mark.parametrize(
    ("returned", "kind"),
    [
        (Reading({}, {}), K.BAD_READING),
        (Reading({"y": True}, {"y": ""}), K.BAD_READING),
        (Reading({"y": "2.5"}, {"y": ""}), K.BAD_READING),
        (None, K.INSTRUMENT_FAULT),
        ({"y": 1.0}, K.INSTRUMENT_FAULT),
    ],
)
def test_what_is_no_reading_is_a_failure(
    returned: object,
    kind: FailureKind,
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.null()
        return returned

    assert carried_out(lane, scripted(plan), attempt()).failure.kind is kind


def test_what_a_failed_attempt_measured_is_in_its_event(
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
) -> None:
    off = ExperimentFailed(K.OFF_RECIPE, "9 K too hot", stage="process", reading=GOOD)
    carried_out(lane, scripted(raising(off)), attempt())
    assert documents("event")[0]["data"] == {"y": 2.5}


def test_an_instrument_with_events_of_its_own_gets_no_second_one(
    lane: Lane, scripted: Scripts, attempt: Attempts, documents: Documents, caplog: pytest.LogCaptureFixture
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.mv(instrument.device, 4.0)
        yield from bps.trigger_and_read([instrument.device])
        return GOOD

    instrument = scripted(plan, make=arm())
    assert carried_out(lane, instrument, attempt()).reading == GOOD
    assert [event["data"] for event in documents("event")] == [{"arm-position": 4.0}]
    assert caplog.records == []


def test_events_elsewhere_do_not_stand_for_the_measured_values(
    lane: Lane, scripted: Scripts, attempt: Attempts, documents: Documents
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.trigger_and_read([instrument.device], name="before")
        return GOOD

    instrument = scripted(plan, make=arm())
    carried_out(lane, instrument, attempt())
    assert [event["data"] for event in documents("event")] == [{"arm-position": 0.0}, {"y": 2.5}]
    assert documents("stop")[0]["num_events"] == {"before": 1, "primary": 1}


def test_a_driver_that_leaves_an_event_open_has_measured_all_the_same(
    lane: Lane, scripted: Scripts, attempt: Attempts, documents: Documents, caplog: pytest.LogCaptureFixture
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.create("primary")
        return GOOD

    assert carried_out(lane, scripted(plan), attempt()).reading == GOOD
    assert documents("stop")[0]["exit_status"] == "success"
    assert "the documents of this run are not complete" in caplog.text
    assert still_works(lane, scripted, attempt)


def test_a_subscriber_that_raises_fails_nothing_and_is_reported_once(
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_name: str, _doc: Mapping[str, Any]) -> None:
        raise OSError("disk full")

    lane.subscribe(broken, label="the mirror")
    assert still_works(lane, scripted, attempt)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1
    assert warned[0].startswith("the mirror could not take a start document (OSError: disk full)")


def test_a_stop_that_fails_is_told(
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stuck(scripted):
        def stop(self) -> None:
            raise RuntimeError("relay welded")

    failure = carried_out(lane, Stuck(raising(ValueError("bad"))), attempt()).failure
    assert failure.message == "ValueError: bad; and toy could not be stopped: RuntimeError: relay welded"
    assert "relay welded" in caplog.text


def test_two_lanes_on_one_loop_run_side_by_side(scripted: Scripts, attempt: Attempts) -> None:
    with Lane("a") as one, Lane("b", beside=one) as two:
        assert one.engine.loop is two.engine.loop
        instruments = [scripted(sleeping(0.5)), scripted(sleeping(0.5))]
        for lane, instrument in zip((one, two), instruments, strict=True):
            lane.connect(instrument)
        clock = time.monotonic()
        futures = [one.submit(instruments[0], attempt("a")), two.submit(instruments[1], attempt("b"))]
        finished = [future.result(timeout=20) for future in futures]
        wall = time.monotonic() - clock
    assert all(each.reading == GOOD for each in finished)
    assert wall < 0.8 * sum(each.seconds for each in finished)


def test_the_shared_loop_outlives_the_lane_that_made_it(scripted: Scripts, attempt: Attempts) -> None:
    one = Lane("a")
    two = Lane("b", beside=one)
    one.close()
    assert still_works(two, scripted, attempt)
    two.close()
    assert two.engine.loop.is_closed()


def test_devices_belong_to_the_loop_of_their_lane(scripted: Scripts, attempt: Attempts) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.mv(instrument.device, 1.0)
        return GOOD

    with Lane("old") as old, Lane("new") as new:
        assert old.engine.loop is not new.engine.loop
        loops = []

        def make() -> Arm:
            loops.append(get_bluesky_event_loop())
            return arm()()

        instrument = scripted(plan, make=make)
        assert carried_out(old, instrument, attempt()).reading == GOOD
        assert loops == [old.engine.loop]


def test_a_lane_refuses_what_it_cannot_do(scripted: Scripts, attempt: Attempts) -> None:
    def no_plug() -> None:
        raise OSError("no such port")

    with pytest.raises(ValueError, match="time limit"):
        Lane("a", time_limit_s=math.nan)
    lane = Lane("a", time_limit_s=math.inf)
    with pytest.raises(LaneError, match="connect toy before"):
        lane.run(scripted(measuring), attempt())
    with pytest.raises(LaneError, match="cannot connect toy: OSError: no such port"):
        lane.connect(scripted(measuring, make=no_plug))
    instrument = scripted(measuring)
    lane.connect(instrument)
    lane.connect(instrument)
    assert instrument.connected == 1
    lane.close()
    lane.close()
    with pytest.raises(LaneError, match="closed"):
        lane.submit(instrument, attempt())
    with pytest.raises(LaneError, match="closed"):
        Lane("b", beside=lane)


def test_every_new_instrument_is_connected_also_where_an_old_one_stood(lane: Lane, scripted: Scripts) -> None:
    for _ in range(50):
        instrument = scripted(measuring)
        lane.connect(instrument)
        assert instrument.connected == 1
        del instrument


def test_closing_ends_what_runs_and_leaves_no_thread(scripted: Scripts, attempt: Attempts) -> None:
    before = set(threading.enumerate())
    lane = Lane("a")
    instrument = scripted(sleeping(60.0))
    lane.connect(instrument)
    future, waiting = lane.submit(instrument, attempt("a")), lane.submit(instrument, attempt("b"))
    while not future.running():
        time.sleep(0.005)
    lane.close()
    assert future.result(timeout=0).failure.message == "the lane was closed"
    assert waiting.cancelled()
    assert set(threading.enumerate()) <= before
