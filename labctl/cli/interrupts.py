"""Ctrl-C, SIGTERM, a closed terminal: once lets experiments finish, twice breaks them off, more does no harm.

No handler here raises: Python hears a signal anywhere, also in the callbacks of its own import machinery,
which print an exception and forget it.
"""

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from labctl.campaign import Campaign

INTERRUPTED = 130
"""What a command exits with that was stopped."""
_HANGUP: int | None = getattr(signal, "SIGHUP", None)
"""That the terminal was closed; not every system has it."""
_STOPPED = "stopped before anything was started"


class Interrupts:
    """Hears Ctrl-C, SIGTERM and SIGHUP for as long as a campaign is open, and while it closes.

    Until :meth:`stops` names a campaign nothing has begun: the first signal keeps it from starting anything,
    and a second one ends the program at once.
    """

    def __init__(self) -> None:
        self._asked = 0
        self._campaign: Campaign | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        # Signals are the main thread's alone.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in _signals()}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # Who has asked already is being answered; once more must not break the answer off.
            signal.signal(number, signal.SIG_IGN if self._asked else handler)

    def stops(self, campaign: "Campaign") -> None:
        """From now on a signal lets this campaign's experiments finish, and a second one breaks them off."""
        self._campaign = campaign
        if self._asked:
            campaign.stop(_STOPPED)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self._asked += 1
        name = signal.Signals(number).name
        if self._campaign is None:
            if self._asked > 1:
                leave()
        elif self._asked == 1:
            self._campaign.stop(f"stopped by {name}")
            _tell("stopping when the running experiments have ended; once more to break them off")
        else:
            if self._asked == 2:  # noqa: PLR2004 - the second time
                _tell("breaking the running experiments off")
            # The locks of a lane may be held by the very thread that this handler interrupts.
            end = threading.Thread(target=self._campaign.abort, args=(f"broken off by {name}",), daemon=True)
            end.start()


def _signals() -> list[int]:
    """What asks a campaign to stop; under nohup a closed terminal does not."""
    asked = [signal.SIGINT.value, signal.SIGTERM.value]
    if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:
        asked.append(_HANGUP)
    return asked


def leave(*_: object) -> None:
    """End the program at once; for when nothing has begun that could be left half done."""
    _tell("labctl: stopped")
    os._exit(INTERRUPTED)


def _tell(sentence: str) -> None:
    """Say it past Python's own stderr, in the middle of whose writing the signal may have come."""
    with contextlib.suppress(OSError):
        os.write(2, f"{sentence}\n".encode())
