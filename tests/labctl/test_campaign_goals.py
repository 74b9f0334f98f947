"""The loop with several goals: partial rows, limits on outcomes, a front, and ledgers from before that."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.bench import set_up
from labctl.campaign import Campaign
from labctl.config import load_config
from labctl.ledger import Ledger
from labctl.view import look

Written = Callable[..., Path]


@pytest.fixture
def two_goals(replay_campaign: Written) -> Written:
    """Write the small replay with a second goal and a limited quantity, which not every row has."""

    def write(name: str = "two", **changes: object) -> Path:
        objectives = {
            "height": {"goal": "maximize", "unit": "mm"},
            "price": {"goal": "minimize", "unit": "dimensionless"},
            "heat": {"goal": "observe", "unit": "mm", "at_most": 6},
        }
        told = {"objectives": objectives, "strategy": {"initial": 5}, "budget": {"experiments": 16}}
        file = replay_campaign(name, **{**told, **changes})
        table = file.parent / "table.csv"
        rows = [line.split(",") for line in table.read_text("utf-8").splitlines()]
        for i, (x, y, _) in enumerate(rows[1:]):
            price = "" if i % 7 == 3 else f"{3 + 0.8 * float(x) + 0.02 * (float(y) - 20) ** 2:.4f}"
            rows[i + 1] += [price, f"{float(x) + 0.05 * float(y):.4f}"]
        rows[5][2] = ""
        # The recipe that was measured twice has its price only once.
        rows[-1][3] = ""
        rows[0] += ["price", "heat"]
        table.write_text("\n".join(",".join(row) for row in rows) + "\n", "utf-8")
        card = json.loads((file.parent / "card.yaml").read_text("utf-8"))
        card["columns"] += [
            {"name": "price", "unit": "dimensionless", "role": "objective"},
            {"name": "heat", "unit": "mm", "role": "objective"},
        ]
        (file.parent / "card.yaml").write_text(json.dumps(card), "utf-8")
        return file

    return write


@pytest.mark.parametrize("replicates", ["draw", "mean"])
def test_two_goals_and_a_limit_run_on_partial_rows(two_goals: Written, replicates: str) -> None:
    instrument = {"kind": "replay", "dataset": "card.yaml", "replicates": replicates}
    file = two_goals(instrument=instrument)
    with Campaign.open(file) as campaign:
        summary = campaign.run()
        measured = {e.id: e.outcome.values for e in campaign.state.measured if e.outcome}
        shares = [e.proposal.shares for e in campaign.state if e.number > 5]
        names = {e.proposal.acquisition for e in campaign.state if e.proposal.strategy == "improve"}
    assert summary.experiments == 16
    partial = [values for values in measured.values() if len(values) < 3]
    assert len(partial) >= 2
    on_front = {c.experiment: c.values for c in summary.front}
    assert len(on_front) >= 2
    for name, values in on_front.items():
        assert measured[name]["heat"] <= 6
        beaten = [
            other
            for other in measured.values()
            if len(other) == 3
            and other["heat"] <= 6
            and other["height"] >= values["height"]
            and other["price"] <= values["price"]
            and (other["height"], other["price"]) != (values["height"], values["price"])
        ]
        assert not beaten
    assert all(told is not None and sum(told.values()) == pytest.approx(1, abs=1e-4) for told in shares)
    assert names <= {"log_expected_hypervolume_growth_weighed"}
    # A reader, and whoever opens it again, sees the same.
    assert look(file).summary.front == summary.front
    with Campaign.open(file) as campaign:
        assert campaign.run().head == summary.head


def test_a_mean_of_replicates_takes_each_quantity_where_it_was_read(two_goals: Written) -> None:
    instrument = {"kind": "replay", "dataset": "card.yaml", "replicates": "mean"}
    bench = set_up(load_config(two_goals(instrument=instrument)), folder=None, seed=0)
    [corner] = [row for row in bench.rows if row.recipe == {"x": 5.0, "y": 40.0}]
    # Once with height and price, once with the height alone.
    assert corner.values.keys() == {"height", "price", "heat"}
    single = next(
        row
        for row in set_up(load_config(two_goals("b")), folder=None, seed=0).rows
        if row.recipe == corner.recipe
    )
    assert corner.values["price"] == single.values["price"]
    assert corner.values["height"] == pytest.approx((single.values["height"] + 1.25) / 2)


def test_a_ledger_from_before_goals_and_fidelities_goes_on(replay_campaign: Written) -> None:
    file = replay_campaign()
    with Campaign.open(file) as campaign:
        campaign.run(experiments=3)
        events = [(e.kind, json.loads(e.body), e.experiment, e.attempt) for e in campaign.ledger.events()]
    new = ("advice", "fidelities", "stop")
    old = file.parent / "old"
    with Ledger.write(old / "ledger.sqlite") as ledger:
        for kind, body, experiment, attempt in events:
            if kind == "campaign":
                body["config"] = {k: v for k, v in body["config"].items() if k not in new}
                for name in ("floors", "batch"):
                    body["config"]["strategy"].pop(name, None)
            if kind == "proposal":
                for name in ("strategy", "feasibility", "shares"):
                    body.pop(name, None)
            ledger.append(kind, body, experiment=experiment, attempt=attempt)
    with Campaign.open(file, folder=old) as campaign:
        summary = campaign.run()
        kinds = [e.kind for e in campaign.ledger.events()]
    assert summary.experiments == 6
    # What this version adds is on record, once.
    assert kinds.count("change") == 1
    assert look(file, old).summary.head == summary.head
