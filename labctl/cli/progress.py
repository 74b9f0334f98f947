"""Shows how far a long command is, on stderr: a bar in a terminal, a line now and then elsewhere."""

import sys
import time
from typing import Self

from labctl.cli.output import Heedless, say

_QUIET_S = 5.0
_WIDTH = 78
_BAR = 12


class Progress:
    """A bar that is written over in a terminal; elsewhere a line each few seconds, none if it is quick."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            Heedless(sys.stderr).write("\r\x1b[2K")

    def tell(self, number: int, count: int, text: str) -> None:
        """Show that step ``number`` of ``count`` begins, and in words what it is."""
        line = f"{number} of {count}: {text}"
        now = time.monotonic()
        if self._terminal:
            done = _BAR * (number - 1) // count
            bar = "━" * done + "╌" * (_BAR - done)
            stream = Heedless(sys.stderr)
            stream.write(f"\r\x1b[2K{bar} {line[: _WIDTH - _BAR]}")
            stream.flush()
        elif now - self._last >= _QUIET_S:
            say(line)
            self._last = now
