"""Keeps the lines that a solver prints by itself off stdout, which is for answers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock
from typing import Any

_ONE_AT_A_TIME = Lock()
"""Two that swap stdout at once could leave it swapped."""
_STDOUT, _STDERR = 1, 2


@contextmanager
def off_stdout() -> Iterator[None]:
    """What libraries written in C print to stdout in here goes to stderr.

    HiGHS prints a line now and then although it was told to be silent, past all that Python could catch, and
    would spoil an answer that a program reads. What another thread writes to stdout in the same milliseconds
    goes to stderr too. Where stdout or stderr is closed, nothing is done.
    """
    with _ONE_AT_A_TIME:
        kept = _swapped()
        try:
            yield
        finally:
            if kept is not None:
                _flush()
                os.dup2(kept, _STDOUT)
                os.close(kept)


def _swapped() -> int | None:
    """Put stderr in the place of stdout; what stdout was, or None where that cannot be."""
    try:
        os.fstat(_STDERR)
        kept = os.dup(_STDOUT)
    except OSError:
        return None
    _flush()
    os.dup2(_STDERR, _STDOUT)
    return kept


def _flush() -> None:
    """Write out what C holds back, which it would otherwise do at the end of the process."""
    library = _c_library()
    if library is not None:
        library.fflush(None)


@cache
def _c_library() -> Any:  # noqa: ANN401 - its functions are made as they are asked for
    """The C library of this process; None where it has no name that opens it, as on Windows."""
    with suppress(ImportError, OSError, TypeError):
        from ctypes import CDLL  # noqa: PLC0415 - not every system has it

        return CDLL(None)
    return None
