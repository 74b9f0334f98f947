"""A plan of the lab's own as an instrument: its arguments, its runs, its events, its waits, its failures."""

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from labctl_drivers.engine import Lane
from labctl_drivers.protocol import Answer, Attempt, FailureKind

Made = Callable[..., Any]

PLANS = """
def anneal(oven, tester, celsius, times=1, md=None):
    yield from bps.mv(oven, celsius)
    yield from bp.count([tester], num=times)
    yield from bp.count([tester, oven], num=1)
    return {"cost": 2.0 + times, "parts": [1, 2]}

def twice(oven, tester, celsius):
    yield from bps.open_run(md={"plan_name": "outer"})
    yield from bps.trigger_and_read([tester])
    yield from bps.open_run(md={"plan_name": "inner"})
    yield from bps.trigger_and_read([oven], name="other")
    yield from bps.close_run()
    yield from bps.close_run()
    return 7.5

def whole(oven, tester, celsius):
    yield from bps.null()
    return Reading({"h": 5.0}, {"h": "HV"}, actual={"temperature": 390.0}, raw={"note": "by hand"})

def failing(oven, tester, celsius):
    yield from bps.mv(oven, celsius)
    raise ExperimentFailed(FailureKind.INFEASIBLE, "it cracked", stage="process")

def hanging(oven, tester, celsius):
    Oven.apply = lambda self, value: self.rest(20)
    yield from bps.mv(oven, celsius)

def tidy(oven, tester, celsius):
    try:
        yield from bps.sleep(20)
    finally:
        yield from bps.mv(oven, 20)

def no_plan(oven, tester, celsius):
    called.append(1)

def with_one(oven, tester, celsius, weight):
    yield from bps.null()

called = []
"""


@pytest.fixture
def plan_options(lab: Made) -> Made:
    """Options of a plan with an oven and a tester; keys replace those of the top."""
    module = lab(PLANS)

    def options(which: str = "anneal", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any option
        told = {
            "modules": ".",
            "plan": f"{module}:{which}",
            "objects": {"oven": f"{module}:Oven", "tester": f"{module}:Tester"},
            "settings": {"temperature": {"argument": "celsius", "unit": "degC"}},
            "readings": {"hardness": {"key": "Tester-hardness", "unit": "HV"}},
        } | changes
        told: dict[str, Any] = json.loads(json.dumps(told).replace("{m}", module))
        return told

    return options


def attempt(key: str = "k1") -> Attempt:
    return Attempt(key, "test", "e0001", 1, {"temperature": 400.0}, {"temperature": "K"})


def test_a_plan_with_runs_of_its_own_is_one_run_of_the_attempt(
    plan_options: Made, built: Made, lane: Lane, documents: Made
) -> None:
    readings = {
        "hardness": {"key": "Tester-hardness", "unit": "HV", "take": "mean"},
        "temperature": {"key": "Oven-temperature", "unit": "degC", "stream": "primary-2"},
        "cost": {"from": "return"},
    }
    instrument = built(plan_options(arguments={"times": 3}, readings=readings), "plan")
    lane.connect(instrument)
    finished = lane.run(instrument, attempt())
    assert finished.reading is not None, finished.failure
    assert finished.reading.values == {
        "hardness": 120.0,
        "temperature": pytest.approx(126.85),
        "cost": 5.0,
    }
    assert finished.reading.units == {"hardness": "HV", "temperature": "degC", "cost": "dimensionless"}
    assert finished.reading.raw == {"Tester-scatter": 2.5}
    [start], [stop] = documents("start"), documents("stop")
    assert (start["uid"], start["key"], stop["exit_status"]) == (finished.run_uid, "k1", "success")
    assert [d["name"] for d in documents("descriptor")] == ["primary", "primary-2"]
    assert stop["num_events"] == {"primary": 3, "primary-2": 1}
    assert instrument.ask("k1") == Answer("done", reading=finished.reading)
    assert lane.run(instrument, attempt()).failure.kind is FailureKind.UNKNOWN
    instrument.close()


@pytest.mark.parametrize(
    ("plan", "readings", "values"),
    [
        ("twice", {"all": {"from": "return", "unit": "mm"}}, {"all": 7.5}),
        ("twice", {"t": {"key": "Oven-temperature", "stream": "other-2", "unit": "degC"}}, {"t": 20.0}),
        ("whole", {"hardness": {"from": "return", "key": "h", "unit": "HV"}}, {"hardness": 5.0}),
    ],
)
def test_readings_come_from_events_or_from_what_a_plan_returns(
    plan_options: Made,
    built: Made,
    lane: Lane,
    *,
    plan: str,
    readings: dict[str, Any],
    values: dict[str, float],
) -> None:
    instrument = built(plan_options(plan, readings=readings), "plan")
    lane.connect(instrument)
    finished = lane.run(instrument, attempt())
    assert finished.reading is not None, finished.failure
    assert finished.reading.values == values
    if plan == "whole":
        assert finished.reading.actual == {"temperature": 390.0}
        assert finished.reading.raw == {"note": "by hand"}


@pytest.mark.parametrize(
    ("plan", "changes", "kind", "said"),
    [
        ("failing", {}, "infeasible", "it cracked"),
        ("hanging", {"timeout": "0.2 s"}, "instrument_fault", "timed out after 0.2 s waiting for Oven"),
        (
            "anneal",
            {"readings": {"h": {"key": "hardnes"}}},
            "instrument_fault",
            "readings.h.key: no event of the plan holds 'hardnes'; ",
        ),
        (
            "anneal",
            {"readings": {"h": {"key": "Tester-hardness", "unit": "mm"}}},
            "instrument_fault",
            "readings.h.unit: is mm, but Tester-hardness is described in HV",
        ),
        (
            "anneal",
            {"readings": {"h": {"key": "x", "stream": "baseline"}}},
            "instrument_fault",
            "readings.h.stream: the plan has no stream 'baseline'; allowed are primary, primary-2",
        ),
        (
            "anneal",
            {"readings": {"h": {"from": "return", "key": "price"}}},
            "instrument_fault",
            "readings.h.key: the plan returned cost, parts and no 'price'",
        ),
        (
            "anneal",
            {"readings": {"h": {"from": "return", "key": "parts"}}},
            "bad_reading",
            "not a finite number: h is [1, 2]",
        ),
    ],
)
def test_what_goes_wrong_in_a_plan_has_its_kind(
    plan_options: Made, built: Made, lane: Lane, *, plan: str, changes: dict[str, Any], kind: str, said: str
) -> None:
    instrument = built(plan_options(plan, **changes), "plan")
    lane.connect(instrument)
    failure = lane.run(instrument, attempt()).failure
    assert failure is not None
    assert (failure.kind.value, failure.message[: len(said)]) == (kind, said)
    kept = instrument.ask("k1")
    assert kept.failure is not None
    assert (kept.state, kept.failure.kind) == ("failed", failure.kind)


def test_an_abort_lets_the_plan_tidy_up(
    plan_options: Made,
    built: Made,
    lane: Lane,
    toys: Any,  # noqa: ANN401 - a namespace
) -> None:
    instrument = built(plan_options("tidy"), "plan")
    lane.connect(instrument)
    future = lane.submit(instrument, attempt())
    toys.abort_when_running(lane, "the door was opened")
    failure = future.result(20).failure
    assert failure is not None
    assert (failure.kind, failure.message) == (FailureKind.ABORTED, "the door was opened")
    told = {type(one).__name__: one for one in instrument._objects.all()}["Oven"].told
    assert told in {(20,), ()}


@pytest.mark.parametrize(
    ("plan", "changes", "said"),
    [
        ("no_plan", {}, "plan: {m}:no_plan is no plan; a plan is a function with yield from in it"),
        ("anneel", {}, "plan: module {m} has no 'anneel'; did you mean anneal?"),
        ("with_one", {}, "plan: {m}:with_one needs weight; give it under settings, objects or arguments"),
        ("anneal", {"plan": "shutil:rmtree"}, "plan: shutil:rmtree is no plan"),
        ("anneal", {"plan": "os:system"}, "plan: os:system is no plan"),
        ("anneal", {"plan": None}, "plan: is needed; add it"),
        (
            "anneal",
            {"arguments": {"tims": 1}},
            "arguments.tims: {m}:anneal has no argument 'tims'; did you mean times",
        ),
        (
            "anneal",
            {"arguments": {"oven": 1}},
            "arguments.oven: objects.oven gives 'oven' already; remove one of them",
        ),
        (
            "anneal",
            {"settings": {"celsius": {"unit": "m", "object": "x"}}},
            "settings.celsius.object: there is no such",
        ),
        (
            "anneal",
            {"settings": {"warmth": {"unit": "K"}}},
            "settings.warmth.argument: {m}:anneal has no argument",
        ),
        (
            "anneal",
            {"readings": {"h": {"take": "median"}}},
            "readings.h.take: is 'median'; did you mean mean? allowed are last, mean",
        ),
        ("anneal", {"readings": {"h": {"from": "events of it"}}}, "readings.h.from: is 'events of it'; "),
        (
            "anneal",
            {"objects": {"oven": "{m}:Ovn"}},
            "objects.oven: module {m} has no 'Ovn'; did you mean Oven?",
        ),
        ("anneal", {"trigger": []}, "trigger: there is no such option"),
    ],
)
def test_a_wrong_option_is_said_when_the_instrument_is_built(
    plan_options: Made, built: Made, *, plan: str, changes: dict[str, Any], said: str
) -> None:
    module = plan_options()["plan"].partition(":")[0]
    with pytest.raises(ValueError, match=re.escape(said.replace("{m}", module))):
        built(plan_options(plan, **changes), "plan")
    assert getattr(sys.modules.get(module), "called", []) == []
