"""Simulated time that runs faster than the clock, shown to the eye in a few steps."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass

from labctl_drivers.simulated.trouble import Trouble

_STEP_S = 0.1
_MOST_STEPS = 50


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that runs ``speed`` times as fast as the one on the wall.

    Attributes:
        speed: simulated seconds in a real one.
        trouble: what may be wrong with the device whose time this is; None for a device without any.
    """

    speed: float
    trouble: Trouble | None = None

    async def pass_time(self, seconds: float) -> AsyncIterator[float]:
        """Let simulated seconds pass; yields the share that has passed, at most every 0.1 s, and 1.0 last."""
        real = seconds / self.speed
        steps = min(_MOST_STEPS, max(1, math.floor(real / _STEP_S)))
        for step in range(1, steps + 1):
            if self.trouble is None:
                await asyncio.sleep(real / steps)
            else:
                await self.trouble.endure(real / steps, steps)
            yield step / steps

    def obey(self) -> None:
        """See that the device reacts to a stop.

        Raises:
            RuntimeError: it does not.
        """
        if self.trouble is not None:
            self.trouble.obey()
