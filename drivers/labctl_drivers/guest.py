"""A lane without a RunEngine of its own: its attempts are carried out by a plan that somebody else's runs."""

import asyncio
import threading
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import FailedPause, FailedStatus, Msg, RunEngineControlException, RunEngineInterrupted

from labctl_drivers.documents import Sink
from labctl_drivers.engine import Lane
from labctl_drivers.protocol import ExperimentFailed, FailureKind

Plan = Generator[Msg, Any, Any]
_NULL = Msg("null")  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class _Turn:
    """A plan that waits to be run, and who is told that it has ended."""

    plan: Plan
    done: "Future[None]" = field(default_factory=Future)


class Host:
    """Where lanes hand over the plans of their attempts, and where a plan of somebody else's takes them.

    One plan at a time: :meth:`run` is called by lanes, on threads of theirs; :meth:`next_turn` and
    :meth:`play` by the plan that the other RunEngine runs, on its event loop.

    Args:
        loop: the event loop of the RunEngine.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._task: asyncio.Task[Any] | None = None
        self._lock = threading.Lock()
        self._next: Future[_Turn | None] = Future()
        self._over: str | None = None
        self._playing: _Turn | None = None

    def run(self, plan: Plan) -> None:
        """Have a plan run, and wait for its end.

        Raises:
            ExperimentFailed: the other RunEngine has ended, so that nothing of the plan was begun.
            RunEngineInterrupted: the other RunEngine was halted while it ran.
        """
        turn = _Turn(plan)
        with self._lock:
            if self._over is not None:
                raise _not_started(self._over)
            self._next.set_result(turn)
        turn.done.result()

    def break_off(self) -> None:
        """End the plan that runs, and only that; the other RunEngine goes on with what comes after it."""
        task = self._task
        if task is not None:
            self.loop.call_soon_threadsafe(task.cancel)

    def end(self, why: str) -> None:
        """Take no more plans; one that waits is not begun, and one that was cut off counts as halted."""
        with self._lock:
            self._over = self._over or why
            waiting = None
            if self._next.done():
                waiting, self._next = self._next.result(), Future()
            self._next.set_result(None)
            halted, self._playing = self._playing, None
        if waiting is not None:
            waiting.done.set_exception(_not_started(why))
        if halted is not None:
            halted.done.set_exception(RunEngineInterrupted())

    def next_turn(self) -> "Generator[Msg, Any, _Turn | None]":
        """Wait for the next plan; None when there will be none."""
        waiting = self._next
        yield from whatever_failed(lambda: bps.wait_for([lambda: asyncio.wrap_future(waiting)]))
        with self._lock:
            if self._next is not waiting:  # all has ended meanwhile
                return None
            self._playing = waiting.result()
            if self._playing is not None:
                self._next = Future()
            return self._playing

    def finish(self, turn: "_Turn") -> None:
        """Tell the lane that its plan has ended."""
        with self._lock:
            self._playing = None
        turn.done.set_result(None)

    def play(self, turn: _Turn) -> "Generator[Msg, Any, BaseException | None]":
        """Run a plan inside another; what the RunEngine itself ended it with, if it did.

        The plan has a chance to end in good order, whatever ends it. It makes no checkpoints: where a
        RunEngine pauses, it later repeats all since the last one, and no sample may be processed twice.
        """
        yield from whatever_failed(bps.null)
        self._task = asyncio.current_task()
        ended: BaseException | None = None
        try:
            step: Callable[[], Msg] = lambda: next(turn.plan)  # noqa: E731 - one of three ways to go on
            while True:
                try:
                    message = step()
                except StopIteration:
                    break
                try:
                    response = yield _NULL if message.command == "checkpoint" else message
                except GeneratorExit:
                    turn.plan.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - the plan decides what to do with it
                    if isinstance(error, RunEngineControlException | FailedPause):
                        ended = error
                    step = _throwing(turn.plan, error)
                else:
                    step = _sending(turn.plan, response)
        finally:
            self._forget()
        return ended

    def _forget(self) -> None:
        task, self._task = self._task, None
        # A task remembers every cancellation, and what comes after the plan was not cancelled.
        while task is not None and task.cancelling():
            task.uncancel()


def whatever_failed(stub: Callable[[], Plan]) -> Plan:
    """Carry a stub out between attempts, where a device may still fail of which nobody wants to know.

    A device that was stopped because its attempt was broken off fails when that attempt is over, and the
    RunEngine throws it at whatever comes next.
    """
    while True:
        try:
            return (yield from stub())
        except FailedStatus:
            continue


def _not_started(why: str) -> ExperimentFailed:
    return ExperimentFailed(FailureKind.ABORTED, f"not started: {why}", stage="queue")


def _throwing(plan: Plan, error: BaseException) -> Callable[[], Msg]:
    return lambda: plan.throw(error)


def _sending(plan: Plan, response: object) -> Callable[[], Msg]:
    return lambda: plan.send(response)


class GuestEngine:
    """What a lane needs of a RunEngine, of one that belongs to somebody else."""

    state = "idle"

    def __init__(self, host: Host) -> None:
        self.loop = host.loop
        self._host = host
        self._sinks: list[Sink] = []

    def __call__(self, plan: Plan, subscribers: Mapping[str, list[Sink]] | None = None) -> None:
        """Have the host run a plan, with the lane's subscribers for as long as it runs."""
        told = {name: list(sinks) for name, sinks in (subscribers or {}).items()}
        if self._sinks:
            told["all"] = [*told.get("all", []), *self._sinks]
        self._host.run(bpp.subs_wrapper(plan, told))  # type: ignore[no-untyped-call]

    def subscribe(self, sink: Sink) -> None:
        """Pass the documents of the lane's own attempts on to ``sink``."""
        self._sinks.append(sink)

    def abort(self, _reason: str = "") -> None:
        """Break off the attempt that runs."""
        self._host.break_off()


class GuestLane(Lane):
    """A lane whose attempts a host carries out; takes what :class:`~labctl_drivers.engine.Lane` takes."""

    def __init__(self, host: Host, name: str, *, documents: Path | None = None, **told: Any) -> None:  # noqa: ANN401 - as Lane has it
        # Beside the host, so that the lane leaves the event loop as it is when it closes.
        beside = SimpleNamespace(
            name="host", closed=False, engine=SimpleNamespace(loop=host.loop), loop_users=["host"]
        )
        super().__init__(name, **{**told, "beside": beside})
        self.engine = GuestEngine(host)  # type: ignore[assignment] # the few members that a lane uses
        if documents is not None:
            from labctl_drivers.documents import JsonLines  # noqa: PLC0415 - as the lane does

            self._writer = JsonLines(documents)
            self.subscribe(self._writer, label=f"the documents' file {documents}")
