"""The bench's four devices, as ophyd-async devices whose names are the recipe's and the reading's own."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from ophyd_async.core import (
    Array1D,
    AsyncStatus,
    MovableLogic,
    SignalR,
    StandardMovable,
    StandardReadable,
    TimeoutCalculator,
    soft_signal_r_and_setter,
    soft_signal_rw,
)
from ophyd_async.core import StandardReadableFormat as Format

from labctl_drivers.simulated.clock import Clock
from labctl_drivers.simulated.course import HARDNESS_UNIT, Course
from labctl_drivers.simulated.physics import ROOM_C


@dataclass
class _Stepwise(MovableLogic[float]):
    """Moves the readback from where it is to an end value, in simulated time.

    Attributes:
        show: sets the readback.
        plan: given where it is and where it shall go, the end value, the duration in simulated seconds,
            and what breaks the move off after which share of it, if anything does.
    """

    show: Callable[[float], None]
    plan: Callable[[float, float], tuple[float, float, tuple[float, Exception] | None]]
    clock: Clock

    async def stop(self) -> None:
        """Stay where it is."""
        await self.setpoint.set(await self.readback.get_value())

    async def move(self, new_position: float, timeout: TimeoutCalculator) -> None:  # noqa: ARG002, ASYNC109 - the signature is ophyd-async's
        """Move, or raise what breaks the move off."""
        begin = await self.readback.get_value()
        await self.setpoint.set(new_position)
        end, seconds, break_off = self.plan(begin, new_position)
        until, failure = break_off if break_off is not None else (1.0, None)
        async for passed in self.clock.pass_time(seconds * until):
            share = passed * until
            # The end is shown to the last bit, wherever the move began.
            self.show(end if share == 1.0 else begin + (end - begin) * share)
        if failure is not None:
            raise failure


class Stage(StandardReadable, StandardMovable[float]):
    """A number of the recipe that takes time to reach; its readback carries the device's own name.

    Attributes:
        now: what the readback shows, for those who must not wait for it.
        clock: its time, and what is wrong with it.
    """

    def __init__(self, name: str, unit: str, at_start: float, clock: Clock) -> None:
        with self.add_children_as_readables(Format.HINTED_SIGNAL):
            self.readback, self._set_readback = soft_signal_r_and_setter(float, at_start, units=unit)
        self.setpoint = soft_signal_rw(float, at_start, units=unit)
        self.now: float = at_start
        self.clock = clock
        super().__init__(name=name)

    @cached_property
    def movable_logic(self) -> MovableLogic[float]:
        """How the number is reached."""
        return _Stepwise(
            setpoint=self.setpoint, readback=self.readback, show=self.show, plan=self.plan, clock=self.clock
        )

    def show(self, value: float) -> None:
        """Have the readback show a value."""
        self.now = value
        self._set_readback(value)

    async def stop(self, success: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature is Bluesky's
        """Stay where it is, and be safe there.

        Raises:
            RuntimeError: it does not react.
        """
        self.clock.obey()
        await super().stop(success=success)  # type: ignore[no-untyped-call]
        await self.make_safe()

    async def make_safe(self) -> None:
        """Switch off whatever could do harm while nobody looks."""

    def plan(self, begin: float, target: float) -> tuple[float, float, tuple[float, Exception] | None]:
        """Say where a move ends, how long it takes in s, and what breaks it off."""
        raise NotImplementedError


class Furnace(Stage):
    """The furnace: setting it ramps its temperature, with the overshoot of the sample's course."""

    def __init__(self, name: str, clock: Clock, ramp_k_per_min: float) -> None:
        with self.add_children_as_readables():
            self.humidity, self._show_humidity = soft_signal_r_and_setter(float, 45.0, units="percent")
        with self.add_children_as_readables(Format.CONFIG_SIGNAL):
            self.ramp_rate = soft_signal_rw(float, ramp_k_per_min, units="delta_degC/minute")
        self.course: Course | None = None
        self._per_second = ramp_k_per_min / 60
        super().__init__(name, "degC", ROOM_C, clock)

    def load(self, course: Course) -> None:
        """Put a sample in."""
        self.course = course
        self._show_humidity(course.humidity)

    def plan(self, begin: float, target: float) -> tuple[float, float, None]:
        """Ramp at the furnace's rate."""
        end = self.course.temperature_c if self.course is not None else target
        return end, abs(end - begin) / self._per_second, None

    async def make_safe(self) -> None:
        """Switch the heater off and let the furnace stand until it is at room temperature."""
        self.course = None
        self.show(ROOM_C)


class HoldTimer(Stage):
    """The timer of the furnace's program, in minutes; whatever goes wrong in the hold is raised here."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.course: Course | None = None
        super().__init__(name, "minute", 0.0, clock)

    def load(self, course: Course) -> None:
        """Wind the timer back for a new sample."""
        self.course = course
        self.show(0.0)

    def plan(self, begin: float, target: float) -> tuple[float, float, tuple[float, Exception] | None]:
        """Wait for as long as the sample's course says."""
        if self.course is None:
            return target, (target - begin) * 60, None
        return self.course.hold_min, self.course.hold_min * 60, self.course.broken_off


class Working(StandardReadable):
    """A device that does one job at a time, which a stop breaks off.

    Attributes:
        clock: its time, and what is wrong with it.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self.clock = clock
        self._job: asyncio.Task[Any] | None = None
        self._stopped = False
        super().__init__(name=name)

    async def work(self, seconds: float) -> AsyncIterator[float]:
        """Spend simulated seconds on the job; yields the share that is done."""
        self._job, self._stopped = asyncio.current_task(), False
        try:
            async for share in self.clock.pass_time(seconds):
                yield share
        except asyncio.CancelledError:
            if self._stopped:
                raise RuntimeError("it was stopped before it was done") from None
            raise
        finally:
            self._job = None

    async def stop(self, success: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature is Bluesky's
        """Break the job off, and be safe.

        Args:
            success: whether the RunEngine itself asks, which wants no error from a job it has given up.

        Raises:
            RuntimeError: it does not react.
        """
        self.clock.obey()
        if self._job is not None:
            self._stopped = not success
            self._job.cancel()
        await self.make_safe()

    async def make_safe(self) -> None:
        """Switch off whatever could do harm while nobody looks."""


class Indented(Protocol):
    """The part of a course that the hardness tester plays."""

    @property
    def indents(self) -> tuple[float, ...]:
        """What each indent reads, HV; NaN for one that cannot be read."""
        ...


class QuenchTank(Working):
    """Drops the sample into a medium; setting it to one raises the failure when the sample is lost."""

    _SECONDS = 60.0

    def __init__(self, name: str, clock: Clock) -> None:
        with self.add_children_as_readables():
            self.medium, self._show = soft_signal_r_and_setter(str, "none")
        self.course: Course | None = None
        super().__init__(name, clock)

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Give the medium the device's own name, which is the recipe's."""
        super().set_name(name, child_name_separator=child_name_separator)
        self.medium.set_name(name)

    @AsyncStatus.wrap
    async def set(self, medium: str) -> None:
        """Quench."""
        async for _ in self.work(self._SECONDS):
            self._show(medium)
        if self.course is not None and self.course.lost is not None:
            raise self.course.lost


class HardnessTester(Working):
    """Presses a row of indents into the sample and reads their mean hardness, in HV."""

    _SECONDS_EACH = 30.0

    def __init__(self, name: str, clock: Clock, indents: int) -> None:
        blank = np.full(indents, math.nan)
        with self.add_children_as_readables(Format.HINTED_SIGNAL):
            self.mean, self._show_mean = soft_signal_r_and_setter(float, math.nan, units=HARDNESS_UNIT)
        with self.add_children_as_readables():
            self.indents: SignalR[Array1D[np.float64]]
            self.indents, self._show_indents = soft_signal_r_and_setter(
                Array1D[np.float64], blank, units=HARDNESS_UNIT
            )
        self.course: Indented | None = None
        super().__init__(name, clock)

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Give the mean the device's own name, which is the quantity's."""
        super().set_name(name, child_name_separator=child_name_separator)
        self.mean.set_name(name)

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        """Make the indents and read them.

        Raises:
            RuntimeError: there is no sample on the table.
        """
        if self.course is None:
            raise RuntimeError("there is no sample on the tester's table")
        indents = np.array(self.course.indents)
        async for share in self.work(self._SECONDS_EACH * len(indents)):
            done = np.arange(len(indents)) < round(share * len(indents))
            self._show_indents(np.where(done, indents, math.nan))
        self._show_mean(float(indents.mean()))
