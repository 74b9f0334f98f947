"""What a client last heard of the furnace, kept current by Channel Access monitors."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labctl_drivers.epics.devices import EpicsFurnace


class Monitors:
    """The last values of what must be known without asking; written on the event loop, read anywhere.

    Attributes:
        interlock: why the furnace may not heat, or ''.
        result: what the furnace last said of the end of a program.
        restarted: whether the controller is another process than before; whoever acts on it clears it.
    """

    def __init__(self) -> None:
        self.interlock = ""
        self.result = ""
        self.restarted = False
        self._boot = ""
        self._heard = -math.inf
        self._something = asyncio.Event()
        self._undo: list[Callable[[], None]] = []

    def attach(self, device: "EpicsFurnace") -> None:
        """Subscribe; on the event loop."""
        for signal, take in (
            (device.heartbeat, self._take_heartbeat),
            (device.interlock, self._take_interlock),
            (device.result, self._take_result),
            (device.boot, self._take_boot),
        ):
            callback = self._taking(take)
            signal.subscribe_reading(callback)
            self._undo.append(partial(signal.clear_sub, callback))

    def detach(self) -> None:
        """Stop listening; on the event loop. A second call does nothing."""
        while self._undo:
            self._undo.pop()()

    def silent_s(self) -> float:
        """For how long nothing has been heard, s."""
        return time.monotonic() - self._heard

    async def news(self, most_s: float) -> None:
        """Wait until something is heard, or for so long."""
        self._something.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._something.wait(), most_s)

    def _taking(self, take: Callable[[Any], None]) -> Callable[[Mapping[str, Any]], None]:
        def heard(readings: Mapping[str, Any]) -> None:
            for reading in readings.values():
                take(reading["value"])
            self._something.set()

        return heard

    def _take_heartbeat(self, _: int) -> None:
        self._heard = time.monotonic()

    def _take_interlock(self, value: str) -> None:
        self.interlock = value.rstrip("\0")

    def _take_result(self, value: str) -> None:
        self.result = value

    def _take_boot(self, value: str) -> None:
        boot = value.rstrip("\0")
        self.restarted = self.restarted or (bool(self._boot) and boot != self._boot)
        self._boot = boot
