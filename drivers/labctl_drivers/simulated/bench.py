"""A bench for age-hardening: furnace, quench tank and hardness tester as one instrument."""

import asyncio
from collections.abc import Generator, Mapping
from typing import Any, ClassVar

from labctl_drivers.memory import Memory
from labctl_drivers.protocol import (
    Answer,
    Attempt,
    ExperimentFailed,
    FailureKind,
    Reading,
    Recipe,
    Setting,
    Surroundings,
)
from labctl_drivers.simulated.course import HARDNESS_UNIT, Course, Treatment, follow
from labctl_drivers.simulated.fate import drawn
from labctl_drivers.simulated.physics import HEAT_TRANSFER, ROOM_C, Alloy
from labctl_drivers.simulated.settings import BenchSettings
from labctl_drivers.units import UnitError, convert

HOTTEST_C = 600.0
_STOP_S = 5.0


class FurnaceBench:
    """Ages one sample at a time, quenches it, and measures its hardness.

    The recipe has ``temperature``, ``hold_time`` and ``quench``. Everything that is up to chance follows
    from the seed and the attempt's key. An attempt counts as started once its sample is in the furnace.
    From then on the furnace's own program runs, with or without a controller: after a crash the bench
    finishes it and tells what came of it, unless it is set to be mute.

    Attributes:
        parameter_units: the bench's own unit of each numeric parameter; recipes may come in others.
        categories: the values of each parameter that is no number.
        quantity_units: unit of each quantity that is measured.
    """

    parameter_units: ClassVar[Mapping[str, str]] = {"temperature": "degC", "hold_time": "minute"}
    categories: ClassVar[Mapping[str, tuple[str, ...]]] = {"quench": tuple(HEAT_TRANSFER)}
    quantity_units: ClassVar[Mapping[str, str]] = {"hardness": HARDNESS_UNIT}

    def __init__(
        self,
        settings: BenchSettings | None = None,
        *,
        surroundings: Surroundings,
        name: str = "furnace",
        alloy: Alloy | None = None,
    ) -> None:
        self.name = name
        self.settings = settings or BenchSettings()
        self._alloy = alloy or Alloy()
        self._seed = surroundings.seed
        self._memory = Memory(surroundings.folder, name)
        self._running: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

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

        clock = Clock(self.settings.speed)
        self._loop = get_bluesky_event_loop()  # type: ignore[no-untyped-call]
        with init_devices(set_name=False):
            self._furnace = Furnace("temperature", clock, self.settings.ramp_k_per_min)
            self._timer = HoldTimer("hold_time", clock)
            self._tank = QuenchTank("quench", clock)
            self._tester = HardnessTester("hardness", clock, self.settings.indents)

    def check(self, recipe: Recipe) -> str | None:
        """Say what is missing from a recipe, or wrong with its kind of values."""
        wanted = {*self.parameter_units, *self.categories}
        if set(recipe) != wanted:
            return f"{self.name} needs exactly {', '.join(sorted(wanted))}"
        for name in self.parameter_units:
            if isinstance(recipe[name], str):
                return f"{name} must be a number, and is {recipe[name]!r}"
        for name, values in self.categories.items():
            if recipe[name] not in values:
                return f"{name} must be one of {', '.join(values)}, and is {recipe[name]!r}"
        return None

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        """Load, age, quench, measure."""
        course = self._course(attempt)
        self._memory.started(attempt)
        self._running = attempt.key
        try:
            yield from self._carry_out(course)
        except BaseException as error:
            self._memory.finished(attempt.key, _ended_by(error))
            raise
        finally:
            self._running = None
        result = self._finish(attempt, course)
        if isinstance(result, ExperimentFailed):
            raise result
        return result

    def ask(self, key: str) -> Answer:
        """Say what became of an attempt; the furnace's program has run on without the controller."""
        known = self._memory.lookup(key)
        if known is None:
            return Answer("never")
        if key == self._running:
            return Answer("running")
        result = known.result
        if result is None:
            if self.settings.mute:
                return Answer("unknown")
            result = self._finish(known.attempt, self._course(known.attempt))
        if isinstance(result, ExperimentFailed):
            return Answer("failed", failure=result)
        return Answer("done", reading=result)

    def stop(self) -> None:
        """Switch the heater off; what is in the furnace cools with it."""
        if self._loop is not None and self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._switch_off(), self._loop).result(_STOP_S)

    def close(self) -> None:
        """Close the memory of attempts."""
        self._memory.close()

    async def _switch_off(self) -> None:
        await asyncio.gather(*(one.stop(success=True) for one in (self._furnace, self._timer)))  # type: ignore[no-untyped-call]
        self._furnace.cool()

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

    def _course(self, attempt: Attempt) -> Course:
        fate = drawn(self._seed, attempt.key, self.settings)
        return follow(self._treatment(attempt), fate, self.settings, self._alloy)

    def _treatment(self, attempt: Attempt) -> Treatment:
        """Read the recipe in the bench's own units, and refuse what it cannot do before anything moves."""
        problem = self.check(attempt.recipe)
        if problem is None:
            try:
                numbers = {
                    name: convert(float(attempt.recipe[name]), attempt.units.get(name, unit), unit)
                    for name, unit in self.parameter_units.items()
                }
            except UnitError as error:
                problem = str(error)
            else:
                temperature, hold = numbers["temperature"], numbers["hold_time"]
                if ROOM_C <= temperature <= HOTTEST_C and 0 <= hold < float("inf"):
                    return Treatment(temperature, hold, str(attempt.recipe["quench"]))
                problem = (
                    f"the furnace goes from {ROOM_C:g} to {HOTTEST_C:g} °C, for a time that is not negative"
                )
        raise ExperimentFailed(FailureKind.INSTRUMENT_FAULT, problem, stage="check")

    def _finish(self, attempt: Attempt, course: Course) -> Reading | ExperimentFailed:
        """Report a course in the units the attempt was asked for in, and remember that."""
        result = course.result
        if isinstance(result, Reading):
            result = self._in_units_of(attempt, result)
        elif result.reading is not None:
            result = ExperimentFailed(
                result.kind,
                result.message,
                stage=result.stage,
                reading=self._in_units_of(attempt, result.reading),
                bounds=result.bounds,
            )
        self._memory.finished(attempt.key, result)
        return result

    def _in_units_of(self, attempt: Attempt, reading: Reading) -> Reading:
        actual: dict[str, Setting] = dict(reading.actual)
        for name, unit in self.parameter_units.items():
            actual[name] = convert(float(actual[name]), unit, attempt.units.get(name, unit))
        return Reading(reading.values, reading.units, actual=actual, raw=reading.raw)


def _ended_by(error: BaseException) -> ExperimentFailed:
    from bluesky.utils import RunEngineControlException  # noqa: PLC0415 - see connect

    from labctl_drivers.notes import Notes  # noqa: PLC0415 - see connect
    from labctl_drivers.verdict import failure_of  # noqa: PLC0415 - see connect

    if isinstance(error, RunEngineControlException | GeneratorExit):
        message = "the controller broke the attempt off, and the furnace was switched off"
        return ExperimentFailed(FailureKind.ABORTED, message, stage="process")
    return failure_of(error, Notes())
