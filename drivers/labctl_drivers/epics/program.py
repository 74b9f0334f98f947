"""The simulated furnace behind the IOC: its own program, interlocks and memory, without any network."""

import asyncio
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from labctl_drivers.epics import names
from labctl_drivers.memory import AlreadyStarted, Memory
from labctl_drivers.protocol import Answer, Attempt, ExperimentFailed, FailureKind, Reading
from labctl_drivers.simulated.clock import Clock
from labctl_drivers.simulated.course import Course, Treatment, follow
from labctl_drivers.simulated.fate import drawn
from labctl_drivers.simulated.physics import HEAT_TRANSFER, ROOM_C, Alloy
from labctl_drivers.simulated.settings import BenchSettings

HOTTEST_C = 600.0
TRIPS_AT_C = 650.0
"""The over-temperature interlock; above what an overshoot reaches from the hottest setpoint."""

_RUNS_AWAY_TO_C = 700.0
_QUENCH_S = 60.0
_INDENT_S = 30.0
_NAME = "furnace"

Show: TypeAlias = Callable[[str, Any], Awaitable[None]]
"""Publishes a value under one of the names in :mod:`labctl_drivers.epics.names`."""


class RefusedPutError(Exception):
    """The furnace does not do what was put; the message is one sentence, for the fault variable."""


class Furnace:
    """A furnace with a quench tank and a tester, which runs one sample's program by itself.

    What happens follows from the seed and the key, as on the simulated bench. The program goes on whether or
    not anybody listens. A furnace that was itself cut off in the middle of one says so when it is back.

    Args:
        settings: as of the simulated bench; ``mute`` makes it unable to answer for what was started.
        folder: where it keeps its memory of attempts.
        seed: of everything that is up to chance.
        show: publishes a value.

    Raises:
        OSError, sqlite3.DatabaseError: the memory cannot be opened.
    """

    def __init__(self, settings: BenchSettings, *, folder: Path, seed: int, show: Show) -> None:
        self.settings = settings
        self.setpoints: dict[str, float | str] = {"temperature": ROOM_C, "hold_time": 0.0, "quench": "air"}
        self.memory_id = _identity(folder)
        self._memory = Memory(folder, _NAME)
        self._seed = seed
        self._show = show
        self._clock = Clock(settings.speed)
        self._alloy = Alloy()
        self._temperature = ROOM_C
        self._door_open = False
        self._runaway = False
        self._overheated = ""
        self._key: str | None = None
        self._program: asyncio.Task[None] | None = None
        self._cut: ExperimentFailed | None = None
        self._settle_what_was_cut()

    @property
    def interlock(self) -> str:
        """Why the furnace may not heat now, in one sentence; empty if it may."""
        if self._door_open:
            return "the door of the furnace is open"
        return self._overheated

    def look_at_setpoints(self) -> Treatment:
        """What the settings as they stand ask for.

        Raises:
            RefusedPutError: the furnace cannot do one of them, and which.
        """
        temperature, hold = float(self.setpoints["temperature"]), float(self.setpoints["hold_time"])
        quench = str(self.setpoints["quench"])
        if not ROOM_C <= temperature <= HOTTEST_C:
            raise RefusedPutError(
                f"{names.TEMPERATURE_SP} was put to {temperature:g}, and must lie between {ROOM_C:g} and "
                f"{HOTTEST_C:g} °C"
            )
        if not 0 <= hold < math.inf:
            raise RefusedPutError(f"{names.HOLD_SP} was put to {hold:g}, and must be minutes, 0 or more")
        if quench not in HEAT_TRANSFER:
            raise RefusedPutError(f"{names.QUENCH_SP} must be one of {', '.join(HEAT_TRANSFER)}")
        return Treatment(temperature, hold, quench)

    async def start(self, key: str) -> None:
        """Begin the program for the settings as they stand, under a key; at most once for a key.

        Raises:
            RefusedPutError: it is not begun, and why.
        """
        if not 0 < len(key) <= names.LONGEST_KEY or not key.isprintable():
            raise RefusedPutError(f"a key has 1 to {names.LONGEST_KEY} printable characters")
        if self._key is not None:
            raise RefusedPutError(f"the furnace is busy with {self._key}")
        if self.interlock:
            raise RefusedPutError(self.interlock)
        treatment = self.look_at_setpoints()
        recipe = dict(self.setpoints)
        attempt = Attempt(key, "", "", 1, recipe, {"temperature": "degC", "hold_time": "minute"})
        try:
            self._memory.started(attempt)
        except AlreadyStarted as error:
            raise RefusedPutError(error.message) from error
        self._key, self._cut = key, None
        course = follow(treatment, drawn(self._seed, key, self.settings), self.settings, self._alloy)
        await self._show(names.EXPECTED, self._seconds(course) / self.settings.speed)
        await self._show(names.KEY, key)
        self._program = asyncio.create_task(self._carry_out(key, course))

    async def stop(self, failure: ExperimentFailed | None = None) -> None:
        """Switch the heater off; what is in the furnace is spoilt. Returns when it is off."""
        message = "the furnace was told to stop, and switched its heater off"
        self._cut = failure or ExperimentFailed(FailureKind.ABORTED, message, stage="process")
        program = self._program
        if program is not None and not program.done():
            program.cancel()
            await asyncio.wait([program])
        if (
            self._key is not None
        ):  # cancelled before it took its first step, or it could not write its end down
            await self._settle(self._key, self._cut)
        self._temperature = ROOM_C
        await self._show(names.TEMPERATURE, ROOM_C)
        await self._show(names.HEATER, "off")

    async def open_door(self, *, open_it: bool) -> None:
        """Open or close the door; an open one trips the interlock."""
        self._door_open = open_it
        await self._guard()

    async def run_away(self, *, away: bool) -> None:
        """Let the heater run away once it heats, or repair it and reset the over-temperature interlock."""
        self._runaway = away
        if not away:
            self._overheated = ""
        await self._guard()

    def answer(self, key: str) -> Answer:
        """What became of an attempt."""
        known = self._memory.lookup(key)
        if known is None:
            return Answer("never")
        if self.settings.mute:
            return Answer("unknown")
        if key == self._key:
            return Answer("running")
        return _answer_of(known.result)

    def close(self) -> None:
        """Close the memory; a program under way counts as cut when the furnace is back."""
        self._memory.close()

    def _ramp_s(self, course: Course) -> float:
        return abs(course.temperature_c - self._temperature) / (self.settings.ramp_k_per_min / 60)

    def _seconds(self, course: Course) -> float:
        measuring = _INDENT_S * len(course.indents)
        return self._ramp_s(course) + course.hold_min * 60 + _QUENCH_S + measuring

    async def _carry_out(self, key: str, course: Course) -> None:
        try:
            result = await self._play(course)
        except asyncio.CancelledError:
            # Cancelled by stop(), which says why, or by the end of the whole process, which does not: then
            # the attempt stays open, and is found so when the furnace is back.
            if self._cut is None:
                raise
            result = self._cut
        except ExperimentFailed as failure:
            result = failure
        finally:
            await self._show(names.HEATER, "off")
        await self._settle(key, result)

    async def _settle(self, key: str, result: Reading | ExperimentFailed) -> None:
        self._memory.finished(key, result)
        self._key = None
        await self._show(names.STATE, "idle")
        await self._show(names.RESULT, (key, _answer_of(result)))

    async def _play(self, course: Course) -> Reading | ExperimentFailed:
        """Heat, hold, quench and measure, each for as long as the sample's course says."""
        await self._show_all({names.HUMIDITY: course.humidity, names.HOLD: 0.0, names.HARDNESS: math.nan})
        await self._show_all({names.QUENCH: "none", names.HEATER: "on", names.STATE: "heating"})
        begin, end = self._temperature, course.temperature_c
        async for share in self._clock.pass_time(self._ramp_s(course)):
            await self._heat(begin + (end - begin) * share)
        await self._show(names.STATE, "holding")
        until, broken_off = course.broken_off if course.broken_off is not None else (1.0, None)
        async for share in self._clock.pass_time(course.hold_min * 60 * until):
            await self._heat(end)
            await self._show(names.HOLD, course.hold_min * share * until)
        await self._show_all({names.HEATER: "off"})
        if broken_off is not None:
            if broken_off.kind is FailureKind.ABORTED:
                self._door_open = True
                await self._show(names.INTERLOCK, self.interlock)
            return broken_off
        await self._show(names.STATE, "quenching")
        async for _ in self._clock.pass_time(_QUENCH_S):
            await self._show(names.QUENCH, course.treatment.quench)
        if course.lost is not None:
            return course.lost
        await self._show(names.STATE, "measuring")
        async for _ in self._clock.pass_time(_INDENT_S * len(course.indents)):
            pass
        mean = sum(course.indents) / len(course.indents)
        await self._show_all({names.INDENTS: list(course.indents), names.HARDNESS: mean})
        return course.result

    async def _heat(self, temperature: float) -> None:
        self._temperature = _RUNS_AWAY_TO_C if self._runaway else temperature
        await self._show(names.TEMPERATURE, self._temperature)
        if self._temperature > TRIPS_AT_C:
            at, limit = f"{self._temperature:.0f} °C", f"{TRIPS_AT_C:.0f} °C"
            self._overheated = f"the furnace was at {at}, over its limit of {limit}"
            await self._show(names.INTERLOCK, self.interlock)
            raise _tripped(self.interlock)

    async def _show_all(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            await self._show(name, value)

    async def _guard(self) -> None:
        """Show the interlock, and let it switch the heater off."""
        why = self.interlock
        await self._show(names.INTERLOCK, why)
        if why and self._key is not None:
            await self.stop(_tripped(why))

    def _settle_what_was_cut(self) -> None:
        """Say of programs that this furnace never ended that they were cut off."""
        message = (
            "the furnace's own controller went down in the middle of this program and the heater with it, so "
            "that the sample in it is spoilt"
        )
        for known in list(self._memory.all()):
            if known.result is None and not self.settings.mute:
                failure = ExperimentFailed(FailureKind.INSTRUMENT_FAULT, message, stage="process")
                self._memory.finished(known.attempt.key, failure)


def _tripped(why: str) -> ExperimentFailed:
    message = f"{why}, and the interlock has switched the heater off"
    return ExperimentFailed(FailureKind.ABORTED, message, stage="process")


def _answer_of(result: Reading | ExperimentFailed | None) -> Answer:
    if result is None:
        return Answer("unknown")
    if isinstance(result, Reading):
        return Answer("done", reading=result)
    return Answer("failed", failure=result)


def _identity(folder: Path) -> str:
    """What tells this memory from one that was begun anew in its place."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_NAME}.id"
    if not (folder / f"{_NAME}.sqlite").exists() or not path.exists():
        path.write_text(secrets.token_hex(8) + "\n", encoding="ascii")
    return path.read_text(encoding="ascii").strip()
