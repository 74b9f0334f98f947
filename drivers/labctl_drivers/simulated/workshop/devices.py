"""The workshop's devices, as ophyd-async devices whose names are the recipe's and the readings' own."""

import math
from collections.abc import Mapping

import numpy as np
from ophyd_async.core import (
    Array1D,
    AsyncStatus,
    SignalR,
    soft_signal_r_and_setter,
)
from ophyd_async.core import StandardReadableFormat as Format

from labctl_drivers.protocol import ExperimentFailed
from labctl_drivers.simulated.clock import Clock
from labctl_drivers.simulated.devices import HardnessTester, Stage, Working
from labctl_drivers.simulated.workshop.course import Course
from labctl_drivers.simulated.workshop.diffraction import FIRST_Q, POINTS, STEP_Q, WIDTH_UNIT
from labctl_drivers.simulated.workshop.physics import ELEMENTS, ROOM_C


class Robot(Working):
    """Carries crucibles from the rack; set to the number of a slot. Stopped, it stands still and holds on."""

    _SECONDS = 60.0

    def __init__(self, name: str, clock: Clock) -> None:
        with self.add_children_as_readables():
            self.slot, self._show = soft_signal_r_and_setter(int, 0)
        self.course: Course | None = None
        super().__init__(name, clock)

    @AsyncStatus.wrap
    async def set(self, slot: int) -> None:
        """Fetch the crucible from a slot; raises the failure when it is dropped."""
        async for _ in self.work(self._SECONDS):
            pass
        if self.course is not None and self.course.dropped is not None:
            raise self.course.dropped
        self._show(slot)


class Balance(Working):
    """Dispenses the elements one after the other, and shows the alloy that was made.

    Stopped, its dispenser's shutter is closed. Set to the masses of zirconium, copper and aluminium, in mg.
    """

    _SECONDS_EACH = 90.0

    def __init__(self, name: str, clock: Clock) -> None:
        empty = np.zeros(len(ELEMENTS))
        with self.add_children_as_readables():
            self.masses: SignalR[Array1D[np.float64]]
            self.masses, self._show = soft_signal_r_and_setter(Array1D[np.float64], empty, units="mg")
            self.zirconium, self._show_zirconium = soft_signal_r_and_setter(float, 0.0, units="percent")
            self.copper, self._show_copper = soft_signal_r_and_setter(float, 0.0, units="percent")
            self.aluminium, self._show_aluminium = soft_signal_r_and_setter(float, 0.0, units="percent")
            self.shutter_open, self._show_shutter = soft_signal_r_and_setter(bool, initial_value=False)
            self.humidity, self._show_humidity = soft_signal_r_and_setter(float, 45.0, units="percent")
        self.course: Course | None = None
        super().__init__(name, clock)

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Give the shares of the alloy the names that they have in recipes."""
        super().set_name(name, child_name_separator=child_name_separator)
        for signal, element in zip((self.zirconium, self.copper, self.aluminium), ELEMENTS, strict=True):
            signal.set_name(element)

    @AsyncStatus.wrap
    async def set(self, masses_mg: Mapping[str, float]) -> None:
        """Dispense."""
        course = self.course
        shown = dict(masses_mg) if course is None else dict(course.masses_mg)
        given = np.array([shown[element] for element in ELEMENTS])
        self._show_shutter(True)  # noqa: FBT003 - a signal's setter has one argument
        async for share in self.work(self._SECONDS_EACH * len(ELEMENTS)):
            # One element after the other: what has been given so far, of all that will be.
            before = given.cumsum() - given
            self._show(np.clip(share * given.sum() - before, 0.0, given))
        await self.make_safe()
        if course is not None:
            self._show_humidity(course.humidity)
            self._show_zirconium(course.shown["Zr"])
            self._show_copper(course.shown["Cu"])
            self._show_aluminium(course.shown["Al"])

    async def make_safe(self) -> None:
        """Close the shutter."""
        self._show_shutter(False)  # noqa: FBT003 - see set


class Heater(Stage):
    """A furnace or an oven: heats to a temperature and holds it; stopped, its current is off and it cools."""

    def __init__(self, name: str, clock: Clock, ramp_k_per_min: float, hold_s: float) -> None:
        self.goes_to: float | None = None
        self.ends_in: ExperimentFailed | None = None
        self._per_second = ramp_k_per_min / 60
        self._hold_s = hold_s
        super().__init__(name, "degC", ROOM_C, clock)

    def load(self, goes_to: float, ends_in: ExperimentFailed | None = None) -> None:
        """Put a charge in: where the thermocouple will show the temperature, and how the charge is lost."""
        self.goes_to, self.ends_in = goes_to, ends_in

    def plan(self, begin: float, target: float) -> tuple[float, float, tuple[float, Exception] | None]:
        """Ramp, then hold; what is lost is lost at the end."""
        end = target if self.goes_to is None else self.goes_to
        hold = self._hold_s if end > ROOM_C else 0.0
        seconds = abs(end - begin) / self._per_second + hold
        return end, seconds, None if self.ends_in is None else (1.0, self.ends_in)

    async def make_safe(self) -> None:
        """Switch the current off and let it stand until it is cold."""
        self.goes_to = self.ends_in = None
        self.show(ROOM_C)


class Caster(Stage):
    """Tilts the melt into a mould that cools at a rate; stopped, the mould's cooling water runs on."""

    _SECONDS = 30.0

    def __init__(self, name: str, clock: Clock) -> None:
        self.course: Course | None = None
        super().__init__(name, "K/s", 0.0, clock)

    def plan(self, begin: float, target: float) -> tuple[float, float, None]:  # noqa: ARG002 - it starts anew
        """Cast."""
        return target if self.course is None else self.course.shown["cooling_rate"], self._SECONDS, None


class Diffractometer(Working):
    """Counts at each Q, and fits the main peak; stopped, the shutter of its X-ray tube is closed."""

    _SECONDS = 600.0

    def __init__(self, name: str, clock: Clock) -> None:
        blank = np.zeros(POINTS, dtype=np.int64)
        with self.add_children_as_readables(Format.HINTED_SIGNAL):
            self.width, self._show_width = soft_signal_r_and_setter(float, math.nan, units=WIDTH_UNIT)
        with self.add_children_as_readables():
            self.counts: SignalR[Array1D[np.int64]]
            self.counts, self._show_counts = soft_signal_r_and_setter(Array1D[np.int64], blank)
            self.label, self._show_label = soft_signal_r_and_setter(str, "")
            self.shutter_open, self._show_shutter = soft_signal_r_and_setter(bool, initial_value=False)
        with self.add_children_as_readables(Format.CONFIG_SIGNAL):
            self.first_q, _ = soft_signal_r_and_setter(float, FIRST_Q, units=WIDTH_UNIT)
            self.step_q, _ = soft_signal_r_and_setter(float, STEP_Q, units=WIDTH_UNIT)
        self.course: Course | None = None
        super().__init__(name, clock)

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Give the width the device's own name, which is the quantity's."""
        super().set_name(name, child_name_separator=child_name_separator)
        self.width.set_name(name)

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        """Scan.

        Raises:
            RuntimeError: there is no casting on the goniometer.
        """
        if self.course is None:
            raise RuntimeError("there is no casting on the goniometer")
        counts = np.array(self.course.counts, dtype=np.int64)
        self._show_shutter(True)  # noqa: FBT003 - a signal's setter has one argument
        async for share in self.work(self._SECONDS):
            done = np.arange(POINTS) < round(share * POINTS)
            self._show_counts(np.where(done, counts, 0))
        await self.make_safe()
        self._show_width(self.course.peak.width)
        self._show_label(str(self.course.label))

    async def make_safe(self) -> None:
        """Close the shutter."""
        self._show_shutter(False)  # noqa: FBT003 - see trigger


class Indenter(HardnessTester):
    """The hardness tester, under which a brittle casting shatters; stopped, the indenter is up."""

    casting: Course | None = None

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        """Make the indents, or see the casting shatter at the first."""
        self.course = self.casting
        if self.casting is not None and self.casting.shattered is not None:
            async for _ in self.work(self._SECONDS_EACH):
                pass
            raise self.casting.shattered
        await super().trigger()
