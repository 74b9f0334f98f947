"""One attempt on a RunEngine, watched from the first look at the interlocks to the safe state."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bluesky.run_engine import RunEngine
from bluesky.utils import RunEngineInterrupted

from labctl_drivers.finished import Finished
from labctl_drivers.interlocks import Watch
from labctl_drivers.loops import unheard
from labctl_drivers.patience import Call, Patience, within
from labctl_drivers.protocol import Attempt, ExperimentFailed, FailureKind, Instrument, Ramped, Reading
from labctl_drivers.runplan import Progress, run
from labctl_drivers.safe_state import still_busy, stop
from labctl_drivers.verdict import failure_of, retold, sentence, unsettled

logger = logging.getLogger(__name__)

_TURN_S = 0.05
_ABORT_S = 0.2


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a lane may begin nothing more until a person has looked.

    Attributes:
        interlock: name and sentence of the interlock that tripped.
        suspect: why the instrument cannot be trusted any more.
        left_behind: the call of the RunEngine, if it never returned.
    """

    interlock: str | None
    suspect: str | None
    left_behind: Call[object] | None

    def __str__(self) -> str:
        return self.suspect or f"interlock {self.interlock}"


class Supervised:
    """Carries out one attempt, and breaks it off when it must not go on.

    The RunEngine runs on a thread of its own, so that a plan or a device that hangs cannot hold the lane:
    what does not end within ``patience`` is left behind, and the instrument becomes suspect.

    Args:
        lane: name of the lane, for documents and messages.
        engine: that is idle when the attempt begins.
        instrument: that is connected.
        attempt: what it is asked for.
        guard: the lab's limits; says why a recipe may not be started, or None.
        patience: how long to wait for what.
    """

    def __init__(
        self,
        lane: str,
        engine: RunEngine,
        instrument: Instrument,
        attempt: Attempt,
        *,
        guard: Callable[..., str | None] | None,
        patience: Patience,
    ) -> None:
        self.hold: Hold | None = None
        self._lane = lane
        self._engine = engine
        self._instrument = instrument
        # A copy, so that what the guard has let through is what the instrument is given.
        self._attempt = replace(attempt, recipe=dict(attempt.recipe), units=dict(attempt.units))
        self._guard = guard
        self._patience = patience
        self._progress = Progress()
        self._watch = Watch(instrument, patience)
        self._lock = threading.Lock()
        self._over = False
        self._aborting: Call[object] | None = None

    @property
    def broken_off(self) -> ExperimentFailed | None:
        """Why the attempt was broken off, once it was; before it began, too."""
        return self._progress.interruption

    def break_off(self, failure: ExperimentFailed) -> bool:
        """Break the attempt off, from any thread, unless it has its outcome; the first time counts."""
        with self._lock:
            # A plan that has not begun yet finds the interruption, and begins nothing.
            if self._over or not self._progress.interrupt(failure):
                return False
            if self._progress.begun:
                # An engine that has just become idle refuses to abort, and has nothing left to break off.
                self._abort_engine(failure.message)
        if self._aborting is not None:
            self._aborting.wait(_ABORT_S)
        return True

    def carry_out(self, time_limit_s: float) -> Finished:
        """Carry the attempt out; never raises for anything an instrument does."""
        started, clock = time.time(), time.monotonic()
        progress = self._progress
        try:
            interlock = self._watch.begin()
            if interlock is not None:
                progress.refusal = _aborted(f"interlock {interlock}", "interlock")
            else:
                progress.refusal = self._objection()
            stuck = self._run(time_limit_s)
            outcome = progress.outcome or progress.interruption or self._halted()
            failed = isinstance(outcome, ExperimentFailed) and unsettled(outcome)
            # Once more: it may have tripped in the last moment, or be what the instrument has failed of.
            interlock = self._watch.look_again()
        finally:
            self._watch.end()
        problems = [f"{self._instrument.name} did not end within {self._patience.end_s:g} s"] if stuck else []
        if interlock is not None or failed or stuck is not None:
            logger.info("%s: %s", self._attempt.key, outcome, exc_info=progress.error)
            problem = stop(self._instrument, self._patience)
            if problem is None and stuck is None:
                problem = still_busy(progress.notes, self._patience)
            problems += [problem] if problem is not None else []
        suspect = "; ".join(problems) or None
        if interlock is not None or suspect is not None:
            self.hold = Hold(interlock, suspect, stuck)
        failure = outcome if isinstance(outcome, ExperimentFailed) else None
        if failure is not None and interlock is not None and failure.kind is FailureKind.INSTRUMENT_FAULT:
            # The instrument may notice the open door before the lane does; it is the door all the same.
            failure = retold(failure, f"interlock {interlock}; {failure.message}", FailureKind.ABORTED)
        if suspect is not None:
            logger.warning("%s", suspect)
            failure = None if failure is None else retold(failure, f"{failure.message}; and {suspect}")
        return Finished(
            run_uid=progress.run_uid,
            reading=outcome if isinstance(outcome, Reading) else None,
            failure=failure,
            started=started,
            seconds=time.monotonic() - clock,
            # One that tripped when the sample was measured already keeps the next attempt from starting.
            interlock=interlock if failure is not None else None,
            suspect=suspect,
        )

    def _objection(self) -> ExperimentFailed | None:
        """Ask the guard, which has a time limit too: the file may lie on a server that is gone."""
        if self._guard is None:
            return None
        try:
            why = within(self._patience.answer_s, "the check of the lab's limits", self._ask_guard)
        except BaseException as error:  # noqa: BLE001 - a guard that cannot be asked allows nothing
            why = f"the lab's limits could not be checked: {sentence(error)}"
        return None if why is None else _aborted(f"not started: {why}", "guard")

    def _ask_guard(self) -> str | None:
        assert self._guard is not None  # noqa: S101 - asked for by the only caller
        recipe, units = self._attempt.recipe, self._attempt.units
        if isinstance(self._instrument, Ramped):
            return self._guard(recipe, units, self._instrument.ramps(recipe))
        return self._guard(recipe, units)

    def _run(self, time_limit_s: float) -> Call[object] | None:
        """Run the plan and wait for its end; the call of the engine if it never returns."""
        progress = self._progress
        plan = run(self._lane, self._instrument, self._attempt, progress)
        call: Call[object] = Call(
            f"attempt {self._attempt.key}",
            lambda: unheard(lambda: self._engine(plan, {"start": [progress.note_start]})),
        )
        ended = self._attend(call, time_limit_s)
        with self._lock:
            self._over = True
        if self._aborting is not None:
            # An abort that is still under way would hit the next attempt.
            ended = self._aborting.wait(self._patience.end_s) and ended
        if not ended:
            return call
        try:
            call.result(0)
        except RunEngineInterrupted:
            return call if self._engine.state == "paused" and not self._unpaused() else None
        except BaseException as error:  # noqa: BLE001 - the lane must outlive whatever an attempt does
            progress.error = progress.error or error
            progress.outcome = progress.outcome or failure_of(error, progress.notes)
        return None

    def _attend(self, call: Call[object], time_limit_s: float) -> bool:
        """Wait for the engine, and break off what must not go on; False if even that does not end it."""
        deadline = time.monotonic() + time_limit_s
        since: float | None = None
        told_to_stop = False
        while not call.wait(max(0.001, min(_TURN_S, deadline - time.monotonic()))):
            now = time.monotonic()
            if (tripped := self._watch.tripped()) is not None:
                self.break_off(_aborted(f"interlock {tripped}", "process"))
            elif now > deadline:
                message = f"timed out after {time_limit_s:g} s, the time limit of lane {self._lane}"
                self.break_off(ExperimentFailed(FailureKind.INSTRUMENT_FAULT, message, stage="process"))
            must_stop = tripped is not None or self.broken_off is not None
            if not must_stop and self._progress.outcome is None:
                continue
            # Broken off, or the plan has its outcome: either way the engine has to let go soon.
            since = since or now
            if must_stop and now - since > self._patience.orderly_s and not told_to_stop:
                # The safe state does not wait for a plan or a device that hangs.
                told_to_stop = True
                stop(self._instrument, self._patience)
            if now - since > self._patience.end_s:
                return False
        return True

    def _unpaused(self) -> bool:
        """Break off an attempt that somebody else has paused; say whether it has ended."""
        self._abort_engine("the lane does not pause")
        assert self._aborting is not None  # noqa: S101 - set in the line above
        return self._aborting.wait(self._patience.end_s)

    def _abort_engine(self, reason: str) -> None:
        self._aborting = Call("the abort", lambda: unheard(lambda: self._engine.abort(reason)))  # type: ignore[no-untyped-call]

    def _halted(self) -> ExperimentFailed:
        return _aborted("the RunEngine was halted from outside the lane", self._progress.notes.stage)


def _aborted(message: str, stage: str) -> ExperimentFailed:
    return ExperimentFailed(FailureKind.ABORTED, message, stage=stage)
