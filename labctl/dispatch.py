"""From an approved experiment to its outcome: what an instrument is told, and how its answer is written."""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import TypeVar

from labctl import units
from labctl.config import CampaignConfig
from labctl.errors import RequestError
from labctl.proposal import Intent, Interval, Outcome, is_wild, jsonable, writable
from labctl.space.parameters import reached_problem
from labctl.state import Experiment
from labctl_drivers.handed import shown, whole
from labctl_drivers.protocol import Answer, Attempt, Bound, ExperimentFailed, FailureKind, Reading, Setting

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
CANNOT_TELL = (
    "the controller died while this attempt was under way and the instrument cannot say what became of it; "
    "look at the sample and say with `labctl settle` what became of it; until then this recipe is left alone"
)


def attempt_of(experiment: Experiment, intent: Intent, config: CampaignConfig) -> Attempt:
    """What the instrument is told."""
    return Attempt(
        key=intent.key,
        campaign=config.name,
        experiment=experiment.id,
        number=len(experiment.intents),
        recipe=dict(experiment.proposal.recipe),
        units=config.space.units,
    )


def outcome(
    result: Reading | ExperimentFailed,
    config: CampaignConfig,
    *,
    source: str,
    quantities: Mapping[str, str] | None = None,
    reads: Mapping[str, str] | None = None,
    run: str | None = None,
    seconds: float | None = None,
) -> Outcome:
    """What an instrument said, as the ledger keeps it: in the campaign's units, and typed if it failed.

    A reading in which every goal is missing or is no believable number is a bad reading. Where one of several
    goals is there the result counts as measured and says what it lacks; what is only observed may be absent.

    Args:
        result: what the instrument said.
        config: of the campaign.
        source: the instrument's name.
        quantities: the instrument's own units, for a bound that comes without a reading.
        reads: by objective, the name under which the instrument reads it, where that is another.
        run: uid of the Bluesky run.
        seconds: wall time of the attempt.
    """
    try:
        return _outcome(result, config, source, quantities=quantities, reads=reads, run=run, seconds=seconds)
    except Exception as error:
        # An instrument may be anybody's code; what it hands over must not end the campaign.
        logger.info("what %s said cannot be read", source, exc_info=error)
        return _unreadable(result, error, source=source, run=run, seconds=seconds)


def _outcome(
    result: Reading | ExperimentFailed,
    config: CampaignConfig,
    source: str,
    *,
    quantities: Mapping[str, str] | None,
    reads: Mapping[str, str] | None,
    run: str | None,
    seconds: float | None,
) -> Outcome:
    result = _renamed(_plain_parts(result), reads or {})
    failure = result if isinstance(result, ExperimentFailed) else None
    reading = failure.reading if failure is not None else result
    values, problems = _values(reading, config) if isinstance(reading, Reading) else ({}, [])
    incomplete = "; ".join(problems)
    if failure is None and not any(name in values for name in config.goals):
        failure = ExperimentFailed(FailureKind.BAD_READING, incomplete, stage="measure")
    raw = dict(jsonable(reading.raw)) if isinstance(reading, Reading) else {}
    if isinstance(reading, Reading) and (failure is not None or problems):
        raw |= {str(name): jsonable(value) for name, value in reading.values.items() if name not in values}
    actual = _reached(reading, config) if isinstance(reading, Reading) else {}
    return Outcome(
        status="measured" if failure is None else "failed",
        kind=None if failure is None else failure.kind,
        stage=None if failure is None else jsonable(failure.stage),
        message=incomplete if failure is None else _said(failure.message),
        values=values,
        bounds={} if failure is None else _bounds(failure, config, quantities or {}),
        actual=actual,
        raw=raw,
        run=run,
        seconds=None if seconds is None else round(seconds, 4),
        source=source,
    )


def _unreadable(
    result: object, error: Exception, *, source: str, run: str | None, seconds: float | None
) -> Outcome:
    """What is recorded where not even the parts of an answer can be told apart."""
    kind, message = FailureKind.BAD_READING, f"what {source} handed over cannot be read"
    if isinstance(result, ExperimentFailed):
        told: object = result.kind
        kind = told if isinstance(told, FailureKind) else kind
        message = f"{_said(result.message)}; {message}"
    return Outcome(
        status="failed",
        kind=kind,
        stage="measure",
        message=f"{message} ({type(error).__name__}); mend its driver",
        run=run,
        seconds=None if seconds is None else round(seconds, 4),
        source=source,
    )


def _plain_parts(result: object) -> Reading | ExperimentFailed:
    """What an instrument said, in the parts of the contract; what has none is a bad reading."""
    if isinstance(result, Reading):
        return whole(result)
    if not isinstance(result, ExperimentFailed):
        message = f"the instrument gave {type(result).__name__} and not a Reading"
        return ExperimentFailed(FailureKind.BAD_READING, message, stage="measure")
    if isinstance(result.reading, Reading):
        result.reading = whole(result.reading)
    return result


def _said(message: object) -> str:
    return writable(message) if isinstance(message, str) else str(jsonable(message))


def not_started(reason: str, *, by: str = "limits") -> Outcome:
    """What is recorded of an attempt that the lab's limits, or its resources, forbade at the last moment."""
    return Outcome(
        status="failed",
        kind=FailureKind.ABORTED,
        stage=by,
        message=f"not started: {reason}",
        source=by,
    )


def answered(
    answer: Answer,
    config: CampaignConfig,
    *,
    source: str,
    quantities: Mapping[str, str] | None = None,
    reads: Mapping[str, str] | None = None,
) -> Outcome | None:
    """What became of an attempt that a dead controller started; None if it goes on or never began."""
    if answer.state == "done" and answer.reading is not None:
        return outcome(answer.reading, config, source=source, quantities=quantities, reads=reads)
    if answer.state == "failed" and answer.failure is not None:
        return outcome(answer.failure, config, source=source, quantities=quantities, reads=reads)
    if answer.state in ("never", "running"):
        return None
    return Outcome(
        status="failed", kind=FailureKind.UNKNOWN, stage="recover", message=CANNOT_TELL, source=source
    )


def _renamed(result: Reading | ExperimentFailed, reads: Mapping[str, str]) -> Reading | ExperimentFailed:
    """What an instrument said, under the names of the objectives."""
    if not reads:
        return result
    if isinstance(result, Reading):
        return replace(result, values=_under_own(result.values, reads), units=_under_own(result.units, reads))
    reading = None if result.reading is None else _renamed(result.reading, reads)
    return ExperimentFailed(
        result.kind,
        result.message,
        stage=result.stage,
        reading=reading if isinstance(reading, Reading) else None,
        bounds=_under_own(result.bounds, reads),
    )


def _under_own(told: Mapping[str, _T], reads: Mapping[str, str]) -> dict[str, _T]:
    """What was told of quantities, by objective; what bears an objective's name but is not it is dropped."""
    kept = {name: value for name, value in told.items() if name not in reads}
    return kept | {name: told[quantity] for name, quantity in reads.items() if quantity in told}


def _values(reading: Reading, config: CampaignConfig) -> tuple[dict[str, float], list[str]]:
    values, problems = {}, []
    for name, objective in config.model.objectives.items():
        if name not in reading.values:
            if objective.needed:
                problems.append(f"the instrument gave no {name}")
            continue
        number = _number(reading.values[name])
        if number is None:
            if objective.needed:
                problems.append(f"{name} is {shown(reading.values[name])}, which is no number")
            continue
        value = units.converted(number, str(reading.units.get(name, objective.unit)), objective.unit)
        if value is None:
            if objective.needed:
                problems.append(f"{name} came in {reading.units[name]}, which is no {objective.unit}")
            continue
        if not is_wild(value):
            values[name] = value
        elif objective.needed:
            problems.append(f"{name} is {value}")
    return values, problems


def _reached(reading: Reading, config: CampaignConfig) -> dict[str, Setting]:
    """The settings that the instrument reports, without those that are none: a NaN would reach the models."""
    known = config.model.parameters
    reported = {name: value for name, value in jsonable(reading.actual).items() if name in known}
    return {name: value for name, value in reported.items() if reached_problem(known[name], value) is None}


def _bounds(
    failure: ExperimentFailed, config: CampaignConfig, quantities: Mapping[str, str]
) -> dict[str, Interval]:
    found = {}
    reading_units = failure.reading.units if failure.reading is not None else quantities
    bounds: Mapping[str, object] = failure.bounds  # whatever a driver calls a bound
    for name, bound in bounds.items():
        if name not in config.model.objectives:
            continue
        unit = config.model.objectives[name].unit
        own = str(reading_units.get(name, unit))
        if isinstance(bound, Bound) and units.converted(0.0, own, unit) is not None:
            found[name] = Interval(low=_end(bound.low, own, unit), high=_end(bound.high, own, unit))
    return found


def _number(value: object) -> float | None:
    """A value as a float, infinite where it has no room in one; None for what is no number at all."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _end(value: object, own: str, unit: str) -> float | None:
    number = _number(value)
    end = None if number is None else units.converted(number, own, unit)
    return None if end is None or is_wild(end) else end


def refuse_wild(outcome: Outcome) -> None:
    """See that what a person brings can be written down and computed with.

    Raises:
        RequestError: a value is larger than any reading, or a text holds half a character.
    """
    for name, value in outcome.values.items():
        if is_wild(value):
            raise RequestError(f"is {value:g}, which is larger than any reading; look at it again", key=name)
    for name, bound in outcome.bounds.items():
        if any(is_wild(end) for end in (bound.low, bound.high) if end is not None):
            raise RequestError("has a bound that is larger than any reading; look at it again", key=name)
    for key, text in (("--message", outcome.message), ("--by", outcome.source)):
        if text != writable(text):
            raise RequestError("holds half a character, which no file can hold; type it anew", key=key)
