"""Sheets that people fill in: everything is checked before anything is recorded."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labctl.campaign import Campaign
from labctl.errors import RequestError
from labctl.sheet import Recorded, record_sheet, write_sheet

Rows = list[dict[str, str]]


@pytest.fixture
def campaign(hand_campaign: Callable[..., Path]) -> Iterator[Campaign]:
    with Campaign.open(hand_campaign()) as opened:
        opened.propose(3)
        yield opened


@pytest.fixture
def sheet(campaign: Campaign, tmp_path: Path) -> Path:
    path = tmp_path / "sheet.csv"
    write_sheet(path, list(campaign.state), campaign.config)
    return path


def read(path: Path) -> Rows:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))


def save(path: Path, rows: Rows, *, delimiter: str = ",", encoding: str = "utf-8") -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))


YIELD, DOSE = "yield [percent]", "dose [gram]"


def with_cells(path: Path, line: int, cells: dict[str, str]) -> None:
    rows = read(path)
    rows[line - 2] |= cells
    save(path, rows)


def test_a_sheet_has_units_in_its_headers_and_room_for_results(sheet: Path, campaign: Campaign) -> None:
    rows = read(sheet)
    assert list(rows[0]) == [
        "experiment",
        DOSE,
        "steps [dimensionless]",
        "solvent",
        YIELD,
        "colour [dimensionless]",
        "failed",
        "message",
        "by",
    ]
    assert [r["experiment"] for r in rows] == ["e0001", "e0002", "e0003"]
    for row, e in zip(rows, campaign.state, strict=True):
        assert float(row[DOSE]) == pytest.approx(float(e.proposal.recipe["dose"]), rel=1e-5)
        assert row["solvent"] == e.proposal.recipe["solvent"]
        assert row[YIELD] == row["failed"] == ""


def test_what_is_filled_in_is_recorded_and_the_rest_waits(sheet: Path, campaign: Campaign) -> None:
    with_cells(sheet, 2, {YIELD: "41.5", "by": "Ada"})
    with_cells(sheet, 4, {"failed": "infeasible", "message": "it cracked"})
    recorded = record_sheet(campaign, sheet, by="Bo").now
    assert [e.id for e in recorded] == ["e0001", "e0003"]
    first, third = (e.outcome for e in recorded)
    assert first is not None
    assert third is not None
    assert (first.values, first.source, first.actual) == ({"yield": 41.5}, "Ada", {})
    assert (third.status, third.kind, third.message, third.source) == (
        "failed",
        "infeasible",
        "it cracked",
        "Bo",
    )
    assert campaign.state["e0002"].status == "proposed"


def test_a_sheet_comes_back_from_a_german_excel(sheet: Path, campaign: Campaign) -> None:
    rows = read(sheet)
    for row in rows:
        row[DOSE] = row[DOSE].replace(".", ",")
    rows[0] |= {YIELD: "41,5", "message": "schön; wirklich"}
    rows.insert(1, dict.fromkeys(rows[0], ""))
    save(sheet, rows, delimiter=";", encoding="cp1252")
    [recorded] = record_sheet(campaign, sheet, by="Bo").now
    assert recorded.outcome is not None
    assert recorded.outcome.values == {"yield": 41.5}
    assert recorded.outcome.message == "schön; wirklich"
    assert recorded.outcome.actual == {}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_are_told_apart(sheet: Path, campaign: Campaign, encoding: str) -> None:
    rows = read(sheet)
    rows[0] |= {YIELD: "1", "message": "Äther"}
    save(sheet, rows, delimiter="\t", encoding=encoding)
    [recorded] = record_sheet(campaign, sheet, by="Bo").now
    assert recorded.outcome is not None
    assert recorded.outcome.message == "Äther"


def test_a_setting_that_a_person_changed_is_recorded_as_what_was_done(
    sheet: Path, campaign: Campaign
) -> None:
    asked = campaign.state["e0001"].proposal.recipe
    other = next(s for s in ("water", "no") if s != asked["solvent"])
    with_cells(sheet, 2, {DOSE: "12.75", "solvent": other, YIELD: "3"})
    [recorded] = record_sheet(campaign, sheet, by="Bo").now
    assert recorded.outcome is not None
    assert recorded.outcome.actual == {"dose": 12.75, "solvent": other}
    assert (recorded.outcome.kind, recorded.outcome.values) == ("off_recipe", {"yield": 3.0})
    assert recorded.made["dose"] == 12.75
    assert recorded.proposal.recipe == asked


@pytest.mark.parametrize(
    ("cell", "failed", "bound"),
    [
        (">150", "censored", {"low": 150.0}),
        ("≤ 0,5", "", {"high": 0.5}),
        ("> 1e3", "", {"low": 1000.0}),
    ],
)
def test_a_result_beyond_the_scale_is_a_bound(
    sheet: Path, campaign: Campaign, cell: str, failed: str, bound: dict[str, float]
) -> None:
    with_cells(sheet, 2, {YIELD: cell, "failed": failed})
    [recorded] = record_sheet(campaign, sheet, by="Bo").now
    assert recorded.outcome is not None
    assert recorded.outcome.body()["bounds"] == {"yield": bound}
    assert (recorded.outcome.kind, recorded.outcome.values) == ("censored", {})
    assert record_sheet(campaign, sheet, by="Bo").before == 1


def test_reading_the_same_sheet_again_records_only_what_is_new(sheet: Path, campaign: Campaign) -> None:
    with_cells(sheet, 2, {YIELD: "41.5"})
    record_sheet(campaign, sheet, by="Bo")
    with_cells(sheet, 3, {YIELD: "7"})
    assert [e.id for e in record_sheet(campaign, sheet, by="Bo").now] == ["e0002"]
    events = len(campaign.ledger)
    assert record_sheet(campaign, sheet, by="Bo") == Recorded([], before=2)
    assert len(campaign.ledger) == events


def test_another_result_for_a_recorded_row_is_refused(sheet: Path, campaign: Campaign) -> None:
    with_cells(sheet, 2, {YIELD: "41.5"})
    record_sheet(campaign, sheet, by="Bo")
    with_cells(sheet, 2, {YIELD: "42.5"})
    with pytest.raises(
        RequestError, match=r"sheet.csv:2: experiment: e0001 was recorded with another result"
    ):
        record_sheet(campaign, sheet, by="Bo")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({YIELD: "lots"}, r":3: yield: 'lots' is no number"),
        ({YIELD: "nan"}, r":3: yield: nan is no result"),
        ({YIELD: "inf"}, r":3: yield: inf is no result"),
        ({YIELD: "1,234"}, r":3: yield: '1,234' can mean two numbers"),
        ({"message": "hm"}, r":3: yield: give its value in percent"),
        ({"failed": "censored"}, r":3: yield: a censored result needs its bound"),
        ({"failed": "censored", YIELD: "3"}, r":3: yield: has a value, and a censored result has a bound"),
        ({"failed": "infeasible", YIELD: ">3"}, r":3: a bound is for censored results"),
        ({YIELD: ">lots"}, r":3: yield: '>lots' is no number"),
        ({"failed": "exploded"}, r":3: failed: 'exploded' is no kind of failure"),
        ({YIELD: "1", DOSE: "a bit"}, r":3: dose: 'a bit' is no number"),
        ({YIELD: "1", "solvent": "acetone"}, r":3: solvent: 'acetone' is none of"),
        ({YIELD: "1", "experiment": "e0099"}, r":3: experiment: there is no experiment 'e0099'"),
        ({YIELD: "1", "experiment": ""}, r":3: experiment: there is no experiment ''"),
        ({YIELD: "1", "experiment": "e0001"}, r":3: experiment: e0001 stands on line 2 too"),
    ],
)
def test_one_wrong_row_names_its_place_and_nothing_is_recorded(
    sheet: Path, campaign: Campaign, cells: dict[str, str], said: str
) -> None:
    with_cells(sheet, 2, {YIELD: "41.5"})
    with_cells(sheet, 3, cells)
    before = len(campaign.ledger)
    with pytest.raises(RequestError, match=r"sheet\.csv" + said) as caught:
        record_sheet(campaign, sheet, by="Bo")
    assert "\n" not in str(caught.value)
    assert len(campaign.ledger) == before


def test_another_unit_in_a_header_is_refused(sheet: Path, campaign: Campaign) -> None:
    sheet.write_text(sheet.read_text("utf-8").replace("dose [gram]", "dose [mg]"), "utf-8")
    with pytest.raises(RequestError, match=r"sheet.csv:1: dose: is in mg, but the campaign has gram"):
        record_sheet(campaign, sheet, by="Bo")


def test_what_stands_in_a_column_of_a_persons_own_is_not_lost_silently(
    sheet: Path, campaign: Campaign
) -> None:
    rows = [{**row, "remarks": ""} for row in read(sheet)]
    rows[0][YIELD] = "1"
    save(sheet, rows)
    assert len(record_sheet(campaign, sheet, by="Bo").now) == 1
    rows[1]["remarks"] = "smelled odd"
    save(sheet, rows)
    with pytest.raises(
        RequestError, match=r"sheet.csv:3: column 10 is none of this sheet's, and holds 'smelled odd'"
    ):
        record_sheet(campaign, sheet, by="Bo")


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"PK\x03\x04rest", b"experiment,dose [gram]\ne0001,1\n"]
)
def test_what_is_no_sheet_is_refused(campaign: Campaign, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"other\.csv: (has no column|is an Excel workbook)"):
        record_sheet(campaign, path, by="Bo")


def test_a_sheet_is_never_written_over(sheet: Path, campaign: Campaign) -> None:
    before = sheet.read_bytes()
    with pytest.raises(RequestError, match="exists, and may hold results"):
        write_sheet(sheet, list(campaign.state), campaign.config)
    assert sheet.read_bytes() == before


def test_a_choice_that_a_spreadsheet_would_run_survives_the_way_there_and_back(
    hand_campaign: Callable[..., Path], tmp_path: Path
) -> None:
    parameters = {"salt": {"kind": "categorical", "choices": ["=A1", "-x"]}}
    path = tmp_path / "salts.csv"
    with Campaign.open(hand_campaign(parameters=parameters)) as campaign:
        campaign.propose(2)
        write_sheet(path, list(campaign.state), campaign.config)
        rows = read(path)
        assert all(row["salt"].startswith("'") for row in rows)
        rows[0][YIELD] = "1"
        save(path, rows)
        [recorded] = record_sheet(campaign, path, by="Bo").now
    assert recorded.outcome is not None
    assert recorded.outcome.actual == {}
