"""The simulated furnace under its own limits: its interlocks, and a device that does not obey a stop."""

import time
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from labctl.starter import configs_folder
from labctl_drivers.engine import Lane
from labctl_drivers.guard import Guard
from labctl_drivers.patience import Patience
from labctl_drivers.protocol import Attempt, FailureKind, Surroundings
from labctl_drivers.registry import build

Bench: TypeAlias = Any

K = FailureKind
LIMITS = configs_folder() / "limits" / "furnace.yaml"
# It takes a fifth of a second; the promised one is kept on any machine that is not kept busy by others.
BUSY = 5.0
UNITS = {"temperature": "degC", "hold_time": "minute"}


def attempt(key: str, temperature: float = 190.0) -> Attempt:
    recipe = {"temperature": temperature, "hold_time": 60.0, "quench": "oil"}
    return Attempt(key, "test", "e0001", 1, recipe, UNITS)


def heating(bench: Bench) -> None:
    while bench.ask("k1").state != "running":
        time.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A furnace in real time, which takes half an hour to heat."""
    return build("furnace", {"speed": 1.0}, Surroundings(folder=tmp_path))


@pytest.mark.parametrize(
    ("part", "fault", "name"),
    [
        ("door", "open", "door"),
        ("furnace", "too-hot", "over-temperature"),
        ("red-button", "pressed", "operator's stop"),
    ],
)
def test_each_of_its_interlocks_switches_it_off_within_a_second(
    *, part: str, fault: str, name: str, bench: Bench
) -> None:
    with Lane("test", guard=Guard(LIMITS)) as lane:
        lane.connect(bench)
        future = lane.submit(bench, attempt("k1"))
        heating(bench)
        clock = time.monotonic()
        bench.panel.switch(part, fault)
        finished = future.result(20)
        assert time.monotonic() - clock < BUSY
        assert finished.failure.kind is K.ABORTED
        assert finished.interlock.startswith(f"{name}: ")
        assert (finished.suspect, bench.ask("k1").state) == (None, "failed")
        bench.panel.switch(part, None)
        assert lane.run(bench, attempt("k2")).interlock == finished.interlock
        assert bench.ask("k2").state == "never"


def test_a_furnace_that_does_not_obey_its_stop_is_suspect(bench: Bench) -> None:
    with Lane("test", guard=Guard(LIMITS), patience=Patience(stop_s=0.5, end_s=0.5)) as lane:
        lane.connect(bench)
        future = lane.submit(bench, attempt("k1"))
        heating(bench)
        bench.panel.switch("furnace", "hung")
        lane.abort("the operator went home")
        finished = future.result(20)
        assert finished.failure.kind is K.ABORTED
        assert finished.suspect is not None
        assert lane.held == finished.suspect
        bench.panel.switch("furnace", None)


def test_its_own_limits_keep_it_from_what_its_lining_does_not_bear(tmp_path: Path, bench: Bench) -> None:
    fast = build("furnace", {"ramp_k_per_min": 30.0}, Surroundings(folder=tmp_path / "fast"))
    with Lane("test", guard=Guard(LIMITS)) as lane:
        for instrument, key, temperature, why in (
            (bench, "k1", 601.0, "temperature = 601.0 degC lies outside 20.0 to 600.0 degC"),
            (fast, "k2", 190.0, "temperature would change by 30 K/min, and at most 20 is allowed"),
        ):
            lane.connect(instrument)
            failure = lane.run(instrument, attempt(key, temperature)).failure
            assert (failure.kind, failure.stage) == (K.ABORTED, "guard")
            assert failure.message == f"not started: {why} (furnace.yaml)"
            assert instrument.ask(key).state == "never"
