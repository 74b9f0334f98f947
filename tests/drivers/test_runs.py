"""Documents come apart into the runs they belong to, whatever the order in the file."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.runs import Run, Runs, Tail

Named = tuple[str, dict[str, Any]]


def one_run(uid: str, events: int) -> list[Named]:
    keys = {"y": {"dtype": "number", "shape": [], "source": "s", "units": "nm"}}
    documents: list[Named] = [
        ("start", {"uid": uid, "key": f"key-{uid}"}),
        ("descriptor", {"uid": f"{uid}-d", "run_start": uid, "name": "primary", "data_keys": keys}),
    ]
    documents += [
        ("event", {"uid": f"{uid}-{i}", "descriptor": f"{uid}-d", "data": {"y": float(i)}})
        for i in range(events)
    ]
    return [*documents, ("stop", {"uid": f"{uid}-s", "run_start": uid, "exit_status": "success"})]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_lanes_that_share_a_file_come_apart_again(events: list[int], chance: Any) -> None:  # noqa: ANN401
    told = [one_run(f"r{i}", n) for i, n in enumerate(events)]
    waiting, mixed = [list(run) for run in told], []
    while any(waiting):
        mixed.append(chance.choice([run for run in waiting if run]).pop(0))
    runs = Runs()
    complete = [run for name, doc in mixed if (run := runs.take(name, doc)) is not None]
    assert sorted(run.uid for run in complete) == sorted(f"r{i}" for i in range(len(events)))
    assert {run.uid: run.documents for run in complete} == {run[0][1]["uid"]: run for run in told}
    assert runs.unfinished == []
    assert runs._run_of == {}


def test_a_run_gives_the_events_and_units_of_a_stream() -> None:
    run = Run(one_run("r", 2))
    assert [event["data"] for event in run.events()] == [{"y": 0.0}, {"y": 1.0}]
    assert list(run.events("baseline")) == []
    assert run.data_keys()["y"]["units"] == "nm"
    assert run.stop is not None
    assert Run(run.documents[:2]).stop is None


def test_a_document_of_an_unknown_run_is_left_out() -> None:
    runs = Runs()
    assert runs.take("event", {"uid": "e", "descriptor": "nobody"}) is None
    assert runs.take("stop", {"uid": "s", "run_start": "nobody"}) is None
    assert runs.unfinished == []


def _line(document: Named) -> bytes:
    return json.dumps({"name": document[0], "doc": document[1]}).encode() + b"\n"


def test_a_file_is_read_on_from_where_it_was_left_and_half_a_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "documents.jsonl"
    tail = Tail(path)
    assert list(tail.new()) == []
    documents = one_run("r", 1)
    lines = [_line(document) for document in documents]
    path.write_bytes(lines[0] + lines[1][:20])
    assert list(tail.new()) == documents[:1]
    with path.open("ab") as file:
        file.write(lines[1][20:] + b"no document\n" + b'{"name": 3}\n' + lines[2])
    assert list(tail.new()) == documents[1:3]
    assert tail.unreadable == 2
    path.write_bytes(lines[3])
    assert list(tail.new()) == documents[3:]
