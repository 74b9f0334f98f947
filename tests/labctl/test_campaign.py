"""The loop: what it proposes, when it stops, and what it refuses."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl.bench import set_up
from labctl.campaign import Campaign
from labctl.config import load_config
from labctl.errors import BusyError, RequestError
from labctl.ledger import Ledger
from labctl.proposal import Interval
from labctl.state import CampaignState
from labctl.view import look

Written = Callable[..., Path]
MIXED = {
    "strategy": {"initial": 3, "arms": {"improve": 2, "novelty": 1, "random": 1}, "replicates": 0},
    "budget": {"experiments": 9},
}


def proposals(state: CampaignState) -> list[dict[str, Any]]:
    return [{k: v for k, v in e.proposal.body().items() if k != "cpu_seconds"} for e in state]


def rewrite(file: Path, **changes: object) -> None:
    content = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**content, **changes}), "utf-8")


def test_the_same_seed_gives_the_same_campaign_in_another_folder(
    replay_campaign: Written, tmp_path: Path
) -> None:
    file, states = replay_campaign(**MIXED), []
    for folder in ("one", "two"):
        with Campaign.open(file, folder=tmp_path / folder) as campaign:
            campaign.run()
            states.append(campaign.state)
    assert proposals(states[0]) == proposals(states[1])
    assert [e.outcome.values for e in states[0] if e.outcome] == [
        e.outcome.values for e in states[1] if e.outcome
    ]
    with Campaign.open(file, folder=tmp_path / "three", seed=99) as campaign:
        campaign.run()
        assert proposals(campaign.state) != proposals(states[0])
        assert campaign.summary().seed == 99


def test_in_memory_equals_on_disk(replay_campaign: Written) -> None:
    file = replay_campaign(**MIXED)
    config = load_config(file)
    with Campaign.in_memory(config, set_up(config, folder=None, seed=3), seed=3) as campaign:
        campaign.run()
        remembered = proposals(campaign.state)
    assert not config.folder.exists()
    with Campaign.open(file) as campaign:
        campaign.run()
        assert proposals(campaign.state) == remembered


@pytest.mark.parametrize("pause_after", [1, 4, 6])
def test_a_campaign_that_paused_equals_one_that_did_not(
    replay_campaign: Written, tmp_path: Path, pause_after: int
) -> None:
    file = replay_campaign(**MIXED)
    with Campaign.open(file, folder=tmp_path / "whole") as campaign:
        campaign.run()
        whole = proposals(campaign.state)
    for target in (pause_after, 9):
        with Campaign.open(file) as campaign:
            campaign.run(experiments=target)
            parts = proposals(campaign.state)
    assert parts == whole


def test_every_prediction_is_older_than_its_result(replay_campaign: Written) -> None:
    file = replay_campaign(**MIXED)
    with Campaign.open(file) as campaign:
        campaign.run()
        places = {(e.kind, e.experiment): e.seq for e in campaign.ledger.events()}
        for experiment in campaign.state:
            order = [places[kind, experiment.id] for kind in ("proposal", "decision", "intent", "outcome")]
            assert order == sorted(order)
        predicted = [e for e in campaign.state if e.proposal.predictions]
        assert predicted
        cards = [json.loads(e.body)["hash"] for e in campaign.ledger.events() if e.kind == "surrogate"]
        assert {e.proposal.surrogate for e in predicted} <= set(cards)
        assert all(e.proposal.data for e in campaign.state)


def test_arms_get_their_shares_exactly(replay_campaign: Written) -> None:
    with Campaign.open(replay_campaign(**{**MIXED, "budget": {"experiments": 15}})) as campaign:
        campaign.run()
        arms = [e.proposal.arm for e in campaign.state]
    assert arms[:3] == ["initial"] * 3
    assert {arm: arms.count(arm) for arm in ("improve", "novelty", "random")} == {
        "improve": 6,
        "novelty": 3,
        "random": 3,
    }


def test_the_budget_counts_what_was_done_before(replay_campaign: Written) -> None:
    file = replay_campaign()
    with Campaign.open(file) as campaign:
        summary = campaign.run()
    assert (summary.status, summary.experiments) == ("finished", 6)
    with Campaign.open(file) as campaign:
        events = len(campaign.ledger)
        assert campaign.run().experiments == 6
        assert len(campaign.ledger) == events


def test_a_pool_is_exhausted_with_every_recipe_once(replay_campaign: Written) -> None:
    with Campaign.open(replay_campaign(**{**MIXED, "budget": {"experiments": 500}})) as campaign:
        summary = campaign.run()
        recipes = [tuple(e.proposal.recipe.values()) for e in campaign.state]
    assert summary.status == "exhausted"
    assert len(recipes) == len(set(recipes)) == 30
    assert summary.failed == {"censored": 1, "infeasible": 1}
    assert summary.measured == 28
    assert summary.best is not None
    assert (summary.best.recipe, summary.best.value) == ({"x": 4.0, "y": 10.0}, 10.04)


def test_a_target_ends_the_campaign_in_its_own_unit(replay_campaign: Written) -> None:
    rules = {"experiments": 30, "target": {"value": 0.9, "unit": "cm"}}
    with Campaign.open(
        replay_campaign(strategy={"initial": 2, "arms": {"random": 1}}, budget=rules)
    ) as campaign:
        summary = campaign.run()
        heights = [e.outcome.values["height"] for e in campaign.state.measured if e.outcome]
    assert (summary.status, summary.why) == ("finished", "the target is reached")
    assert heights[-1] >= 9.0 > max(heights[:-1])


def test_too_many_failures_in_a_row_halt_the_campaign(furnace_campaign: Written) -> None:
    options = {"kind": "furnace", "options": {"fault_rate": 1.0}}
    file = furnace_campaign(
        instrument=options, budget={"experiments": 9, "failures_in_a_row": 2}, retries={"instrument_fault": 1}
    )
    with Campaign.open(file) as campaign:
        summary = campaign.run()
        assert (summary.status, summary.experiments) == ("halted", 2)
        assert [len(e.outcomes) for e in campaign.state] == [2, 2]
        keys = [intent.key for e in campaign.state for intent in e.intents]
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("campaign", "other"),
        ("seed", 4),
        ("objectives", {"height": {"goal": "minimize", "unit": "mm"}}),
        ("parameters", {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 5}}),
        ("constraints", [{"terms": {"x": 1}, "at_most": 4, "unit": "mm"}]),
        ("instrument", {"kind": "replay", "dataset": "card.yaml", "replicates": "mean"}),
    ],
)
def test_what_a_campaign_is_about_may_not_change(replay_campaign: Written, key: str, value: object) -> None:
    file = replay_campaign()
    with Campaign.open(file) as campaign:
        campaign.run(experiments=2)
        events = len(campaign.ledger)
    rewrite(file, **{key: value})
    with pytest.raises(RequestError, match=rf"campaign\.yaml: {key}: changed since the campaign began"):
        Campaign.open(file)
    with Ledger.read(file.with_suffix(".lab") / "ledger.sqlite") as ledger:
        assert len(ledger) == events


def test_a_change_of_plan_is_written_down(replay_campaign: Written) -> None:
    file = replay_campaign()
    with Campaign.open(file) as campaign:
        campaign.run()
    rewrite(file, budget={"experiments": 8}, purpose="go on")
    with Campaign.open(file) as campaign:
        assert campaign.run().experiments == 8
        changes = [e for e in campaign.ledger.events() if e.kind == "change"]
    assert [json.loads(e.body)["config"]["budget"]["experiments"] for e in changes] == [8]
    with Campaign.open(file) as campaign:
        assert sum(e.kind == "change" for e in campaign.ledger.events()) == 1


def test_another_seed_is_refused_once_it_began(replay_campaign: Written) -> None:
    file = replay_campaign()
    with Campaign.open(file, seed=11) as campaign:
        campaign.run(experiments=1)
    with Campaign.open(file) as campaign:
        assert campaign.seed == 11
        assert campaign.bench.seed == 11
    with pytest.raises(RequestError, match="--seed: is 12, but the campaign began with seed 11"):
        Campaign.open(file, seed=12)


def test_a_table_that_changed_is_refused(replay_campaign: Written) -> None:
    file = replay_campaign()
    with Campaign.open(file) as campaign:
        campaign.run(experiments=2)
    with (file.parent / "table.csv").open("a") as table:
        table.write("1.0,10.0,3.5\n")
    with pytest.raises(RequestError, match=r"table\.csv: this table changed since the campaign began"):
        Campaign.open(file)


def test_a_table_of_candidates_that_changed_is_refused(hand_campaign: Written) -> None:
    file = hand_campaign(candidates={"table": "mine.csv"})
    mine = file.parent / "mine.csv"
    mine.write_text("dose,steps,solvent\n1,2,water\n2,3,no\n", "utf-8")
    with Campaign.open(file) as campaign:
        assert len(campaign.propose(5)) == 2
    mine.write_text("dose,steps,solvent\n1,2,water\n2,4,no\n", "utf-8")
    with pytest.raises(RequestError, match=r"mine\.csv: this table changed"):
        Campaign.open(file)


def test_a_second_controller_is_busy_while_readers_look(replay_campaign: Written) -> None:
    file = replay_campaign()
    with Campaign.open(file) as campaign:
        campaign.step()
        with pytest.raises(BusyError):
            Campaign.open(file)
        view = look(file)
        assert view.summary.experiments == 1
        assert view.summary.head == campaign.summary().head


@pytest.mark.parametrize(
    "change",
    [{"parameters": {}}, {"limits": "none.yaml"}, {"instrument": {"kind": "replay", "dataset": "none.yaml"}}],
)
def test_a_wrong_request_writes_nothing(replay_campaign: Written, change: dict[str, object]) -> None:
    file = replay_campaign(**change)
    before = sorted(file.parent.iterdir())
    with pytest.raises(RequestError):
        Campaign.open(file)
    assert sorted(file.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"fault_rat": 0.1}, "did you mean fault_rate"),
        ({"fault_rate": 2}, "fault_rate must be a number up to 1"),
        ({"mute": "yes"}, "mute must be true or false"),
    ],
)
def test_a_wrong_option_of_an_instrument_writes_nothing(
    furnace_campaign: Written, options: dict[str, object], sentence: str
) -> None:
    file = furnace_campaign(instrument={"kind": "furnace", "options": options})
    with pytest.raises(RequestError, match=rf"campaign\.yaml: instrument\.options: .*{sentence}"):
        Campaign.open(file)
    assert not file.with_suffix(".lab").exists()


def test_limits_are_asked_again_before_anything_moves(furnace_campaign: Written) -> None:
    file = furnace_campaign()
    with Campaign.open(file) as campaign:
        campaign.step()
        limits = json.loads((file.parent / "limits.yaml").read_text())
        limits["limits"]["temperature"]["high"] = 30
        (file.parent / "limits.yaml").write_text(json.dumps(limits))
        experiment = campaign.step()
        assert experiment is None
        summary = campaign.run()
        assert summary.status == "halted"
        assert re.search(
            r"the lab's hard limits in .*limits\.yaml leave no recipe \(temperature", summary.why
        )
        (file.parent / "limits.yaml").write_text("limits: nonsense")
        with pytest.raises(RequestError, match=r"limits\.yaml"):
            campaign.step()
        assert len(campaign.state) == 1


def test_proposals_by_hand_differ_from_each_other_and_wait(hand_campaign: Written) -> None:
    file = hand_campaign()
    with Campaign.open(file) as campaign:
        experiments = campaign.propose(5)
        recipes = {json.dumps(dict(e.proposal.recipe), sort_keys=True) for e in experiments}
        assert len(recipes) == 5
        assert [e.status for e in campaign.state.pending] == ["proposed"] * 5
        with pytest.raises(RequestError, match=r"instrument.kind: is hand"):
            campaign.run()


def test_a_result_by_hand_is_recorded_once(hand_campaign: Written) -> None:
    file = hand_campaign()
    with Campaign.open(file) as campaign:
        campaign.propose(3)
        done = campaign.record("e1", {"yield": 12.5, "colour": 3.0}, by="Ada")
        assert (done.id, done.status) == ("e0001", "measured")
        assert done.decision is not None
        assert done.decision.by == "Ada"
        failed = campaign.record("e0002", failed="infeasible", message="it would not dissolve")
        assert failed.status == "failed"
        for wrong, values, options, sentence in (
            ("e0001", {"yield": 1.0}, {}, "e0001 has its result already"),
            ("e0009", {"yield": 1.0}, {}, "there is no experiment 'e0009'"),
            ("banana", {"yield": 1.0}, {}, "there is no experiment 'banana'"),
            ("e0003", {"yeild": 1.0}, {}, "yeild: no such objective; this campaign has yield, colour"),
            ("e0003", {"yield": float("nan")}, {}, "yield: is nan, which is no result"),
            ("e0003", {"yield": float("inf")}, {}, "yield: is inf"),
            ("e0003", {"colour": 1.0}, {}, "yield: give its value in percent"),
            ("e0003", {}, {"failed": "broken"}, "'broken' is no kind of failure"),
            ("e0003", {"yield": 1.0}, {"actual": {"dosis": 1.0}}, "dosis: no such parameter"),
            ("e0003", {}, {"failed": "censored"}, "yield: a censored result needs its bound"),
            ("e0003", {"yield": 1.0}, {"failed": "censored"}, "yield: has a value, and a censored result"),
            ("e0003", {"yield": 1.0}, {"bounds": {"colour": Interval(low=1)}}, "yield: has a value, and a"),
            ("e0003", {}, {"bounds": {"hue": Interval(low=1)}}, "hue: no such objective"),
            ("e0003", {}, {"bounds": {"yield": Interval(low=2, high=1)}}, "yield: no value lies within"),
            ("e0003", {}, {"failed": "infeasible", "bounds": {"yield": Interval(low=2)}}, "a bound is for"),
        ):
            events = len(campaign.ledger)
            with pytest.raises(RequestError) as error:
                campaign.record(wrong, values, **options)
            assert sentence in str(error.value)
            assert len(campaign.ledger) == events
        assert [e.id for e in campaign.state.pending] == ["e0003"]


@pytest.mark.parametrize(
    "actual", [{"dose": float("nan")}, {"dose": "much"}, {"solvent": "mud"}, {"steps": True}]
)
def test_settings_that_cannot_have_been_reached_are_refused(
    hand_campaign: Written, actual: dict[str, Any]
) -> None:
    with Campaign.open(hand_campaign()) as campaign:
        campaign.propose(1)
        with pytest.raises(RequestError):
            campaign.record("e0001", {"yield": 1.0}, actual=actual)
        made = campaign.record("e0001", {"yield": 1.0}, actual={"dose": 12.5}, message="a slip")
        assert made.outcome is not None
        assert (made.outcome.kind, made.outcome.values) == ("off_recipe", {"yield": 1.0})
        asked = f"{made.proposal.recipe['dose']:.6g}"
        assert made.outcome.message == f"dose was 12.5, not {asked}; a slip"
        campaign.propose(5)


def test_a_recipe_of_ones_own_is_checked_and_predicted(hand_campaign: Written) -> None:
    with Campaign.open(hand_campaign()) as campaign:
        for number, experiment in enumerate(campaign.propose(6)):
            campaign.record(experiment.id, {"yield": float(number)})
        own = campaign.expert({"dose": 1, "steps": 2, "solvent": "no"})
        assert own.proposal.arm == "expert"
        assert own.proposal.recipe == {"dose": 1.0, "steps": 2, "solvent": "no"}
        assert "yield" in own.proposal.predictions
        for recipe in (
            {"dose": 1},
            {"dose": 99, "steps": 2, "solvent": "no"},
            {"dose": 1, "steps": 2, "solvent": "mud"},
        ):
            with pytest.raises(RequestError):
                campaign.expert(recipe)


def test_the_summary_is_json(furnace_campaign: Written) -> None:
    with Campaign.open(furnace_campaign()) as campaign:
        summary = campaign.run()
    assert json.loads(json.dumps(summary.as_json(), allow_nan=False))["experiments"] == 5


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"values": {"yield": 1.7e308}}, "yield: is 1.7e+308, which is larger than any reading"),
        ({"values": {"yield": 1}, "message": "a\ud800b"}, "--message: holds half a character"),
        ({"values": {"yield": 1}, "by": "a\ud800b"}, "--by: holds half a character"),
        ({"values": {"yield": 1}, "actual": {"dose": 1e308}}, "more than 1000 times its range outside"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_leaves_nothing_half_recorded(
    hand_campaign: Written, given: dict[str, Any], sentence: str
) -> None:
    with Campaign.open(hand_campaign()) as campaign:
        campaign.propose()
        before = len(campaign.ledger)
        with pytest.raises(RequestError) as wrong:
            campaign.record("e1", **given)
        assert sentence in str(wrong.value)
        assert len(campaign.ledger) == before
        assert campaign.record("e1", {"yield": 1.0}).status == "measured"


def test_an_instrument_that_remembers_a_lost_ledger_is_not_begun_with_anew(furnace_campaign: Written) -> None:
    file = furnace_campaign()
    with Campaign.open(file) as campaign:
        campaign.run(experiments=2)
        folder = Path(str(campaign.ledger.path)).parent
    for path in folder.glob("ledger*"):
        path.unlink()
    with pytest.raises(RequestError, match="instruments: the instrument remembers attempts of this campaign"):
        Campaign.open(file)
    assert not list(folder.glob("ledger*"))
    with Campaign.open(file, folder=file.parent / "anew") as campaign:
        assert campaign.run(experiments=2).status == "finished"


def test_limits_are_read_anew_when_only_their_content_changed(furnace_campaign: Written) -> None:
    file = furnace_campaign()
    limits = file.parent / "limits.yaml"
    with Campaign.open(file) as campaign:
        stamp = limits.stat()
        limits.write_text(limits.read_text().replace("600", "130"))
        os.utime(limits, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert limits.stat().st_size == stamp.st_size
        found = campaign.bench.limits()
        assert found is not None
        assert found.limits["temperature"].high == 130
