"""A bench for age-hardening: furnace, quench tank and hardness tester as one instrument."""

from collections.abc import Generator, Mapping
from typing import Any, ClassVar

from labctl_drivers.protocol import Attempt, Json, Ramp, Recipe, Surroundings
from labctl_drivers.simulated.course import HARDNESS_UNIT, Course, Treatment, follow
from labctl_drivers.simulated.fate import drawn
from labctl_drivers.simulated.journalled import Journalled, refused, stop_all
from labctl_drivers.simulated.physics import HEAT_TRANSFER, ROOM_C, Alloy
from labctl_drivers.simulated.settings import BenchSettings

HOTTEST_C = 600.0


class FurnaceBench(Journalled[Course]):
    """Ages one sample at a time, quenches it, and measures its hardness.

    The recipe has ``temperature``, ``hold_time`` and ``quench``. Everything that is up to chance follows
    from the seed and the attempt's key. An attempt counts as started once its sample is in the furnace.
    From then on the furnace's own program runs, with or without a controller: after a crash the bench
    finishes it and tells what came of it, unless it is set to be mute.
    """

    parameter_units: ClassVar[Mapping[str, str]] = {"temperature": "degC", "hold_time": "minute"}
    categories: ClassVar[Mapping[str, tuple[str, ...]]] = {"quench": tuple(HEAT_TRANSFER)}
    quantity_units: ClassVar[Mapping[str, str]] = {"hardness": HARDNESS_UNIT}
    hottest_safe_c: ClassVar[float] = HOTTEST_C + 50.0
    settings: BenchSettings

    def __init__(
        self,
        settings: BenchSettings | None = None,
        *,
        surroundings: Surroundings,
        name: str = "furnace",
        alloy: Alloy | None = None,
    ) -> None:
        super().__init__(name, settings or BenchSettings(), surroundings)
        self._alloy = alloy or Alloy()

    def connect(self) -> None:
        """Make and connect the devices on Bluesky's default event loop."""
        # Bluesky and ophyd-async take a second to import, which a campaign that only looks need not spend.
        from bluesky.run_engine import get_bluesky_event_loop  # noqa: PLC0415 - see above
        from ophyd_async.core import init_devices  # noqa: PLC0415 - see above

        from labctl_drivers.simulated.clock import Clock  # noqa: PLC0415 - see above
        from labctl_drivers.simulated.devices import (  # noqa: PLC0415 - see above
            Furnace,
            HardnessTester,
            HoldTimer,
            QuenchTank,
        )
        from labctl_drivers.simulated.trouble import Trouble  # noqa: PLC0415 - see above

        def clock(device: str) -> Clock:
            return Clock(self.settings.speed, Trouble(self.panel, device))

        self._loop = get_bluesky_event_loop()  # type: ignore[no-untyped-call]
        with init_devices(set_name=False):
            self._furnace = Furnace("temperature", clock("furnace"), self.settings.ramp_k_per_min)
            self._timer = HoldTimer("hold_time", clock("timer"))
            self._tank = QuenchTank("quench", clock("tank"))
            self._tester = HardnessTester("hardness", clock("tester"), self.settings.indents)

    def ramps(self, recipe: Recipe) -> Mapping[str, Ramp]:  # noqa: ARG002 - it is the same for all recipes
        """How fast the furnace heats."""
        return {"temperature": Ramp(self.settings.ramp_k_per_min, "K/minute")}

    async def _make_safe(self) -> None:
        """Switch the heater off; what is in the furnace cools with it."""
        devices = (self._furnace, self._timer, self._tank, self._tester)
        await stop_all(*(one.stop(success=False) for one in devices))

    def _temperature_c(self) -> float:
        return self._furnace.now if self._loop is not None else ROOM_C

    def _carry_out(self, course: Course) -> Generator[Any, Any, None]:
        from bluesky import plan_stubs as bps  # noqa: PLC0415 - see connect

        for device in (self._furnace, self._timer):
            device.load(course)
        self._tank.course = self._tester.course = course
        yield from bps.mv(self._furnace, course.treatment.temperature_c)
        yield from bps.mv(self._timer, course.treatment.hold_min)
        yield from bps.mv(self._tank, course.treatment.quench)
        devices = [self._tester, self._furnace, self._timer, self._tank]
        yield from bps.trigger_and_read(devices, name="primary")

    def _course(self, attempt: Attempt, detail: Mapping[str, Json]) -> Course:  # noqa: ARG002 - nothing else matters
        fate = drawn(self._seed, attempt.key, self.settings)
        return follow(self._treatment(attempt), fate, self.settings, self._alloy)

    def _treatment(self, attempt: Attempt) -> Treatment:
        """Read the recipe in the bench's own units, and refuse what it cannot do before anything moves."""
        numbers = self._numbers(attempt)
        temperature, hold = numbers["temperature"], numbers["hold_time"]
        if ROOM_C <= temperature <= HOTTEST_C and 0 <= hold < float("inf"):
            return Treatment(temperature, hold, str(attempt.recipe["quench"]))
        raise refused(
            f"the furnace goes from {ROOM_C:g} to {HOTTEST_C:g} °C, for a time that is not negative"
        )
