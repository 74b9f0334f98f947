"""The event loop below the lanes: which one new devices bind to, what is said on it, and how it ends."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

from bluesky import run_engine
from bluesky.run_engine import RunEngine, set_bluesky_event_loop

from labctl_drivers.patience import OverdueError

Result = TypeVar("Result")
logger = logging.getLogger(__name__)

_CLOSING_S = 10.0
_PRINT = print
_CHATTY = ("bluesky", "ophyd_async", "opentelemetry")
# Python prints warnings to the terminal where no handler at all is found; this one is found.
_SILENT = logging.NullHandler()
# Python hands it on to what is started on an event loop from here, so that it tells a lane's RunEngine from
# one that somebody else runs in the same process.
_OF_A_LANE: ContextVar[bool] = ContextVar("of_a_lane", default=False)
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


def hush(loop: asyncio.AbstractEventLoop) -> None:
    """Keep what Bluesky and ophyd-async log off the terminal, and what an event loop complains of.

    A lane says in one sentence what came of an attempt. The rest is for whoever sets up Python's ``logging``,
    which gets it under the names ``bluesky``, ``ophyd_async``, ``opentelemetry`` and ``labctl_drivers``.
    """
    for name in _CHATTY:
        logging.getLogger(name).addHandler(_SILENT)
    vars(run_engine)["print"] = _said
    loop.set_exception_handler(_complained)


class _Steady(asyncio.SelectorEventLoop):
    """An event loop that a device cannot end by raising what is meant to end a program."""

    def run_forever(self) -> None:
        while True:
            try:
                return super().run_forever()
            except (KeyboardInterrupt, SystemExit) as error:
                logger.warning("a device raised %s on the event loop, which goes on", type(error).__name__)


def fresh() -> asyncio.AbstractEventLoop:
    """An event loop for lanes, which no device can end."""
    return _Steady()


def withstand(engine: RunEngine) -> None:
    """Have a RunEngine take whatever a device raises for a failure of that device.

    It knows exceptions only. A device may raise what is none, such as ``SystemExit``, which would end the
    RunEngine, and with it every lane on the same event loop.
    """
    for name, command in list(engine._command_registry.items()):  # noqa: SLF001 - there is no other way in
        engine.register_command(name, _withstanding(command))  # type: ignore[no-untyped-call]


def _withstanding(command: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def carried_out(msg: Any) -> Any:  # noqa: ANN401 - a message's
        try:
            return await command(msg)
        except (Exception, asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:
            raise RuntimeError(f"it raised {type(error).__name__} {error}".rstrip()) from error

    return carried_out


def unheard(call: Callable[[], Result]) -> Result:
    """Call a RunEngine; what it prints meanwhile, on whatever thread, is logged instead.

    Standard output itself is not touched: it belongs to the whole process.
    """
    mark = _OF_A_LANE.set(True)
    try:
        return call()
    finally:
        _OF_A_LANE.reset(mark)


def _said(*what: object, **how: Any) -> None:  # noqa: ANN401 - whatever print takes
    """Stand in for ``print`` in the RunEngine's module."""
    if _OF_A_LANE.get():
        logger.info("%s", how.get("sep", " ").join(map(str, what)))
    else:
        _PRINT(*what, **how)


def _complained(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    logger.info("%s", context.get("message"), exc_info=context.get("exception"))


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
