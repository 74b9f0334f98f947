"""One lane: a Bluesky RunEngine on a thread of its own that carries out one attempt at a time."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from bluesky.run_engine import RunEngine
from bluesky.utils import DuringTask

from labctl_drivers import loops
from labctl_drivers.documents import JsonLines, Shielded, Sink
from labctl_drivers.finished import Finished
from labctl_drivers.patience import Call, Patience
from labctl_drivers.protocol import Attempt, ExperimentFailed, FailureKind, Instrument
from labctl_drivers.supervised import Hold, Supervised
from labctl_drivers.verdict import sentence

__all__ = ["WEEK_S", "Finished", "Lane", "LaneError"]

WEEK_S = 7 * 24 * 3600.0
_CLOSED = "the lane was closed"


class LaneError(RuntimeError):
    """The lane was asked for something it cannot do; the message says what to do instead."""


class Lane:
    """Carries out attempts one after the other, off the main thread.

    Several lanes may share one event loop; each still has its own thread and RunEngine, so that their
    experiments run side by side.

    A lane holds after an interlock tripped, and when its instrument has become suspect: it did not end after
    it was broken off, or could not be stopped. From then on every attempt, queued or new, ends as ``aborted``
    with one sentence and nothing is moved, until a person has looked and :meth:`release` is called.

    Args:
        name: name of the lane, for documents and messages.
        documents: file that every Bluesky document is appended to, one JSON object a line.
        time_limit_s: an attempt that takes longer is broken off as an instrument fault; inf for none.
        beside: another lane whose event loop this one shares.
        guard: the driver's own check of the lab's limits, such as :class:`labctl_drivers.guard.Guard`, asked
            right before an instrument is started with the recipe and the units of its numbers, and with the
            instrument's ramps where it declares them. It says in one sentence why the recipe may not be
            started, or None. One that raises or hangs allows nothing.
        patience: how long to wait for everything but the attempt itself.

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
        guard: Callable[..., str | None] | None = None,
        patience: Patience | None = None,
    ) -> None:
        if not time_limit_s > 0:
            raise ValueError(f"lane {name}: the time limit must be a positive number of seconds")
        if beside is not None and beside.closed:
            raise LaneError(f"lane {name} cannot run beside {beside.name}, which is closed")
        self.name: str = name
        self.closed: bool = False
        self.time_limit_s = time_limit_s
        self.patience = patience or Patience()
        self._guard = guard
        self._writer = JsonLines(documents) if documents is not None else None
        # No signal handlers: they are only legal on the main thread. A bare DuringTask only waits, where
        # the default one would drive a plotting window from this thread.
        self.engine: RunEngine = RunEngine(
            {},
            loop=beside.engine.loop if beside is not None else loops.fresh(),
            context_managers=[],
            call_returns_result=True,
            during_task=DuringTask(),  # type: ignore[no-untyped-call]
        )
        if beside is None:  # otherwise it is done, or the loop is somebody else's
            loops.hush(self.engine.loop)
        loops.withstand(self.engine)
        # The event loop ends with the last lane that uses it.
        self.loop_users: list[Lane] = beside.loop_users if beside is not None else []
        self.loop_users.append(self)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"lane-{name}")
        self._lock = threading.Lock()
        self._hold: Hold | None = None
        self._current: Supervised | None = None
        self._waiting: list[Supervised] = []
        # Kept, and not only their ids, which Python gives to new objects once the old ones are gone.
        self._connected: dict[int, Instrument] = {}
        self._connecting: dict[int, Call[None]] = {}
        if self._writer is not None:
            self.subscribe(self._writer, label=f"the documents' file {documents}")

    @property
    def held(self) -> str | None:
        """Why the lane begins nothing until it is released: an interlock, or a suspect instrument."""
        return None if self._hold is None else str(self._hold)

    def subscribe(self, sink: Sink, *, label: str = "a subscriber") -> None:
        """Pass every document on to ``sink``; its exceptions are logged once and fail no experiment."""
        self.engine.subscribe(Shielded(sink, label))  # type: ignore[no-untyped-call]

    def connect(self, instrument: Instrument) -> None:
        """Connect an instrument; a second call for the same instrument does nothing.

        Raises:
            LaneError: the instrument cannot be connected, or not within ``patience.connect_s``.
        """
        if self.closed:
            raise LaneError(f"lane {self.name} is closed; open a new one")
        try:
            with loops.default_loop_of(self.engine, self.patience.connect_s):
                if id(instrument) not in self._connected:
                    self._connect(instrument)
        except Exception as error:
            why = sentence(error).removeprefix("ValueError: ")  # with which an instrument says what is wrong
            raise LaneError(f"lane {self.name}: cannot connect {instrument.name}: {why}") from error

    def _connect(self, instrument: Instrument) -> None:
        call = self._connecting.get(id(instrument))
        if call is None or call.done:
            call = self._connecting[id(instrument)] = Call("its connect", instrument.connect)
        call.result(self.patience.connect_s)
        self._connected[id(instrument)] = instrument

    def submit(self, instrument: Instrument, attempt: Attempt) -> Future[Finished]:
        """Queue one attempt. The future never raises for anything an instrument does.

        Raises:
            LaneError: the lane is closed or the instrument was never connected.
        """
        if id(instrument) not in self._connected:
            raise LaneError(f"lane {self.name}: connect {instrument.name} before its first attempt")
        supervised = Supervised(
            self.name, self.engine, instrument, attempt, guard=self._guard, patience=self.patience
        )
        with self._lock:
            if self.closed:
                raise LaneError(f"lane {self.name} is closed; open a new one")
            self._waiting.append(supervised)
            return self._thread.submit(self._carry_out, supervised)

    def run(self, instrument: Instrument, attempt: Attempt) -> Finished:
        """Carry out one attempt and wait for it."""
        return self.submit(instrument, attempt).result()

    def abort(self, reason: str, *, waiting: bool = False) -> bool:
        """Break off the attempt that runs now, from any thread; say whether there was one to break off.

        The attempt ends as ``aborted`` with this reason. Attempts that wait in the queue are not touched,
        unless ``waiting`` is true: then they end in the same way, and nothing is moved for them.
        """
        with self._lock:
            current = [] if self._current is None else [self._current]
            queued = [*self._waiting] if waiting else []
        # Those that wait come first, so that none of them begins in place of the one that is broken off.
        ended = [one.break_off(_aborted(reason, "queue")) for one in queued]
        ended += [one.break_off(_aborted(reason, "process")) for one in current]
        return any(ended)

    def release(self) -> None:
        """Take attempts again, after a person has looked at what made the lane hold.

        Raises:
            LaneError: the attempt that did not end still goes on, so that the RunEngine is not free.
        """
        with self._lock:
            left_behind = None if self._hold is None else self._hold.left_behind
            if left_behind is not None and not left_behind.done:
                raise LaneError(
                    f"lane {self.name}: its last attempt still goes on; close it and open a new one"
                )
            self._hold = None

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
            loops.end(self.engine.loop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _carry_out(self, supervised: Supervised) -> Finished:
        with self._lock:
            self._waiting.remove(supervised)
            refused = self._why_not(supervised)
            if refused is not None:
                return refused
            self._current = supervised
        try:
            return supervised.carry_out(self.time_limit_s)
        finally:
            with self._lock:
                self._current = None
                self._hold = supervised.hold

    def _why_not(self, supervised: Supervised) -> Finished | None:
        """What an attempt comes to that is not begun at all."""
        hold, failure = self._hold, supervised.broken_off
        if hold is not None:
            message = f"not started: lane {self.name} holds until a person has looked: {hold}"
            failure = _aborted(message, "lane")
        elif self.closed:  # close() came between the queue and here, and found nothing to abort
            failure = _aborted(_CLOSED, "queue")
        if failure is None:
            return None
        interlock, suspect = (None, None) if hold is None else (hold.interlock, hold.suspect)
        return Finished(None, None, failure, time.time(), 0.0, interlock, suspect)


def _aborted(message: str, stage: str) -> ExperimentFailed:
    return ExperimentFailed(FailureKind.ABORTED, message, stage=stage)
