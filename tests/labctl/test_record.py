"""Results that a person brings for several goals: whole, in part, beyond the scale, and off recipe."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labctl.campaign import Campaign
from labctl.errors import RequestError
from labctl.export import as_csv, as_records
from labctl.proposal import Interval
from labctl.record import can_try_again, missing
from labctl.sheet.results import record_sheet
from labctl.view import View, look

OBJECTIVES = {
    "strength": {"goal": "maximize", "unit": "MPa"},
    "colour": {"goal": "target", "target": 500, "unit": "nm"},
    "width": {"goal": "observe", "unit": "um", "at_most": 20},
    "mass": {"goal": "observe", "unit": "gram"},
}


@pytest.fixture
def campaign(hand_campaign: Callable[..., Path]) -> Iterator[Campaign]:
    file = hand_campaign(objectives=OBJECTIVES, strategy={"initial": 4}, budget={"experiments": 30})
    with Campaign.open(file) as opened:
        opened.propose(4)
        yield opened


def test_one_goal_is_enough_and_the_best_keeps_the_limits(campaign: Campaign) -> None:
    assert campaign.record("e1", {"strength": 3.0}).status == "measured"
    assert campaign.record("e2", {"colour": 510.0, "width": 5.0}).status == "measured"
    assert campaign.summary().best is None
    assert (campaign.summary().beyond_limits, campaign.summary().limits_unknown) == (0, 1)
    campaign.record("e3", {"strength": 2.0, "colour": 480.0, "width": 20.0})
    campaign.record("e4", {"strength": 9.0, "colour": 500.0, "width": 20.1})
    summary = campaign.summary()
    assert summary.best is not None
    assert (summary.best.experiment, summary.best.value) == ("e0003", 2.0)
    assert [c.experiment for c in summary.front] == ["e0003"]
    assert (summary.beyond_limits, summary.limits_unknown) == (1, 1)
    with pytest.raises(RequestError, match="e0003 has its result already"):
        campaign.record("e3", {"strength": 9.0})


def test_what_a_result_lacks_is_known(campaign: Campaign) -> None:
    lacks = []
    for n, values in ((1, {"strength": 3.0}), (2, {"strength": 3.0, "colour": 500.0, "width": 5.0})):
        done = campaign.record(f"e{n}", values)
        assert done.outcome is not None
        lacks.append(missing(campaign.config, done.outcome))
    failed = campaign.record("e3", failed="infeasible").outcome
    assert failed is not None
    # What is only observed need not be given, and a failure alone lacks nothing.
    assert (*lacks, missing(campaign.config, failed)) == (["colour", "width"], [], [])


@pytest.mark.parametrize("values", [{}, {"mass": 1.0}, {"width": 1.0, "mass": 1.0}])
def test_no_goal_is_no_result(campaign: Campaign, values: dict[str, float]) -> None:
    with pytest.raises(RequestError, match="strength: give its value in MPa"):
        campaign.record("e1", values)
    assert campaign.state["e0001"].outcome is None


def test_a_bound_may_stand_beside_the_value_of_the_other_goal(campaign: Campaign) -> None:
    done = campaign.record("e1", {"strength": 3.0, "width": 1.0}, bounds={"colour": Interval(low=700)})
    assert done.outcome is not None
    assert (done.status, done.outcome.kind, done.outcome.values) == (
        "failed",
        "censored",
        {"strength": 3.0, "width": 1.0},
    )
    for n, value in ((2, 1.0), (3, 2.0)):
        campaign.record(f"e{n}", {"strength": value, "colour": 500.0, "width": 1.0})
    # The next choice rests on all three strengths, and on two colours and a bound.
    campaign.record("e4", failed="infeasible")
    [chosen] = campaign.propose(1)
    assert chosen.proposal.predictions.keys() >= {"strength", "colour"}


@pytest.mark.parametrize(
    ("values", "bounds", "said"),
    [
        ({"strength": 1.0}, {"strength": Interval(low=1)}, "strength: has a value"),
        ({"strength": 1.0, "colour": 2.0}, {"width": Interval(low=20)}, "strength: has a value"),
        ({"strength": 1.0}, {"width": Interval(low=20)}, "a censored result needs its bound"),
        ({}, {"colour": Interval(low=3, high=2)}, "colour: no value lies within these bounds"),
    ],
)
def test_a_bound_that_says_nothing_of_a_goal_is_refused(
    campaign: Campaign, values: dict[str, float], bounds: dict[str, Interval], said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        campaign.record("e1", values, bounds=bounds)


def test_partial_results_off_recipe_teach_where_they_were_made(campaign: Campaign) -> None:
    done = campaign.record("e1", {"colour": 500.0}, actual={"dose": 9.5})
    assert done.outcome is not None
    assert (done.outcome.kind, done.outcome.values) == ("off_recipe", {"colour": 500.0})
    assert done.made["dose"] == 9.5
    assert campaign.summary().front == ()


def exported(view: View) -> tuple[list[dict[str, Any]], str]:
    return as_records(view)["experiments"], as_csv(view)


def test_partial_results_survive_export_and_a_sheet(campaign: Campaign, tmp_path: Path) -> None:
    sheet = tmp_path / "results.csv"
    sheet.write_text(
        "experiment,strength [MPa],colour [nm],width [um]\ne0001,3,,5\ne0002,,498,5\ne0003,2,501,5\n", "utf-8"
    )
    record_sheet(campaign, sheet, by="anna")
    assert [len(e.outcome.values) for e in campaign.state.measured if e.outcome] == [2, 2, 3]
    view = look(campaign.config.path)
    records, text = exported(view)
    assert records[0]["values"] == {"strength": 3.0, "width": 5.0}
    assert [goal["name"] for goal in as_records(view)["goals"]] == ["strength", "colour"]
    assert as_records(view)["front"] == ["e0003"]
    header, first, *_ = text.splitlines()
    row = dict(zip(header.split(","), first.split(","), strict=False))
    assert (row["measured: strength [MPa]"], row["measured: colour [nm]"]) == ("3.0", "")


@pytest.mark.parametrize("value", [None, True, "3", [1], 10**400, math.nan, math.inf, 1e200])
def test_what_is_no_number_is_refused_and_nothing_is_written(campaign: Campaign, value: Any) -> None:  # noqa: ANN401 - whatever a program may pass
    seq = campaign.state.seq
    with pytest.raises(RequestError, match=r"^strength: is "):
        campaign.record("e1", {"strength": value})
    assert campaign.state.seq == seq


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"experiment": None}, "there is no experiment None"),
        ({"experiment": 1}, "there is no experiment 1"),
        ({"message": None}, "--message: is None, which is no text"),
        ({"by": 3}, "--by: is 3, which is no text"),
        ({"values": None, "bounds": {"strength": Interval()}}, "strength: no value lies within these bounds"),
        (
            {"failed": "off_recipe"},
            "--failed: off_recipe counts at the settings that were reached; give them",
        ),
    ],
)
def test_a_wrong_call_is_one_sentence(campaign: Campaign, how: dict[str, Any], said: str) -> None:
    seq = campaign.state.seq
    with pytest.raises(RequestError) as caught:
        campaign.record(**{"experiment": "e1", "values": {"strength": 3.0}, **how})
    assert said in str(caught.value)
    assert campaign.state.seq == seq


def test_what_missed_its_recipe_and_the_scale_counts_as_its_bound_there(campaign: Campaign) -> None:
    asked = campaign.state["e0001"].proposal.recipe
    told = {"actual": {"dose": 12.0}, "bounds": {"strength": Interval(low=50)}}
    for name, failed in (("e1", None), ("e2", "off_recipe")):
        done = campaign.record(name, {"width": 1.0}, failed=failed, **told)
        assert done.outcome is not None
        assert (done.outcome.kind, done.made["dose"]) == ("censored", 12.0)
        assert done.outcome.message.startswith("dose was 12, not ")
    best = campaign.summary().best
    assert best is not None
    assert (best.recipe, best.bound) == ({**asked, "dose": 12.0}, "at least")


def test_a_result_is_completed_once_and_both_stay_in_the_record(campaign: Campaign) -> None:
    before = campaign.record("e1", {"strength": 3.0}, message="the lamp is out").outcome
    for values, told in (
        ({"strength": 4.0}, {}),
        ({"colour": 480.0, "strength": 3.0}, {}),
        ({}, {"failed": "infeasible"}),
        ({}, {"bounds": {"colour": Interval(low=5)}}),
        ({"colour": 480.0}, {"actual": {"dose": 1.0}}),
    ):
        with pytest.raises(RequestError, match="only values of what it lacks can be added, once"):
            campaign.record("e1", values, **told)
    done = campaign.record("e1", {"colour": 480.0, "width": 5.0}, by="Ada")
    assert done.outcome is not None
    assert done.outcome.values == {"strength": 3.0, "colour": 480.0, "width": 5.0}
    assert (done.outcome.message, done.status) == ("the lamp is out", "measured")
    assert (done.settled[0].before, done.settled[0].by) == (before, "Ada")
    assert [c.experiment for c in campaign.summary().front] == ["e0001"]
    with pytest.raises(RequestError, match="e0001 has its result already"):
        campaign.record("e1", {"mass": 1.0})


def test_a_fault_by_hand_may_be_tried_again_as_often_as_the_file_says(
    hand_campaign: Callable[..., Path],
) -> None:
    with Campaign.open(hand_campaign(retries={"instrument_fault": 1})) as campaign:
        [first] = campaign.propose()
        first = campaign.record(first.id, failed="instrument_fault")
        assert can_try_again(campaign.config, campaign.state, first)
        again = campaign.expert(first.proposal.recipe)
        again = campaign.record(again.id, failed="instrument_fault")
        assert not can_try_again(campaign.config, campaign.state, again)
        [other] = campaign.propose()
        other = campaign.record(other.id, failed="infeasible")
        assert not can_try_again(campaign.config, campaign.state, other)
