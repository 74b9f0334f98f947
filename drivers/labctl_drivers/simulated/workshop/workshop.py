"""The workshop as one instrument: a robot, a balance, a furnace, a mould, an oven and two testers."""

import math
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from labctl_drivers.protocol import Attempt, Json, Ramp, Recipe, Surroundings
from labctl_drivers.simulated.journalled import Journalled, refused, stop_all
from labctl_drivers.simulated.panel import common_folder
from labctl_drivers.simulated.rack import RESOURCE, Rack
from labctl_drivers.simulated.trouble import Trouble, gone
from labctl_drivers.simulated.workshop.physics import ELEMENTS, ROOM_C, Alloy, masses
from labctl_drivers.simulated.workshop.settings import WorkshopSettings

if TYPE_CHECKING:
    from labctl_drivers.simulated.workshop.course import Course, Order

HOTTEST_C = 1450.0
OVEN_C = 700.0
SLOWEST, FASTEST = 0.1, 1e6
"""Cooling rates that the moulds and wheels of the workshop give, K/s."""
_MELT_S, _ANNEAL_S = 300.0, 600.0
_WHOLE, _ROUNDING = 100.0, 0.1
_DEVICES = ("robot", "balance", "furnace", "caster", "oven", "diffractometer", "tester")
_LIARS = ("balance", "furnace", "diffractometer", "tester")


class Workshop(Journalled["Course"]):
    """Makes one metallic glass at a time, and measures the width of its main peak and its hardness.

    The recipe has ``Zr``, ``Cu`` and ``Al`` in atomic percent, which add up to 100, ``melt_temperature``,
    ``cooling_rate`` and ``anneal_temperature``; at 20 °C a casting is not annealed. Each attempt takes a
    crucible from the rack, which is given back by nobody. Everything that is up to chance follows from the
    seed, the attempt's key and which crucible it is.
    """

    parameter_units: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(ELEMENTS, "percent"),
        "melt_temperature": "degC",
        "cooling_rate": "K/s",
        "anneal_temperature": "degC",
    }
    quantity_units: ClassVar[Mapping[str, str]] = {"hardness": "HV", "peak_width": "1/angstrom"}
    hottest_safe_c: ClassVar[float] = HOTTEST_C + 50.0
    settings: WorkshopSettings

    def __init__(
        self,
        settings: WorkshopSettings | None = None,
        *,
        surroundings: Surroundings,
        name: str = "workshop",
        alloy: Alloy | None = None,
    ) -> None:
        own = settings or WorkshopSettings()
        super().__init__(name, own, surroundings)
        self.rack = Rack(common_folder(surroundings), int(own.slots))
        self._alloy = alloy or Alloy()

    def connect(self) -> None:
        """Make and connect the devices on Bluesky's default event loop."""
        # Bluesky and ophyd-async take a second to import, which a campaign that only looks need not spend.
        from bluesky.run_engine import get_bluesky_event_loop  # noqa: PLC0415 - see above
        from ophyd_async.core import init_devices  # noqa: PLC0415 - see above

        from labctl_drivers.simulated.clock import Clock  # noqa: PLC0415 - see above
        from labctl_drivers.simulated.workshop import devices  # noqa: PLC0415 - see above

        troubles: list[Trouble] = []

        def clock(device: str) -> Clock:
            troubles.append(Trouble(self.panel, device))
            return Clock(self.settings.speed, troubles[-1])

        ramp = self.settings.ramp_k_per_min
        self._loop = get_bluesky_event_loop()  # type: ignore[no-untyped-call]
        with init_devices(set_name=False):
            self._robot = devices.Robot("robot", clock("robot"))
            self._balance = devices.Balance("balance", clock("balance"))
            self._furnace = devices.Heater("melt_temperature", clock("furnace"), ramp, _MELT_S)
            self._caster = devices.Caster("cooling_rate", clock("caster"))
            self._oven = devices.Heater("anneal_temperature", clock("oven"), ramp, _ANNEAL_S)
            self._diffractometer = devices.Diffractometer("peak_width", clock("diffractometer"))
            self._tester = devices.Indenter("hardness", clock("tester"), int(self.settings.indents))
        self._troubles = troubles

    def check(self, recipe: Recipe) -> str | None:
        """Say what is wrong with a recipe, which device is gone, or that the rack is empty."""
        problem = super().check(recipe) or self._gone()
        if problem is None and not self.rack.left():
            problem = "the rack is empty; put in a full one and say so with `labctl sim refill CAMPAIGN.yaml`"
        return problem

    def needs(self, recipe: Recipe) -> Mapping[str, int]:  # noqa: ARG002 - every recipe takes one
        """One crucible of the rack."""
        return {RESOURCE: 1}

    def ramps(self, recipe: Recipe) -> Mapping[str, Ramp]:  # noqa: ARG002 - it is the same for all recipes
        """How fast furnace and oven heat."""
        ramp = Ramp(self.settings.ramp_k_per_min, "K/minute")
        return {"melt_temperature": ramp, "anneal_temperature": ramp}

    def close(self) -> None:
        """Close the memory of attempts and the rack's."""
        super().close()
        self.rack.close()

    async def _make_safe(self) -> None:
        """Currents off, shutters closed, indenter up; the robot holds what it has."""
        devices = (
            self._furnace,
            self._oven,
            self._diffractometer,
            self._caster,
            self._balance,
            self._tester,
            self._robot,
        )
        await stop_all(*(device.stop(success=False) for device in devices))

    def _temperature_c(self) -> float:
        return max(self._furnace.now, self._oven.now) if self._loop is not None else ROOM_C

    def _detail(self, attempt: Attempt) -> Mapping[str, Json]:
        """Take the crucible; its number and who lies today decide the course, and are kept with it."""
        self._order(attempt)
        cut_off = self._gone()
        if cut_off is not None:  # the robot need not take a crucible to learn it
            raise refused(cut_off)
        taken = self.rack.take(attempt.key)
        lying = [device for device in _LIARS if self.panel.fault(device) == "lying"]
        return {"number": taken.number, "rack": taken.load, "slot": taken.slot, "lying": lying}

    def _gone(self) -> str | None:
        """Which device is known to be out of reach before anything moves."""
        return next((gone(device) for device in _DEVICES if self.panel.fault(device) == "dropped"), None)

    def _course(self, attempt: Attempt, detail: Mapping[str, Json]) -> "Course":
        from labctl_drivers.simulated.workshop.course import follow  # noqa: PLC0415 - scipy, for the fit
        from labctl_drivers.simulated.workshop.fate import drawn  # noqa: PLC0415 - beside the line above

        fate = drawn(
            self._seed, attempt.key, slot=detail["slot"], number=detail["number"], settings=self.settings
        )
        lying = {*detail["lying"], *(device for device, fault in fate.faults.items() if fault == "lying")}
        crucible = {"rack": detail["rack"], "slot": detail["slot"]}
        return follow(self._order(attempt), fate, self.settings, self._alloy, crucible=crucible, lying=lying)

    def _carry_out(self, course: "Course") -> Generator[Any, Any, None]:
        from bluesky import plan_stubs as bps  # noqa: PLC0415 - see connect

        self._load(course)
        yield from bps.mv(self._robot, int(course.slot))
        yield from bps.mv(self._balance, masses(dict(course.order.alloy), self.settings.batch_mg))
        yield from bps.mv(self._furnace, course.order.melt_c)
        yield from bps.mv(self._caster, course.order.cooling)
        yield from bps.mv(self._oven, course.order.anneal_c)
        devices = [
            self._diffractometer,
            self._balance,
            self._furnace,
            self._caster,
            self._oven,
            self._robot,
        ]
        yield from bps.trigger(self._diffractometer, wait=True)
        yield from bps.trigger(self._tester, wait=True)
        yield from bps.create("primary")
        for device in (*devices, self._tester):
            yield from bps.read(device)
        yield from bps.save()

    def _load(self, course: "Course") -> None:
        """Tell every device how this casting goes."""
        for trouble in self._troubles:
            trouble.fated = course.faults.get(trouble.device)
        self._robot.course = self._balance.course = self._caster.course = course
        self._diffractometer.course = self._tester.casting = course
        self._furnace.load(course.shown["melt_temperature"], course.unmelted)
        self._oven.load(course.shown["anneal_temperature"])

    def _order(self, attempt: Attempt) -> "Order":
        """Read the recipe in the workshop's own units, and refuse what it cannot do before anything moves."""
        from labctl_drivers.simulated.workshop.course import Order  # noqa: PLC0415 - see _course

        numbers = self._numbers(attempt)
        alloy = {element: numbers[element] for element in ELEMENTS}
        melt, cooling, oven = (
            numbers[name] for name in ("melt_temperature", "cooling_rate", "anneal_temperature")
        )
        whole = math.fsum(alloy.values())
        if not (all(share >= 0.0 for share in alloy.values()) and abs(whole - _WHOLE) <= _ROUNDING):
            raise refused(f"Zr, Cu and Al must be shares that add up to 100 percent, and add up to {whole:g}")
        if not (ROOM_C <= melt <= HOTTEST_C and ROOM_C <= oven <= OVEN_C and SLOWEST <= cooling <= FASTEST):
            raise refused(
                f"the furnace goes from {ROOM_C:g} to {HOTTEST_C:g} °C, the oven to {OVEN_C:g} °C, and the "
                f"moulds cool at {SLOWEST:g} to {FASTEST:g} K/s"
            )
        return Order(alloy, melt, cooling, oven)
