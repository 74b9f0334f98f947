"""Plain instruments whose commands block (pyvisa, pymeasure, a socket), as Bluesky devices."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from labctl_drivers.adapt.status import CommandStatus, CommandThread, StoppedError
from labctl_drivers.patience import Call, within

_LOOK_S = 0.01


class Blocking:
    """A Bluesky device made of a few methods that simply block until they are done.

    Write those that the instrument has; each runs on a thread of its own, one at a time:

    - ``open()`` finds the instrument; called once, before anything else.
    - ``apply(value)`` sets it, and returns when the value is reached.
    - ``measure()`` measures, and returns a number for each name in ``units``.
    - ``halt()`` brings it to rest; called when something has gone wrong, and safe to call twice.
    - ``shut()`` lets go of the connection.

    Whatever one of them raises fails the command with that very cause. A command that takes longer than
    ``limit_s`` has failed too. ``rest(seconds)`` waits inside a command, and breaks it off when the
    instrument is to stop.

    A RunEngine stops everything it has set whenever a plan ends, also when all went well. ``halt`` is
    therefore called only if something went wrong or a command was still running.

    Args:
        name: name of the device; the keys of its readings are ``name-key``.

    Attributes:
        units: by name, the unit of each number that ``measure`` returns.
        limit_s: longest that one command may take, s.
        stop_s: how long a stop waits for the command that runs, before it halts the instrument beside it, s.
    """

    units: ClassVar[Mapping[str, str]] = {}
    limit_s: float = 60.0
    stop_s: float = 1.5
    parent = None

    def __init__(self, name: str) -> None:
        self.name = name
        self._commands = CommandThread(name)
        self._measured: dict[str, tuple[float, float]] = {}

    def open(self) -> None:
        """Find the instrument; nothing to do unless it is overridden."""

    def apply(self, value: Any) -> None:  # noqa: ANN401 - numbers, texts and whole numbers are settings
        """Set the instrument, and return when the value is reached."""
        raise NotImplementedError(
            f"{type(self).__name__} has no apply(value); write one, so that it can be set"
        )

    def measure(self) -> Mapping[str, float]:
        """Measure, and return a number for each name in ``units``."""
        raise NotImplementedError(
            f"{type(self).__name__} has no measure(); write one, so that it can be read"
        )

    def halt(self) -> None:
        """Bring the instrument to rest; nothing to do unless it is overridden."""

    def shut(self) -> None:
        """Let go of the connection; nothing to do unless it is overridden."""

    def rest(self, seconds: float) -> None:
        """Wait inside a command.

        Raises:
            StoppedError: the instrument is to stop.
        """
        if self._commands.stopping.wait(seconds):
            raise StoppedError(f"{self.name} was stopped")

    # What a RunEngine, and labctl, call. --------------------------------------------------------------

    def connect(self, timeout: float = 10.0) -> None:
        """Open the connection.

        Raises:
            TimeoutError: it did not open in time.
        """
        self._commands.run(self.open, what="open", limit_s=timeout).wait()

    def set(self, value: Any) -> CommandStatus:  # noqa: ANN401 - see apply
        """Begin to set the instrument; the status ends when ``apply`` does."""
        return self._commands.run(lambda: self.apply(value), what=f"set {value!r}", limit_s=self.limit_s)

    def trigger(self) -> CommandStatus:
        """Begin to measure, if there is anything to; the status ends when ``measure`` does."""
        self._measured = {}
        return self._commands.run(self._measure, what="measure", limit_s=self.limit_s)

    def read(self) -> dict[str, dict[str, Any]]:
        """What the last measurement gave, by key."""
        return {key: {"value": v, "timestamp": t} for key, (v, t) in self._measured.items()}

    def describe(self) -> dict[str, dict[str, Any]]:
        """What ``measure`` gives, by key, with its unit."""
        about = {"source": f"labctl:{self.name}", "dtype": "number", "shape": []}
        return {f"{self.name}-{name}": {**about, "units": unit} for name, unit in self.units.items()}

    async def stop(self, success: bool = False) -> None:  # noqa: FBT001, FBT002 - Bluesky's signature
        """Break off what runs, and bring the instrument to rest.

        Raises:
            RuntimeError: what runs did not end, although the instrument was halted.
            Exception: whatever ``halt`` raises.
        """
        stopping = Call(f"stop {self.name}", lambda: self._stop(success=success))
        while not stopping.done:  # noqa: ASYNC110 - the thread that stops it knows no event loop
            await asyncio.sleep(_LOOK_S)
        stopping.result(0.0)

    def close(self) -> None:
        """Let go of the connection and of the thread; the instrument stays as it is."""
        if self._commands.closed:
            return
        # What hangs is left alone; its thread does not keep the program from ending.
        shut = (
            None if self._commands.busy else self._commands.run(self.shut, what="shut", limit_s=self.stop_s)
        )
        self._commands.close()
        if shut is not None:
            shut.wait()

    def _measure(self) -> None:
        if not self.units:
            return
        values = self.measure()
        now = time.time()
        missing = [name for name in self.units if name not in values]
        if missing:
            raise ValueError(f"measure() gave no {', '.join(missing)}")
        self._measured = {f"{self.name}-{name}": (values[name], now) for name in self.units}

    def _stop(self, *, success: bool) -> None:
        was_busy = self._commands.cancel()
        if self._freed():
            if was_busy or not success:
                self._commands.run(self.halt, what="halt", limit_s=self.stop_s).wait()
            return
        # The command does not look up. Halting beside it may garble its words, but the machine stands.
        within(self.stop_s, f"halt {self.name}", self.halt)
        if not self._freed():
            raise RuntimeError(f"{self._commands.busy} has not ended")

    def _freed(self) -> bool:
        until = time.monotonic() + self.stop_s
        while self._commands.busy:
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK_S)
        return True
