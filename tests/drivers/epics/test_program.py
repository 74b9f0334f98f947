"""The furnace behind the controller, without a network: its program, its interlocks, its memory."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from labctl_drivers.epics import names
from labctl_drivers.epics.program import Furnace, RefusedPutError
from labctl_drivers.protocol import Answer, FailureKind
from labctl_drivers.simulated.settings import BenchSettings

CALM = {"fault_rate": 0.0, "overshoot_rate": 0.0, "smear_rate": 0.0}
SLOW = 3600.0


def with_furnace(
    folder: Path, scene: Callable[[Furnace, dict[str, Any]], Coroutine[Any, Any, None]], **settings: object
) -> None:
    shown: dict[str, Any] = {}

    async def show(name: str, value: object) -> None:
        shown[name] = value

    async def play() -> None:
        furnace = Furnace(BenchSettings(**{**CALM, **settings}), folder=folder, seed=1, show=show)
        furnace.setpoints.update(temperature=190.0, hold_time=60.0, quench="oil")
        try:
            await scene(furnace, shown)
        finally:
            furnace.close()

    asyncio.run(play())


async def ended(furnace: Furnace, key: str) -> Answer:
    async with asyncio.timeout(20):
        while furnace.answer(key).state == "running":  # noqa: ASYNC110 - as a client asks, again and again
            await asyncio.sleep(0.01)
    return furnace.answer(key)


async def shows(shown: dict[str, Any], name: str, value: object) -> None:
    async with asyncio.timeout(20):
        while shown.get(name) != value:  # noqa: ASYNC110 - as a client asks, again and again
            await asyncio.sleep(0.001)


def test_a_program_runs_by_itself_and_is_remembered(tmp_path: Path) -> None:
    async def scene(furnace: Furnace, shown: dict[str, Any]) -> None:
        assert furnace.answer("k").state == "never"
        await furnace.start("k")
        assert furnace.answer("k").state == "running"
        answer = await ended(furnace, "k")
        assert answer.reading is not None
        assert answer.reading.values["hardness"] == pytest.approx(shown[names.HARDNESS])
        assert answer.reading.actual["temperature"] == pytest.approx(190, abs=5)
        assert shown[names.STATE] == "idle"
        assert shown[names.HEATER] == "off"
        assert shown[names.RESULT] == ("k", answer)

    async def later(furnace: Furnace, _: dict[str, Any]) -> None:
        assert furnace.answer("k").state == "done"
        with pytest.raises(RefusedPutError, match="k was started before"):
            await furnace.start("k")

    with_furnace(tmp_path, scene)
    with_furnace(tmp_path, later)


def test_one_program_at_a_time(tmp_path: Path) -> None:
    async def scene(furnace: Furnace, _: dict[str, Any]) -> None:
        await furnace.start("a")
        with pytest.raises(RefusedPutError, match="the furnace is busy with a"):
            await furnace.start("b")
        assert furnace.answer("b").state == "never"
        await furnace.stop()
        await furnace.start("b")
        await furnace.stop()

    with_furnace(tmp_path, scene, speed=SLOW)


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("temperature", 601.0, "between 20 and 600 °C"),
        ("temperature", float("nan"), "between 20 and 600 °C"),
        ("hold_time", -1.0, "0 or more"),
        ("hold_time", float("inf"), "0 or more"),
        ("hold_time", float("nan"), "0 or more"),
        ("quench", "lava", "one of water, oil, air"),
    ],
)
def test_settings_out_of_range_begin_nothing(
    tmp_path: Path, setting: str, value: float | str, says: str
) -> None:
    async def scene(furnace: Furnace, _: dict[str, Any]) -> None:
        furnace.setpoints[setting] = value
        with pytest.raises(RefusedPutError, match=says):
            await furnace.start("k")
        assert furnace.answer("k").state == "never"

    with_furnace(tmp_path, scene)


@pytest.mark.parametrize("key", ["", "a\nb", "x" * (names.LONGEST_KEY + 1)])
def test_a_key_is_a_line_of_text(tmp_path: Path, key: str) -> None:
    async def scene(furnace: Furnace, _: dict[str, Any]) -> None:
        with pytest.raises(RefusedPutError, match="a key has 1 to"):
            await furnace.start(key)

    with_furnace(tmp_path, scene)


@pytest.mark.parametrize("state", ["heating", "holding", "quenching", "measuring"])
def test_the_door_breaks_off_every_step_and_stays_in_the_way(tmp_path: Path, state: str) -> None:
    async def scene(furnace: Furnace, shown: dict[str, Any]) -> None:
        await furnace.start("k")
        await shows(shown, names.STATE, state)
        await furnace.open_door(open_it=True)
        assert shown[names.HEATER] == "off"
        answer = furnace.answer("k")
        assert answer.failure is not None
        assert answer.failure.kind is FailureKind.ABORTED
        assert "the door of the furnace is open" in answer.failure.message
        with pytest.raises(RefusedPutError, match="the door of the furnace is open"):
            await furnace.start("l")
        await furnace.open_door(open_it=False)
        assert shown[names.INTERLOCK] == ""
        await furnace.start("l")
        await furnace.stop()

    # A program of 1,400 simulated seconds of ramp and hold, in a second.
    with_furnace(tmp_path, scene, speed=SLOW)


def test_a_heater_that_runs_away_trips_until_it_is_mended(tmp_path: Path) -> None:
    async def scene(furnace: Furnace, shown: dict[str, Any]) -> None:
        await furnace.run_away(away=True)
        assert shown[names.INTERLOCK] == ""
        await furnace.start("k")
        answer = await ended(furnace, "k")
        assert answer.failure is not None
        assert answer.failure.kind is FailureKind.ABORTED
        assert "over its limit of 650 °C" in answer.failure.message
        with pytest.raises(RefusedPutError, match="over its limit of 650 °C"):
            await furnace.start("l")
        await furnace.run_away(away=False)
        await furnace.start("l")
        assert (await ended(furnace, "l")).state == "done"

    with_furnace(tmp_path, scene)


def test_a_program_that_was_cut_off_with_its_furnace_is_told_as_such(tmp_path: Path) -> None:
    async def cut(furnace: Furnace, shown: dict[str, Any]) -> None:
        await furnace.start("k")
        await shows(shown, names.STATE, "holding")

    async def back(furnace: Furnace, _: dict[str, Any]) -> None:
        answer = furnace.answer("k")
        assert answer.failure is not None
        assert answer.failure.kind is FailureKind.INSTRUMENT_FAULT
        assert "went down in the middle" in answer.failure.message

    with_furnace(tmp_path, cut, speed=SLOW)
    with_furnace(tmp_path, back, speed=SLOW)


def test_a_mute_furnace_knows_only_what_it_never_began(tmp_path: Path) -> None:
    async def scene(furnace: Furnace, shown: dict[str, Any]) -> None:
        await furnace.start("k")
        await shows(shown, names.STATE, "idle")
        assert furnace.answer("k").state == "unknown"
        assert furnace.answer("l").state == "never"
        assert shown[names.RESULT][1].state == "done"

    with_furnace(tmp_path, scene, mute=True)


def test_a_memory_that_was_begun_anew_is_another_memory(tmp_path: Path) -> None:
    identities = []

    async def scene(furnace: Furnace, _: dict[str, Any]) -> None:
        identities.append(furnace.memory_id)

    with_furnace(tmp_path / "m", scene)
    with_furnace(tmp_path / "m", scene)
    shutil.rmtree(tmp_path / "m")
    with_furnace(tmp_path / "m", scene)
    assert identities[0] == identities[1]
    assert identities[1] != identities[2]
