"""An instrument that does what a test tells it, and what Bluesky wrote about it."""

import asyncio
import json
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bluesky import plan_stubs as bps
from ophyd_async.core import AsyncStatus, StandardReadable, init_devices, soft_signal_rw

from labctl_drivers.engine import Finished, Lane
from labctl_drivers.protocol import Answer, Attempt, Instrument, Reading, Recipe

Plan = Callable[[Attempt], Generator[Any, Any, Reading]]


class Scripted:
    """Carries out whatever plan it is given."""

    def __init__(self, plan: Plan, name: str = "toy", make: Callable[[], Any] | None = None) -> None:
        self.name = name
        self.plan = plan
        self.make = make
        self.device: Any = None
        self.connected = 0
        self.stopped = 0

    def connect(self) -> None:
        self.connected += 1
        self.device = self.make() if self.make is not None else None

    def check(self, recipe: Recipe) -> str | None:
        return None if recipe else "the recipe is empty"

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        return self.plan(attempt)

    def ask(self, key: str) -> Answer:
        return Answer("unknown" if key else "never")

    def stop(self) -> None:
        self.stopped += 1


def new_attempt(key: str = "k1", recipe: Recipe | None = None, **units: str) -> Attempt:
    return Attempt(
        key=key, campaign="test", experiment="e0001", number=1, recipe=recipe or {"x": 1.0}, units=units
    )


GOOD = Reading({"y": 2.5}, {"y": "nm"})


class Arm(StandardReadable):
    """A real ophyd-async device that can be told to fail or to hang."""

    def __init__(self, name: str = "arm", error: Exception | None = None, seconds: float = 0.0) -> None:
        with self.add_children_as_readables():
            self.position = soft_signal_rw(float, 0.0, units="mm")
        self.error = error
        self.seconds = seconds
        self.moving: asyncio.Future[None] | None = None
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def set(self, value: float) -> None:
        self.moving = asyncio.ensure_future(asyncio.sleep(self.seconds))
        await self.moving
        if self.error is not None:
            raise self.error
        await self.position.set(value)

    async def stop(self, *, success: bool = True) -> None:
        assert success
        if self.moving is not None:
            self.moving.cancel()


def arm(**how: object) -> Callable[[], Arm]:
    def make() -> Arm:
        with init_devices(set_name=False):
            device = Arm(**how)
        return device  # noqa: RET504 - it is connected only when the block above ends

    return make


def measuring(_: Attempt) -> Generator[Any, Any, Reading]:
    yield from bps.null()
    return GOOD


def sleeping(seconds: float) -> Plan:
    def plan(_: Attempt) -> Generator[Any, Any, Reading]:
        yield from bps.sleep(seconds)
        return GOOD

    return plan


def raising(error: Exception) -> Plan:
    def plan(_: Attempt) -> Generator[Any, Any, Reading]:
        yield from bps.null()
        raise error

    return plan


def carried_out(lane: Lane, instrument: Instrument, attempt: Attempt) -> Finished:
    lane.connect(instrument)
    return lane.run(instrument, attempt)


def abort_when_running(lane: Lane, reason: str = "the door was opened") -> None:
    while not lane.abort(reason):
        time.sleep(0.005)


def still_works(lane: Lane, attempt: Callable[..., Attempt]) -> bool:
    return carried_out(lane, Scripted(measuring), attempt("afterwards")).reading == GOOD


@pytest.fixture
def toys() -> SimpleNamespace:
    """What tests of lanes have in common."""
    return SimpleNamespace(
        arm=arm,
        measuring=measuring,
        sleeping=sleeping,
        raising=raising,
        carried_out=carried_out,
        abort_when_running=abort_when_running,
        still_works=still_works,
    )


@pytest.fixture
def scripted() -> type[Scripted]:
    return Scripted


@pytest.fixture
def attempt() -> Callable[..., Attempt]:
    return new_attempt


@pytest.fixture
def documents_file(tmp_path: Path) -> Path:
    return tmp_path / "documents.jsonl"


@pytest.fixture
def documents(documents_file: Path) -> Callable[..., list[dict[str, Any]]]:
    """The documents written so far, of one name."""

    def read(name: str) -> list[dict[str, Any]]:
        lines = [
            json.loads(line, parse_constant=_no_constant) for line in documents_file.read_text().splitlines()
        ]
        return [line["doc"] for line in lines if line["name"] == name]

    return read


@pytest.fixture
def lane(documents_file: Path) -> Iterator[Lane]:
    with Lane("test", documents=documents_file, time_limit_s=20.0) as lane:
        yield lane


def _no_constant(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
