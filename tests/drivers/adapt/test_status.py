"""Commands on a thread: in order, with a limit, broken off when told to, and never waited for in vain."""

import threading
import time

import pytest
from bluesky.protocols import Status

from labctl_drivers.adapt.status import CommandStatus, CommandThread, StoppedError


def test_a_status_is_one_of_bluesky_s_and_calls_back_once() -> None:
    status = CommandStatus("heat")
    assert isinstance(status, Status)
    called: list[CommandStatus] = []
    status.add_callback(called.append)
    assert (status.done, status.success, called) == (False, False, [])
    with pytest.raises(TimeoutError, match="heat has not ended yet"):
        status.exception(timeout=0.0)
    status.finish(ValueError("too hot"))
    status.finish()
    status.add_callback(called.append)
    assert called == [status, status]
    assert (status.done, status.success) == (True, False)
    with pytest.raises(ValueError, match="too hot"):
        status.wait(0.0)


def test_commands_run_one_after_the_other_in_their_order() -> None:
    thread, seen, at_once = CommandThread("arm"), [], []
    inside = threading.Lock()

    def command(i: int) -> None:
        at_once.append(inside.acquire(blocking=False))
        time.sleep(0.002)
        seen.append(i)
        inside.release()

    statuses = [thread.run(lambda i=i: command(i), what=f"move {i}", limit_s=5.0) for i in range(10)]  # type: ignore[misc]
    for status in statuses:
        status.wait(5.0)
    assert (seen, all(at_once)) == (list(range(10)), True)
    thread.close()
    with pytest.raises(RuntimeError, match="arm is closed"):
        thread.run(lambda: None, what="move", limit_s=1.0).wait(1.0)


def test_what_hangs_fails_in_time_and_nothing_is_begun_behind_it() -> None:
    thread, free, begun = CommandThread("arm"), threading.Event(), []
    first = thread.run(lambda: free.wait(20.0) and None, what="move", limit_s=0.05)
    with pytest.raises(TimeoutError, match=r"move did not end within 0\.05 s"):
        first.wait(5.0)
    second = thread.run(lambda: begun.append(1), what="move again", limit_s=5.0)
    with pytest.raises(RuntimeError, match=r"still hangs in an earlier command \(arm: move\)"):
        second.wait(0.0)
    free.set()
    while thread.busy:
        time.sleep(0.001)
    assert not begun
    thread.run(lambda: begun.append(2), what="move once more", limit_s=5.0).wait(5.0)
    assert begun == [2]


def test_cancelling_breaks_off_what_looks_up_and_drops_what_waits() -> None:
    thread, begun, running = CommandThread("arm"), [], threading.Event()

    def slow() -> None:
        running.set()
        if thread.stopping.wait(20.0):
            raise StoppedError("stopped")

    first = thread.run(slow, what="move", limit_s=20.0)
    second = thread.run(lambda: begun.append(1), what="grip", limit_s=20.0)
    running.wait(5.0)
    assert thread.cancel()
    for status in (first, second):
        with pytest.raises(StoppedError):
            status.wait(5.0)
    assert not begun
    assert not thread.cancel()
    # A later command knows nothing of the stop before it.
    thread.run(lambda: begun.append(thread.stopping.is_set()), what="move", limit_s=5.0).wait(5.0)
    assert begun == [False]
