"""Each attempt is one run, whose documents say what was measured and whose failure says who is to blame."""

import math
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from bluesky import plan_stubs as bps

from labctl_drivers.engine import Lane
from labctl_drivers.protocol import Attempt, Bound, ExperimentFailed, FailureKind, Reading

Attempts: TypeAlias = Callable[..., Attempt]
Documents: TypeAlias = Callable[..., list[dict[str, Any]]]
Plan: TypeAlias = Generator[Any, Any, Reading]
Scripts: TypeAlias = Callable[..., Any]

GOOD = Reading({"y": 2.5}, {"y": "nm"})
K = FailureKind


def test_a_measured_attempt_is_one_run_with_one_event(
    lane: Lane, scripted: Scripts, attempt: Attempts, documents: Documents, toys: SimpleNamespace
) -> None:
    finished = toys.carried_out(
        lane, scripted(toys.measuring), attempt("k7", {"x": 3.5, "dye": "red"}, x="mm")
    )
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
    *,
    kind: FailureKind,
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
    toys: SimpleNamespace,
) -> None:
    failure = ExperimentFailed(kind, "it went so", stage="process", bounds={"y": Bound(low=1.0)})
    instrument = scripted(toys.raising(failure))
    finished = toys.carried_out(lane, instrument, attempt())
    assert finished.failure is failure
    assert finished.reading is None
    (stop,) = documents("stop")
    assert stop["exit_status"] == ("abort" if kind is K.ABORTED else "fail")
    assert stop["reason"] == f"{kind.value}: it went so"
    assert instrument.stopped == (kind in {K.INSTRUMENT_FAULT, K.ABORTED, K.UNKNOWN})
    assert toys.still_works(lane, attempt)


def test_a_refusal_before_anything_moved_stops_nothing(
    lane: Lane, scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    instrument = scripted(toys.raising(ExperimentFailed(K.UNKNOWN, "started before", stage="check")))
    assert toys.carried_out(lane, instrument, attempt()).failure.kind is K.UNKNOWN
    assert instrument.stopped == 0


def test_a_device_that_fails_is_named_with_its_cause(
    lane: Lane, scripted: Scripts, attempt: Attempts, documents: Documents, toys: SimpleNamespace
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.mv(instrument.device, 1.0)
        return GOOD

    instrument = scripted(plan, make=toys.arm(error=RuntimeError("jammed <Gear at 0x7f00dead>\n  twice")))
    failure = toys.carried_out(lane, instrument, attempt()).failure
    assert failure.kind is K.INSTRUMENT_FAULT
    assert failure.message == "arm: RuntimeError: jammed <Gear> twice"
    assert failure.stage == "set"
    assert instrument.stopped == 1
    assert documents("stop")[0]["reason"] == f"instrument_fault: {failure.message}"
    assert toys.still_works(lane, attempt)


def test_a_failure_declared_inside_a_device_passes_through(
    lane: Lane, scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.mv(instrument.device, 1.0)
        return GOOD

    cracked = ExperimentFailed(K.INFEASIBLE, "cracked", stage="process")
    instrument = scripted(plan, make=toys.arm(error=cracked))
    assert toys.carried_out(lane, instrument, attempt()).failure is cracked
    assert instrument.stopped == 0


def test_a_fault_in_the_driver_itself_is_an_instrument_fault(
    lane: Lane, scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    failure = toys.carried_out(lane, scripted(toys.raising(KeyError("nozzle"))), attempt()).failure
    assert (failure.kind, failure.message) == (K.INSTRUMENT_FAULT, "KeyError: 'nozzle'")


def test_a_wait_that_runs_out_names_device_and_time(
    lane: Lane, scripted: Scripts, attempt: Attempts, documents: Documents, toys: SimpleNamespace
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.abs_set(instrument.device, 1.0, group="g")
        yield from bps.wait("g", timeout=0.05)
        return GOOD

    instrument = scripted(plan, make=toys.arm(seconds=30.0))
    failure = toys.carried_out(lane, instrument, attempt()).failure
    assert (failure.kind, failure.message) == (K.INSTRUMENT_FAULT, "timed out after 0.05 s waiting for arm")
    assert documents("stop")[0]["exit_status"] == "fail"
    assert toys.still_works(lane, attempt)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_a_bad_reading_and_is_kept(
    *,
    value: float,
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
    toys: SimpleNamespace,
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.null()
        return Reading({"y": value, "z": 1.0}, {"y": "nm", "z": "nm"})

    failure = toys.carried_out(lane, scripted(plan), attempt()).failure
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
        (None, K.BAD_READING),
        ({"y": 1.0}, K.BAD_READING),
    ],
)
def test_what_is_no_reading_is_a_failure(
    *,
    returned: object,
    kind: FailureKind,
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    toys: SimpleNamespace,
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.null()
        return returned

    assert toys.carried_out(lane, scripted(plan), attempt()).failure.kind is kind


def test_what_a_failed_attempt_measured_is_in_its_event(
    lane: Lane, scripted: Scripts, attempt: Attempts, documents: Documents, toys: SimpleNamespace
) -> None:
    off = ExperimentFailed(K.OFF_RECIPE, "9 K too hot", stage="process", reading=GOOD)
    toys.carried_out(lane, scripted(toys.raising(off)), attempt())
    assert documents("event")[0]["data"] == {"y": 2.5}


def test_an_instrument_with_events_of_its_own_gets_no_second_one(
    *,
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
    caplog: pytest.LogCaptureFixture,
    toys: SimpleNamespace,
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.mv(instrument.device, 4.0)
        yield from bps.trigger_and_read([instrument.device])
        return GOOD

    instrument = scripted(plan, make=toys.arm())
    assert toys.carried_out(lane, instrument, attempt()).reading == GOOD
    assert [event["data"] for event in documents("event")] == [{"arm-position": 4.0}]
    assert caplog.records == []


def test_events_elsewhere_do_not_stand_for_the_measured_values(
    lane: Lane, scripted: Scripts, attempt: Attempts, documents: Documents, toys: SimpleNamespace
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.trigger_and_read([instrument.device], name="before")
        return GOOD

    instrument = scripted(plan, make=toys.arm())
    toys.carried_out(lane, instrument, attempt())
    assert [event["data"] for event in documents("event")] == [{"arm-position": 0.0}, {"y": 2.5}]
    assert documents("stop")[0]["num_events"] == {"before": 1, "primary": 1}


def test_a_driver_that_leaves_an_event_open_has_measured_all_the_same(
    *,
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    documents: Documents,
    caplog: pytest.LogCaptureFixture,
    toys: SimpleNamespace,
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.create("primary")
        return GOOD

    assert toys.carried_out(lane, scripted(plan), attempt()).reading == GOOD
    assert documents("stop")[0]["exit_status"] == "success"
    assert "the documents of this run are not complete" in caplog.text
    assert toys.still_works(lane, attempt)


def test_a_reading_with_a_dotted_name_has_its_event_too(
    lane: Lane, scripted: Scripts, attempt: Attempts, documents: Documents, toys: SimpleNamespace
) -> None:
    def plan(_: Attempt) -> Plan:
        yield from bps.null()
        return Reading({"H/V": 2.5}, {"H/V": "HV"})

    assert toys.carried_out(lane, scripted(plan), attempt()).failure is None
    assert documents("event")[0]["data"] == {"H%2FV": 2.5}
    key = documents("descriptor")[0]["data_keys"]["H%2FV"]
    assert (key["label"], key["units"]) == ("H/V", "HV")


def test_a_run_that_cannot_be_opened_is_not_blamed_on_the_instrument(
    lane: Lane, scripted: Scripts, attempt: Attempts, toys: SimpleNamespace
) -> None:
    def refuse(_: object) -> None:
        raise ValueError("no such key")

    begun = []

    def plan(asked: Attempt) -> Plan:
        begun.append(asked.key)
        return (yield from toys.measuring(asked))

    lane.engine.md_validator = refuse
    failure = toys.carried_out(lane, scripted(plan), attempt()).failure
    assert (failure.kind, failure.stage, begun) == (K.ABORTED, "documents", [])
    assert "not in the instrument: ValueError: no such key" in failure.message
