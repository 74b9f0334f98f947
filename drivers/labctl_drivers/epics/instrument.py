"""A furnace on an EPICS network as an instrument: set and watched by Channel Access, asked by key."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from labctl_drivers.adapt.settings import SettingRule, converted, problem_of, reached
from labctl_drivers.epics import channel_access
from labctl_drivers.epics.extras import require
from labctl_drivers.epics.settings import EpicsSettings
from labctl_drivers.memory import AlreadyStarted, Memory, Remembered
from labctl_drivers.protocol import (
    Answer,
    Attempt,
    ExperimentFailed,
    FailureKind,
    Ramp,
    Reading,
    Recipe,
    Setting,
    Surroundings,
)

if TYPE_CHECKING:
    from labctl_drivers.epics.devices import EpicsFurnace

logger = logging.getLogger(__name__)

T = TypeVar("T")
_LONGEST_ASK_S = 20.0
_MARGIN_S = 2.0


class EpicsFurnaceInstrument:
    """Has a furnace behind an EPICS controller carry out one attempt at a time.

    The furnace runs its program by itself once it was begun under a key, and remembers by key what came of
    it. This side remembers, too, that it began a key and with which of the furnace's memories, so that a
    furnace whose memory was put away cannot pass for one that was never asked.

    Attributes:
        parameter_units: the furnace's own unit of each number; recipes may come in others.
        categories: the values of what is no number.
        quantity_units: unit of each quantity that is measured.
    """

    parameter_units: ClassVar[Mapping[str, str]] = {"temperature": "degC", "hold_time": "minute"}
    categories: ClassVar[Mapping[str, tuple[str, ...]]] = {"quench": ("water", "oil", "air")}
    quantity_units: ClassVar[Mapping[str, str]] = {"hardness": "HV"}

    def __init__(self, settings: EpicsSettings, *, surroundings: Surroundings, name: str = "furnace") -> None:
        self.name = name
        self.settings = settings
        self.address = settings.address(surroundings.lane)
        # All of them, before the first is connected.
        channel_access.announce(*settings.addresses)
        self._lasting = surroundings.folder is not None
        self._memory = Memory(surroundings.folder, name)
        self._device: EpicsFurnace | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rules = {name: SettingRule(unit) for name, unit in self.parameter_units.items()} | {
            name: SettingRule("", {value: value for value in values})
            for name, values in self.categories.items()
        }

    def connect(self) -> None:
        """Connect to the controller, and begin to listen to it.

        Raises:
            MissingError: what speaks to EPICS is not installed.
            ConnectionError: no furnace answers, and how to start one; or its address came too late.
        """
        require("aioca")
        from bluesky.run_engine import get_bluesky_event_loop  # noqa: PLC0415 - a campaign that only looks needs none

        channel_access.claim(self.address, self.settings.prefix)
        self._loop = get_bluesky_event_loop()  # type: ignore[no-untyped-call]
        self._device = self._within(2 * self.settings.connect_s + _MARGIN_S, self._connected())

    def check(self, recipe: Recipe) -> str | None:
        """Say what is missing from a recipe, or wrong with its kind of values."""
        return problem_of(recipe, self._rules, self.name)

    @property
    def memory_id(self) -> str | None:
        """Which memory of attempts this is; another one is not believed where it says ``never``."""
        return self._memory.id

    def needs(self, recipe: Recipe) -> Mapping[str, int]:  # noqa: ARG002 - the same for every recipe
        """The furnace itself: lanes that share a controller take turns."""
        return {f"furnace at {self.address} {self.settings.prefix}": 1}

    def interlocks(self) -> Mapping[str, Callable[[], str | None]]:
        """The furnace's own interlocks, as it last told them by itself."""
        return {"furnace": self._interlock}

    def ramps(self, recipe: Recipe) -> Mapping[str, Ramp]:  # noqa: ARG002 - the same for every recipe
        """How fast the furnace heats, as it says itself; nothing before it is connected."""
        return {} if self._device is None else {"temperature": Ramp(self._device.ramp_k_per_min, "K/minute")}

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        """Set the recipe, have the furnace run its program, and read what it measured."""
        from bluesky import plan_stubs as bps  # noqa: PLC0415 - see connect
        from bluesky.utils import FailedStatus  # noqa: PLC0415 - see connect

        device = self._connected_device()
        told = converted(attempt, self._rules, self.name)
        memory = yield from self._ready()
        for signal, value in (
            (device.temperature_sp, told["temperature"]),
            (device.hold_sp, told["hold_time"]),
            (device.quench_sp, told["quench"]),
        ):
            yield from bps.abs_set(signal, value, wait=True, timeout=self.settings.answer_s)
            # Channel Access tells nobody that a put was refused.
            why = yield from self._waiting_for(device.refusal)
            if why:
                raise ExperimentFailed(
                    FailureKind.INSTRUMENT_FAULT, f"the furnace refused: {why}", stage="check"
                )
        yield from self._write_down(attempt, memory)
        yield from bps.abs_set(device, attempt.key, wait=True)
        result = self._finish(attempt, device.outcome)
        if isinstance(result, ExperimentFailed):
            raise result
        try:
            yield from bps.trigger_and_read([device], name="primary")
        except (FailedStatus, ConnectionError, TimeoutError) as error:
            # The sample is measured, and what it gave is known; only the documents lack what stood beside it.
            logger.warning("%s: the furnace's variables could not be read at the end: %s", attempt.key, error)
        return result

    def ask(self, key: str) -> Answer:
        """Say what became of an attempt, by what the controller and this side remember of it."""
        known = self._memory.lookup(key)
        if known is not None and known.result is not None:
            return _answer_of(known.result)
        if self._device is None:
            return Answer("never" if known is None and self._lasting else "unknown")
        told = self._told(key)
        if told is None:
            return Answer("never" if known is None and self._lasting else "unknown")
        answer, memory = told
        if known is None:
            # Somebody else's attempt, if this side has a memory that lasts and does not know it.
            return answer if answer.state == "never" or not self._lasting else Answer("unknown")
        if answer.state == "never" and memory != known.detail.get("memory"):
            return Answer("unknown")
        return self._in_own_units(known, answer)

    def stop(self) -> None:
        """Switch the heater off.

        Raises:
            ConnectionError: the furnace cannot be reached.
            RuntimeError: it does not obey.
        """
        if self._device is not None and self._loop is not None and self._loop.is_running():
            self._within(2 * self.settings.answer_s + _MARGIN_S, self._device.switch_off())

    def close(self) -> None:
        """Let go of the memory and stop listening; the channels close with the lane's event loop."""
        if self._device is not None and self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._device.monitors.detach)
        self._memory.close()

    # With the device ---------------------------------------------------------------------------------

    def _connected_device(self) -> "EpicsFurnace":
        if self._device is None:
            raise ExperimentFailed(
                FailureKind.INSTRUMENT_FAULT, f"{self.name} is not connected", stage="check"
            )
        return self._device

    async def _connected(self) -> "EpicsFurnace":
        from ophyd_async.core import NotConnectedError  # noqa: PLC0415 - see connect

        from labctl_drivers.epics.devices import EpicsFurnace  # noqa: PLC0415 - see connect

        assert self._loop is not None  # noqa: S101 - set by the only caller
        await channel_access.keep(self._loop)
        device = EpicsFurnace(self.name, self.address, self.settings)
        try:
            await device.connect(timeout=self.settings.connect_s)
        except NotConnectedError as error:
            raise ConnectionError(self._unreachable()) from error
        channel_access.listen_to_library()
        device.monitors.attach(device)
        device.ramp_k_per_min = await device.ramp.get_value()
        if not await device.awake(self.settings.connect_s):
            raise ConnectionError(f"the controller at {self.address} answers, but its heartbeat stands still")
        return device

    def _unreachable(self) -> str:
        host, _, port = self.address.rpartition(":")
        prefix = self.settings.prefix
        here = f"start one with `labctl sim ioc --port {port} --prefix {prefix}`, or "
        start = here if host in {"127.0.0.1", "localhost"} else ""
        return (
            f"no furnace answers at {self.address} to names with {prefix}; {start}correct the option address"
        )

    def _ready(self) -> Generator[Any, Any, str]:
        """See that the controller is there and its furnace may heat; gives which memory it has."""
        device = self._connected_device()
        if not (yield from self._waiting_for(device.awake, self.settings.reconnect_s)):
            message = f"{self._unreachable()}; nothing was begun"
            raise ExperimentFailed(FailureKind.INSTRUMENT_FAULT, message, stage="check")
        why, memory = yield from self._waiting_for(device.condition)
        if why:
            raise ExperimentFailed(FailureKind.ABORTED, f"not started: {why}", stage="check")
        return str(memory)

    def _write_down(self, attempt: Attempt, memory: str) -> Generator[Any, Any, None]:
        """Remember on this side that the key is begun, before it is.

        A key that stands here already may still be begun if the furnace, with the memory that it had then,
        never heard of it: this side was killed before it put the key.
        """
        known = self._memory.lookup(attempt.key)
        if known is None:
            self._memory.started(attempt, {"memory": memory})
            return
        device, limit = self._connected_device(), self.settings.reconnect_s
        answer = yield from self._waiting_for(device.told_in_time, attempt.key, limit)
        unheard = answer is not None and answer.state == "never" and known.detail.get("memory") == memory
        if known.result is not None or not unheard:
            raise AlreadyStarted(attempt.key)

    def _waiting_for(
        self, function: Callable[..., Coroutine[Any, Any, T]], *args: object
    ) -> Generator[Any, Any, T]:
        """Await something on the RunEngine's loop, as part of a plan; each has a time limit of its own."""
        from bluesky import plan_stubs as bps  # noqa: PLC0415 - see connect

        [task] = yield from bps.wait_for([lambda: function(*args)])
        result: T = task.result()
        return result

    def _interlock(self) -> str | None:
        device = self._connected_device()
        if device.monitors.interlock:
            return device.monitors.interlock
        # While a program runs, the plan itself waits for a controller that is gone. It has ended before this.
        blind = self.settings.silence_s + self.settings.reconnect_s + _MARGIN_S
        if device.under_way is not None and device.monitors.silent_s() > blind:
            return f"nothing was heard from {self.address} for {device.monitors.silent_s():.0f} s"
        return None

    def _told(self, key: str) -> tuple[Answer, str] | None:
        device = self._connected_device()
        seconds = min(_LONGEST_ASK_S, self.settings.reconnect_s)

        async def tell() -> tuple[Answer, str] | None:
            answer = await device.told_in_time(key, seconds)
            return None if answer is None else (answer, await device.memory_id())

        try:
            return self._within(seconds + self.settings.answer_s + _MARGIN_S, tell())
        except (ConnectionError, TimeoutError, ValueError):
            return None

    def _within(self, seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop of the devices, and wait for it with a limit."""
        assert self._loop is not None  # noqa: S101 - set before anything is run on it
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(seconds)
        finally:
            future.cancel()

    # Results -----------------------------------------------------------------------------------------

    def _finish(self, attempt: Attempt, answer: Answer | None) -> Reading | ExperimentFailed:
        """What the furnace said of an attempt, in the units it was asked for in; remembered on this side."""
        assert answer is not None  # noqa: S101 - a status that ended well has one
        result = answer.reading if answer.reading is not None else answer.failure
        assert result is not None  # noqa: S101 - an answer that ends an attempt has one
        result = self._in_units_of(attempt, result)
        self._memory.finished(attempt.key, result)
        return result

    def _in_own_units(self, known: Remembered, answer: Answer) -> Answer:
        if answer.state not in {"done", "failed"}:
            return answer
        return _answer_of(self._finish(known.attempt, answer))

    def _in_units_of(
        self, attempt: Attempt, result: Reading | ExperimentFailed
    ) -> Reading | ExperimentFailed:
        if isinstance(result, Reading):
            return self._retold(attempt, result)
        reading = None if result.reading is None else self._retold(attempt, result.reading)
        return ExperimentFailed(
            result.kind, result.message, stage=result.stage, reading=reading, bounds=result.bounds
        )

    def _retold(self, attempt: Attempt, reading: Reading) -> Reading:
        actual: dict[str, Setting] = {
            name: reached(attempt, name, value, self._rules[name])
            for name, value in reading.actual.items()
            if name in self._rules
        }
        return Reading(reading.values, reading.units, actual=actual, raw=reading.raw)


def _answer_of(result: Reading | ExperimentFailed) -> Answer:
    if isinstance(result, Reading):
        return Answer("done", reading=result)
    return Answer("failed", failure=result)
