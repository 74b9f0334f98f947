"""One lane: a Bluesky RunEngine on a thread of its own that carries out one attempt at a time."""

import asyncio
import contextlib
import logging
import math
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bluesky.run_engine import RunEngine, set_bluesky_event_loop
from bluesky.utils import DuringTask, RunEngineInterrupted

from labctl_drivers.documents import Guard, JsonLines, Sink
from labctl_drivers.protocol import Attempt, ExperimentFailed, FailureKind, Instrument, Reading
from labctl_drivers.runplan import Progress, run
from labctl_drivers.verdict import failure_of, sentence, unsettled

logger = logging.getLogger(__name__)

WEEK_S = 7 * 24 * 3600.0
_CLOSING_S = 10.0
_CLOSED = "the lane was closed"
# Bluesky's default event loop and sys.stdout belong to the whole process, so lanes take turns with them.
_DEFAULT_LOOP = threading.Lock()
_STDOUT = threading.Lock()


class LaneError(RuntimeError):
    """The lane was asked for something it cannot do; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of one attempt; either ``reading`` or ``failure`` is set, never both.

    Attributes:
        run_uid: uid of the Bluesky run; None only if no run could be opened at all.
        reading: what was measured.
        failure: how it failed, with its kind, stage and whatever was measured all the same.
        started: Unix time of the start, s.
        seconds: how long it took, s.
    """

    run_uid: str | None
    reading: Reading | None
    failure: ExperimentFailed | None
    started: float
    seconds: float


class Lane:
    """Carries out attempts one after the other, off the main thread.

    Several lanes may share one event loop; each still has its own thread and RunEngine, so that their
    experiments run side by side.

    Args:
        name: name of the lane, for documents and messages.
        documents: file that every Bluesky document is appended to, one JSON object a line.
        time_limit_s: an attempt that takes longer is broken off as an instrument fault; inf for none.
        beside: another lane whose event loop this one shares.

    Raises:
        ValueError: the time limit is not a positive number of seconds.
        LaneError: the lane beside this one is closed.
        OSError: the documents' file cannot be opened.
    """

    def __init__(
        self,
        name: str,
        *,
        documents: Path | None = None,
        time_limit_s: float = WEEK_S,
        beside: "Lane | None" = None,
    ) -> None:
        if not time_limit_s > 0:
            raise ValueError(f"lane {name}: the time limit must be a positive number of seconds")
        if beside is not None and beside.closed:
            raise LaneError(f"lane {name} cannot run beside {beside.name}, which is closed")
        self.name: str = name
        self.closed: bool = False
        self.time_limit_s = time_limit_s
        self._writer = JsonLines(documents) if documents is not None else None
        # No signal handlers: they are only legal on the main thread. A bare DuringTask only waits, where
        # the default one would drive a plotting window from this thread.
        self.engine: RunEngine = RunEngine(
            {},
            loop=beside.engine.loop if beside is not None else None,
            context_managers=[],
            call_returns_result=True,
            during_task=DuringTask(),  # type: ignore[no-untyped-call]
        )
        # The event loop ends with the last lane that uses it.
        self.loop_users: list[Lane] = beside.loop_users if beside is not None else []
        self.loop_users.append(self)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"lane-{name}")
        self._lock = threading.Lock()
        self._current: Progress | None = None
        # Kept, and not only their ids, which Python gives to new objects once the old ones are gone.
        self._connected: dict[int, Instrument] = {}
        if self._writer is not None:
            self.subscribe(self._writer, label=f"the documents' file {documents}")

    def subscribe(self, sink: Sink, *, label: str = "a subscriber") -> None:
        """Pass every document on to ``sink``; its exceptions are logged once and fail no experiment."""
        self.engine.subscribe(Guard(sink, label))  # type: ignore[no-untyped-call]

    def connect(self, instrument: Instrument) -> None:
        """Connect an instrument on the lane's thread; a second call for the same instrument does nothing.

        Raises:
            LaneError: the instrument cannot be connected.
        """
        self._ask(self._connect, instrument)

    def submit(self, instrument: Instrument, attempt: Attempt) -> Future[Finished]:
        """Queue one attempt. The future never raises for anything an instrument does.

        Raises:
            LaneError: the lane is closed or the instrument was never connected.
        """
        if self.closed:
            raise LaneError(f"lane {self.name} is closed; open a new one")
        if id(instrument) not in self._connected:
            raise LaneError(f"lane {self.name}: connect {instrument.name} before its first attempt")
        return self._thread.submit(self._carry_out, instrument, attempt)

    def run(self, instrument: Instrument, attempt: Attempt) -> Finished:
        """Carry out one attempt and wait for it."""
        return self.submit(instrument, attempt).result()

    def abort(self, reason: str) -> bool:
        """Break off the attempt that runs now, from any thread; say whether there was one to break off.

        The attempt ends as ``aborted`` with this reason. Attempts that wait in the queue are not touched;
        cancel their futures.
        """
        with self._lock:
            current = self._current
        return self._interrupt(current, ExperimentFailed(FailureKind.ABORTED, reason, stage="process"))

    def close(self) -> None:
        """Abort what runs, drop what waits, and end the lane's thread and event loop; safe to call twice."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
        self.abort(_CLOSED)
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._writer is not None:
            self._writer.close()
        self.loop_users.remove(self)
        if not self.loop_users:
            _end(self.engine.loop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, function: Callable[..., None], *args: Any) -> None:  # noqa: ANN401 - passed on as they are
        if self.closed:
            raise LaneError(f"lane {self.name} is closed; open a new one")
        self._thread.submit(function, *args).result()

    def _connect(self, instrument: Instrument) -> None:
        if id(instrument) in self._connected:
            return
        with _DEFAULT_LOOP:
            # Devices bind themselves to Bluesky's default loop, which the newest RunEngine has claimed.
            set_bluesky_event_loop(self.engine.loop)  # type: ignore[no-untyped-call]
            try:
                instrument.connect()
            except Exception as error:
                raise LaneError(
                    f"lane {self.name}: cannot connect {instrument.name}: {sentence(error)}"
                ) from error
        self._connected[id(instrument)] = instrument

    def _carry_out(self, instrument: Instrument, attempt: Attempt) -> Finished:
        progress = Progress()
        started, clock = time.time(), time.monotonic()
        with self._lock:
            self._current = progress
            if self.closed:  # close() came between the queue and here, and found nothing to abort
                progress.interruption = ExperimentFailed(FailureKind.ABORTED, _CLOSED, stage="process")
        timer = self._timer(progress)
        try:
            plan = run(self.name, instrument, attempt, progress)
            self.engine(plan, {"start": [progress.note_start]})
        except RunEngineInterrupted:
            if self.engine.state == "paused":
                self._abort_engine("the lane does not pause")
        except Exception as error:  # noqa: BLE001 - the lane must outlive whatever an attempt does
            progress.error = progress.error or error
            progress.outcome = progress.outcome or failure_of(error, progress.notes)
        finally:
            with self._lock:
                self._current = None
            if timer is not None:
                timer.cancel()
        outcome = progress.outcome or _halted(progress)
        if isinstance(outcome, ExperimentFailed) and unsettled(outcome):
            logger.info("%s: %s", attempt.key, outcome.message, exc_info=progress.error)
            outcome = _made_safe(instrument, outcome)
        return Finished(
            run_uid=progress.run_uid,
            reading=outcome if isinstance(outcome, Reading) else None,
            failure=outcome if isinstance(outcome, ExperimentFailed) else None,
            started=started,
            seconds=time.monotonic() - clock,
        )

    def _timer(self, progress: Progress) -> threading.Timer | None:
        if math.isinf(self.time_limit_s):
            return None
        message = f"timed out after {self.time_limit_s:g} s, the time limit of lane {self.name}"
        failure = ExperimentFailed(FailureKind.INSTRUMENT_FAULT, message, stage="process")
        timer = threading.Timer(self.time_limit_s, self._interrupt, (progress, failure))
        timer.daemon = True
        timer.start()
        return timer

    def _interrupt(self, progress: Progress | None, failure: ExperimentFailed) -> bool:
        """Break off an attempt if it is still the one that runs; the first interruption counts."""
        with self._lock:
            if progress is None or progress is not self._current or progress.interruption is not None:
                return False
            if progress.outcome is not None:
                return False
            # Set first: a plan that has not begun yet finds it there, and begins nothing with the instrument.
            progress.interruption = failure
            if progress.begun:
                self._abort_engine(failure.message)
            return True

    def _abort_engine(self, reason: str) -> None:
        # Bluesky prints on abort; standard output is kept for what the user asked for. An engine that has
        # just become idle refuses to abort, and has nothing left to break off.
        with _STDOUT, contextlib.redirect_stdout(sys.stderr), contextlib.suppress(RuntimeError):
            self.engine.abort(reason)  # type: ignore[no-untyped-call]


def _halted(progress: Progress) -> ExperimentFailed:
    message = "the RunEngine was halted from outside the lane"
    return ExperimentFailed(FailureKind.ABORTED, message, stage=progress.notes.stage)


def _made_safe(instrument: Instrument, failure: ExperimentFailed) -> ExperimentFailed:
    """Bring the instrument into its safe state; if even that fails, the failure says so."""
    try:
        instrument.stop()
    except Exception as error:  # noqa: BLE001 - the attempt has already failed; this must not hide why
        also = f"{instrument.name} could not be stopped: {sentence(error)}"
        logger.warning("%s", also)
        return ExperimentFailed(
            failure.kind,
            f"{failure.message}; and {also}",
            stage=failure.stage,
            reading=failure.reading,
            bounds=failure.bounds,
        )
    return failure


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs on an event loop, stop it, and close it."""

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
