"""What is written of a run is strict JSON that Bluesky's own schemas accept."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from event_model import DocumentNames, schema_validators
from hypothesis import given
from hypothesis import strategies as st

from labctl_drivers.documents import JsonLines, Shielded, plain
from labctl_drivers.engine import Lane
from labctl_drivers.protocol import Attempt, FailureKind, Surroundings
from labctl_drivers.replay import HistoricalRow, ReplayInstrument

Attempts: TypeAlias = Callable[..., Attempt]


def test_every_document_of_a_file_is_valid_and_every_run_is_closed(tmp_path: Path, attempt: Attempts) -> None:
    path = tmp_path / "deep" / "documents.jsonl"
    rows = [
        HistoricalRow({"x": 1.0, "dye": "red"}, {"y": 1.0, "z": math.nan}),
        HistoricalRow({"x": 2.0, "dye": "red"}, {}, FailureKind.INFEASIBLE, "fell apart"),
    ]
    instrument = ReplayInstrument(rows, surroundings=Surroundings(), units={"y": "nm", "z": "nm"})
    for repeat in range(2):
        with Lane("a", documents=path) as lane:
            lane.connect(instrument)
            for x in (1.0, 2.0, 3.0):
                lane.run(instrument, attempt(f"{repeat}{x}", {"x": x, "dye": "red"}, x="mm"))
    names = []
    for line in path.read_text().splitlines():
        entry = json.loads(line, parse_constant=pytest.fail)
        schema_validators[DocumentNames[entry["name"]]].validate(entry["doc"])
        names.append(entry["name"])
    assert names == ["start", "descriptor", "event", "stop", *["start", "stop"] * 2] * 2


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
def test_whatever_is_read_becomes_strict_json_and_finite_data_stays_as_it_was(value: object) -> None:
    safe = plain(value)
    assert json.loads(json.dumps(safe, allow_nan=False)) == safe
    text = json.dumps(value)
    if not any(word in text for word in ("NaN", "Infinity")):
        assert safe == value


def test_arrays_become_lists_and_strangers_their_text() -> None:
    assert plain(np.array([[1.5, math.nan]])) == [[1.5, None]]
    assert plain(np.float64("inf")) is None
    assert plain({"n": np.int64(3), "path": Path("a"), "pair": (1, 2)}) == {
        "n": 3,
        "path": "a",
        "pair": [1, 2],
    }


def test_two_writers_share_a_file_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "documents.jsonl"
    writers = JsonLines(path), JsonLines(path)
    for number in range(20):
        writers[number % 2]("event", {"seq_num": number, "data": "x" * 5000})
    for writer in writers:
        writer.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["doc"]["seq_num"] for line in lines] == list(range(20))


def test_a_guarded_sink_goes_on_receiving_after_it_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    seen = []

    def sink(_name: str, doc: Mapping[str, Any]) -> None:
        seen.append(doc["seq_num"])
        raise OSError("no space left")

    shielded = Shielded(sink, "the file")
    for number in range(3):
        shielded("event", {"seq_num": number})
    assert seen == [0, 1, 2]
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
