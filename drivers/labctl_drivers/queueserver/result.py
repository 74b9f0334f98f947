"""What an item of the queue server's history came to: a reading, or a failure of a kind."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from labctl_drivers.adapt.readings import number
from labctl_drivers.documents import plain
from labctl_drivers.protocol import ExperimentFailed, FailureKind, Reading
from labctl_drivers.queueserver.manager import Item
from labctl_drivers.queueserver.settings import QueueSettings
from labctl_drivers.runs import Run

_KIND = re.compile(rf"({'|'.join(kind.value for kind in FailureKind)}): (.+)")
_ERROR = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?")


def ended_badly(item: Item, settings: QueueSettings) -> ExperimentFailed | None:
    """How a plan failed, or None if it came to its end.

    A worker tells the kind by the name of its exception, where the campaign file says what it stands for, or
    by beginning the message with the kind, as in ``RuntimeError("infeasible: it cracked")``.
    """
    result = item.get("result") or {}
    status = result.get("exit_status")
    if status == "completed":
        return None
    name, message = _said(result)
    if status == "failed":
        kind = settings.kinds.get(name, settings.kinds.get(name.rpartition(".")[2]))
        told = _KIND.fullmatch(message)
        if told is not None:
            kind, message = FailureKind(told[1]), told[2]
        text = message if told is not None else f"{settings.plan} failed: {name}: {message}".rstrip(": ")
        return ExperimentFailed(kind or FailureKind.INSTRUMENT_FAULT, text, stage="process")
    if status in ("stopped", "aborted", "halted"):
        text = f"{settings.plan} was {status} on the queue server"
        return ExperimentFailed(FailureKind.ABORTED, text, stage="process")
    text = f"the queue server does not know how {settings.plan} ended ({status}); look at the sample"
    return ExperimentFailed(FailureKind.UNKNOWN, text, stage="process")


def uids_of(item: Item) -> list[str]:
    """The uids of the runs that a plan made."""
    return [str(uid) for uid in (item.get("result") or {}).get("run_uids") or []]


def values_in(runs: Sequence[Run], stream: str) -> dict[str, Any]:
    """The last value of every data key in a stream of some runs, later ones first."""
    found: dict[str, Any] = {}
    for run in runs:
        for event in run.events(stream):
            found |= event["data"]
    return found


def reading_of(values: Mapping[str, Any], settings: QueueSettings, uids: Sequence[str]) -> Reading:
    """A reading from the values by data key.

    Raises:
        ExperimentFailed: a key is missing.
    """
    told = {}
    for quantity, rule in settings.readings.items():
        key = rule.key or quantity
        if key not in values:
            raise ExperimentFailed(
                FailureKind.BAD_READING,
                f"{rule.place}: {settings.plan} read no {key!r}, but {', '.join(values) or 'nothing'}",
                stage="measure",
            )
        told[quantity] = number(values[key])
    used = {rule.key or quantity for quantity, rule in settings.readings.items()}
    raw = {key: plain(value) for key, value in values.items() if key not in used}
    units = {quantity: rule.unit for quantity, rule in settings.readings.items()}
    return Reading(told, units, raw={**raw, "runs": list(uids)})


def unheard(settings: QueueSettings, uids: Sequence[str]) -> ExperimentFailed:
    """What is known of a plan that came to its end while nobody heard its documents."""
    return ExperimentFailed(
        FailureKind.UNKNOWN,
        f"{settings.plan} was completed on the queue server, but its documents were not heard; look its "
        f"result up (run {', '.join(uids) or 'unknown'}) and settle it",
        stage="measure",
    )


def _said(result: Mapping[str, Any]) -> tuple[str, str]:
    """Name and message of the exception that ended a plan, from the last line of its traceback."""
    lines = [line for line in str(result.get("traceback") or "").splitlines() if line.strip()]
    last = lines[-1].strip() if lines else " ".join(str(result.get("msg") or "").split())
    found = _ERROR.fullmatch(last)
    return (found[1], (found[2] or "").strip()) if found is not None else ("", last)
