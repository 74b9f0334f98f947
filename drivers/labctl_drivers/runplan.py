"""The plan of one attempt: one Bluesky run around what the instrument does, closed with a plain reason."""

import logging
import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bluesky import plan_stubs as bps
from bluesky.utils import Msg, RunEngineControlException

from labctl_drivers.documents import plain
from labctl_drivers.keys import data_key, keyed
from labctl_drivers.notes import Notes
from labctl_drivers.protocol import Attempt, ExperimentFailed, FailureKind, Instrument, Reading
from labctl_drivers.verdict import failure_of, judged, sentence

logger = logging.getLogger(__name__)


# Bluesky holds subscribers that are methods by weak references.
@dataclass(slots=True, weakref_slot=True)
class Progress:
    """How one attempt stands; written by the plan, and by whoever interrupts it.

    Attributes:
        begun: whether the plan has begun, so that the RunEngine has something to break off.
        refusal: why nothing may be begun with the instrument, so that only the run is opened and closed.
        interruption: why the lane broke the attempt off, once it did.
        run_uid: uid of the run, once its start document is out.
        outcome: what came of it, once that is known.
        error: the exception behind an instrument fault, for the log.
    """

    begun: bool = False
    refusal: ExperimentFailed | None = None
    interruption: ExperimentFailed | None = None
    run_uid: str | None = None
    outcome: Reading | ExperimentFailed | None = None
    error: BaseException | None = None
    notes: Notes = field(default_factory=Notes)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note_start(self, _name: str, doc: Mapping[str, Any]) -> None:
        """Take the run's uid from its start document."""
        self.run_uid = doc["uid"]

    def interrupt(self, failure: ExperimentFailed) -> bool:
        """Note why the attempt is broken off; False if it was before, or has its outcome already."""
        with self._lock:
            if self.interruption is not None or self.outcome is not None:
                return False
            self.interruption = failure
            return True

    def settle(self, reading: object) -> None:
        """Note what the plan returned, which an interruption that came first overrules."""
        with self._lock:
            self.outcome = self.interruption or judged(reading)
            if self.interruption is not None and isinstance(reading, Reading):
                self.interruption.reading = reading

    def fail(self, error: BaseException) -> None:
        """Note what came out of the plan."""
        with self._lock:
            self.error = error
            self.outcome = self.interruption or _explained(error, self)
            if self.interruption is not None:
                self.interruption.stage = self.notes.stage


def metadata(lane: str, instrument: Instrument, attempt: Attempt) -> dict[str, Any]:
    """Write the start document's own part.

    ``blop_suggestions`` and ``blop_correlation_uid`` are the keys under which evaluation functions of
    bluesky-adaptive look for the points of a run. Settings stand under the keys of the events, which are
    their names but for dots and slashes (see :func:`labctl_drivers.keys.data_key`).
    """
    recipe = plain(keyed(attempt.recipe))
    return {
        "plan_name": "labctl_attempt",
        "lane": lane,
        "instrument": instrument.name,
        "campaign": attempt.campaign,
        "experiment": attempt.experiment,
        "attempt": attempt.number,
        "key": attempt.key,
        "recipe": recipe,
        "units": keyed(attempt.units),
        "suggestion_id": attempt.experiment,
        "blop_suggestions": [{"_id": attempt.experiment, **recipe}],
        "blop_correlation_uid": attempt.key,
    }


def run(lane: str, instrument: Instrument, attempt: Attempt, progress: Progress) -> Generator[Msg, Any, None]:
    """Carry out one attempt as exactly one run, and leave its outcome in ``progress``.

    The run is opened before anything else, so that every failure has a document. What was measured stands
    in the stream ``primary``: in the events of the instrument's own plan, or else in one event that is
    made here from the reading, also when the attempt failed and measured something all the same. The run
    is closed as ``success``, ``fail`` with "kind: message" as its reason, or ``abort``.
    """
    # Before this line an interruption is only left in progress, and found below; from here on it is thrown.
    progress.begun = True
    try:
        yield from bps.open_run(metadata(lane, instrument, attempt))
        reading = yield from progress.notes.taking(_unless_interrupted(progress, instrument, attempt))
        progress.settle(reading)
    except GeneratorExit:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, the run is closed and the reason kept
        progress.fail(error)
    if progress.run_uid is None:
        return
    # From here on the outcome stands; an interruption that comes now is too late to change it.
    yield from _whatever_comes(_event(instrument, progress))
    yield from _whatever_comes(_close(progress))


def _unless_interrupted(
    progress: Progress, instrument: Instrument, attempt: Attempt
) -> Generator[Msg, Any, Reading]:
    """Begin nothing if the attempt was refused, or broken off while the engine was still getting ready."""
    if (why_not := progress.interruption or progress.refusal) is not None:
        raise why_not
    return (yield from instrument.start(attempt))


def _explained(error: BaseException, progress: Progress) -> ExperimentFailed:
    """Blame the instrument only for what happened once the run was open."""
    failure = failure_of(error, progress.notes)
    if progress.run_uid is not None or failure.kind is FailureKind.ABORTED:
        return failure
    message = (
        "the run could not be opened, so nothing was moved; this is an error in the lane's own document, "
        f"not in the instrument: {sentence(error)}"
    )
    # Aborted, and not a fault of the machine: the next attempt would only fail in the same way.
    return ExperimentFailed(FailureKind.ABORTED, message, stage="documents")


def _close(progress: Progress) -> Generator[Msg, Any, None]:
    outcome = progress.outcome
    if not isinstance(outcome, ExperimentFailed):
        yield from bps.close_run(exit_status="success")
        return
    status = "abort" if outcome.kind is FailureKind.ABORTED else "fail"
    yield from bps.close_run(exit_status=status, reason=f"{outcome.kind.value}: {outcome.message}")


def _event(instrument: Instrument, progress: Progress) -> Generator[Msg, Any, None]:
    reading = progress.outcome
    if isinstance(reading, ExperimentFailed):
        reading = reading.reading
    if progress.notes.primary_events or reading is None or not reading.values:
        return
    yield from bps.create("primary")
    yield from bps.read(_Measured(instrument.name, reading))
    yield from bps.save()


def _whatever_comes(plan: Generator[Msg, Any, None]) -> Generator[Msg, Any, None]:
    try:
        yield from plan
    except RunEngineControlException:
        return
    except Exception as error:  # noqa: BLE001 - the sample is measured; its documents must not undo that
        logger.warning("the documents of this run are not complete: %s", sentence(error))


class _Measured:
    """A reading in the shape of a Bluesky device, for instruments whose plan emits no event itself."""

    parent = None

    def __init__(self, name: str, reading: Reading) -> None:
        self.name = name
        self._reading = reading
        self._time = time.time()

    @property
    def hints(self) -> Mapping[str, Any]:
        return {"fields": [data_key(name) for name in self._reading.values]}

    def read(self) -> dict[str, Any]:
        values = self._reading.values.items()
        return {data_key(name): {"value": plain(value), "timestamp": self._time} for name, value in values}

    def describe(self) -> dict[str, Any]:
        return {
            data_key(name): {
                "source": f"labctl:{self.name}",
                "dtype": "number",
                "shape": [],
                "label": name,
                "units": self._reading.units.get(name, ""),
            }
            for name in self._reading.values
        }
