"""The furnace as an ophyd-async device over Channel Access; setting it to a key runs its own program."""

import asyncio
import math
import time
from typing import Annotated

import numpy as np
from ophyd_async.core import Array1D, AsyncStatus, SignalDatatypeT, SignalR, SignalRW, StandardReadable
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import EpicsDevice, PvSuffix

from labctl_drivers.epics import names, wire
from labctl_drivers.epics.monitors import Monitors
from labctl_drivers.epics.settings import EpicsSettings
from labctl_drivers.memory import AlreadyStarted
from labctl_drivers.protocol import Answer, ExperimentFailed, FailureKind

_TURN_S = 0.05
_ASK_TRIES = 20
# A program that takes twice its own estimate and half a minute is stuck.
_PATIENCE, _GRACE_S = 2.0, 30.0


class EpicsFurnace(StandardReadable, EpicsDevice):
    """The variables of one furnace, what a plan can do with them, and what to do when they fall silent.

    The names of what is read are those of the recipe and of the reading.
    """

    temperature: Annotated[SignalR[float], PvSuffix(names.TEMPERATURE), Format.UNCACHED_SIGNAL]
    hold_time: Annotated[SignalR[float], PvSuffix(names.HOLD), Format.UNCACHED_SIGNAL]
    quench: Annotated[SignalR[str], PvSuffix(names.QUENCH), Format.UNCACHED_SIGNAL]
    humidity: Annotated[SignalR[float], PvSuffix(names.HUMIDITY), Format.UNCACHED_SIGNAL]
    hardness: Annotated[SignalR[float], PvSuffix(names.HARDNESS), Format.HINTED_UNCACHED_SIGNAL]
    indents: Annotated[SignalR[Array1D[np.float64]], PvSuffix(names.INDENTS), Format.UNCACHED_SIGNAL]

    temperature_sp: Annotated[SignalRW[float], PvSuffix(names.TEMPERATURE_SP)]
    hold_sp: Annotated[SignalRW[float], PvSuffix(names.HOLD_SP)]
    quench_sp: Annotated[SignalRW[str], PvSuffix(names.QUENCH_SP)]
    begin: Annotated[SignalRW[str], PvSuffix(names.START)]
    halt: Annotated[SignalRW[int], PvSuffix(names.STOP)]
    ask: Annotated[SignalRW[str], PvSuffix(names.ASK)]
    answer: Annotated[SignalR[str], PvSuffix(names.ANSWER)]
    fault: Annotated[SignalR[str], PvSuffix(names.FAULT)]
    heater: Annotated[SignalR[str], PvSuffix(names.HEATER)]
    state: Annotated[SignalR[str], PvSuffix(names.STATE)]
    ramp: Annotated[SignalR[float], PvSuffix(names.RAMP)]
    expected: Annotated[SignalR[float], PvSuffix(names.EXPECTED)]
    memory: Annotated[SignalR[str], PvSuffix(names.MEMORY)]
    result: Annotated[SignalR[str], PvSuffix(names.RESULT)]
    interlock: Annotated[SignalR[str], PvSuffix(names.INTERLOCK)]
    heartbeat: Annotated[SignalR[int], PvSuffix(names.HEARTBEAT)]
    boot: Annotated[SignalR[str], PvSuffix(names.BOOT)]

    def __init__(self, name: str, address: str, settings: EpicsSettings) -> None:
        self.address = address
        self.settings = settings
        self.monitors = Monitors()
        self.ramp_k_per_min = math.inf
        self.under_way: str | None = None
        self.outcome: Answer | None = None
        self._stopped = asyncio.Event()
        self._asking = asyncio.Lock()
        super().__init__(prefix=f"ca://{settings.prefix}", name=name)

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Give what is read the names of the recipe and of the reading."""
        super().set_name(name, child_name_separator=child_name_separator)
        for child in ("temperature", "hold_time", "quench", "humidity", "hardness", "indents"):
            getattr(self, child).set_name(child)

    # What a plan does --------------------------------------------------------------------------------

    @AsyncStatus.wrap
    async def set(self, key: str) -> None:
        """Begin the furnace's program under a key and wait for its end, which :attr:`outcome` then holds.

        Raises:
            ExperimentFailed: it was refused, broken off, or nobody can say what became of it.
        """
        self.under_way, self.outcome = key, None
        self._stopped.clear()
        self.monitors.result = ""
        try:
            begun = await self._begin(key)
            self.outcome = await self._ended(key, begun=begun)
        except ValueError as error:
            raise ExperimentFailed(
                FailureKind.UNKNOWN, f"{error}; look at the sample", stage="process"
            ) from error
        finally:
            self.under_way = None

    async def stop(self, success: bool = True) -> None:  # noqa: FBT001, FBT002, ARG002 - Bluesky's own signature
        """Break off the program that this device has begun; Bluesky calls it after every plan."""
        if self.under_way is not None:
            await self.switch_off()

    async def switch_off(self) -> None:
        """Have the furnace switch its heater off, and see that it did.

        Raises:
            ConnectionError: it cannot be reached.
            RuntimeError: it did not obey.
        """
        self._stopped.set()
        try:
            await self.halt.set(1, timeout=self.settings.answer_s)
            heater = await self._get(self.heater)
        except Exception as error:
            raise ConnectionError(
                f"the furnace at {self.address} cannot be reached; see for yourself that its heater is off"
            ) from error
        if heater != "off":
            raise RuntimeError(f"the furnace at {self.address} was told to stop, and its heater is {heater}")

    # What became of an attempt -----------------------------------------------------------------------

    async def told(self, key: str) -> Answer:
        """Ask the controller what became of an attempt.

        Raises:
            ConnectionError: it does not answer.
            ValueError: it answers what nobody can read.
        """
        for _ in range(_ASK_TRIES):
            try:
                async with self._asking:
                    await self.ask.set(key, timeout=self.settings.answer_s)
                    text = await self._get(self.answer)
            except ValueError:
                raise
            except Exception as error:
                raise ConnectionError(f"the controller at {self.address} does not answer") from error
            answer = wire.read(text, key)
            if answer is not None:
                return answer
            # Somebody else asked about another key in between.
        raise ConnectionError(f"the controller at {self.address} answers about other attempts only")

    async def told_in_time(self, key: str, seconds: float) -> Answer | None:
        """Ask again and again until the controller answers; None if it does not in time."""
        deadline = time.monotonic() + seconds
        while not self._stopped.is_set() or self.under_way is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            try:
                return await asyncio.wait_for(self.told(key), left)
            except (ConnectionError, TimeoutError):
                await asyncio.sleep(min(_TURN_S, max(0.0, left)))
        return None

    async def awake(self, seconds: float) -> bool:
        """Wait until the controller is heard; False if it is not in time."""
        deadline = time.monotonic() + seconds
        while self.monitors.silent_s() > self.settings.silence_s:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_TURN_S)
        return True

    async def refusal(self) -> str:
        """Why the last put was refused, or ''."""
        return (await self._get(self.fault)).rstrip("\0")

    async def condition(self) -> tuple[str, str]:
        """Why the furnace may not heat now, or '', and which memory it has; asked anew, not remembered."""
        return (await self._get(self.interlock)).rstrip("\0"), await self.memory_id()

    async def memory_id(self) -> str:
        """What tells the furnace's memory of attempts from another."""
        return (await self._get(self.memory)).rstrip("\0")

    async def _begin(self, key: str) -> bool:
        """Put the key to START and read back what came of it; False if nobody knows whether it was begun.

        Raises:
            ExperimentFailed: the furnace refused.
        """
        try:
            await self.begin.set(key, timeout=self.settings.answer_s)
            why = await self.refusal()
        except Exception:  # noqa: BLE001 - whatever went wrong, the controller is asked by key
            return False
        if not why:
            return True
        answer = await self.told_in_time(key, self.settings.reconnect_s)
        if answer is None or answer.state != "never":
            raise AlreadyStarted(key)
        raise _fault(f"the furnace refused to begin: {why}", stage="check")

    async def _ended(self, key: str, *, begun: bool) -> Answer:
        """Wait for the end of the program, across the loss of its controller if need be."""
        deadline = await self._deadline()
        lost = not begun
        while True:
            if self._stopped.is_set():
                raise ExperimentFailed(FailureKind.ABORTED, "the furnace was told to stop", stage="process")
            answer = wire.read(self.monitors.result, key)
            if answer is None and lost:
                self.monitors.restarted = False
                answer = await self._asked(key)
                deadline = await self._deadline()
            if answer is not None:
                return answer
            if time.monotonic() > deadline:
                state = await self._get(self.state)
                raise _fault(f"the furnace's program should be over, and is still {state}", stage="process")
            await self.monitors.news(_TURN_S)
            lost = self.monitors.restarted or self.monitors.silent_s() > self.settings.silence_s

    async def _asked(self, key: str) -> Answer | None:
        """What the controller says of a program under way; None if it goes on.

        Raises:
            ExperimentFailed: nothing was begun, or nobody can say what became of it.
        """
        answer = await self.told_in_time(key, self.settings.reconnect_s)
        if answer is None and self._stopped.is_set():
            return None
        if answer is None:
            message = (
                f"nothing was heard from the furnace's controller at {self.address} for "
                f"{self.settings.reconnect_s:g} s while the program ran, so nobody can say what became of "
                "the sample; look at the furnace"
            )
            raise ExperimentFailed(FailureKind.UNKNOWN, message, stage="process")
        if answer.state == "running":
            return None
        if answer.state == "never":
            message = f"the connection to {self.address} was lost before the furnace's program began"
            raise _fault(message, stage="process")
        if answer.state == "unknown":
            message = (
                f"the furnace's controller at {self.address} cannot say what became of its program; look at "
                "the sample"
            )
            raise ExperimentFailed(FailureKind.UNKNOWN, message, stage="process")
        return answer

    async def _deadline(self) -> float:
        try:
            expected = await self._get(self.expected)
        except Exception:  # noqa: BLE001 - a controller that is gone is noticed by its silence
            expected = 0.0
        return time.monotonic() + _PATIENCE * expected + _GRACE_S

    async def _get(self, signal: SignalR[SignalDatatypeT]) -> SignalDatatypeT:
        return await asyncio.wait_for(signal.get_value(cached=False), self.settings.answer_s)


def _fault(message: str, *, stage: str) -> ExperimentFailed:
    return ExperimentFailed(FailureKind.INSTRUMENT_FAULT, message, stage=stage)
