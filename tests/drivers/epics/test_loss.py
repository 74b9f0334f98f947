"""Controllers that are killed, frozen and started again, on either side, in the middle of a program."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl_drivers.engine import Lane
from labctl_drivers.protocol import FailureKind

Make = Callable[..., Any]
SLOW = 300.0
CONTROLLER = """
import sys
from pathlib import Path
from labctl_drivers.engine import Lane
from labctl_drivers.epics.instrument import EpicsFurnaceInstrument
from labctl_drivers.epics.settings import EpicsSettings
from labctl_drivers.protocol import Attempt, Surroundings
address, prefix, folder, key = sys.argv[1:]
settings = EpicsSettings(addresses=(address,), prefix=prefix)
instrument = EpicsFurnaceInstrument(settings, surroundings=Surroundings(folder=Path(folder)), name="f1")
recipe = {"temperature": 190.0, "hold_time": 6.0, "quench": "oil"}
with Lane("doomed") as lane:
    lane.connect(instrument)
    future = lane.submit(instrument, Attempt(key, "c", "e0001", 1, recipe, {}))
    while instrument.ask(key).state != "running":
        pass
    print("running", flush=True)
    future.result()
"""


def begin_and_die(ioc: Any, folder: Path, key: str) -> None:  # noqa: ANN401 - the fixture's controller
    """A controller that begins an attempt and is killed at once."""
    told = [ioc.address, ioc.prefix, str(folder), key]
    with subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, *told], stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "running\n"
        one.kill()


def until_running(instrument: Any, key: str) -> None:  # noqa: ANN401 - the fixture's instrument
    deadline = time.monotonic() + 20
    while instrument.ask(key).state != "running":
        assert time.monotonic() < deadline


def test_a_furnace_that_was_killed_and_is_back_says_so_and_the_lane_goes_on(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane
) -> None:
    ioc = new_ioc(speed=SLOW)
    instrument = new_instrument(ioc, silence_s=1.0)
    lane.connect(instrument)
    future = lane.submit(instrument, heat())
    until_running(instrument, "c/e0001/1")
    ioc.kill()
    ioc.speed = float("inf")
    ioc.start()
    finished = future.result(60)
    assert finished.failure is not None
    assert finished.failure.kind is FailureKind.INSTRUMENT_FAULT
    assert "went down in the middle of this program" in finished.failure.message
    assert (finished.interlock, finished.suspect) == (None, None)
    assert instrument.ask("c/e0001/1").state == "failed"
    # The same channels, connected anew by themselves.
    assert lane.run(instrument, heat("c/e0001/2")).reading is not None


def test_a_furnace_that_does_not_come_back_leaves_its_sample_unknown(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane
) -> None:
    ioc = new_ioc(speed=SLOW)
    instrument = new_instrument(ioc, silence_s=0.5, reconnect_s=0.5, answer_s=0.5)
    lane.connect(instrument)
    future = lane.submit(instrument, heat())
    until_running(instrument, "c/e0001/1")
    ioc.kill()
    finished = future.result(30)
    assert finished.failure is not None
    assert finished.failure.kind is FailureKind.UNKNOWN
    assert f"nothing was heard from the furnace's controller at {ioc.address}" in finished.failure.message
    # Its heater could not be seen to be off, which a person has to know.
    assert finished.suspect is not None
    assert "see for yourself that its heater is off" in finished.suspect
    assert instrument.ask("c/e0001/1").state == "unknown"
    # Of what was never begun, it is certain all the same; and nothing is begun now.
    lane.release()
    refused = lane.run(instrument, heat("c/e0002/1"))
    assert refused.failure is not None
    assert (refused.failure.kind, refused.failure.stage) == (FailureKind.INSTRUMENT_FAULT, "check")
    assert "nothing was begun" in refused.failure.message
    assert instrument.ask("c/e0002/1").state == "never"


def test_a_furnace_that_falls_silent_for_a_while_is_waited_for(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane
) -> None:
    ioc = new_ioc(speed=2 * SLOW)
    instrument = new_instrument(ioc, silence_s=0.3)
    lane.connect(instrument)
    future = lane.submit(instrument, heat(hours=0.0))
    until_running(instrument, "c/e0001/1")
    ioc.send(signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        future.result(1.5)
    ioc.send(signal.SIGCONT)
    finished = future.result(30)
    assert finished.failure is None
    assert finished.reading is not None


def test_a_program_goes_on_without_its_controller_and_is_told_of_by_key(
    new_ioc: Make, new_instrument: Make, lane: Lane, tmp_path: Path
) -> None:
    ioc = new_ioc(speed=2 * SLOW)
    begin_and_die(ioc, tmp_path / "side", "c/e0001/1")
    instrument = new_instrument(ioc)
    lane.connect(instrument)
    assert instrument.ask("c/e0001/1").state == "running"
    deadline = time.monotonic() + 30
    while (answer := instrument.ask("c/e0001/1")).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answer.reading is not None
    assert answer.reading.actual["temperature"] == pytest.approx(190, abs=5)


def test_both_sides_were_killed_and_the_furnace_still_answers_for_its_sample(
    new_ioc: Make, new_instrument: Make, lane: Lane, tmp_path: Path
) -> None:
    ioc = new_ioc(speed=SLOW)
    begin_and_die(ioc, tmp_path / "side", "c/e0001/1")
    ioc.kill()
    ioc.start()
    instrument = new_instrument(ioc)
    lane.connect(instrument)
    answer = instrument.ask("c/e0001/1")
    assert answer.failure is not None
    assert answer.failure.kind is FailureKind.INSTRUMENT_FAULT
    assert "went down in the middle of this program" in answer.failure.message
    assert instrument.ask("c/e0002/1").state == "never"


def test_a_mute_furnace_leaves_the_sample_to_a_person(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane
) -> None:
    ioc = new_ioc(mute=True)
    instrument = new_instrument(ioc)
    lane.connect(instrument)
    # It does tell of the end while somebody listens.
    finished = lane.run(instrument, heat())
    assert finished.reading is not None
    assert instrument.ask("c/e0001/1").reading == finished.reading
    # Whoever was not there when it ended is told nothing.
    lost = new_instrument(ioc, folder=None)
    lane.connect(lost)
    assert lost.ask("c/e0001/1").state == "unknown"
    assert lost.ask("c/e0002/1").state == "never"


def test_an_interlock_that_nobody_can_read_any_more_counts_as_tripped_while_a_program_runs(
    new_ioc: Make, new_instrument: Make, lane: Lane
) -> None:
    ioc = new_ioc()
    instrument = new_instrument(ioc, silence_s=0.1, reconnect_s=0.1)
    lane.connect(instrument)
    look = instrument.interlocks()["furnace"]
    assert look() is None
    ioc.kill()
    instrument._device.under_way = "c/e0001/1"
    deadline = time.monotonic() + 20
    while look() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert f"nothing was heard from {ioc.address}" in str(look())
    # With nothing under way the next start finds out by itself, and begins nothing.
    instrument._device.under_way = None
    assert look() is None
