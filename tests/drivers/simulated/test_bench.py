"""The furnace bench on a real RunEngine: every way an attempt can end, and what a crash leaves behind."""

import asyncio
import math
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from bluesky.run_engine import call_in_bluesky_event_loop

from labctl_drivers.engine import Finished, Lane
from labctl_drivers.memory import Memory
from labctl_drivers.protocol import (
    Attempt,
    Bound,
    ExperimentFailed,
    FailureKind,
    Instrument,
    Recipe,
    Surroundings,
)
from labctl_drivers.simulated.bench import FurnaceBench
from labctl_drivers.simulated.settings import BenchSettings

Attempts: TypeAlias = Callable[..., Attempt]
Documents: TypeAlias = Callable[..., list[dict[str, Any]]]
CarryOut: TypeAlias = Callable[..., Finished]

CALM = {"fault_rate": 0.0, "overshoot_rate": 0.0, "smear_rate": 0.0}
PEAK = {"temperature": 190.0, "hold_time": 600.0, "quench": "oil"}
UNITS = {"temperature": "degC", "hold_time": "minute"}
K = FailureKind


def bench(folder: Path | None = None, seed: int = 0, **settings: float) -> FurnaceBench:
    return FurnaceBench(BenchSettings(**{**CALM, **settings}), surroundings=Surroundings(folder, seed))


@pytest.fixture
def carry_out(lane: Lane, attempt: Attempts) -> CarryOut:
    def carry_out(
        instrument: Instrument, recipe: Recipe = PEAK, key: str = "k1", units: dict[str, str] = UNITS
    ) -> Finished:
        lane.connect(instrument)
        return lane.run(instrument, attempt(key, recipe, **units))

    return carry_out


def wait_until_running(instrument: Instrument, key: str) -> None:
    while instrument.ask(key).state != "running":
        time.sleep(0.005)


def temperature(instrument: FurnaceBench, lane: Lane) -> float:
    where = asyncio.run_coroutine_threadsafe(instrument._furnace.locate(), lane.engine.loop).result(5)
    return where["readback"]


def test_it_is_an_instrument() -> None:
    assert isinstance(bench(), Instrument)


def test_a_good_attempt_has_hardness_settings_and_humidity(carry_out: CarryOut, documents: Documents) -> None:
    finished = carry_out(bench())
    reading = finished.reading
    assert reading.values["hardness"] == pytest.approx(130.0, abs=10.0)
    assert reading.units == {"hardness": "HV"}
    assert reading.actual["temperature"] == pytest.approx(190.0, abs=5.0)
    assert reading.actual["hold_time"] == pytest.approx(600.0, rel=0.01)
    assert reading.actual["hold_time"] != 600.0  # no timer is exact
    assert len(reading.raw["indents"]) == 5
    assert 10.0 <= reading.raw["humidity"] <= 90.0
    (event,) = documents("event")
    assert event["data"]["hardness"] == pytest.approx(reading.values["hardness"])
    assert event["data"]["hardness-indents"] == reading.raw["indents"]
    assert event["data"]["quench"] == "oil"
    assert event["data"]["temperature-humidity"] == reading.raw["humidity"]
    keys = documents("descriptor")[0]["data_keys"]
    assert (keys["temperature"]["units"], keys["hold_time"]["units"]) == ("degC", "minute")
    assert documents("stop")[0]["exit_status"] == "success"


def test_humidity_moves_the_reading_as_much_as_it_is_set_to(carry_out: CarryOut) -> None:
    calm = {"indent_scatter": 0.0, "seed": 2}
    dry = carry_out(bench(humidity_effect=0.0, **calm)).reading
    moved = carry_out(bench(humidity_effect=-1.0, **calm)).reading
    assert dry.raw["humidity"] == moved.raw["humidity"]
    by = 45.0 - dry.raw["humidity"]
    # The relative error of this day's calibration applies to what humidity adds, too.
    assert moved.values["hardness"] - dry.values["hardness"] == pytest.approx(by, rel=0.03)
    with pytest.raises(ValueError, match="indents must be a number above 1 and up to 99, and is 1"):
        bench(indents=1)
    with pytest.raises(ValueError, match="humidity_effect must be a number between -10 and 10"):
        bench(humidity_effect=99.0)


def test_a_campaign_can_be_repeated_and_its_replicates_differ(carry_out: CarryOut) -> None:
    first = [carry_out(bench(seed=4), key=f"k{number}").reading for number in range(3)]
    again = [carry_out(bench(seed=4), key=f"k{number}").reading for number in range(3)]
    other = [carry_out(bench(seed=5), key=f"k{number}").reading for number in range(3)]
    assert first == again
    values = {reading.values["hardness"] for reading in first + other}
    assert len(values) == 6


@pytest.mark.parametrize(
    ("settings", "recipe", "kind", "says", "stops"),
    [
        ({}, {**PEAK, "temperature": 560.0}, K.INFEASIBLE, "began to melt at", 0),
        ({}, {**PEAK, "temperature": 545.0, "quench": "water"}, K.INFEASIBLE, "cracked in the quench", 0),
        ({}, {**PEAK, "temperature": 400.0, "quench": "air"}, K.CENSORED, "below 50 HV", 0),
        ({"highest_hv": 100.0}, PEAK, K.CENSORED, "above 100 HV", 0),
        ({"overshoot_rate": 1.0}, PEAK, K.OFF_RECIPE, "off the 190.0 °C asked for", 0),
        ({"smear_rate": 1.0}, PEAK, K.BAD_READING, "no readable corners", 0),
        ({"indent_scatter": 0.3}, PEAK, K.BAD_READING, "differ by more", 0),
        ({"fault_rate": 1.0}, PEAK, K.INSTRUMENT_FAULT, "thermocouple", 1),
        ({"door_rate": 1.0}, PEAK, K.ABORTED, "door was opened", 1),
    ],
)
def test_each_kind_of_failure(
    *,
    settings: dict[str, float],
    recipe: Recipe,
    kind: FailureKind,
    says: str,
    stops: int,
    carry_out: CarryOut,
    documents: Documents,
) -> None:
    stopped = []

    class Watched(FurnaceBench):
        def stop(self) -> None:
            stopped.append(1)
            super().stop()

    instrument = Watched(BenchSettings(**{**CALM, **settings}), surroundings=Surroundings())
    failure = carry_out(instrument, recipe).failure
    assert failure.kind is kind
    assert says in failure.message
    assert len(stopped) == stops
    (stop,) = documents("stop")
    assert stop["exit_status"] == ("abort" if kind is K.ABORTED else "fail")
    assert stop["reason"] == f"{kind.value}: {failure.message}"
    # What ends an attempt in the furnace or the quench leaves nothing for the tester.
    assert len(documents("event")) == (failure.stage == "measure" or kind is K.OFF_RECIPE)
    answer = instrument.ask("k1")
    assert (answer.state, answer.failure.kind, answer.failure.message) == ("failed", kind, failure.message)
    if kind is K.CENSORED:
        low = "above" in says
        assert failure.bounds == {"hardness": Bound(low=100.0) if low else Bound(high=50.0)}
    if kind is K.OFF_RECIPE:
        assert failure.reading.actual["temperature"] > 195.0
        assert failure.reading.values["hardness"] > 0
    if kind is K.BAD_READING:
        assert len(failure.reading.raw["indents"]) == 5
    instrument.settings = BenchSettings(**CALM)
    assert carry_out(instrument, PEAK, key="after").reading is not None


def test_a_bench_keeps_the_units_it_was_asked_in(carry_out: CarryOut) -> None:
    celsius = carry_out(bench()).reading
    kelvin = carry_out(
        bench(),
        {"temperature": 463.15, "hold_time": 10.0, "quench": "oil"},
        units={"temperature": "K", "hold_time": "hour"},
    ).reading
    assert kelvin.values["hardness"] == pytest.approx(celsius.values["hardness"])
    assert kelvin.actual["temperature"] == pytest.approx(celsius.actual["temperature"] + 273.15)
    assert kelvin.actual["hold_time"] == pytest.approx(celsius.actual["hold_time"] / 60)


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"temperature": 190.0}, "needs exactly"),
        ({**PEAK, "gas": "argon"}, "needs exactly"),
        ({**PEAK, "temperature": "hot"}, "must be a number"),
        ({**PEAK, "quench": "brine"}, "one of water, oil, air"),
        ({**PEAK, "temperature": 900.0}, "from 20 to 600"),
        ({**PEAK, "hold_time": -1.0}, "not negative"),
        ({**PEAK, "hold_time": math.nan}, "not negative"),
    ],
)
def test_a_recipe_it_cannot_set_is_refused_before_a_sample_is_used(
    recipe: Recipe, says: str, carry_out: CarryOut
) -> None:
    instrument = bench()
    failure = carry_out(instrument, recipe).failure
    assert (failure.kind, failure.stage) == (K.INSTRUMENT_FAULT, "check")
    assert says in failure.message
    assert instrument.ask("k1").state == "never"


def test_a_key_uses_up_one_sample(carry_out: CarryOut) -> None:
    instrument = bench()
    first = carry_out(instrument).reading
    assert carry_out(instrument).failure.kind is K.UNKNOWN
    assert instrument.ask("k1").reading == first


def test_an_abort_in_the_hold_is_remembered_and_cools_the_furnace(lane: Lane, attempt: Attempts) -> None:
    instrument = bench(speed=3600.0)
    lane.connect(instrument)
    future = lane.submit(instrument, attempt("k1", {**PEAK, "hold_time": 1e6}, **UNITS))
    wait_until_running(instrument, "k1")
    while temperature(instrument, lane) < 100.0:
        time.sleep(0.005)
    while not lane.abort("lunch"):
        time.sleep(0.005)
    assert future.result(timeout=20).failure.message == "lunch"
    answer = instrument.ask("k1")
    assert (answer.state, answer.failure.kind) == ("failed", K.ABORTED)
    assert temperature(instrument, lane) == 20.0
    instrument.stop()
    instrument.settings = BenchSettings(**CALM)
    assert instrument.ask("k2").state == "never"


CRASHED = """
    import pathlib, sys
    from labctl_drivers.engine import Lane
    from labctl_drivers.protocol import Attempt, Surroundings
    from labctl_drivers.simulated.bench import FurnaceBench
    from labctl_drivers.simulated.settings import BenchSettings
    settings = BenchSettings(fault_rate=0.0, overshoot_rate=0.0, smear_rate=0.0, speed=3600.0)
    bench = FurnaceBench(settings, surroundings=Surroundings(pathlib.Path(sys.argv[1]), 0))
    recipe = {"temperature": 190.0, "hold_time": 600.0, "quench": "oil"}
    with Lane("a") as lane:
        lane.connect(bench)
        units = {"temperature": "degC", "hold_time": "minute"}
        future = lane.submit(bench, Attempt("k1", "test", "e0001", 1, recipe, units))
        while bench.ask("k1").state != "running":
            pass
        print("loaded", flush=True)
        future.result()
"""


def test_a_killed_controller_finds_its_sample_finished(tmp_path: Path, carry_out: CarryOut) -> None:
    command = [sys.executable, "-c", textwrap.dedent(CRASHED), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "loaded\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    mute = bench(tmp_path, mute=True)
    assert mute.ask("k1").state == "unknown"
    assert mute.ask("k2").state == "never"
    mute.close()
    memory = Memory(tmp_path, "furnace")
    assert memory.lookup("k1").result is None
    memory.close()

    resumed = bench(tmp_path)
    answer = resumed.ask("k1")
    assert answer.state == "done"
    assert answer.reading == carry_out(bench()).reading
    assert carry_out(resumed).failure.kind is K.UNKNOWN
    resumed.close()
    # Once it is settled, even a mute bench has it on record.
    settled = bench(tmp_path, mute=True)
    assert settled.ask("k1") == answer
    settled.close()


def test_moves_report_their_progress() -> None:
    with Lane("a") as lane:
        instrument = bench(speed=3600.0)
        lane.connect(instrument)
        seen = []

        async def heat() -> None:
            status = instrument._furnace.set(220.0)
            status.watch(lambda **update: seen.append(update["current"]))
            await status

        call_in_bluesky_event_loop(heat(), timeout=20)
    assert seen[-1] == 220.0
    assert len(seen) >= 3
    assert seen == sorted(seen)


def test_a_tester_without_a_sample_says_so() -> None:
    with Lane("a") as lane:
        instrument = bench()
        lane.connect(instrument)

        async def measure() -> None:
            await instrument._tester.trigger()

        with pytest.raises(RuntimeError, match="no sample"):
            call_in_bluesky_event_loop(measure(), timeout=20)


def test_failures_are_as_frequent_as_on_a_cared_for_bench(lane: Lane, attempt: Attempts) -> None:
    instrument = FurnaceBench(surroundings=Surroundings(None, 7))
    lane.connect(instrument)
    kinds = [lane.run(instrument, attempt(f"k{n}", PEAK, **UNITS)).failure for n in range(150)]
    failed = [failure for failure in kinds if isinstance(failure, ExperimentFailed)]
    # 2 % faults, 3 % overshoots, 2 % smeared indents: 10.5 expected of 150, four standard deviations are 12
    assert 1 <= len(failed) <= 23
