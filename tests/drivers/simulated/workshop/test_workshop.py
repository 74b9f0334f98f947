"""The workshop on a real RunEngine: documents, endings, faults, an empty rack, and what a crash leaves."""

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from labctl_drivers.engine import Finished, Lane
from labctl_drivers.protocol import (
    Attempt,
    FailureKind,
    Instrument,
    Interlocked,
    Needs,
    Ramped,
    Reading,
    Recipe,
    Surroundings,
)
from labctl_drivers.simulated.workshop.settings import WorkshopSettings
from labctl_drivers.simulated.workshop.workshop import Workshop

Attempts: TypeAlias = Callable[..., Attempt]
Documents: TypeAlias = Callable[..., list[dict[str, Any]]]
CarryOut: TypeAlias = Callable[..., Finished]

CALM: dict[str, Any] = {"spill_rate": 0.0, "fault_rate": 0.0}
GLASS = {
    "Zr": 48.0,
    "Cu": 45.0,
    "Al": 7.0,
    "melt_temperature": 1100.0,
    "cooling_rate": 3000.0,
    "anneal_temperature": 20.0,
}
K = FailureKind


def workshop(folder: Path | None = None, seed: int = 0, lane: int = 1, **changed: object) -> Workshop:
    around = Surroundings(folder, seed, lane=lane)
    return Workshop(WorkshopSettings(**{**CALM, **changed}), surroundings=around)


@pytest.fixture
def carry_out(lane: Lane, attempt: Attempts) -> CarryOut:
    def carry_out(instrument: Instrument, recipe: Recipe = GLASS, key: str = "k1", **units: str) -> Finished:
        lane.connect(instrument)
        return lane.run(instrument, attempt(key, recipe, **{**Workshop.parameter_units, **units}))

    return carry_out


def wait_until_running(instrument: Instrument, key: str) -> None:
    while instrument.ask(key).state != "running":
        time.sleep(0.005)


def shutters_closed_and_cold(instrument: Workshop) -> bool:
    devices = (instrument._balance, instrument._diffractometer)
    shut = [device.shutter_open._connector.backend.reading["value"] for device in devices]  # type: ignore[attr-defined]
    return not any(shut) and instrument._furnace.now == instrument._oven.now == 20.0


def test_it_keeps_every_contract() -> None:
    made = workshop()
    assert isinstance(made, Instrument)
    assert isinstance(made, Needs)
    assert isinstance(made, Interlocked)
    assert isinstance(made, Ramped)
    assert made.needs(GLASS) == {"rack slot": 1}


def test_a_casting_has_its_settings_pattern_and_label_in_the_run(
    carry_out: CarryOut, documents: Documents
) -> None:
    made = workshop()
    reading = carry_out(made).reading
    assert reading is not None
    (event,) = documents("event")
    data, keys = event["data"], documents("descriptor")[0]["data_keys"]
    for name in (*GLASS, "hardness", "peak_width"):
        assert name in data
    assert data["hardness"] == pytest.approx(reading.values["hardness"])
    assert data["peak_width"] == reading.values["peak_width"]
    assert data["peak_width-counts"] == reading.raw["pattern"]["counts"]
    assert data["peak_width-label"] == reading.raw["label"] == "glassy"
    assert data["robot-slot"] == reading.raw["slot"] == 1
    assert data["balance-humidity"] == reading.raw["humidity"]
    assert [data[name] for name in GLASS] == [reading.actual[name] for name in GLASS]
    assert (keys["cooling_rate"]["units"], keys["Zr"]["units"]) == ("K/s", "percent")
    assert documents("stop")[0]["exit_status"] == "success"
    assert made.rack.left() == 23
    # what the run left hot or open, its end has made safe
    assert shutters_closed_and_cold(made)


def test_a_campaign_can_be_repeated_by_its_seed(carry_out: CarryOut) -> None:
    def three(seed: int) -> list[Reading | None]:
        made = workshop(seed=seed)
        return [carry_out(made, key=f"k{number}").reading for number in range(3)]

    assert three(4) == three(4)
    assert three(4) != three(5)


def test_it_keeps_the_units_it_was_asked_in(carry_out: CarryOut) -> None:
    usual = carry_out(workshop()).reading
    other = {**GLASS, "melt_temperature": 1373.15, "Zr": 0.48, "Cu": 0.45, "Al": 0.07}
    shares = dict.fromkeys(("Zr", "Cu", "Al"), "dimensionless")
    told = carry_out(workshop(), other, melt_temperature="K", **shares).reading
    assert usual is not None
    assert told is not None
    assert told.values["hardness"] == pytest.approx(usual.values["hardness"])
    assert told.actual["melt_temperature"] == pytest.approx(usual.actual["melt_temperature"] + 273.15)
    assert told.actual["Zr"] == pytest.approx(usual.actual["Zr"] / 100)


@pytest.mark.parametrize(
    ("changed", "recipe", "kind", "says"),
    [
        ({}, {"melt_temperature": 850.0}, K.INFEASIBLE, "did not melt through"),
        ({}, {"cooling_rate": 0.1}, K.INFEASIBLE, "shattered"),
        ({"highest_hv": 450.0}, {}, K.CENSORED, "above 450 HV"),
        ({"full_scale": 1000}, {"anneal_temperature": 560.0}, K.BAD_READING, "saturated"),
        ({"spill_rate": 1.0}, {}, K.OFF_RECIPE, "over the"),
        ({"fault_rate": 1.0}, {}, K.INSTRUMENT_FAULT, "robot dropped"),
        ({"fault_rates": {"balance": {"dropped": 1.0}}}, {}, K.INSTRUMENT_FAULT, "connection to the balance"),
    ],
)
def test_each_ending_uses_up_one_crucible_and_is_remembered(
    *,
    changed: dict[str, Any],
    recipe: dict[str, float],
    kind: FailureKind,
    says: str,
    carry_out: CarryOut,
) -> None:
    made = workshop(**changed)
    failure = carry_out(made, {**GLASS, **recipe}).failure
    assert failure is not None
    assert failure.kind is kind
    assert says in failure.message
    assert made.rack.left() == 23
    answer = made.ask("k1")
    assert (answer.state, answer.failure.kind) == ("failed", kind)
    made.settings = WorkshopSettings(**CALM)
    assert carry_out(made, key="after").reading is not None


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"Zr": 60.0}, "add up to 100 percent, and add up to 112"),
        ({"Zr": -1.0, "Cu": 94.0}, "must be shares"),
        ({"Al": float("nan")}, "must be shares"),
        ({"melt_temperature": 2000.0}, "the furnace goes from 20 to 1450"),
        ({"cooling_rate": 0.0}, "moulds cool at 0.1 to 1e+06"),
        ({"anneal_temperature": "hot"}, "must be a number"),
        ({"argon": 1.0}, "needs exactly"),
    ],
)
def test_a_recipe_it_cannot_set_takes_no_crucible(
    recipe: dict[str, Any], says: str, carry_out: CarryOut
) -> None:
    made = workshop()
    failure = carry_out(made, {**GLASS, **recipe}).failure
    assert failure is not None
    assert (failure.kind, failure.stage) == (K.INSTRUMENT_FAULT, "check")
    assert says in failure.message
    assert (made.ask("k1").state, made.rack.left()) == ("never", 24)


@pytest.mark.parametrize(
    "device", ["robot", "balance", "furnace", "caster", "oven", "diffractometer", "tester"]
)
def test_a_device_that_is_known_to_be_gone_costs_no_crucible(device: str, carry_out: CarryOut) -> None:
    made = workshop()
    made.panel.switch(device, "dropped")
    says = f"the connection to the {device} is gone; check its cable and switch"
    assert made.check(GLASS) == says
    failure = carry_out(made).failure
    assert failure is not None
    assert (failure.kind, failure.stage, failure.message) == (K.INSTRUMENT_FAULT, "check", says)
    assert (made.ask("k1").state, made.rack.left()) == ("never", 24)
    made.panel.switch(device, None)
    assert made.check(GLASS) is None
    assert carry_out(made).reading is not None
    assert made.rack.left() == 23


def test_an_empty_rack_is_said_and_a_full_one_goes_on(carry_out: CarryOut) -> None:
    made = workshop(slots=2)
    for key in ("k1", "k2"):
        assert made.check(GLASS) is None
        assert carry_out(made, key=key).reading is not None
    assert "sim refill" in str(made.check(GLASS))
    failure = carry_out(made, key="k3").failure
    assert failure is not None
    assert (failure.kind, failure.stage) == (K.INSTRUMENT_FAULT, "check")
    assert "labctl sim refill" in failure.message
    assert made.ask("k3").state == "never"
    # the last crucible's attempt is told of like any other
    assert made.ask("k2").state == "done"
    made.rack.refill()
    assert carry_out(made, key="k3").reading is not None


def test_a_key_uses_up_one_crucible(carry_out: CarryOut) -> None:
    made = workshop()
    first = carry_out(made).reading
    failure = carry_out(made).failure
    assert failure is not None
    assert failure.kind is K.UNKNOWN
    assert made.rack.left() == 23
    assert made.ask("k1").reading == first


def test_lanes_share_the_rack_and_the_panel_and_nothing_else(tmp_path: Path, attempt: Attempts) -> None:
    first, second = workshop(tmp_path), workshop(tmp_path / "lane-2", lane=2)
    first.panel.switch("lane-2/oven", "dropped")
    with Lane("lane-1") as one, Lane("lane-2", beside=one) as two:
        one.connect(first)
        two.connect(second)
        futures = [
            lane.submit(made, attempt(f"{lane.name}/{number}", GLASS, **Workshop.parameter_units))
            for number in range(3)
            for lane, made in ((one, first), (two, second))
        ]
        done = [future.result(timeout=60) for future in futures]
    readings = [finished.reading for finished in done if finished.reading is not None]
    failures = [finished.failure for finished in done if finished.failure is not None]
    assert len(readings) == len(failures) == 3
    assert all("connection to the oven" in failure.message for failure in failures)
    # The lane whose oven is gone has taken none.
    assert first.rack.left() == second.rack.left() == 21
    assert len({reading.raw["slot"] for reading in readings}) == 3
    assert first.ask("lane-2/0").state == "never"


CRASHED = """
    import pathlib, sys
    from labctl_drivers.engine import Lane
    from labctl_drivers.protocol import Attempt, Surroundings
    from labctl_drivers.simulated.workshop.settings import WorkshopSettings
    from labctl_drivers.simulated.workshop.workshop import Workshop
    settings = WorkshopSettings(spill_rate=0.0, fault_rate=0.0, speed=600.0)
    made = Workshop(settings, surroundings=Surroundings(pathlib.Path(sys.argv[1]), 0))
    recipe = {"Zr": 48.0, "Cu": 45.0, "Al": 7.0, "melt_temperature": 1100.0, "cooling_rate": 3000.0,
              "anneal_temperature": 20.0}
    with Lane("a") as lane:
        lane.connect(made)
        future = lane.submit(made, Attempt("k1", "test", "e0001", 1, recipe, made.parameter_units))
        while made.ask("k1").state != "running":
            pass
        print("running", flush=True)
        future.result()
"""


def test_a_killed_controller_finds_its_casting_finished_and_its_crucible_gone(
    tmp_path: Path, carry_out: CarryOut
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(CRASHED), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    after = workshop(tmp_path)
    assert after.rack.left() == 23
    # Mute and liars first, as the panel has it; the truth is on record all the same.
    after.panel.switch("memory", "mute")
    assert (after.ask("k1").state, after.ask("k2").state) == ("unknown", "never")
    after.panel.switch("memory", "lying")
    assert after.ask("k1").state == "never"
    liar = carry_out(after).failure
    assert liar is not None
    assert liar.kind is K.UNKNOWN
    after.panel.switch("memory", None)
    answer = after.ask("k1")
    assert answer.state == "done"
    assert answer.reading == carry_out(workshop()).reading
    assert after.rack.left() == 23
    after.close()
    after.close()


def test_an_abort_in_the_furnace_leaves_it_cold_and_shut(lane: Lane, attempt: Attempts) -> None:
    made = workshop(speed=600.0)
    lane.connect(made)
    future = lane.submit(made, attempt("k1", GLASS, **Workshop.parameter_units))
    wait_until_running(made, "k1")
    while made._furnace.now < 100.0:
        time.sleep(0.005)
    while not lane.abort("lunch"):
        time.sleep(0.005)
    assert future.result(timeout=20).failure.message == "lunch"
    assert shutters_closed_and_cold(made)
    assert made.ask("k1").failure.kind is K.ABORTED
    made.stop()


def test_a_liar_s_readings_look_well_and_are_remembered_as_they_were(carry_out: CarryOut) -> None:
    made = workshop(weigh_error_mg=20.0)
    made.panel.switch("balance", "lying")
    lied = carry_out(made).reading
    assert lied is not None
    assert lied.actual["Zr"] == 48.0
    made.panel.switch("balance", None)
    assert made.ask("k1").reading == lied
