"""Experiments side by side: a RunEngine a lane, what lanes share, and results in the order they come."""

import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from labctl.bench import Bench
from labctl.config import CampaignConfig
from labctl.dispatch import answered, outcome
from labctl.errors import RefusedError
from labctl.files import refuse_odd
from labctl.ledger import Entry
from labctl.proposal import Halt, Intent, Outcome, Suspect, Written
from labctl.state import Experiment
from labctl_drivers.protocol import Answer, Attempt, ExperimentFailed, FailureKind, Instrument, Reading
from labctl_drivers.resources import Resources, needs_of

if TYPE_CHECKING:
    from labctl_drivers.engine import Lane
    from labctl_drivers.finished import Finished

_ASK_AGAIN_S = 1.0
_GRACE_S = 300.0
"""How much longer than an attempt's time limit its lease lasts: a lane gives up a hung device before that."""


@dataclass(frozen=True, slots=True)
class Job:
    """An attempt that has a lane to itself.

    Attributes:
        experiment: its id.
        key: of the attempt, which owns what was reserved for it.
        number: of the lane, from 1.
        bench: with the instrument of each lane.
        needs: what it holds of the resources that lanes share.
        refusal: why it can never be started, where that is so.
    """

    experiment: str
    key: str
    number: int
    bench: Bench
    needs: Mapping[str, int]
    refusal: str | None = None

    @property
    def lane(self) -> str:
        """The lane's name."""
        return lane_name(self.number)

    @property
    def instrument(self) -> Instrument:
        """What carries it out."""
        return self.bench.on(self.number)

    def intent(self) -> Intent:
        """What is written before the instrument is told to start."""
        return Intent(
            key=self.key,
            instrument=self.instrument.name,
            lane=self.lane,
            time_limit_s=self.bench.time_limit_s,
            needs=dict(self.needs) or None,
            memory=_memory_of(self.instrument),
        )


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came of a job.

    Attributes:
        job: that ended, or that may begin.
        outcome: None where there is nothing to record: the attempt was only asked after.
        never: the instrument says that it never began this attempt, so that it may be started.
        interlock: name and sentence of an interlock that ended it, or kept it from starting.
        suspect: why its instrument can no longer be trusted.
    """

    job: Job
    outcome: Outcome | None = None
    never: bool = False
    interlock: str | None = None
    suspect: str | None = None

    def entries(self, attempt: int) -> list[Entry]:
        """What is written of an attempt that has its outcome: all of it, or nothing."""
        job, bodies = self.job, dict[str, Written]()
        if self.outcome is not None:
            bodies["outcome"] = self.outcome
        if self.interlock is not None:
            bodies["halt"] = Halt(lane=job.lane, instrument=job.instrument.name, reason=self.interlock)
        if self.suspect is not None:
            bodies["suspect"] = Suspect(
                lane=job.lane,
                instrument=job.instrument.name,
                reason=self.suspect,
                key=job.key,
                needs=dict(job.needs) or None,
            )
        return [Entry(kind, body.body(), job.experiment, attempt) for kind, body in bodies.items()]


class Lanes:
    """The lanes of a campaign; made, connected and closed as they are needed.

    A lane is one RunEngine, and all lanes share one event loop. Lane 2 has the second instrument of the
    target and the second one of each cheaper fidelity, as far as there are so many. A lane has one job at a
    time, from :meth:`reserve` or :meth:`ask` to :meth:`clear`; everything but what instruments do is done on
    the thread that calls, so that what happens depends on the order of the results alone.

    Args:
        config: of the campaign.
        bench: of the campaign.
        documents: file for the Bluesky documents of every lane; None for none.

    Raises:
        RequestError: the file of documents is a folder or a pipe.

    Attributes:
        make: makes lanes of another kind, from the same arguments; None for those of the engine.
    """

    def __init__(self, config: CampaignConfig, bench: Bench, *, documents: Path | None) -> None:
        self._config = config
        self._bench = bench
        if documents is not None:
            refuse_odd(documents)
        self._documents = documents
        self._lanes: dict[int, Lane] = {}
        self._jobs: dict[str, Job] = {}
        self._arrived: SimpleQueue[tuple[Job, object]] = SimpleQueue()
        self._resources = Resources(config.model.resources)
        self._unusable: dict[tuple[str | None, int], str] = {}
        self._broken_off: str | None = None
        self._leaving = threading.Event()
        self.make: Callable[..., Lane] | None = None

    @property
    def busy(self) -> bool:
        """Whether any lane has a job."""
        return bool(self._jobs)

    @property
    def problem(self) -> str | None:
        """Why a lane cannot be used although nobody suspects it: its instrument cannot be connected."""
        return next(iter(self._unusable.values()), None)

    def carries(self, experiment: str) -> bool:
        """Whether an experiment is on a lane."""
        return experiment in self._jobs

    def free(self, fidelity: str | None, suspects: Container[str]) -> list[int]:
        """The lanes that could take an experiment of this fidelity now."""
        taken = {job.number for job in self._jobs.values()}
        return [
            number
            for number in range(1, self._bench.of(fidelity).lanes + 1)
            if number not in taken
            and lane_name(number) not in suspects
            and (fidelity, number) not in self._unusable
        ]

    def any_free(self, suspects: Container[str]) -> bool:
        """Whether any lane could take an experiment now."""
        return any(self.free(fidelity, suspects) for fidelity in (None, *self._bench.stand_ins))

    def reserve(self, experiment: Experiment, key: str, suspects: Container[str]) -> Job | None:
        """Give an attempt a lane and all that it needs at once; None if it has to wait."""
        fidelity = experiment.proposal.fidelity
        for number in self.free(fidelity, suspects):
            bench = self._bench.of(fidelity)
            if not self._open(number, fidelity):
                continue
            needs, refusal = self._needs(bench.on(number), experiment)
            if not self._resources.take(key, needs, lease_s=bench.time_limit_s + _GRACE_S):
                return None
            job = self._jobs[experiment.id] = Job(experiment.id, key, number, bench, needs, refusal)
            return job
        return None

    def start(self, job: Job, attempt: Attempt) -> None:
        """Have the instrument carry out an attempt whose intent is written."""
        lane = self._lanes[job.number]
        lane.time_limit_s = job.bench.time_limit_s
        lane.submit(job.instrument, attempt).add_done_callback(lambda done: self._arrived.put((job, done)))
        if self._broken_off is not None:
            # It was called between the decision to start and here, and found nothing to break off.
            lane.abort(self._broken_off, waiting=True)

    def refuse(self, job: Job, result: Outcome) -> None:
        """Let an attempt have its outcome without any act."""
        self._arrived.put((job, result))

    def ask(self, experiment: Experiment) -> bool:
        """Ask what became of an attempt that a dead controller left; False if its lane cannot be used."""
        intent, fidelity = experiment.intents[-1], experiment.proposal.fidelity
        number, bench = number_of_lane(intent.lane), self._bench.of(fidelity)
        if (fidelity, number) in self._unusable or not self._open(number, fidelity):
            return False
        job = Job(experiment.id, intent.key, number, bench, intent.needs or {})
        self._resources.take(job.key, job.needs, lease_s=intent.time_limit_s + _GRACE_S)
        self._jobs[experiment.id] = job
        threading.Thread(target=self._ask, args=(job, intent), daemon=True).start()
        return True

    def next(self) -> Arrived:
        """Wait for what comes first; the lane stays taken until :meth:`clear`."""
        job, result = self._arrived.get()
        source, bench = job.instrument.name, job.bench
        if isinstance(result, Outcome):
            return Arrived(job, result)
        if isinstance(result, ExperimentFailed):
            return Arrived(job, outcome(result, self._config, source=source))
        if isinstance(result, Answer):
            told = answered(
                result, self._config, source=source, quantities=bench.quantities, reads=bench.reads
            )
            return Arrived(job, told, never=result.state == "never")
        if not isinstance(result, Future):
            return Arrived(job)
        finished: Finished = result.result()
        told = outcome(
            _one_of(finished),
            self._config,
            source=source,
            quantities=bench.quantities,
            reads=bench.reads,
            run=finished.run_uid,
            seconds=finished.seconds,
        )
        return Arrived(job, told, interlock=finished.interlock, suspect=finished.suspect)

    @contextmanager
    def cleared_if_it_fails(self, job: Job) -> Iterator[None]:
        """Free the lane where an attempt could not be begun."""
        try:
            yield
        except BaseException:
            self.clear(job)
            raise

    def clear(self, job: Job, *, suspect: bool = False) -> None:
        """Free the lane, and give back what the attempt held, unless its device may still be using it."""
        del self._jobs[job.experiment]
        if suspect:
            self._resources.keep(job.key)
        else:
            self._resources.release(job.key)

    def distrust(self, suspects: Iterable[Suspect]) -> None:
        """Keep what attempts of an earlier controller may still be using."""
        for suspect in suspects:
            self._resources.take(suspect.key, suspect.needs or {}, lease_s=float("inf"))

    def release(self, suspects: Iterable[Suspect]) -> None:
        """Trust every lane again, after a person has looked.

        Raises:
            RefusedError: an attempt still goes on, so that its lane is not free.
        """
        for lane in self._lanes.values():
            try:
                lane.release()
            except RuntimeError as error:
                raise RefusedError(str(error)) from None
        for suspect in suspects:
            self._resources.release(suspect.key)

    def break_off(self, reason: str) -> None:
        """End every attempt now; safe from any thread, and as often as anybody likes."""
        self._broken_off = self._broken_off or reason
        self._leaving.set()
        for lane in list(self._lanes.values()):
            lane.abort(reason, waiting=True)

    def close(self) -> None:
        """Break off what runs, and close every lane and instrument; safe to call twice."""
        self._leaving.set()
        while self._lanes:
            _, lane = self._lanes.popitem()
            lane.close()
        self._bench.close()

    def _open(self, number: int, fidelity: str | None) -> bool:
        """Make a lane and connect its instrument; False if that cannot be done, which is kept."""
        from labctl_drivers.engine import Lane, LaneError  # noqa: PLC0415 - bluesky takes a moment to import

        if number not in self._lanes:
            self._lanes[number] = (self.make or Lane)(
                lane_name(number),
                documents=self._documents,
                beside=next(iter(self._lanes.values()), None),
                guard=self._guard(),
            )
        try:
            self._lanes[number].connect(self._bench.of(fidelity).on(number))
        except LaneError as error:
            self._unusable[fidelity, number] = str(error)
            return False
        return True

    def _guard(self) -> "Callable[..., str | None] | None":
        """The driver's own check of the lab's limits."""
        from labctl_drivers.guard import Guard  # noqa: PLC0415 - beside the engine

        return None if self._bench.limits_file is None else Guard(self._bench.limits_file)

    def _needs(self, instrument: Instrument, experiment: Experiment) -> tuple[dict[str, int], str | None]:
        """What an attempt takes, and why it can never have that."""
        try:
            needs = needs_of(instrument, experiment.proposal.recipe)
        except Exception as error:  # noqa: BLE001 - whatever a driver does, nothing starts on a guess
            return {}, f"{instrument.name} cannot say what it needs ({error})"
        why = self._resources.impossible(needs)
        return (needs, None) if why is None else ({}, f"{why}; say under resources how many there are")

    def _ask(self, job: Job, intent: Intent) -> None:
        """Ask until the instrument knows, on a thread of its own; the attempt's time limit ends it."""
        from labctl_drivers import inquiry  # noqa: PLC0415 - beside the engine

        deadline = time.monotonic() + intent.time_limit_s
        while not self._leaving.is_set():
            answer = inquiry.ask(job.instrument, job.key)
            # A connection that dropped may come back.
            failure: object = answer.failure  # whatever a driver calls one
            unanswered = isinstance(failure, ExperimentFailed) and failure.stage == inquiry.UNANSWERED
            if answer.state == "never" and intent.memory not in (None, _memory_of(job.instrument)):
                answer = Answer("unknown")  # the memory that knew of it is gone
            if answer.state != "running" and not unanswered:
                self._arrived.put((job, answer))
                return
            if time.monotonic() > deadline:
                told = job.bench.overdue()
                if unanswered and answer.failure is not None:
                    told = ExperimentFailed(FailureKind.UNKNOWN, answer.failure.message, stage="recover")
                self._arrived.put((job, told))
                return
            self._leaving.wait(_ASK_AGAIN_S)
        self._arrived.put((job, None))


def _memory_of(instrument: Instrument) -> str | None:
    """Which memory of attempts an instrument has, where it says so."""
    told: object = getattr(instrument, "memory_id", None)
    return told if isinstance(told, str) else None


def lane_name(number: int) -> str:
    """The name of a lane."""
    return f"lane-{number}"


def number_of_lane(name: str) -> int:
    """The number in a lane's name."""
    return int(name.rpartition("-")[2])


def _one_of(finished: "Finished") -> Reading | ExperimentFailed:
    result = finished.reading if finished.reading is not None else finished.failure
    assert result is not None  # noqa: S101 - a lane gives one or the other
    return result
