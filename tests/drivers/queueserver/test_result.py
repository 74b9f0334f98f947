"""What an item of a queue server's history came to."""

from typing import Any

import pytest

from labctl_drivers.protocol import ExperimentFailed
from labctl_drivers.queueserver.result import ended_badly, reading_of, uids_of, values_in
from labctl_drivers.queueserver.settings import QueueSettings, settings_of
from labctl_drivers.runs import Run


@pytest.fixture
def settings() -> QueueSettings:
    return settings_of(
        {
            "plan": "anneal",
            "documents": "localhost:5568",
            "settings": {"t": {"unit": "K"}},
            "readings": {"h": {"key": "tester_h", "unit": "HV"}},
            "failures": {"CrackedError": "infeasible", "OSError": "instrument_fault"},
        }
    )


def item(status: str, last: str = "") -> dict[str, Any]:
    traceback = f"Traceback (most recent call last):\n  File x\n{last}\n"
    return {
        "result": {"exit_status": status, "run_uids": ["a"], "traceback": traceback, "msg": "Plan failed"}
    }


@pytest.mark.parametrize(
    ("status", "last", "kind", "says"),
    [
        ("failed", "lab.CrackedError: in two", "infeasible", "anneal failed: lab.CrackedError: in two"),
        ("failed", "RuntimeError: censored: beyond the scale", "censored", "beyond the scale"),
        ("failed", "ValueError", "instrument_fault", "anneal failed: ValueError"),
        ("failed", "x: y: z: what?", "instrument_fault", "anneal failed: x: y: z: what?"),
        ("aborted", "", "aborted", "anneal was aborted on the queue server"),
        ("stopped", "", "aborted", "anneal was stopped on the queue server"),
        ("halted", "", "aborted", "anneal was halted on the queue server"),
        ("unknown", "", "unknown", "does not know how anneal ended (unknown)"),
    ],
)
def test_each_end_has_its_kind(settings: QueueSettings, status: str, last: str, kind: str, says: str) -> None:
    failure = ended_badly(item(status, last), settings)
    assert failure is not None
    assert failure.kind == kind
    assert says in failure.message


def test_a_completed_plan_did_not_fail(settings: QueueSettings) -> None:
    assert ended_badly(item("completed"), settings) is None
    assert uids_of(item("completed")) == ["a"]
    assert uids_of({}) == []


def test_the_last_value_of_each_key_counts_and_the_rest_is_kept_raw(settings: QueueSettings) -> None:
    def run(uid: str, *values: float) -> Run:
        documents: list[tuple[str, Any]] = [
            ("start", {"uid": uid}),
            ("descriptor", {"uid": f"{uid}-d", "run_start": uid, "name": "primary", "data_keys": {}}),
        ]
        for value in values:
            data = {"tester_h": value, "load": 2 * value}
            documents.append(("event", {"uid": "e", "descriptor": f"{uid}-d", "data": data}))
        return Run([*documents, ("stop", {"run_start": uid})])

    reading = reading_of(values_in([run("a", 1.0, 2.0), run("b", 3.0)], "primary"), settings, ["a", "b"])
    assert reading.values == {"h": 3.0}
    assert reading.units == {"h": "HV"}
    assert reading.raw == {"load": 6.0, "runs": ["a", "b"]}
    with pytest.raises(ExperimentFailed, match="anneal read no 'tester_h', but nothing") as caught:
        reading_of(values_in([run("a")], "primary"), settings, ["a"])
    assert caught.value.kind == "bad_reading"
