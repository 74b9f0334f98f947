"""Exports: every experiment in them, nothing that runs, and numbers as they were."""

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.campaign import Campaign
from labctl.errors import RequestError
from labctl.export import FORMULA_STARTS, as_csv, as_record, as_records, safe, write_export
from labctl.proposal import Alternative, Interval, Outcome, Predicted, Proposal
from labctl.view import View, look
from labctl_drivers.protocol import FailureKind

CAMPAIGN: dict[str, Any] = {
    "campaign": "c",
    "parameters": {
        "dose": {"kind": "continuous", "unit": "gram", "low": -10, "high": 10},
        "salt": {"kind": "categorical", "choices": ["=1+1", "NaCl"]},
    },
    "objectives": {"yield": {"goal": "maximize", "unit": "percent"}},
    "instrument": {"kind": "hand"},
}


def proposal(dose: float = -1.5, salt: str = "NaCl", **more: Any) -> Proposal:  # noqa: ANN401 - any field
    return Proposal(
        recipe={"dose": dose, "salt": salt},
        arm="improve",
        because="why",
        data="d" * 64,
        code="labctl 0",
        seed=5,
        **more,
    )


PREDICTED = {"yield": Predicted(mean=10.0, sd=3.0, noise_sd=4.0)}
DONE: list[tuple[Proposal, Outcome | None]] = [
    (
        proposal(
            predictions=PREDICTED,
            acquisition="ei",
            value=0.5,
            alternatives=(Alternative(recipe={"dose": 1.0, "salt": "NaCl"}, value=0.4),),
        ),
        Outcome(status="measured", values={"yield": 20.0}, actual={"dose": -1.4}, source="bench"),
    ),
    (
        proposal(salt="=1+1"),
        Outcome(
            status="failed",
            kind=FailureKind.CENSORED,
            stage="measure",
            message="@too low",
            values={"yield": 1.0},
            bounds={"yield": Interval(high=2.0)},
            raw={"reading": "nan"},
            source="bench",
        ),
    ),
    (proposal(dose=3.0), None),
]


@pytest.fixture
def view(view_from: Callable[..., View]) -> View:
    return view_from(CAMPAIGN, DONE)


def rows_of(view: View) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(view))))


def test_a_record_holds_the_prediction_beside_the_result(view: View) -> None:
    record = as_record(view.state["e0001"])
    assert record["predictions"] == {"yield": {"mean": 10.0, "sd": 3.0, "noise_sd": 4.0, "widened": 1.0}}
    assert record["values"] == {"yield": 20.0}
    # 20 lies 10 above 10, and one measurement scatters by sqrt(3^2 + 4^2) = 5.
    assert record["z"] == {"yield": 2.0}
    assert record["alternatives"][0]["value"] == 0.4
    assert record["failure"] is None


def test_a_failure_is_recorded_with_all_that_is_known_of_it(view: View) -> None:
    record = as_record(view.state["e0002"])
    assert record["status"] == "failed"
    assert record["failure"] == {
        "kind": "censored",
        "stage": "measure",
        "message": "@too low",
        "bounds": {"yield": {"high": 2.0}},
    }
    assert record["raw"] == {"reading": "nan"}
    assert record["z"] == {}


def test_that_a_prediction_came_before_its_result_can_be_checked_from_any_export(
    view: View, tmp_path: Path
) -> None:
    record = as_record(view.state["e0001"])
    times = [record[name] for name in ("proposed_at", "decided_at", "ended_at")]
    assert times == sorted(times)
    # The campaign's own event is the first; then come proposal, decision and outcome.
    assert (record["proposed_seq"], record["ended_seq"]) == (2, 4)
    assert record["started_at"] is None
    row = rows_of(view)[0]
    names = ("proposed at", "decided at", "started at", "ended at", "event of proposal", "event of outcome")
    assert [row[name] for name in names] == [times[0], times[1], "", times[2], "2", "4"]
    write_export(view, tmp_path / "e.parquet")
    cells = pq.read_table(tmp_path / "e.parquet").to_pylist()
    assert [cells[0][name] for name in names] == [times[0], times[1], None, times[2], 2, 4]
    assert [cells[2][name] for name in names[1:]] == [None, None, None, 8, None]


def test_every_attempt_is_in_the_record(furnace_campaign: Callable[..., Path]) -> None:
    with Campaign.open(furnace_campaign()) as campaign:
        experiment = campaign.step()
        assert experiment is not None
        record = as_record(experiment)
    assert [a["attempt"] for a in record["attempts"]] == list(range(1, len(experiment.outcomes) + 1))
    assert record["attempts"][0]["intent"]["instrument"] == "furnace"
    assert record["proposed_at"] <= record["decided_at"] <= record["started_at"] <= record["ended_at"]
    assert record["attempts"][-1]["outcome"]["status"] == experiment.status


def test_records_are_json_and_say_what_the_numbers_mean(view: View) -> None:
    records = json.loads(json.dumps(as_records(view), allow_nan=False))
    assert records["goal"] == {"name": "yield", "direction": "maximize", "unit": "percent"}
    assert records["units"] == {"dose": "gram", "yield": "percent"}
    assert records["head"] == view.state.head
    assert [e["status"] for e in records["experiments"]] == ["measured", "failed", "proposed"]


def test_csv_has_one_row_an_experiment_failures_included(view: View) -> None:
    rows = rows_of(view)
    assert [r["status"] for r in rows] == ["measured", "failed", "proposed"]
    assert [r["failure kind"] for r in rows] == ["", "censored", ""]
    assert float(rows[0]["measured: yield [percent]"]) == 20.0
    assert float(rows[0]["predicted mean: yield [percent]"]) == 10.0
    assert float(rows[0]["z: yield"]) == 2.0
    assert float(rows[0]["actual: dose [gram]"]) == -1.4


def test_csv_keeps_what_a_failure_read_apart_from_results(view: View) -> None:
    failed = rows_of(view)[1]
    assert failed["measured: yield [percent]"] == ""
    assert float(failed["read in spite of failure: yield [percent]"]) == 1.0
    assert float(failed["known to be at most: yield [percent]"]) == 2.0


def test_csv_runs_nothing_in_a_spreadsheet_and_keeps_negative_numbers(view: View) -> None:
    rows = rows_of(view)
    assert rows[0]["recipe: dose [gram]"] == "-1.5"
    assert rows[1]["recipe: salt"] == "'=1+1"
    assert rows[1]["message"] == "'@too low"


@given(st.text(max_size=20))
def test_no_text_cell_begins_with_what_a_spreadsheet_runs(text: str) -> None:
    cell = safe(text)
    assert isinstance(cell, str)
    assert not cell.startswith(FORMULA_STARTS)
    assert cell in {text, f"'{text}"}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_from_csv_as_they_were(number: float) -> None:
    text = io.StringIO()
    csv.writer(text).writerow([safe(number)])
    assert float(text.getvalue()) == number


def test_columns_whose_names_would_be_the_same_are_told_apart(view_from: Callable[..., View]) -> None:
    parameters = {
        "a": {"kind": "continuous", "unit": "mm", "low": 0, "high": 1},
        "a [mm]": {"kind": "categorical", "choices": ["x", "y"]},
    }
    done = [
        (Proposal(recipe={"a": 0.5, "a [mm]": "x"}, arm="random", because="", data="", code="", seed=0), None)
    ]
    header = as_csv(view_from({**CAMPAIGN, "parameters": parameters}, done)).splitlines()[0].split(",")
    assert len(header) == len(set(header))
    assert {"recipe: a [mm]", "recipe: a [mm]'"} <= set(header)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json", ".CSV"])
def test_files_hold_every_experiment(view: View, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write_export(view, path)
    if suffix == ".json":
        ids = [e["id"] for e in json.loads(path.read_text("utf-8"))["experiments"]]
    elif suffix == ".parquet":
        ids = pq.read_table(path)["experiment"].to_pylist()
    else:
        ids = [r["experiment"] for r in csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig")))]
    assert ids == ["e0001", "e0002", "e0003"]
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "no temporary file stays behind"


def test_parquet_has_types_and_says_where_it_comes_from(view: View, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    write_export(view, path)
    table = pq.read_table(path)
    assert str(table.schema.field("recipe: dose [gram]").type) == "double"
    assert table["message"].to_pylist() == ["", "@too low", None], "nothing is escaped where nothing is run"
    assert table["measured: yield [percent]"].to_pylist() == [20.0, None, None]
    assert json.loads(table.schema.metadata[b"labctl"])["head"] == view.state.head


@pytest.mark.parametrize("name", ["out.xlsx", "out", "missing/out.csv"])
def test_a_file_that_cannot_be_written_is_refused_in_a_sentence(
    view: View, tmp_path: Path, name: str
) -> None:
    with pytest.raises(RequestError, match=r"out.*; (end it in|choose)"):
        write_export(view, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_as_it_was(view: View, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.mkdir()
    (target / "kept").write_text("old", "utf-8")
    with pytest.raises(RequestError):
        write_export(view, target)
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
    assert (target / "kept").read_text("utf-8") == "old"


def test_a_real_replay_is_exported_whole(replay_campaign: Callable[..., Path]) -> None:
    path = replay_campaign(budget={"experiments": 25})
    with Campaign.open(path) as campaign:
        campaign.run()
    view = look(path)
    rows = rows_of(view)
    assert len(rows) == len(view.state)
    measured = [float(r["measured: height [mm]"]) for r in rows if r["status"] == "measured"]
    assert measured == [e.outcome.values["height"] for e in view.state.measured if e.outcome]
    assert all(math.isfinite(v) for v in measured)
    assert {r["failure kind"] for r in rows if r["status"] == "failed"} <= {"infeasible", "censored"}


def test_what_each_experiment_cost_is_exported(view_from: Callable[..., View]) -> None:
    priced = {**CAMPAIGN, "instrument": {"kind": "hand", "cost": {"each": 3.0, "of": {"dose": 2.0}}}}
    view = view_from(priced, DONE)
    expected = [3.0 + 2.0 * float(e.made["dose"]) if e.outcome else 0.0 for e in view.state]
    assert [float(row["cost"]) for row in rows_of(view)] == expected
    assert [record["cost"] for record in as_records(view)["experiments"]] == expected


def test_without_a_price_no_cost_is_exported(view: View) -> None:
    assert "cost" not in rows_of(view)[0]
    assert {record["cost"] for record in as_records(view)["experiments"]} == {None}
