"""The commands; each calls one function of the package. Nothing heavy is imported before it is needed."""

import signal
import sys
import threading
from collections.abc import Sequence

from labctl.cli.interrupts import INTERRUPTED, leave

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; whatever goes wrong is said in one sentence.

    Args:
        arguments: those of the command; the program's own unless given, and then nothing follows but its end.
    """
    owns = threading.current_thread() is threading.main_thread()
    heard = signal.getsignal(signal.SIGINT)
    if owns:
        signal.signal(signal.SIGINT, leave)
    # Imported here, so that Ctrl-C is heard from the beginning.
    from labctl.cli.program import carry_out  # noqa: PLC0415 - see above

    if owns:
        signal.signal(signal.SIGINT, heard)
    try:
        code = carry_out(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stderr.write("labctl: stopped\n")
        code = INTERRUPTED
    if owns:
        # The answer is given: who asks once more while Python tidies up gets no traceback for it.
        signal.signal(signal.SIGINT, signal.SIG_IGN if arguments is None else heard)
    return code
