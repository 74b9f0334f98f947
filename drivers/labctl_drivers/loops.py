"""The event loop below the lanes: which one new devices bind to, and how it ends."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator

from bluesky.run_engine import RunEngine, set_bluesky_event_loop

from labctl_drivers.patience import OverdueError

_CLOSING_S = 10.0
# Bluesky's default event loop belongs to the whole process, so lanes take turns with it.
_DEFAULT_LOOP = threading.Lock()


@contextlib.contextmanager
def default_loop_of(engine: RunEngine, seconds: float) -> Iterator[None]:
    """Have new devices bind to this engine's loop, which otherwise is the newest engine's.

    Raises:
        OverdueError: another lane has kept its turn for longer than so many seconds.
    """
    if not _DEFAULT_LOOP.acquire(timeout=seconds):
        raise OverdueError("another lane is still connecting its instrument")
    try:
        set_bluesky_event_loop(engine.loop)  # type: ignore[no-untyped-call]
        yield
    finally:
        _DEFAULT_LOOP.release()


def end(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs on an event loop, stop it, and close it; one that hangs is left behind."""

    async def cancel_all() -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await loop.shutdown_asyncgens()

    with contextlib.suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(cancel_all(), loop).result(_CLOSING_S)
    loop.call_soon_threadsafe(loop.stop)
    deadline = time.monotonic() + _CLOSING_S
    while loop.is_running() and time.monotonic() < deadline:
        time.sleep(0.001)
    if not loop.is_running():
        loop.close()
