"""A lane says what came of an attempt; what Bluesky says beside it is kept off the terminal, and not lost."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any

import pytest
from bluesky import plan_stubs as bps
from bluesky.run_engine import RunEngine
from bluesky.utils import RunEngineInterrupted

from labctl_drivers import loops
from labctl_drivers.engine import Lane
from labctl_drivers.protocol import Attempt, Reading

Attempts = Callable[..., Attempt]
Scripts = Callable[..., Any]

# Two lanes on one loop, each with a device that neither ends nor obeys a stop; both are broken off at once.
TWO_LANES = """
    import asyncio, logging, threading, time
    from bluesky import plan_stubs as bps
    from ophyd_async.core import AsyncStatus, StandardReadable, init_devices
    from labctl_drivers.engine import Lane
    from labctl_drivers.patience import Patience
    from labctl_drivers.protocol import Answer, Attempt, Reading

    class Heater(StandardReadable):
        @AsyncStatus.wrap
        async def set(self, value):
            await asyncio.sleep(30.0)

        async def stop(self, *, success=True):
            raise RuntimeError("the heater does not react")

    class Furnace:
        name = "furnace"

        def connect(self):
            with init_devices(set_name=False):
                self.heater = Heater(name="heater")

        def check(self, recipe):
            return None

        def start(self, attempt):
            yield from bps.abs_set(self.heater, 1.0, wait=True)
            return Reading({}, {})

        def ask(self, key):
            return Answer("never")

        def stop(self):
            pass

    async def fails():
        raise ValueError("nobody asked for this")

    quick = Patience(end_s=0.5)
    with Lane("one", patience=quick) as one, Lane("two", beside=one, patience=quick) as two:
        futures = []
        for lane in (one, two):
            furnace = Furnace()
            lane.connect(furnace)
            attempt = Attempt("k1", "test", "e0001", 1, {"x": 1.0}, {})
            futures.append(lane.submit(furnace, attempt))
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), one.engine.loop).result()
        one.engine.loop.call_soon_threadsafe(lambda: asyncio.ensure_future(fails()) and None)
        time.sleep(0.5)
        aborts = [threading.Thread(target=lane.abort, args=("enough",)) for lane in (one, two)]
        [abort.start() for abort in aborts]
        kinds = [future.result(20).failure.kind for future in futures]
        logging.getLogger("ophyd_async").warning("a signal is slow")
    print(*kinds)
"""


def test_no_word_of_blueskys_reaches_the_terminal() -> None:
    code = "\n".join(line.removeprefix("    ") for line in TWO_LANES.splitlines())
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "aborted aborted\n"
    # A sentence of labctl's own for each lane.
    assert ran.stderr.splitlines() == ["heater did not end within 0.5 s of being stopped"] * 2


def test_what_bluesky_says_is_there_for_whoever_asks(
    *,
    lane: Lane,
    scripted: Scripts,
    attempt: Attempts,
    toys: SimpleNamespace,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    begun = threading.Event()

    def plan(_: Attempt) -> Generator[Any, Any, Reading]:
        begun.set()
        yield from bps.sleep(60.0)
        return Reading({}, {})

    instrument = scripted(plan)
    lane.connect(instrument)
    future = lane.submit(instrument, attempt())
    assert begun.wait(20)
    toys.abort_when_running(lane)
    assert future.result(20).failure is not None
    assert any(
        record.name == "labctl_drivers.loops" and record.message.startswith("Aborting: running cleanup")
        for record in caplog.records
    )
    assert any(record.name == "bluesky" for record in caplog.records)
    assert capfd.readouterr().out == ""


def test_somebody_elses_run_engine_prints_as_ever(
    lane: Lane, scripted: Scripts, attempt: Attempts, toys: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    assert toys.carried_out(lane, scripted(toys.measuring), attempt()).failure is None
    theirs: Any = RunEngine({}, context_managers=[])
    with pytest.raises(RunEngineInterrupted):
        theirs([*bps.checkpoint(), *bps.pause()])
    theirs.abort("enough")
    loops.end(theirs.loop)
    assert "Aborting: running cleanup" in capfd.readouterr().out
