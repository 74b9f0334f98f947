"""The EPICS furnace on a lane: measured, refused, interlocked, stopped, and asked by key."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl_drivers.engine import Lane, LaneError
from labctl_drivers.epics import channel_access, extras
from labctl_drivers.epics.instrument import EpicsFurnaceInstrument
from labctl_drivers.protocol import FailureKind, Instrument, Interlocked, Needs, Ramp, Surroundings
from labctl_drivers.registry import build

Make = Callable[..., Any]
SLOW = 300.0


def test_an_attempt_is_measured_in_the_units_it_was_asked_for_in(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane, documents: Make
) -> None:
    instrument = new_instrument(new_ioc())
    assert isinstance(instrument, Instrument)
    assert isinstance(instrument, Interlocked)
    assert isinstance(instrument, Needs)
    lane.connect(instrument)
    finished = lane.run(instrument, heat())
    assert finished.failure is None
    assert finished.reading is not None
    assert finished.reading.units == {"hardness": "HV"}
    assert finished.reading.actual["temperature"] == pytest.approx(463.15, abs=5)
    assert finished.reading.actual["hold_time"] == pytest.approx(0.1, rel=0.05)
    assert finished.reading.actual["quench"] == "oil"
    assert len(finished.reading.raw["indents"]) == 5
    [event] = documents("event")
    assert event["data"]["hardness"] == pytest.approx(finished.reading.values["hardness"])
    assert event["data"]["temperature"] == pytest.approx(463.15 - 273.15, abs=5)
    [descriptor] = documents("descriptor")
    assert descriptor["data_keys"]["temperature"]["units"] == "degC"
    answer = instrument.ask("c/e0001/1")
    assert answer.reading == finished.reading
    assert instrument.ask("c/e0002/1").state == "never"


def test_a_key_is_begun_once_only_whoever_asks(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane
) -> None:
    ioc = new_ioc()
    first, second = new_instrument(ioc), new_instrument(ioc, folder="another")
    for instrument in (first, second):
        lane.connect(instrument)
    assert lane.run(first, heat()).reading is not None
    for instrument in (first, second):
        again = lane.run(instrument, heat())
        assert again.failure is not None
        assert again.failure.kind is FailureKind.UNKNOWN
        assert "was started before" in again.failure.message
    # The other side does not know what became of the key: it did not begin it.
    third = new_instrument(ioc, folder="third")
    lane.connect(third)
    assert third.ask("c/e0001/1").state == "unknown"
    # One without a memory that lasts has only the furnace's word, and takes it.
    forgetful = new_instrument(ioc, folder=None)
    lane.connect(forgetful)
    assert forgetful.ask("c/e0001/1").state == "done"


def test_a_put_that_the_furnace_refuses_is_read_back(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane
) -> None:
    instrument = new_instrument(new_ioc())
    lane.connect(instrument)
    finished = lane.run(instrument, heat(kelvin=1173.15))
    assert finished.failure is not None
    assert finished.failure.kind is FailureKind.INSTRUMENT_FAULT
    assert finished.failure.stage == "check"
    assert "TEMP:SP was put to 900, and must lie between 20 and 600 °C" in finished.failure.message
    assert instrument.ask("c/e0001/1").state == "never"
    assert lane.run(instrument, heat()).reading is not None


def test_a_recipe_that_is_none_is_refused_before_anything_is_put(new_ioc: Make, new_instrument: Make) -> None:
    instrument = new_instrument(new_ioc())
    assert instrument.check({"temperature": 190.0, "hold_time": 1.0, "quench": "oil"}) is None
    assert "quench" in str(instrument.check({"temperature": 190.0, "hold_time": 1.0}))
    assert "lava" in str(instrument.check({"temperature": 190.0, "hold_time": 1.0, "quench": "lava"}))


def test_the_door_breaks_the_attempt_off_and_keeps_the_next_from_starting(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane, client: Make
) -> None:
    instrument = new_instrument(new_ioc(speed=SLOW))
    lane.connect(instrument)
    other = client(lane, "test:")
    future = lane.submit(instrument, heat())
    other.wait_for("STATE", "heating")
    other.put("SIM:DOOR", "open")
    finished = future.result(20)
    assert finished.failure is not None
    assert finished.failure.kind is FailureKind.ABORTED
    assert finished.interlock is not None
    assert "the door of the furnace is open" in finished.interlock
    assert finished.suspect is None
    assert other.get("HEATER") == "off"
    answer = instrument.ask("c/e0001/1")
    assert answer.failure is not None
    assert answer.failure.kind is FailureKind.ABORTED
    lane.release()
    refused = lane.run(instrument, heat("c/e0002/1"))
    assert refused.interlock is not None
    assert instrument.ask("c/e0002/1").state == "never"
    other.put("SIM:DOOR", "closed")
    deadline = time.monotonic() + 20
    while instrument.interlocks()["furnace"]() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    lane.release()
    assert lane.run(instrument, heat("c/e0003/1", kelvin=303.15, hours=0.0)).reading is not None


def test_a_heater_that_runs_away_is_an_interlock(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane, client: Make
) -> None:
    instrument = new_instrument(new_ioc(speed=SLOW))
    lane.connect(instrument)
    other = client(lane, "test:")
    other.put("SIM:RUNAWAY", "yes")
    finished = lane.run(instrument, heat())
    assert finished.failure is not None
    assert finished.failure.kind is FailureKind.ABORTED
    assert "over its limit of 650 °C" in str(finished.interlock)
    assert other.get("HEATER") == "off"


def test_an_abort_switches_the_heater_off(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane, client: Make
) -> None:
    instrument = new_instrument(new_ioc(speed=SLOW))
    lane.connect(instrument)
    other = client(lane, "test:")
    future = lane.submit(instrument, heat())
    other.wait_for("HEATER", "on")
    assert lane.abort("the shift is over")
    finished = future.result(20)
    assert finished.failure is not None
    assert (finished.failure.kind, finished.failure.message) == (FailureKind.ABORTED, "the shift is over")
    assert finished.suspect is None
    assert other.get("HEATER") == "off"
    answer = instrument.ask("c/e0001/1")
    assert answer.failure is not None
    assert answer.failure.kind is FailureKind.ABORTED
    instrument.stop()
    assert lane.run(instrument, heat("c/e0002/1", kelvin=303.15, hours=0.0)).reading is not None


def test_a_key_that_was_written_down_but_never_put_may_still_be_begun(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane, client: Make
) -> None:
    instrument = new_instrument(new_ioc())
    lane.connect(instrument)
    memory = client(lane, "test:").get("MEMORY")
    instrument._memory.started(heat(), {"memory": memory})
    assert instrument.ask("c/e0001/1").state == "never"
    assert lane.run(instrument, heat()).reading is not None
    assert lane.run(instrument, heat()).failure is not None
    # With another memory than the furnace has now, nobody can say.
    instrument._memory.started(heat("c/e0002/1"), {"memory": "another"})
    assert instrument.ask("c/e0002/1").state == "unknown"
    again = lane.run(instrument, heat("c/e0002/1"))
    assert again.failure is not None
    assert again.failure.kind is FailureKind.UNKNOWN


def test_the_furnace_says_itself_how_fast_it_heats(new_ioc: Make, new_instrument: Make, lane: Lane) -> None:
    instrument = new_instrument(new_ioc())
    assert instrument.ramps({}) == {}
    lane.connect(instrument)
    assert instrument.ramps({}) == {"temperature": Ramp(10.0, "K/minute")}


def test_a_lasting_memory_is_not_fooled_by_a_furnace_that_forgot(
    new_ioc: Make, new_instrument: Make, heat: Make, tmp_path: Path
) -> None:
    ioc = new_ioc(speed=SLOW)
    with Lane("first") as lane:
        instrument = new_instrument(ioc)
        lane.connect(instrument)
        lane.submit(instrument, heat())
        while instrument.ask("c/e0001/1").state != "running":
            time.sleep(0.01)
    ioc.kill()
    shutil.rmtree(tmp_path / "ioc")
    ioc.start()
    with Lane("second") as lane:
        instrument = new_instrument(ioc)
        lane.connect(instrument)
        # The furnace says never, and means a memory that has begun since.
        assert instrument.ask("c/e0001/1").state == "unknown"
        assert instrument.ask("c/e0002/1").state == "never"


def test_two_controllers_on_two_ports_serve_two_lanes(
    new_ioc: Make, new_instrument: Make, heat: Make, lane: Lane
) -> None:
    iocs = new_ioc("one", prefix="one:"), new_ioc("two", prefix="two:")
    addresses = tuple(ioc.address for ioc in iocs)
    one = new_instrument(*iocs, lane=1)
    two = new_instrument(*iocs, lane=2, folder="lane-2", prefix="two:")
    assert (one.address, two.address) == addresses
    assert one.needs({}) != two.needs({})
    with Lane("beside", beside=lane) as beside:
        lane.connect(one)
        beside.connect(two)
        running = [lane.submit(one, heat("c/1")), beside.submit(two, heat("c/2"))]
        assert all(future.result(30).reading is not None for future in running)
        assert (one.ask("c/1").state, one.ask("c/2").state) == ("done", "never")
        assert (two.ask("c/1").state, two.ask("c/2").state) == ("never", "done")


def test_two_controllers_with_the_same_names_are_refused(
    new_ioc: Make, new_instrument: Make, lane: Lane
) -> None:
    iocs = new_ioc("one"), new_ioc("two")
    lane.connect(new_instrument(*iocs, lane=1))
    with pytest.raises(LaneError, match="cannot be told apart; start one with another --prefix"):
        lane.connect(new_instrument(*iocs, lane=2, folder="lane-2"))


def test_an_address_that_comes_too_late_is_told_with_the_remedy(
    new_ioc: Make, new_instrument: Make, lane: Lane
) -> None:
    one = new_ioc("one")
    first = new_instrument(one)
    lane.connect(first)
    two = new_ioc("two", prefix="late:")
    second = new_instrument(two, lane=2, folder="late")
    with Lane("late") as other, pytest.raises(LaneError) as raised:
        other.connect(second)
    assert f"EPICS_CA_ADDR_LIST='{one.address} {two.address}'" in str(raised.value)
    lane.close()
    # Once nobody uses Channel Access any more, the list is read anew.
    with Lane("later") as other:
        other.connect(second)
        assert second.ask("k").state == "never"


def test_nobody_there_is_one_sentence_with_the_remedy(
    new_ioc: Make, new_instrument: Make, lane: Lane
) -> None:
    ioc = new_ioc()
    ioc.kill()
    instrument = new_instrument(ioc, connect_s=1.0)
    with pytest.raises(LaneError) as raised:
        lane.connect(instrument)
    said = str(raised.value)
    assert "\n" not in said
    assert f"no furnace answers at {ioc.address} to names with test:" in said
    assert f"`labctl sim ioc --port {ioc.port} --prefix test:`" in said
    # It may come later.
    ioc.start()
    for _ in range(30):
        with contextlib.suppress(LaneError):
            lane.connect(instrument)
            break
    assert instrument.ask("k").state == "never"


def test_without_the_extra_the_sentence_says_what_to_install(
    new_ioc: Make, new_instrument: Make, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    instrument = new_instrument(new_ioc())
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(LaneError, match=r"pip install 'labctl-sdl\[epics\]'"):
        lane.connect(instrument)


def test_the_registry_builds_it_and_names_wrong_options(tmp_path: Path) -> None:
    around = Surroundings(folder=tmp_path, lane=2)
    options = {"address": ["127.0.0.1:5094", "127.0.0.1:5095"], "silence": "2 s", "prefix": "lab:f:"}
    instrument = build("epics_furnace", options, around)
    assert isinstance(instrument, EpicsFurnaceInstrument)
    assert instrument.address == "127.0.0.1:5095"
    assert instrument.settings.silence_s == 2.0
    instrument.close()
    for wrong, says in (
        ({"address": "127.0.0.1"}, "address: must be host:port"),
        ({"address": "127.0.0.1:70000"}, "address: must be host:port"),
        ({"address": "127.0.0.1:5094; rm"}, "address: must be host:port"),
        ({"address": []}, "address: must name a controller"),
        ({"prefix": "a b"}, "prefix: must be the beginning of EPICS names"),
        ({"silence": 5}, "silence: must be a text"),
        ({"adress": "127.0.0.1:1"}, "adress: there is no such option"),
    ):
        with pytest.raises(ValueError, match="instrument epics_furnace: ") as raised:
            build("epics_furnace", wrong, around)
        assert says in str(raised.value), json.dumps(wrong)


def test_addresses_are_added_to_those_that_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPICS_CA_ADDR_LIST", "10.0.0.1")
    channel_access.announce("127.0.0.1:5094", "127.0.0.1:5095")
    channel_access.announce("127.0.0.1:5094")
    assert os.environ["EPICS_CA_ADDR_LIST"] == "10.0.0.1 127.0.0.1:5094 127.0.0.1:5095"
