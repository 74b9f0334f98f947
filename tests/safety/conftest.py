"""A furnace that notes down whatever reaches it, with a door, and the limits of the lab it stands in."""

import asyncio
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bluesky import plan_stubs as bps
from ophyd_async.core import AsyncStatus, StandardReadable, init_devices, soft_signal_rw

from labctl_drivers.engine import Lane
from labctl_drivers.patience import Patience
from labctl_drivers.protocol import Answer, Attempt, Ramp, Reading, Recipe

LIMITS = """
limits:
  temperature: {low: 20, high: 1200, unit: degC}
  hold_time: {low: 0, high: 48, unit: hour}
  heating_rate: {low: 0.1, high: 50, unit: K/min}
rates:
  temperature: {at_most: 20, unit: K/min, set_by: heating_rate}
forbidden:
  - {temperature: {above: 500, unit: degC}, atmosphere: air}
  - {atmosphere: [hydrogen, methane], quench: air}
unlimited: [stirrer]
"""
GOOD: Recipe = {
    "temperature": 450.0,
    "hold_time": 1.5,
    "heating_rate": 10.0,
    "atmosphere": "argon",
    "quench": "oil",
}
UNITS = {"temperature": "degC", "hold_time": "hour", "heating_rate": "K/min"}
READ = Reading({"hardness": 100.0}, {"hardness": "HV"})


class Heater(StandardReadable):
    """A real ophyd-async device that can be slow, stuck, or gone; it counts what it is told."""

    def __init__(self, name: str = "heater") -> None:
        with self.add_children_as_readables():
            self.temperature = soft_signal_rw(float, 20.0, units="degC")
        self.seconds = 0.0
        self.stuck = False
        self.gone: Exception | None = None
        self.told: list[float] = []
        self._moving: asyncio.Task[None] | None = None
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def set(self, value: float) -> None:
        self.told.append(value)
        if self.gone is not None:
            raise self.gone
        self._moving = asyncio.ensure_future(asyncio.sleep(3600.0 if self.stuck else self.seconds))
        await (asyncio.shield(self._moving) if self.stuck else self._moving)
        await self.temperature.set(value)

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        await asyncio.sleep(self.seconds)

    def halt(self) -> None:
        if self._moving is not None and not self.stuck:
            self._moving.cancel()


class Furnace:
    """One sample at a time: heat, hold, cool, measure. Each of its faults can be switched on."""

    name = "furnace"

    def __init__(self) -> None:
        self.heater: Any = None
        self.started: list[Attempt] = []
        self.hot = False
        self.made_safe: list[float] = []
        self.door: str | None = None
        self.tripped_at = 0.0
        self.on_stop: Callable[[], None] = lambda: None
        self.on_connect: Callable[[], None] = lambda: None
        self.on_look: Callable[[], str | None] = lambda: self.door
        self._loop: asyncio.AbstractEventLoop | None = None

    def connect(self) -> None:
        from bluesky.run_engine import get_bluesky_event_loop  # noqa: PLC0415 - as drivers do

        self.on_connect()
        self._loop = get_bluesky_event_loop()
        with init_devices(set_name=False):
            self.heater = Heater()

    def check(self, recipe: Recipe) -> str | None:
        return None if recipe else "the recipe is empty"

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        self.started.append(attempt)
        self.hot = True
        yield from bps.checkpoint()
        yield from bps.mv(self.heater, 450.0)
        yield from bps.sleep(self.heater.seconds)
        yield from bps.mv(self.heater, 20.0)
        yield from bps.trigger_and_read([self.heater])
        yield from bps.sleep(self.heater.seconds)
        return READ

    def ask(self, key: str) -> Answer:
        return Answer("unknown" if key else "never")

    def stop(self) -> None:
        self.on_stop()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.heater.halt)
        self.hot = False
        self.made_safe.append(time.monotonic())

    def close(self) -> None:
        pass

    def interlocks(self) -> Mapping[str, Callable[[], str | None]]:
        return {"thermostat": lambda: None, "door": self._look}

    def ramps(self, recipe: Recipe) -> Mapping[str, Ramp]:
        assert recipe
        return {"temperature": Ramp(10.0, "K/min")}

    def open_door(self) -> None:
        self.tripped_at = time.monotonic()
        self.door = "it is open"

    def _look(self) -> str | None:
        return self.on_look()


def new_attempt(
    key: str = "k1", recipe: Recipe | None = None, units: Mapping[str, str] | None = None
) -> Attempt:
    return Attempt(
        key=key,
        campaign="test",
        experiment="e0001",
        number=1,
        recipe=GOOD if recipe is None else recipe,
        units=UNITS if units is None else units,
    )


@pytest.fixture(scope="session")
def lab() -> SimpleNamespace:
    """The lab's limits as text, and a recipe that keeps them."""
    return SimpleNamespace(
        limits=LIMITS, good=GOOD, units=UNITS, read=READ, attempt=new_attempt, furnace=Furnace
    )


@pytest.fixture
def furnace() -> Furnace:
    return Furnace()


@pytest.fixture
def limits_file(tmp_path: Path) -> Path:
    path = tmp_path / "lab.yaml"
    path.write_text(LIMITS)
    return path


@pytest.fixture
def lane() -> Iterator[Lane]:
    """A lane that loses its patience soon."""
    patience = Patience(connect_s=0.5, answer_s=0.5, stop_s=0.5, end_s=0.5, look_s=0.4)
    with Lane("test", time_limit_s=20.0, patience=patience) as lane:
        yield lane
