"""What an attempt came to: exceptions and readings turned into the lab's own failure kinds."""

import math
import re
from numbers import Real

from bluesky.run_engine import WaitForTimeoutError
from bluesky.utils import FailedPause, FailedStatus, RequestStop, RunEngineControlException

from labctl_drivers.handed import shown, whole
from labctl_drivers.notes import Notes
from labctl_drivers.patience import OverdueError
from labctl_drivers.protocol import ExperimentFailed, FailureKind, Reading

_ADDRESS = re.compile(r"\s+at 0x[0-9a-fA-F]+")
_LONGEST = 400

_UNSETTLED = frozenset({FailureKind.INSTRUMENT_FAULT, FailureKind.ABORTED, FailureKind.UNKNOWN})
_NOTHING_MOVED = frozenset({"check", "guard"})


def unsettled(failure: ExperimentFailed) -> bool:
    """Whether nobody knows how the machine stands, so that it has to be brought into its safe state.

    After the other kinds the driver itself ended the attempt in good order: a sample that cracked or a
    reading beyond the scale says nothing against the machine, and stopping it would cool a furnace for no
    reason. Where the driver refused at the stage "check" or the lab's limits at "guard", nothing was moved by
    this attempt, and what may still be running under the same key is left alone.
    """
    return failure.kind in _UNSETTLED and failure.stage not in _NOTHING_MOVED


def sentence(error: BaseException) -> str:
    """Say in one line what an exception says, without memory addresses and at most 400 characters long."""
    text = " ".join(_ADDRESS.sub("", str(error)).split())
    if not isinstance(error, OverdueError):  # whose message is a sentence of the lane's own
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def retold(failure: ExperimentFailed, message: str, kind: FailureKind | None = None) -> ExperimentFailed:
    """The same failure in other words, and of another kind where one is given."""
    return ExperimentFailed(
        kind or failure.kind,
        message,
        stage=failure.stage,
        reading=failure.reading,
        bounds=failure.bounds,
    )


def judged(reading: object, stage: str = "measure") -> Reading | ExperimentFailed:
    """Let a reading through, or say why it is none: no values, or values that are not finite numbers."""
    if not isinstance(reading, Reading):
        message = f"the driver returned {type(reading).__name__} and not a Reading"
        # No fault of the machine, after which the sample would be made once more.
        return ExperimentFailed(FailureKind.BAD_READING, message, stage=stage)
    reading = whole(reading)
    if not reading.values:
        return ExperimentFailed(FailureKind.BAD_READING, "nothing was read", stage=stage, reading=reading)
    bad = {name: value for name, value in reading.values.items() if not _is_finite(value)}
    if not bad:
        return reading
    listed = ", ".join(f"{name} is {shown(value)}" for name, value in bad.items())
    message = f"not a finite number: {listed}"
    return ExperimentFailed(FailureKind.BAD_READING, message, stage=stage, reading=reading)


def failure_of(error: BaseException, notes: Notes) -> ExperimentFailed:
    """Turn what came out of a plan into a failure of the lab.

    An :class:`ExperimentFailed` that a driver raised, in its plan or inside a device, passes through as it
    is. A stop or abort of the RunEngine from outside the lane is ``aborted``. A wait that ran out and
    anything else is an ``instrument_fault`` that names the device, the command and the real cause.
    """
    # A FailedStatus says only that something failed; what failed and why hangs on it.
    cause: BaseException = error
    while isinstance(cause, FailedStatus) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, ExperimentFailed):
        return cause
    if isinstance(error, RunEngineControlException | FailedPause | GeneratorExit):
        how = "stopped" if isinstance(error, RequestStop) else "aborted"
        message = f"the RunEngine was {how} from outside the lane"
        return ExperimentFailed(FailureKind.ABORTED, message, stage=notes.stage)
    if isinstance(cause, WaitForTimeoutError):
        return ExperimentFailed(FailureKind.INSTRUMENT_FAULT, notes.timed_out(), stage=notes.stage)
    device, stage = notes.blame(error)
    message = f"{device}: {sentence(cause)}" if device else sentence(cause)
    return ExperimentFailed(FailureKind.INSTRUMENT_FAULT, message, stage=stage)


def _is_finite(value: object) -> bool:
    try:
        return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    except (OverflowError, ValueError, TypeError):  # a whole number that has no room in a float
        return False
