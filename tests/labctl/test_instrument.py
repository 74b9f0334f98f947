"""Instruments and their cheaper stand-ins: what a campaign file may say of them, and what is refused."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl.bench import set_up
from labctl.campaign import Campaign
from labctl.config import load_config
from labctl.dispatch import outcome as told_outcome
from labctl.errors import RequestError
from labctl.export import as_csv
from labctl.view import look

Written = Callable[..., Path]
TARGET = {"kind": "replay", "dataset": "card.yaml", "cost": {"each": 5}}
CHEAP = {"kind": "replay", "dataset": "card.yaml", "cost": {"each": 1}}
QUICK = {"indents": 2, "spread_limit": 1}


def fidelities(name: str = "rough", **told: object) -> dict[str, Any]:
    return {name: {"instrument": CHEAP, **told}}


def refused(file: Path) -> str:
    with pytest.raises(RequestError) as error:
        load_config(file)
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fidelities": fidelities("target")}, "fidelities.target: this name belongs to the instrument"),
        ({"fidelities": fidelities("Target")}, "fidelities.Target: this name belongs to the instrument"),
        ({"fidelities": fidelities("../../escaped")}, "fidelities: '../../escaped' has a folder of its own"),
        ({"fidelities": fidelities(".hidden")}, "fidelities: '.hidden' has a folder of its own"),
        (
            {"fidelities": {**fidelities("DFT"), **fidelities("dft")}},
            "fidelities.dft: differs from DFT in capitals only",
        ),
        ({"fidelities": fidelities("two\nlines")}, "is no name; use 1 to 100 printable characters"),
        ({"fidelities": {"r": {"instrument": {**CHEAP, "cost": None}}}}, "fidelities.r.instrument.cost"),
        (
            {"fidelities": {"r": {"instrument": {"kind": "hand", "cost": {"each": 1}}}}},
            "kind: hand is a person",
        ),
        ({"fidelities": fidelities(reads={"hight": "h"})}, "fidelities.rough.reads.hight: no such objective"),
        ({"instrument": {**TARGET, "cost": None}, "fidelities": fidelities()}, "instrument.cost: is needed"),
        (
            {"fidelities": {"r": {"instrument": {**CHEAP, "cost": {"of": {"z": 1}}}}}},
            "fidelities.r.instrument.cost.of: z is no parameter",
        ),
        (
            {"fidelities": {"r": {"instrument": {"kind": "furnace", "cost": {"each": 1}}}}},
            "limits: an instrument that moves needs the file of the lab's hard limits",
        ),
        (
            {
                "objectives": {"height": {"goal": "maximize", "unit": "mm", "at_most": 9}},
                "fidelities": fidelities(),
            },
            "fidelities: serve one goal without limits",
        ),
        (
            {"budget": {"cost": 5}, "instrument": {**TARGET, "cost": None}},
            "budget.cost: needs instrument.cost",
        ),
    ],
)
def test_what_cannot_stand_in_is_refused_in_one_sentence(
    replay_campaign: Written, changes: dict[str, object], said: str
) -> None:
    # None in a change leaves a key out, as it does in the file itself.
    text = json.loads(json.dumps(changes))
    assert said in refused(replay_campaign(**{"instrument": TARGET, **_without_nothing(text)}))


def _without_nothing(content: Any) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(content, dict):
        return content
    return {name: _without_nothing(value) for name, value in content.items() if value is not None}


def test_one_reading_cannot_serve_two_objectives(replay_campaign: Written) -> None:
    objectives = {"height": {"goal": "maximize", "unit": "mm"}, "depth": {"goal": "observe", "unit": "mm"}}
    twice = fidelities(reads={"height": "h", "depth": "h"})
    said = refused(replay_campaign(instrument=TARGET, objectives=objectives, fidelities=twice))
    assert "fidelities.rough.reads: h cannot be the reading of two objectives" in said


def test_a_person_is_not_timed(hand_campaign: Written) -> None:
    instrument = {"kind": "hand", "cost": {"hour": 10}}
    assert "instrument.cost.hour: nobody times a person" in refused(hand_campaign(instrument=instrument))


def test_what_is_wrong_with_a_stand_in_is_said_at_its_place(furnace_campaign: Written) -> None:
    told = {"kind": "furnace", "options": {"indents": 1}, "cost": {"each": 1}}
    file = furnace_campaign(
        instrument={"kind": "furnace", "cost": {"each": 5}}, fidelities={"quick": {"instrument": told}}
    )
    with pytest.raises(RequestError, match=r"fidelities\.quick\.instrument\.options: .*indents"):
        Campaign.open(file)
    assert not load_config(file).folder.exists()


@pytest.fixture
def two_tables(replay_campaign: Written) -> Written:
    """Write the small replay with a rough reading of the height, in a table of its own."""

    def write(name: str = "two", *, column: str = "glance", **changes: object) -> Path:
        rough = {"rough": {"instrument": {**CHEAP, "dataset": "rough.yaml"}, "reads": {"height": column}}}
        file = replay_campaign(name, **{"instrument": TARGET, "fidelities": rough, **changes})
        rows = [line.split(",") for line in (file.parent / "table.csv").read_text("utf-8").splitlines()]
        read = [[x, y, f"{0.9 * float(h) + 0.2:.4f}"] for x, y, h in rows[1:-1] if h not in ("cracked", "0")]
        # The rough instrument also prints a "height", which is none of ours.
        lines = [f"x,y,{column},height", *(f"{x},{y},{h},999" for x, y, h in read[:20])]
        (file.parent / "rough.csv").write_text("\n".join(lines) + "\n", "utf-8")
        card = json.loads((file.parent / "card.yaml").read_text("utf-8"))
        columns = [*card["columns"], {"name": column, "unit": "mm", "role": "objective"}]
        card |= {"name": "rough", "file": {"beside": "rough.csv"}, "columns": columns, "failures": []}
        (file.parent / "rough.yaml").write_text(json.dumps(card), "utf-8")
        return file

    return write


def test_a_stand_in_offers_its_own_rows_and_reads_its_own_column(two_tables: Written) -> None:
    config = load_config(two_tables())
    bench = set_up(config, folder=None, seed=0)
    rough = bench.of("rough")
    assert (len(rough.rows), len(bench.rows)) == (20, 31)
    assert rough.offers({"x": 0.0, "y": 10.0})
    assert not rough.offers({"x": 5.0, "y": 30.0})
    assert bench.of(None) is bench


def test_what_a_stand_in_reads_never_passes_for_a_result(two_tables: Written) -> None:
    file = two_tables(strategy={"initial": 8}, budget={"experiments": 60, "cost": 90})
    with Campaign.open(file) as campaign:
        summary = campaign.run()
        read = campaign.state.stand_ins
        assert len(read) >= 5
        values = {e.id: e.outcome.values["height"] for e in read if e.outcome}
        # Its own column, 0.9 times the height and 0.2, and never the stray one of the same name.
        assert all(0.2 <= value < 9.3 for value in values.values())
        assert summary.best is not None
        assert summary.best.experiment not in values
        assert summary.measured == len(campaign.state.measured)
        assert summary.stand_ins == len(read)
        assert summary.experiments == summary.measured + sum(summary.failed.values()) + len(read)
        assert summary.cost == 5 * (summary.experiments - len(read)) + len(read)
        [rough] = summary.cheaper
        assert (rough.name, rough.readings) == ("rough", sum(e.status == "measured" for e in read))
        assert rough.share == pytest.approx(len(read) / (summary.cost or 0), abs=1e-4)
        last = [e for e in campaign.state if e.proposal.strategy == "improve_by_cost"][-1]
        assert f"; rough {rough.standing}" in last.proposal.because
        said = [e.proposal.because for e in read]
        assert all(text.startswith("by rough: ") and "source" not in text for text in said)
    rows = list(csv.DictReader(as_csv(look(file)).splitlines()))
    for row in rows:
        by_rough = row["experiment"] in values
        assert row["fidelity"] == ("rough" if by_rough else "target")
        assert bool(row["read by a cheaper fidelity: height [mm]"]) == by_rough
        assert not (by_rough and row["measured: height [mm]"])


def test_a_batch_ends_where_the_cost_does(replay_campaign: Written) -> None:
    plan, budget = {"initial": 8, "batch": 4}, {"experiments": 30, "cost": 30}
    with Campaign.open(replay_campaign(instrument=TARGET, strategy=plan, budget=budget)) as campaign:
        summary = campaign.run()
        assert (summary.status, summary.experiments, summary.cost) == ("finished", 6, 30)
        assert summary.why == "the budget of 30 is spent: the experiments cost 30"


def test_a_table_of_a_stand_in_may_not_change_underneath(two_tables: Written) -> None:
    file = two_tables()
    with Campaign.open(file) as campaign:
        campaign.run(experiments=2)
    table = file.parent / "rough.csv"
    text = table.read_text("utf-8")
    table.write_text(text.replace("999", "998"), "utf-8")
    with pytest.raises(RequestError, match=r"rough\.csv: this table changed since the campaign began"):
        Campaign.open(file)
    table.write_text(text, "utf-8")
    with Campaign.open(file) as campaign:
        assert len(campaign.state) == 2


def test_a_fidelity_may_not_leave_a_campaign_that_used_it(two_tables: Written) -> None:
    file = two_tables()
    with Campaign.open(file) as campaign:
        campaign.run(experiments=2)
    content = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**content, "fidelities": {}}), "utf-8")
    with pytest.raises(RequestError, match="fidelities: changed since the campaign began"):
        Campaign.open(file)
    # Whoever only looks sees the campaign as it was.
    assert look(file).summary.experiments == 2


def test_a_stand_in_without_a_reading_is_refused(two_tables: Written) -> None:
    file = two_tables()
    table = file.parent / "rough.csv"
    table.write_text("x,y,glance,height\n1.0,10.0,,999\n", "utf-8")
    with pytest.raises(RequestError, match=r"fidelities\.rough"):
        Campaign.open(file)


class Died(BaseException):
    """What a controller does."""


def test_a_controller_that_dies_under_a_stand_in_asks_that_instrument(
    furnace_campaign: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {"kind": "furnace", "options": QUICK, "cost": {"each": 1}, "time_limit": "7 min"}
    file = furnace_campaign(
        instrument={"kind": "furnace", "cost": {"each": 5}},
        fidelities={"quick": {"instrument": quick}},
        strategy={"initial": 5, "arms": {"improve": 1}},
        budget={"experiments": 30},
    )
    with Campaign.open(file) as campaign, monkeypatch.context() as dying:

        def die(*given: object, **told: object) -> object:
            pending = campaign.state.pending[0]
            if pending.proposal.fidelity == "quick":
                raise Died
            return told_outcome(*given, **told)  # type: ignore[arg-type]

        dying.setattr("labctl.lanes.outcome", die)
        with pytest.raises(Died):
            campaign.run(experiments=12)
        lost = campaign.state.pending[0]
        assert (lost.status, lost.intents[-1].time_limit_s) == ("running", 420)
    with Campaign.open(file) as campaign:
        done = campaign.step()
        assert done is not None
        assert (done.id, done.proposal.fidelity, done.status) == (lost.id, "quick", "measured")
        # It was asked what became of the attempt; none was begun anew.
        assert (len(done.intents), len(done.outcomes)) == (1, 1)
        assert done not in campaign.state.measured
