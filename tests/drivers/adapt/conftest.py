"""A lab's own module, written for one test, and instruments made of it."""

import itertools
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl_drivers.protocol import Instrument, Surroundings
from labctl_drivers.registry import build

_number = itertools.count()

HEAD = """
import asyncio, threading, time
from dataclasses import dataclass
from ophyd import Component, Device, Signal
from ophyd_async.core import AsyncStatus, StandardReadable, soft_signal_rw
from bluesky import plan_stubs as bps, plans as bp
from labctl_drivers.adapt.blocking import Blocking
from labctl_drivers.protocol import Answer, Bound, ExperimentFailed, FailureKind, Reading

class Oven(Blocking):
    units = {"temperature": "degC"}
    halted = 0
    now = 20.0
    told = ()
    def apply(self, value):
        self.told = (*self.told, value)
        self.now = value
    def measure(self):
        return {"temperature": self.now}
    def halt(self):
        self.halted += 1

class Tester(StandardReadable):
    value = 120.0
    def __init__(self, name=""):
        with self.add_children_as_readables():
            self.hardness = soft_signal_rw(float, 0.0, units="HV")
            self.scatter = soft_signal_rw(float, 2.5)
        super().__init__(name)
    @AsyncStatus.wrap
    async def trigger(self):
        await self.hardness.set(self.value)
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a module with an oven, a tester and whatever else is given; tells its name."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(source: str = "") -> str:
        name = f"lab_of_test_{next(_number)}"
        (tmp_path / f"{name}.py").write_text(HEAD + textwrap.dedent(source), "utf-8")
        return name

    return write


@pytest.fixture
def beside(tmp_path: Path) -> Surroundings:
    """Where the campaign file would lie, with a folder for memories."""
    return Surroundings(folder=tmp_path / "instruments", beside=tmp_path)


@pytest.fixture
def oven_options() -> Callable[..., dict[str, Any]]:
    """Options of an oven and a tester; keys replace those of the top."""

    def options(module: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any option
        return {
            "modules": ".",
            "settings": {"temperature": {"object": f"{module}:Oven", "unit": "degC"}},
            "readings": {"hardness": {"object": f"{module}:Tester", "key": "hardness", "unit": "HV"}},
            **changes,
        }

    return options


@pytest.fixture
def built(beside: Surroundings) -> Callable[..., Instrument]:
    """Build an instrument beside the lab's module."""

    def make(options: dict[str, Any], kind: str = "devices") -> Instrument:
        return build(kind, options, beside)

    return make
