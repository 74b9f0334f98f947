"""How long a lane waits for an instrument, and calls that can be left behind when they never return."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

Result = TypeVar("Result")


class OverdueError(Exception):
    """A call did not return in time and was left behind; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The time limits of every wait of a lane but that of the attempt itself, all in s.

    Attributes:
        connect_s: an instrument's ``connect``.
        answer_s: an instrument's ``check`` and ``ask``, and the reading of the lab's limits.
        stop_s: an instrument's ``stop``.
        end_s: from breaking an attempt off until its plan and all its devices have ended.
        orderly_s: from breaking an attempt off until ``stop`` is called, even if the plan has not ended.
        look_s: one look at an interlock; longer counts as tripped.
        period_s: between two looks at the interlocks.

    Raises:
        ValueError: one of them is not positive.
    """

    connect_s: float = 60.0
    answer_s: float = 30.0
    stop_s: float = 10.0
    end_s: float = 30.0
    orderly_s: float = 0.2
    look_s: float = 2.0
    period_s: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"{field.name} must be a positive number of seconds")


class Call(Generic[Result]):
    """A call on a daemon thread of its own, so that nobody has to wait for it for ever.

    Python cannot end a thread that hangs. Such a call is left behind, and does not keep the program from
    ending.
    """

    def __init__(self, name: str, function: Callable[[], Result]) -> None:
        self.name = name
        self._function = function
        self._done = threading.Event()
        self._result: list[Result] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether the call has returned or raised."""
        return self._done.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the call; say whether it has returned or raised."""
        return self._done.wait(seconds)

    def result(self, seconds: float) -> Result:
        """What the call returned.

        Raises:
            OverdueError: it has not returned after so many seconds.
            BaseException: whatever the call itself raised.
        """
        if not self.wait(seconds):
            raise OverdueError(f"{self.name} did not return within {seconds:g} s")
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            self._result.append(self._function())
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
            self._error = error
        finally:
            self._done.set()


def within(seconds: float, name: str, function: Callable[[], Result]) -> Result:
    """Call a function and wait for it with a limit.

    Raises:
        OverdueError: it did not return in time; the sentence begins with ``name``.
        BaseException: whatever the function itself raised.
    """
    return Call(name, function).result(seconds)
