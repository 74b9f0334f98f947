"""What is wrong with one simulated device while it works: looked up at every step of what it does."""

import asyncio

from labctl_drivers.simulated.panel import Panel

SLOWNESS = 10.0
_SLOW_S = 1.0
_LOOK_S = 0.02
_STANDS_STILL = ("stuck", "hung")


def gone(device: str) -> str:
    """What is said of a device whose connection is gone."""
    return f"the connection to the {device} is gone; check its cable and switch"


class Trouble:
    """The troubles of one device: what a person has switched on the panel, or what this attempt was fated.

    Attributes:
        device: its name on the panel.
        fated: a fault that belongs to the attempt under way; the panel's goes before it.
    """

    def __init__(self, panel: Panel, device: str) -> None:
        self.device = device
        self.fated: str | None = None
        self._panel = panel

    def now(self) -> str | None:
        """The fault at this moment."""
        return self._panel.fault(self.device) or self.fated

    async def endure(self, seconds: float, steps: int) -> None:
        """Let one of so many steps pass as slowly as the device is now.

        Raises:
            ConnectionError: the connection is gone.
        """
        self._reach()
        slow = self.now() == "slow"
        await asyncio.sleep(seconds * SLOWNESS + _SLOW_S / steps if slow else seconds)
        while self.now() in _STANDS_STILL:  # noqa: ASYNC110 - a file on disk is what changes; nobody sets an event
            await asyncio.sleep(_LOOK_S)
        self._reach()

    def obey(self) -> None:
        """See that the device can be told anything at all.

        Raises:
            RuntimeError: it does not react.
        """
        if self.now() == "hung":
            raise RuntimeError(f"the {self.device} does not react to a stop; switch it off by hand")

    def _reach(self) -> None:
        if self.now() == "dropped":
            raise ConnectionError(gone(self.device))
