"""Commands that block, carried out one after the other on a thread, each with a Bluesky Status."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


class StoppedError(Exception):
    """A command was broken off because the instrument was told to stop."""


class CommandStatus:
    """How one command stands: a Status of ``bluesky.protocols``, for which a RunEngine can wait.

    Args:
        what: the command in words, for messages.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[CommandStatus], None]] = []

    @property
    def done(self) -> bool:
        """Whether the command has ended, in whatever way."""
        return self._done.is_set()

    @property
    def success(self) -> bool:
        """Whether the command has ended well."""
        return self.done and self._error is None

    def exception(self, timeout: float | None = 0.0) -> BaseException | None:
        """What the command failed with, or None.

        Raises:
            TimeoutError: it has not ended after so many seconds.
        """
        if not self._done.wait(timeout):
            raise TimeoutError(f"{self.what} has not ended yet")
        return self._error

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the command, for those who use the instrument without a RunEngine.

        Raises:
            TimeoutError: it has not ended after so many seconds.
            BaseException: whatever the command failed with.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error

    def add_callback(self, callback: Callable[["CommandStatus"], None]) -> None:
        """Call a function with this status when the command has ended; at once if it has."""
        with self._lock:
            if not self.done:
                self._callbacks.append(callback)
                return
        callback(self)

    def finish(self, error: BaseException | None = None) -> None:
        """Say that the command has ended; the first word counts."""
        with self._lock:
            if self.done:
                return
            self._error = error
            self._done.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


@dataclass(slots=True)
class _Command:
    status: CommandStatus
    function: Callable[[], None]
    cancelled: bool = False
    timer: threading.Timer | None = field(default=None, repr=False)


class CommandThread:
    """Carries out commands that block, in the order they come, on one thread of its own.

    One thread for one instrument, so that two commands never speak on the same line at once. A command that
    overruns its time limit has failed, but may still hang in the instrument's library, where Python cannot
    end it: until it returns, every further command fails at once and says so. The thread never keeps the
    program from ending.

    Attributes:
        stopping: set while the command that runs now is to break off; cleared when the next one begins.
        closed: whether it takes no more commands.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self._outstanding: list[_Command] = []
        self._thread: threading.Thread | None = None
        self.closed: bool = False

    @property
    def busy(self) -> str:
        """The command that runs or waits, in words; '' if there is none."""
        with self._lock:
            return self._outstanding[0].status.what if self._outstanding else ""

    def run(self, function: Callable[[], None], *, what: str, limit_s: float) -> CommandStatus:
        """Queue one command; its status fails with what the function raises, or when its time is up."""
        status = CommandStatus(f"{self.name}: {what}")
        with self._lock:
            hung = next((command for command in self._outstanding if command.status.done), None)
            if self.closed or hung is not None:
                why = (
                    "is closed" if hung is None else f"still hangs in an earlier command ({hung.status.what})"
                )
                status.finish(RuntimeError(f"{self.name} {why}"))
                return status
            command = _Command(status, function)
            late = TimeoutError(f"{what} did not end within {limit_s:g} s")
            command.timer = threading.Timer(limit_s, status.finish, (late,))
            command.timer.daemon = True
            command.timer.start()
            self._outstanding.append(command)
            self._queue.put(command)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"commands-{self.name}", daemon=True)
                self._thread.start()
        return status

    def cancel(self) -> bool:
        """Break off what runs, as far as it looks at ``stopping``, drop what waits; say if any was."""
        with self._lock:
            for command in self._outstanding:
                command.cancelled = True
            if self._outstanding:
                self.stopping.set()
            return bool(self._outstanding)

    def close(self) -> None:
        """Take no more commands, and end the thread when it is free."""
        with self._lock:
            if not self.closed:
                self.closed = True
                self._queue.put(None)

    def _work(self) -> None:
        while (command := self._queue.get()) is not None:
            error: BaseException | None = None
            try:
                self._begin(command)
                command.function()
            except BaseException as raised:  # noqa: BLE001 - the status carries it to whoever waits
                error = raised
            with self._lock:
                self._outstanding.remove(command)
            if command.timer is not None:
                command.timer.cancel()
            command.status.finish(error)

    def _begin(self, command: _Command) -> None:
        with self._lock:
            if command.cancelled:
                raise StoppedError(f"{command.status.what} was not begun, for the instrument was stopped")
            if command.status.done:
                raise TimeoutError(f"{command.status.what} came too late")
            self.stopping.clear()
