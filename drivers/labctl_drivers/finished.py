"""What came of one attempt, as a lane hands it to the controller."""

from dataclasses import dataclass

from labctl_drivers.protocol import ExperimentFailed, Reading


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of one attempt; either ``reading`` or ``failure`` is set, never both.

    Attributes:
        run_uid: uid of the Bluesky run; None only if no run could be opened at all.
        reading: what was measured.
        failure: how it failed, with its kind, stage and whatever was measured all the same.
        started: Unix time of the start, s.
        seconds: how long it took, s.
        interlock: name and sentence of the interlock that broke the attempt off or kept it from starting.
        suspect: why the instrument cannot be trusted any more: it did not end or could not be stopped.
    """

    run_uid: str | None
    reading: Reading | None
    failure: ExperimentFailed | None
    started: float
    seconds: float
    interlock: str | None = None
    suspect: str | None = None
