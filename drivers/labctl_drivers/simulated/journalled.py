"""What simulated instruments have in common: memory, the answer after a crash, interlocks."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from labctl_drivers.memory import Memory
from labctl_drivers.protocol import (
    Answer,
    Attempt,
    ExperimentFailed,
    FailureKind,
    Json,
    Reading,
    Recipe,
    Setting,
    Surroundings,
)
from labctl_drivers.simulated.panel import Panel, common_folder
from labctl_drivers.units import UnitError, convert

_STOP_S = 5.0


class Settings(Protocol):
    """What every simulated instrument can be set to."""

    @property
    def mute(self) -> bool:
        """Whether, after a crash of the controller, it cannot say what became of its sample."""
        ...


class Course(Protocol):
    """How an attempt goes, worked out before it begins."""

    @property
    def result(self) -> Reading | ExperimentFailed:
        """What the instrument reports in the end, in its own units."""
        ...


C = TypeVar("C", bound=Course)


class Journalled(ABC, Generic[C]):
    """An instrument whose course is worked out at the start, so that it can be told after a crash.

    An attempt counts as started once it stands in the instrument's memory, just before anything moves. From
    then on the instrument's own program runs, with or without a controller.

    Attributes:
        parameter_units: the instrument's own unit of each numeric parameter; recipes may come in others.
        categories: the values of each parameter that is no number.
        quantity_units: unit of each quantity that is measured.
        settings: how it behaves.
        panel: what a person has switched to go wrong.
    """

    parameter_units: ClassVar[Mapping[str, str]]
    categories: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    quantity_units: ClassVar[Mapping[str, str]]
    hottest_safe_c: ClassVar[float]
    heater: ClassVar[str] = "furnace"

    def __init__(self, name: str, settings: Settings, surroundings: Surroundings) -> None:
        self.name = name
        self.settings = settings
        self.panel = Panel(common_folder(surroundings), surroundings.lane)
        self._seed = surroundings.seed
        self._memory = Memory(surroundings.folder, name)
        self._running: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    def _course(self, attempt: Attempt, detail: Mapping[str, Json]) -> C:
        """Work out the course of an attempt; raises what is wrong with its recipe, at the stage "check"."""

    @abstractmethod
    def _carry_out(self, course: C) -> Generator[Any, Any, None]:
        """Play a course on the devices, as a plan that raises the failure where it happens."""

    @abstractmethod
    def _make_safe(self) -> Coroutine[Any, Any, None]:
        """Bring every device into its safe state."""

    @abstractmethod
    def _temperature_c(self) -> float:
        """What the hottest thermocouple shows now; must not wait for anything."""

    def _detail(self, attempt: Attempt) -> Mapping[str, Json]:
        """What the course depends on beside seed, key and recipe; may take what the attempt uses up."""
        _ = attempt
        return {}

    def check(self, recipe: Recipe) -> str | None:
        """Say what is missing from a recipe, or wrong with its kind of values."""
        return self._wrong_with(recipe)

    def _wrong_with(self, recipe: Recipe) -> str | None:
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
        """Carry out an attempt from its sample to its reading."""
        detail = self._detail(attempt)
        course = self._course(attempt, detail)
        self._memory.started(attempt, detail)
        self._running = attempt.key
        try:
            yield from self._carry_out(course)
        except BaseException as error:
            self._memory.finished(attempt.key, _ended_by(error, self.heater))
            raise
        finally:
            self._running = None
        result = self._finish(attempt, course)
        if isinstance(result, ExperimentFailed):
            raise result
        return result

    def ask(self, key: str) -> Answer:
        """Say what became of an attempt; the instrument's program has run on without the controller."""
        known = self._memory.lookup(key)
        says = self.panel.memory()
        if known is None or says == "lying":
            return Answer("never")
        if key == self._running:
            return Answer("running")
        result = known.result
        if result is None:
            if self.settings.mute or says == "mute":
                return Answer("unknown")
            result = self._finish(known.attempt, self._course(known.attempt, known.detail))
        if isinstance(result, ExperimentFailed):
            return Answer("failed", failure=result)
        return Answer("done", reading=result)

    def stop(self) -> None:
        """Bring every device into its safe state.

        Raises:
            RuntimeError: a device does not react; the others are safe.
            TimeoutError: a device has not answered in time.
        """
        if self._loop is not None and self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._make_safe(), self._loop).result(_STOP_S)

    @property
    def memory_id(self) -> str | None:
        """Which memory of attempts this is; another one is not believed where it says ``never``."""
        return self._memory.id

    def interlocks(self) -> Mapping[str, Callable[[], str | None]]:
        """By name, a quick look that says why the instrument must stop now, or None."""
        return {
            "door": self._door,
            "over-temperature": self._over_temperature,
            "operator's stop": self._operators_stop,
        }

    def close(self) -> None:
        """Close the memory of attempts."""
        self._memory.close()

    def _door(self) -> str | None:
        if self.panel.fault("door") != "open":
            return None
        return f"the door of the {self.name} is open; close it"

    def _over_temperature(self) -> str | None:
        shown = self._temperature_c()
        if self.panel.fault(self.heater) != "too-hot" and shown <= self.hottest_safe_c:
            return None
        return (
            f"the {self.heater} of the {self.name} is at {shown:.0f} °C and its guard against "
            f"over-temperature, set to {self.hottest_safe_c:.0f} °C, has tripped; let it cool and reset it"
        )

    def _operators_stop(self) -> str | None:
        if self.panel.fault("red-button") != "pressed":
            return None
        return f"the red button of the {self.name} is pressed; ask who pressed it, and release it"

    def _numbers(self, attempt: Attempt) -> dict[str, float]:
        """The numbers of a recipe in the instrument's own units.

        Raises:
            ExperimentFailed: the recipe is not one of this instrument's; at the stage "check".
        """
        problem = self._wrong_with(attempt.recipe)
        if problem is not None:
            raise refused(problem)
        try:
            return {
                name: convert(float(attempt.recipe[name]), attempt.units.get(name, unit), unit)
                for name, unit in self.parameter_units.items()
            }
        except UnitError as error:
            raise refused(str(error)) from error

    def _finish(self, attempt: Attempt, course: C) -> Reading | ExperimentFailed:
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
            if name in actual:
                actual[name] = convert(float(actual[name]), unit, attempt.units.get(name, unit))
        return Reading(reading.values, reading.units, actual=actual, raw=reading.raw)


def refused(problem: str) -> ExperimentFailed:
    """A recipe that cannot be set; nothing was moved."""
    return ExperimentFailed(FailureKind.INSTRUMENT_FAULT, problem, stage="check")


async def stop_all(*stops: Coroutine[Any, Any, None]) -> None:
    """Stop every device, also when one of them does not obey.

    Raises:
        RuntimeError: one did not obey.
    """
    ended = await asyncio.gather(*stops, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one


def _ended_by(error: BaseException, heater: str) -> ExperimentFailed:
    from bluesky.utils import RunEngineControlException  # noqa: PLC0415 - a bench that only looks needs none

    from labctl_drivers.notes import Notes  # noqa: PLC0415 - beside the line above
    from labctl_drivers.verdict import failure_of  # noqa: PLC0415 - beside the line above

    if isinstance(error, RunEngineControlException | GeneratorExit):
        message = f"the controller broke the attempt off, and the {heater} was switched off"
        return ExperimentFailed(FailureKind.ABORTED, message, stage="process")
    return failure_of(error, Notes())
