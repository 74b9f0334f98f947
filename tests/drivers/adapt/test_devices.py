"""Bluesky objects as an instrument, on a real RunEngine: ophyd, ophyd-async and plain classes."""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl_drivers.engine import Lane, LaneError
from labctl_drivers.protocol import Answer, Attempt, FailureKind, Instrument, Recipe, Surroundings
from labctl_drivers.registry import build

Made = Callable[..., Any]


def attempt(key: str = "k1", recipe: Recipe | None = None, **units: str) -> Attempt:
    return Attempt(key, "test", "e0001", 1, recipe or {"temperature": 400.0}, {"temperature": "K", **units})


def carried_out(lane: Lane, instrument: Instrument, *given: Any, **told: Any) -> Any:  # noqa: ANN401 - as attempt takes them
    lane.connect(instrument)
    return lane.run(instrument, attempt(*given, **told))


def objects(instrument: Any) -> dict[str, Any]:  # noqa: ANN401 - an instrument of this package
    return {type(one).__name__: one for one in instrument._objects.all()}


def test_a_recipe_is_set_in_the_device_s_unit_and_read_with_its_units(
    lab: Made, built: Made, oven_options: Made, lane: Lane, documents: Made
) -> None:
    options = oven_options(lab())
    options["settings"]["temperature"] |= {"readback": "temperature", "tolerance": 1}
    instrument = built(options)
    finished = carried_out(lane, instrument)
    assert finished.reading.values == {"hardness": 120.0}
    assert finished.reading.units == {"hardness": "HV"}
    assert finished.reading.actual == {"temperature": pytest.approx(400.0)}
    assert finished.reading.raw == {"Oven-temperature": pytest.approx(126.85), "Tester-scatter": 2.5}
    assert objects(instrument)["Oven"].told == (pytest.approx(126.85),)
    assert instrument.ask("k1") == Answer("done", reading=finished.reading)
    assert instrument.ask("k2") == Answer("never")
    [event], [start] = documents("event"), documents("start")
    assert event["data"]["Tester-hardness"] == 120.0
    assert start["key"] == "k1"
    instrument.close()


def test_ophyd_devices_parts_and_ready_made_objects_serve(lab: Made, built: Made, lane: Lane) -> None:
    module = lab("""
        class Axis(Device):
            at = Component(Signal, value=0.0)
            def set(self, value):
                return self.at.set(value)
        class Stage(Device):
            z = Component(Axis)
            x = Component(Signal, value=0.0)
            y = Component(Signal, value=0.0)
            def stage(self):
                made.append("stage")
                return super().stage()
            def unstage(self):
                made.append("unstage")
                return super().unstage()
        made = []
        def bench(name):
            made.append(name)
            return Stage("", name=name)
        class Sum:
            name = "sum"
            def read(self):
                x, y = bench_made.x.get(), bench_made.y.get()
                return {"sum": {"value": x + y, "timestamp": time.time()}}
            def describe(self):
                return {"sum": {"source": "lab", "dtype": "number", "shape": []}}
        bench_made = Stage("", name="ready")
        total = Sum()
    """)
    options = {
        "modules": ".",
        "settings": {
            "a": {"object": f"{module}:bench_made.x", "unit": "mm", "step": 2},
            "b": {"object": f"{module}:bench_made.y", "unit": "mm"},
            "c": {"object": f"{module}:bench.x", "unit": "mm"},
            "d": {"object": f"{module}:bench.z"},
        },
        "readings": {"total": {"object": f"{module}:total", "unit": "mm"}},
        "raw": [f"{module}:bench"],
    }
    instrument = built(options)
    lane.connect(instrument)
    recipe = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    finished = lane.run(instrument, attempt("k1", recipe, a="cm", b="mm", c="mm", d="dimensionless"))
    assert finished.reading is not None, finished.failure
    assert finished.reading.values == {"total": 12.0}
    lab_s = sys.modules[module]
    assert finished.reading.raw == {"bench_x": 3.0, "bench_y": 0.0, "bench_z_at": 4.0}
    # Made once, staged once with its parts, and the ready-made stage of which only parts are named never.
    assert lab_s.made == ["bench", "stage", "unstage"]


def test_steps_triggers_and_raw_readings_come_in_their_order(lab: Made, built: Made, lane: Lane) -> None:
    module = lab("""
        log = []
        class Part(Blocking):
            units = {"v": "m"}
            def apply(self, value):
                time.sleep(0.02)
                log.append(f"{self.name} {value:g}")
            def measure(self):
                log.append(f"{self.name} measured")
                return {"v": 1.0}
        def one(name): return Part(name)
        def two(name): return Part(name)
        def three(name): return Part(name)
        def four(name): return Part(name)
    """)
    options = {
        "modules": ".",
        "settings": {
            "x": {"object": f"{module}:one", "unit": "m", "step": 2},
            "y": {"object": f"{module}:two", "unit": "m", "step": 1},
        },
        "trigger": [{"object": f"{module}:three", "timeout": "5 s"}],
        "readings": {"v": {"object": f"{module}:three", "unit": "m"}},
        "raw": [f"{module}:four"],
    }
    instrument = built(options)
    lane.connect(instrument)
    finished = lane.run(instrument, attempt("k1", {"x": 1.0, "y": 2.0}, x="m", y="m"))
    assert finished.reading.values == {"v": 1.0}
    assert finished.reading.raw == {"four-v": 1.0}
    # What was triggered by itself is not triggered once more to be read.
    assert sys.modules[module].log == ["two 2", "one 1", "three measured", "four measured"]


FAILURES = [
    ("raise OSError('no answer')", "instrument_fault", "Oven: OSError: no answer", "set"),
    (
        "raise ExperimentFailed(FailureKind.INFEASIBLE, 'it cracked', stage='process')",
        "infeasible",
        "it cracked",
        "process",
    ),
    ("raise Jammed('stuck')", "aborted", "Jammed: stuck", "set"),
    ("raise Wedged('stuck')", "unknown", "Wedged: stuck", "set"),
    ("self.rest(9)", "instrument_fault", "timed out after 0.2 s waiting for Oven", "process"),
]


@pytest.mark.parametrize(("line", "kind", "message", "stage"), FAILURES)
def test_a_failed_command_has_its_cause_and_its_kind(
    lab: Made, built: Made, oven_options: Made, lane: Lane, *, line: str, kind: str, message: str, stage: str
) -> None:
    module = lab(f"""
        class Jammed(Exception): pass
        class Wedged(Jammed): pass
        def raising(self, value):
            {line}
        Oven.apply = raising
    """)
    options = oven_options(module, failures={"Jammed": "aborted", f"{module}.Wedged": "unknown"})
    options["settings"]["temperature"]["timeout"] = "0.2 s"
    instrument = built(options)
    finished = carried_out(lane, instrument)
    failure = finished.failure
    assert (failure.kind.value, failure.message, failure.stage) == (kind, message, stage)
    kept = instrument.ask("k1")
    assert (kept.state, kept.failure.kind, kept.failure.message) == ("failed", failure.kind, failure.message)
    assert bool(objects(instrument)["Oven"].halted) == (kind in {"instrument_fault", "aborted", "unknown"})
    # The lane and the instrument go on.
    sys.modules[module].Oven.apply = lambda *_: None
    assert lane.run(instrument, attempt("k2")).reading is not None


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("return {'hardness': float('nan')}", "bad_reading", "not a finite number: hardness is nan"),
        ("return {'hardness': 'ten'}", "bad_reading", "not a finite number: hardness is 'ten'"),
        ("raise RuntimeError('no sample')", "instrument_fault", "Gauge: RuntimeError: no sample"),
        (
            (
                "raise ExperimentFailed(FailureKind.CENSORED, 'off scale', stage='measure', "
                "bounds={'hardness': Bound(low=160.0)})"
            ),
            "censored",
            "off scale",
        ),
    ],
)
def test_a_bad_reading_and_a_failed_measurement_are_told_apart(
    lab: Made, built: Made, oven_options: Made, lane: Lane, *, line: str, kind: str, message: str
) -> None:
    module = lab(f"""
        class Gauge(Blocking):
            units = {{"hardness": "HV"}}
            def measure(self):
                {line}
    """)
    readings = {"hardness": {"object": f"{module}:Gauge", "unit": "HV"}}
    failure = carried_out(lane, built(oven_options(module, readings=readings))).failure
    assert (failure.kind.value, failure.message, failure.stage) == (kind, message, "measure")
    if kind == "censored":
        assert failure.bounds["hardness"].low == 160.0


def test_a_readback_outside_its_tolerance_is_off_recipe_and_keeps_what_was_read(
    lab: Made, built: Made, oven_options: Made, lane: Lane
) -> None:
    options = oven_options(lab("Oven.apply = lambda self, value: setattr(self, 'now', value + 3)"))
    options["settings"]["temperature"] |= {"readback": "temperature", "tolerance": 2}
    failure = carried_out(lane, built(options)).failure
    assert failure.kind is FailureKind.OFF_RECIPE
    assert failure.message == "temperature was to be 126.85 degC and was 129.85; it may be off by 2"
    assert failure.reading.values == {"hardness": 120.0}
    assert failure.reading.actual == {"temperature": pytest.approx(403.0)}


def test_a_set_without_a_status_is_explained(lab: Made, built: Made, oven_options: Made, lane: Lane) -> None:
    module = lab("""
        class Naive:
            name = "naive"
            def set(self, value):
                self.value = value
    """)
    options = oven_options(module, settings={"temperature": {"object": f"{module}:Naive", "unit": "K"}})
    failure = carried_out(lane, built(options)).failure
    assert failure.kind is FailureKind.INSTRUMENT_FAULT
    assert failure.message.startswith("naive.set() returned no Status to wait for; make the device of labctl")


def test_a_key_is_started_once_and_a_wrong_recipe_moves_nothing(
    lab: Made, built: Made, oven_options: Made, lane: Lane
) -> None:
    instrument = built(oven_options(lab()))
    assert carried_out(lane, instrument).reading is not None
    again = lane.run(instrument, attempt("k1"))
    assert (again.failure.kind, again.failure.stage) == (FailureKind.UNKNOWN, "check")
    other = lane.run(instrument, attempt("k2", {"temperature": 400.0}, temperature="mm"))
    assert (other.failure.kind, other.failure.stage) == (FailureKind.INSTRUMENT_FAULT, "check")
    assert "mm cannot be converted to degC" in other.failure.message
    assert instrument.check({"speed": 1.0}).startswith("devices needs temperature")
    assert len(objects(instrument)["Oven"].told) == 1
    assert instrument.ask("k2") == Answer("never")


def test_an_abort_stops_the_devices_and_is_remembered(
    lab: Made,
    built: Made,
    oven_options: Made,
    lane: Lane,
    toys: Any,  # noqa: ANN401 - a namespace
) -> None:
    module = lab("Oven.apply = lambda self, value: self.rest(20)")
    instrument = built(oven_options(module))
    lane.connect(instrument)
    future = lane.submit(instrument, attempt())
    while not objects(instrument)["Oven"]._commands.busy:
        time.sleep(0.002)
    toys.abort_when_running(lane, "the door was opened")
    failure = future.result(20).failure
    assert (failure.kind, failure.message) == (FailureKind.ABORTED, "the door was opened")
    assert objects(instrument)["Oven"].halted
    assert instrument.ask("k1").failure.kind is FailureKind.ABORTED


def test_what_cannot_be_stopped_is_told_and_the_others_are_stopped(
    lab: Made, built: Made, oven_options: Made, lane: Lane
) -> None:
    module = lab("""
        class Stubborn(Tester):
            async def stop(self, success=True):
                raise OSError("no line")
    """)
    readings = {"hardness": {"object": f"{module}:Stubborn", "key": "hardness", "unit": "HV"}}
    instrument = built(oven_options(module, readings=readings))
    lane.connect(instrument)
    with pytest.raises(RuntimeError, match="Stubborn: OSError: no line"):
        instrument.stop()
    assert objects(instrument)["Oven"].halted == 1


def test_after_a_crash_nobody_knows_unless_a_device_remembers(
    lab: Made, beside: Surroundings, oven_options: Made, lane: Lane
) -> None:
    module = lab("""
        known = {}
        class Press(Blocking):
            def begin(self, attempt):
                known[attempt.key] = Answer("unknown")
            def apply(self, value):
                pass
            def ask(self, key):
                if key == "deaf":
                    raise OSError("no line")
                return known.get(key, Answer("never"))
    """)
    mute = oven_options(module)
    telling = oven_options(
        module, name="press", settings={"temperature": {"object": f"{module}:Press", "unit": "K"}}
    )
    for options, expected in (
        (mute, {"k1": "unknown", "k2": "unknown", "k3": "never", "deaf": "unknown"}),
        (telling, {"k1": "done", "k2": "running", "k3": "never", "deaf": "unknown"}),
    ):
        before = build("devices", options, beside)
        for key in ("k1", "k2", "deaf"):
            # A controller that died behind this line.
            before._memory.started(attempt(key))
        before.close()
        instrument = build("devices", options, beside)
        lane.connect(instrument)
        reading = carried_out(lane, instrument, "k9").reading
        assert reading is not None
        sys.modules[module].known |= {"k1": Answer("done", reading=reading), "k2": Answer("running")}
        assert {key: instrument.ask(key).state for key in expected} == expected
        instrument.close()
    assert "k9" in sys.modules[module].known


def test_needs_ramps_and_interlocks_are_handed_on(
    lab: Made, built: Made, oven_options: Made, lane: Lane
) -> None:
    module = lab("Oven.interlocks = lambda self: {'door': lambda: 'the door is open'}")
    options = oven_options(module, needs={"rack slot": 2})
    options["settings"]["temperature"]["ramp"] = "10 K/min"
    instrument = built(options)
    lane.connect(instrument)
    assert instrument.needs({}) == {
        "rack slot": 2,
        f"device {module}:Oven": 1,
        f"device {module}:Tester": 1,
    }
    assert instrument.ramps({})["temperature"].speed == 10.0
    assert instrument.interlocks()["door"]() == "the door is open"


CONNECT = [
    (
        {"settings": {"t": {"object": "{m}:Tester"}}},
        "settings.t.object: {m}:Tester cannot be set, for it is no M",
    ),
    ({"trigger": ["{m}:Bare"]}, "trigger.0: {m}:Bare cannot be triggered, for it is no Triggerable"),
    (
        {"raw": ["{m}:Bare"]},
        "raw.0: {m}:Bare cannot be read, for it is no Readable of bluesky.protocols: it lacks",
    ),
    (
        {"readings": {"h": {"object": "{m}:Tester"}}},
        "readings.h.key: is needed, for Tester reads Tester-",
    ),
    (
        {"readings": {"h": {"object": "{m}:Tester", "key": "hardnes"}}},
        "connect devices: readings.h.key: Tester reads no 'hardnes'; did you mean hardness? allowed are ",
    ),
    (
        {"readings": {"h": {"object": "{m}:Tester", "key": "hardness", "unit": "mm"}}},
        "readings.h.unit: is mm, but Tester-hardness is described in HV",
    ),
    ({"readings": {"h": {"object": "{m}:Spectrum"}}}, "readings.h.key: spectrum is an array"),
    (
        {"settings": {"t": {"object": "{m}:Oven", "unit": "K"}}},
        "settings.t.unit: is K, but Oven-temperature is described in degC; write unit: degC",
    ),
    ({"settings": {"t": {"object": "{m}:Loose"}}}, "settings.t.object: {m}:Loose cannot be hashed"),
    (
        {"settings": {"t": {"object": "{m}:Dead", "unit": "K"}}},
        "{m}:Dead cannot be connected: OSError: no line",
    ),
    ({"settings": {"t": {"object": "{m}:Hung"}}}, "{m}:Hung cannot be connected: "),
    ({"settings": {"t": {"object": "{m}:Oven.x"}}}, "{m}:Oven.x cannot be connected: AttributeError"),
    (
        {"raw": ["{m}:nothing"]},
        "raw.0: {m}:nothing cannot be connected: ValueError: {m}:nothing returned nothing",
    ),
    ({"raw": ["{m}:Tester", "{m}:Twin"]}, "both read 'Tester-"),
    ({"raw": ["{m}:Told", "{m}:Teller"]}, "devices: only one object may have ask(key), and 2 have it"),
]


@pytest.mark.parametrize(("changes", "said"), CONNECT)
def test_what_the_objects_cannot_do_is_said_before_the_first_attempt(
    lab: Made, built: Made, oven_options: Made, lane: Lane, *, changes: dict[str, Any], said: str
) -> None:
    module = lab("""
        class Bare:
            pass
        class Spectrum(Bare):
            name = "spectrum"
            def read(self): return {}
            async def describe(self):
                return {"spectrum": {"source": "lab", "dtype": "array", "shape": [9]}}
        @dataclass
        class Loose:
            name: str = "loose"
            def set(self, value): pass
        class Dead(Blocking):
            def open(self): raise OSError("no line")
        class Hung(Blocking):
            def open(self): self.rest(9)
        class Twin(Tester):
            def __init__(self, name=""): super().__init__("Tester")
        class Teller(Blocking):
            units = {"x": "m"}
            def ask(self, key): pass
        class Told(Teller): pass
        def nothing(name): pass
    """)
    told = json.loads(json.dumps(changes).replace("{m}", module))
    options = oven_options(module, connect_timeout="0.3 s", **told)
    instrument = built(options)
    with pytest.raises(LaneError, match=re.escape(said.replace("{m}", module))):
        lane.connect(instrument)
    instrument.close()


BUILD = [
    ({"setings": {}}, "setings: there is no such option; did you mean settings?"),
    ({"settings": {}}, "settings: is needed"),
    ({"readings": []}, "readings: must be a mapping"),
    ({"settings": {"t": "{m}:Oven"}}, "settings.t: must be a mapping"),
    (
        {"settings": {"t": {"objct": "{m}:Oven"}}},
        "settings.t.objct: there is no such option; did you mean object?",
    ),
    (
        {"settings": {"t": {"object": "{m}:Ovn"}}},
        "settings.t.object: module {m} has no 'Ovn'; did you mean Oven?",
    ),
    (
        {"settings": {"t": {"object": "no_such.lab:x"}}},
        "settings.t.object: there is no module no_such; it is not in",
    ),
    (
        {"settings": {"t": {"object": "{m}:Oven", "unit": "parrot"}}},
        "settings.t.unit: 'parrot' is not a unit",
    ),
    (
        {"settings": {"t": {"object": "{m}:Oven", "timeout": 5}}},
        "settings.t.timeout: must be a text, and is 5",
    ),
    ({"settings": {"t": {"object": "{m}:Oven", "tolerance": 5}}}, "settings.t.tolerance: needs readback"),
    (
        {"settings": {"t": {"object": "{m}:Oven", "tolerance": -5}}},
        "settings.t.tolerance: cannot be negative",
    ),
    (
        {"settings": {"t": {"object": "{m}:needy"}}},
        "settings.t.object: {m}:needy needs port, and is called with a",
    ),
    (
        {"settings": {"t": {"object": "{m}:odd"}}},
        "settings.t.object: {m}:odd makes no device, for it takes no name",
    ),
    (
        {"settings": {"t": {"object": "{m}:five"}}},
        "settings.t.object: {m}:five is 5 and no object of Bluesky's",
    ),
    ({"settings": {"t": {"object": "os:abort"}}}, "settings.t.object: os:abort makes no device"),
    ({"trigger": [{"objekt": "x"}]}, "trigger.0.objekt: there is no such option; did you mean object?"),
    (
        {"failures": {"OSError": "broken"}},
        "failures.OSError: 'broken' is no kind of failure; allowed are infeasible",
    ),
    ({"needs": {"slot": 0}}, "needs.slot: must be a whole number"),
    ({"modules": "nowhere"}, "modules: there is no folder"),
    ({"name": "a/b"}, "'a/b' cannot name a file"),
]


@pytest.mark.parametrize(("changes", "said"), BUILD)
def test_a_wrong_option_is_said_when_the_instrument_is_built(
    lab: Made, built: Made, oven_options: Made, changes: dict[str, Any], said: str
) -> None:
    module = lab("def needy(port, name): pass\ndef odd(): pass\nfive = 5\n")
    told = json.loads(json.dumps(changes).replace("{m}", module))
    with pytest.raises(ValueError, match=re.escape(said.replace("{m}", module))):
        built(oven_options(module, **told))


def test_nothing_is_made_before_it_is_connected(
    lab: Made, built: Made, oven_options: Made, tmp_path: Path
) -> None:
    module = lab("made = []\nclass Eager(Oven):\n    def __init__(self, name): made.append(name)\n")
    built(oven_options(module, settings={"t": {"object": f"{module}:Eager", "unit": "K"}})).close()
    assert sys.modules[module].made == []
    assert (tmp_path / "instruments" / "devices.sqlite").exists()
