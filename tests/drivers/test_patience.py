"""A call that never returns is left behind after its time, and any other is as if it had been made here."""

import threading
import time

import pytest

from labctl_drivers.patience import Call, OverdueError, Patience, within


def test_a_result_comes_back() -> None:
    assert within(5.0, "it", lambda: 42) == 42


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), KeyboardInterrupt()])
def test_whatever_is_raised_comes_back(error: BaseException) -> None:
    def call() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        within(5.0, "it", call)
    assert caught.value is error


def test_a_call_that_hangs_is_told_and_keeps_nothing_from_ending() -> None:
    free = threading.Event()
    clock = time.monotonic()
    call = Call("the stop", lambda: free.wait(60))
    with pytest.raises(OverdueError, match=r"the stop did not return within 0\.1 s"):
        call.result(0.1)
    assert time.monotonic() - clock < 10
    assert not call.done
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "the stop")
    free.set()
    assert call.wait(10)
    assert call.result(0.0) is True


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_no_patience_at_all_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="stop_s must be a positive number of seconds"):
        Patience(stop_s=seconds)
