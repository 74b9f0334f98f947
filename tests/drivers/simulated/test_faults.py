"""Faults that a person switches while a lane is at work, on the furnace bench and in the workshop."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from labctl_drivers.engine import Finished, Lane
from labctl_drivers.protocol import Attempt, FailureKind, Interlocked, Surroundings
from labctl_drivers.simulated.bench import FurnaceBench
from labctl_drivers.simulated.clock import Clock
from labctl_drivers.simulated.panel import PANELS, Panel
from labctl_drivers.simulated.settings import BenchSettings
from labctl_drivers.simulated.trouble import Trouble
from labctl_drivers.simulated.workshop.settings import WorkshopSettings
from labctl_drivers.simulated.workshop.workshop import Workshop

Attempts: TypeAlias = Callable[..., Attempt]
Made: TypeAlias = FurnaceBench | Workshop

K = FailureKind
PEAK = {"temperature": 190.0, "hold_time": 600.0, "quench": "oil"}
GLASS = {
    "Zr": 48.0,
    "Cu": 45.0,
    "Al": 7.0,
    "melt_temperature": 1100.0,
    "cooling_rate": 3000.0,
    "anneal_temperature": 20.0,
}


def made(kind: str, folder: Path | None = None) -> Made:
    around = Surroundings(folder, 0)
    if kind == "furnace":
        calm = BenchSettings(fault_rate=0.0, overshoot_rate=0.0, smear_rate=0.0)
        return FurnaceBench(calm, surroundings=around)
    return Workshop(WorkshopSettings(spill_rate=0.0, fault_rate=0.0), surroundings=around)


def tried(attempt: Attempts, instrument: Made, key: str) -> Attempt:
    recipe = PEAK if isinstance(instrument, FurnaceBench) else GLASS
    return attempt(key, recipe, **instrument.parameter_units)


DEVICES = [
    (kind, device)
    for kind in ("furnace", "workshop")
    for device, can in PANELS[kind].items()
    if "stuck" in can
]


@pytest.mark.parametrize(("kind", "device"), DEVICES)
def test_every_device_can_lose_its_connection_and_gets_it_back(
    kind: str, device: str, lane: Lane, attempt: Attempts
) -> None:
    instrument = made(kind)
    lane.connect(instrument)
    instrument.panel.switch(device, "dropped")
    failure = lane.run(instrument, tried(attempt, instrument, "k1")).failure
    assert failure is not None
    assert failure.kind is K.INSTRUMENT_FAULT
    assert f"the connection to the {device} is gone" in failure.message
    # The workshop looks at all its devices before it takes a crucible, so that nothing was begun.
    assert instrument.ask("k1").state == ("failed" if kind == "furnace" else "never")
    instrument.panel.switch(device, None)
    assert lane.run(instrument, tried(attempt, instrument, "k2")).reading is not None


@pytest.mark.parametrize(("kind", "device"), DEVICES)
def test_a_stuck_device_goes_on_when_it_is_mended_with_the_reading_it_would_have_had(
    kind: str, device: str, lane: Lane, attempt: Attempts
) -> None:
    instrument, well = made(kind), made(kind)
    lane.connect(instrument)
    lane.connect(well)
    instrument.panel.switch(device, "stuck")
    future = lane.submit(instrument, tried(attempt, instrument, "k1"))
    while instrument.ask("k1").state != "running":
        time.sleep(0.005)
    time.sleep(0.1)
    assert not future.done()
    instrument.panel.switch(device, None)
    reading = future.result(timeout=20).reading
    assert reading is not None
    assert reading == lane.run(well, tried(attempt, well, "k1")).reading


@pytest.mark.parametrize(("kind", "device"), DEVICES)
def test_a_stuck_device_ends_with_an_abort(kind: str, device: str, lane: Lane, attempt: Attempts) -> None:
    instrument = made(kind)
    lane.connect(instrument)
    instrument.panel.switch(device, "stuck")
    future = lane.submit(instrument, tried(attempt, instrument, "k1"))
    while instrument.ask("k1").state != "running":
        time.sleep(0.005)
    while not lane.abort("it does not move"):
        time.sleep(0.005)
    failure = future.result(timeout=20).failure
    assert failure is not None
    assert (failure.kind, failure.message) == (K.ABORTED, "it does not move")
    instrument.panel.switch(device, None)
    assert lane.run(instrument, tried(attempt, instrument, "k2")).reading is not None


@pytest.mark.parametrize(("kind", "device"), [("furnace", "timer"), ("workshop", "diffractometer")])
def test_a_hung_device_does_not_obey_and_the_others_do(
    kind: str, device: str, lane: Lane, attempt: Attempts
) -> None:
    instrument = made(kind)
    lane.connect(instrument)
    instrument.panel.switch(device, "hung")
    future = lane.submit(instrument, tried(attempt, instrument, "k1"))
    while instrument.ask("k1").state != "running":
        time.sleep(0.005)
    time.sleep(0.1)
    with pytest.raises(RuntimeError, match=f"the {device} does not react to a stop; switch it off by hand"):
        instrument.stop()
    assert instrument._furnace.now == 20.0
    instrument.panel.switch(device, None)
    assert isinstance(future.result(timeout=20), Finished)
    instrument.stop()


@pytest.mark.parametrize(("kind", "device"), DEVICES)
def test_a_stop_ends_what_a_device_does_and_is_no_success(
    kind: str, device: str, lane: Lane, attempt: Attempts
) -> None:
    instrument = made(kind)
    lane.connect(instrument)
    instrument.panel.switch(device, "stuck")
    future = lane.submit(instrument, tried(attempt, instrument, "k1"))
    while instrument.ask("k1").state != "running":
        time.sleep(0.005)
    while not future.done():  # it may come before the device has its turn
        instrument.stop()
        time.sleep(0.02)
    finished = future.result()
    assert finished.failure is not None
    assert finished.failure.kind is K.INSTRUMENT_FAULT
    assert "stopped" in finished.failure.message
    assert finished.suspect is None
    assert instrument._furnace.now == 20.0


def test_a_slow_device_takes_its_time(lane: Lane, attempt: Attempts) -> None:
    instrument = made("furnace")
    lane.connect(instrument)
    instrument.panel.switch("furnace", "slow")
    slow = lane.run(instrument, tried(attempt, instrument, "k1"))
    assert slow.reading is not None
    # On a bench that otherwise waits for nothing, a slow device takes its second.
    assert slow.seconds >= 1.0


def test_slow_is_ten_times_and_no_trouble_is_none() -> None:
    # The loop's own clock, which only a sleep moves: what is measured is asked for, and nothing else.
    async def lasts(trouble: Trouble | None) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async for _ in Clock(100.0, trouble).pass_time(2.0):
            pass
        return loop.time() - began

    panel = Panel(None)
    panel.switch("oven", "slow")
    plain, well, slow = (
        asyncio.run(lasts(trouble)) for trouble in (None, Trouble(panel, "tester"), Trouble(panel, "oven"))
    )
    assert plain >= 0.02
    assert well >= 0.02
    assert slow >= 0.02 * 10 + 1.0


@pytest.mark.parametrize("kind", ["furnace", "workshop"])
def test_interlocks_say_what_has_tripped_and_how_to_mend_it(kind: str, tmp_path: Path, lane: Lane) -> None:
    instrument = made(kind, tmp_path)
    assert isinstance(instrument, Interlocked)
    switches = {
        "door": ("door", "open", "is open; close it"),
        "over-temperature": ("furnace", "too-hot", "has tripped; let it cool"),
        "operator's stop": ("red-button", "pressed", "ask who pressed it"),
    }
    looks = instrument.interlocks()
    assert set(looks) == set(switches)
    assert all(look() is None for look in looks.values())  # before it is connected, too
    lane.connect(instrument)
    by_hand = Panel(tmp_path)
    for name, (device, fault, says) in switches.items():
        by_hand.switch(device, fault)
        for other, look in looks.items():
            assert (look() is None) == (other != name)
        assert says in str(looks[name]())
        by_hand.switch(device, None)
    assert all(look() is None for look in looks.values())
    # an unreadable panel is no licence to go on
    (tmp_path / "panel.json").write_text("{")
    for look in looks.values():
        with pytest.raises(ValueError, match="remove the file"):
            look()


@pytest.mark.parametrize("kind", ["furnace", "workshop"])
def test_over_temperature_trips_by_the_thermocouple_itself(kind: str, lane: Lane) -> None:
    instrument = made(kind)
    lane.connect(instrument)
    look = instrument.interlocks()["over-temperature"]
    instrument._furnace.now = instrument.hottest_safe_c
    assert look() is None
    instrument._furnace.now = instrument.hottest_safe_c + 1.0
    assert f"is at {instrument.hottest_safe_c + 1:.0f} °C" in str(look())


def test_the_looks_wait_for_nothing_while_a_device_is_stuck(lane: Lane, attempt: Attempts) -> None:
    instrument = made("workshop")
    lane.connect(instrument)
    instrument.panel.switch("oven", "stuck")
    future = lane.submit(instrument, tried(attempt, instrument, "k1"))
    while instrument.ask("k1").state != "running":
        time.sleep(0.005)
    looked: list[str | None] = []

    def look() -> None:
        looked.extend(one() for one in instrument.interlocks().values())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(timeout=5)
    assert looked == [None, None, None]
    instrument.panel.switch("oven", None)
    assert future.result(timeout=20).reading is not None


def test_a_mute_bench_and_a_liar_by_the_panel(tmp_path: Path, lane: Lane, attempt: Attempts) -> None:
    instrument = made("furnace", tmp_path)
    lane.connect(instrument)
    done = lane.run(instrument, tried(attempt, instrument, "k1")).reading
    for says, state in (("mute", "done"), ("lying", "never")):
        instrument.panel.switch("memory", says)
        assert instrument.ask("k1").state == state
    again = lane.run(instrument, tried(attempt, instrument, "k1")).failure
    assert again is not None
    assert again.kind is K.UNKNOWN
    instrument.panel.switch("memory", None)
    assert instrument.ask("k1").reading == done
    instrument.close()
