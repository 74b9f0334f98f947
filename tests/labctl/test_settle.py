"""What a person says of a sample of which the controller cannot tell, and who hears of it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from labctl.campaign import Campaign
from labctl.cli import main
from labctl.errors import RequestError
from labctl.export import as_record
from labctl.ledger import Entry
from labctl.proposal import Halt, Intent, Interval, Outcome
from labctl.report import write_report
from labctl.settle import Verdict
from labctl.state import Experiment, fold
from labctl.strategies.knowledge import knowledge
from labctl.view import look
from labctl_drivers.protocol import FailureKind

Written = Callable[..., Path]
PLAN = {"strategy": {"initial": 4, "arms": {"random": 1}}, "retries": {"instrument_fault": 1}}
RECIPE = {"temperature": 180.0, "hold_time": 60.0, "quench": "water"}


@pytest.fixture
def unknown(furnace_campaign: Written) -> Path:
    """A campaign whose second experiment ended as unknown, and whose third was left by a dead controller."""
    file = furnace_campaign(**PLAN)
    with Campaign.open(file) as campaign:
        campaign.run(experiments=1)
        for number, ends in ((2, True), (3, False)):
            experiment = campaign._propose("lane")
            assert experiment is not None
            campaign._review(experiment)
            key = f"furnace/seed-1/e{number:04d}/1"
            intent = Intent(key=key, instrument="furnace", lane="lane-1", time_limit_s=60)
            campaign._append(Entry("intent", intent.body(), experiment.id, 1))
            if ends:
                gone = Outcome(status="failed", kind=FailureKind.UNKNOWN, stage="recover", source="furnace")
                campaign._append(Entry("outcome", gone.body(), experiment.id, 1))
    return file


def heard(campaign: Campaign) -> Mapping[str, Any]:
    """What the strategies know of the hardness."""
    known = knowledge(campaign.state, campaign.bench.space, ["hardness"], ["hardness"])
    return {
        "values": known.results["hardness"].y.tolist(),
        "made": known.made.tolist(),
        "pending": len(known.X_pending),
    }


def test_measured_counts_everywhere_from_then_on(unknown: Path) -> None:
    with Campaign.open(unknown) as campaign:
        before, head = heard(campaign), campaign.ledger.head
        assert campaign.state["e0002"].unsettled
        settled = campaign.settle("e2", "measured", {"hardness": 131.0}, by="Ada", message="read by hand")
        assert (settled.status, settled.unsettled) == ("measured", False)
        [told] = settled.settled
        assert (told.verdict, told.by, told.attempt, told.before.kind) == ("measured", "Ada", 1, "unknown")
        after = heard(campaign)
        assert sorted(after["values"]) == sorted([*before["values"], 131.0])
        events = list(campaign.ledger.events())
        assert [e.kind for e in events if e.experiment == "e0002"][-2:] == ["outcome", "settled"]
        assert any(e.hash == head for e in events)
        assert campaign.ledger.verify().events == len(events)
        assert fold(events) == campaign.state
        assert settled.result_hash == events[-1].hash
    view = look(unknown)
    assert view.summary.measured == 2
    assert view.summary.unsettled == ()
    record = as_record(view.state["e0002"])
    assert record["values"] == {"hardness": 131.0}
    assert record["attempts"][0]["settled"]["before"]["kind"] == "unknown"
    assert record["attempts"][0]["settled"]["by"] == "Ada"
    page = unknown.parent / "report.html"
    write_report(view, page)
    assert "131" in page.read_text("utf-8")


def test_a_failure_teaches_by_its_kind_and_is_retried_only_if_its_kind_allows(unknown: Path) -> None:
    with Campaign.open(unknown) as campaign:
        campaign.settle("e2", "failed", by="Ada", failed="infeasible", message="it cracked")
        assert heard(campaign)["made"].count(False) == 1
        assert not campaign.state.retry_allowed(campaign.state["e0002"])
        # Left by a dead controller, and its furnace is gone: a person may settle that too.
        fault = campaign.settle("e3", "failed", by="Ada", failed="instrument_fault")
        assert [o.kind for o in fault.outcomes] == ["instrument_fault"]
        assert campaign.state.retry_allowed(fault)
        summary = campaign.run(experiments=3)
        assert [len(e.intents) for e in campaign.state] == [1, 1, 2]
        assert summary.status == "finished"


def test_never_begun_is_tried_again_with_a_key_of_its_own(unknown: Path) -> None:
    with Campaign.open(unknown) as campaign:
        again = campaign.settle("e2", "never", by="Ada")
        assert (again.status, again.finished, campaign.summary().cost) == ("approved", False, None)
        assert [e.id for e in campaign.state.pending] == ["e0002", "e0003"]
        assert heard(campaign)["pending"] == 2
        campaign.run(experiments=3)
        done = campaign.state["e0002"]
        assert done.status in ("measured", "failed")
        assert [intent.key.rpartition("/")[2] for intent in done.intents] == ["1", "2"]
        assert len(done.outcomes) == 2
        assert fold(campaign.ledger.events()) == campaign.state


@pytest.mark.parametrize(
    ("experiment", "verdict", "values", "told", "sentence"),
    [
        ("e1", "measured", {"hardness": 1.0}, {}, "e0001 is measured, and only what ended as unknown"),
        ("e9", "never", {}, {}, "there is no experiment 'e9'"),
        ("e2", "measured", {}, {}, "hardness: give its value in HV"),
        ("e2", "measured", {"hardness": 1.0}, {"failed": "infeasible"}, "--as: measured is no failure"),
        ("e2", "failed", {}, {}, "--as: failed needs --failed KIND"),
        ("e2", "failed", {}, {"failed": "unknown"}, "--failed: unknown is what it is already"),
        ("e2", "failed", {}, {"failed": "broken"}, "'broken' is no kind of failure"),
        ("e2", "never", {"hardness": 1.0}, {}, "--as: says that nothing was made"),
        ("e2", "measured", {"hardness": float("nan")}, {}, "hardness: is nan"),
        ("e2", "measured", {"hardness": 1e300}, {}, "larger than any reading"),
        ("e2", "never", {}, {"by": " "}, "--by: say who you are"),
        ("e2", "never", {}, {"by": "A\ud800"}, "--by: holds half a character"),
    ],
)
def test_what_does_not_fit_together_is_refused_and_nothing_is_written(
    unknown: Path,
    *,
    experiment: str,
    verdict: Verdict,
    values: dict[str, float],
    told: dict[str, Any],
    sentence: str,
) -> None:
    with Campaign.open(unknown) as campaign:
        events = len(campaign.ledger)
        with pytest.raises(RequestError) as wrong:
            campaign.settle(experiment, verdict, values, **{"by": "Ada", **told})
        assert sentence in str(wrong.value)
        assert len(campaign.ledger) == events


def test_a_result_by_hand_that_is_unknown_can_be_settled_and_tried_again(hand_campaign: Written) -> None:
    with Campaign.open(hand_campaign()) as campaign:
        campaign.propose(2)
        assert campaign.record("e1", failed="unknown", message="the vial is gone").unsettled
        assert campaign.settle("e1", "never", by="Ada").status == "approved"
        done = campaign.record("e1", {"yield": 4.0}, by="Ada")
        assert (done.status, len(done.outcomes)) == ("measured", 2)
        campaign.record("e2", failed="unknown")
        bound = campaign.settle("e2", "failed", by="Ada", bounds={"yield": Interval(low=50.0)})
        assert bound.outcome is not None
        assert (bound.outcome.kind, bound.outcome.bounds["yield"].low) == ("censored", 50.0)


def settle(*words: str) -> int:
    return main(["settle", *words])


def test_the_command_settles_and_status_says_what_waits_for_a_person(
    unknown: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(unknown)]) == 0
    said = capsys.readouterr().out
    assert "what became of e0002" in said
    # A terminal may break the line anywhere.
    assert f"`labctlsettle{unknown}e0002--asmeasured|failed|never--byNAME`" in "".join(said.split())
    assert settle(str(unknown), "e2", "hardness=128", "--as", "measured", "--by", "Ada") == 0
    assert "e0002 settled as measured" in capsys.readouterr().out
    assert settle(str(unknown), "e3", "--as", "never", "--by", "Ada", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["settled"], answer["tried_again"], answer["unsettled"]) == ("e0003", True, [])
    assert settle(str(unknown), "e2", "--as", "never", "--by", "Ada") == 2
    assert "only what ended as unknown can be settled" in capsys.readouterr().err
    assert settle(str(unknown), "e2", "--as", "perhaps", "--by", "Ada") == 2
    assert main(["verify", str(unknown)]) == 0


def test_the_command_resumes_and_status_says_how(unknown: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(unknown), "--by", "Ada", "--because", "why not"]) == 2
    assert "nothing has halted this campaign" in capsys.readouterr().err
    with Campaign.open(unknown) as campaign:
        halt = Halt(lane="lane-1", instrument="furnace", reason="door: it is open")
        campaign._append(Entry("halt", halt.body(), "e0001", 1))
    assert main(["status", str(unknown)]) == 1
    said = "".join(capsys.readouterr().out.split())
    assert "halted:furnacewasstoppedbyinterlockdoor:itisopen" in said
    assert f"`labctlresume{unknown}--byNAME--becauseTEXT`" in said
    assert main(["run", str(unknown)]) == 1
    with Campaign.open(unknown) as campaign:
        assert [e.status for e in campaign.state] == ["measured", "failed", "running"]
    capsys.readouterr()
    assert main(["resume", str(unknown), "--by", "Ada", "--because", "shut it", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["resumed"]["reason"], answer["halted"]) == ("door: it is open", None)
    assert main(["run", str(unknown), "--experiments", "3"]) == 0


def test_who_settled_it_stands_in_the_state(unknown: Path) -> None:
    with Campaign.open(unknown) as campaign:
        campaign.settle("e2", "failed", by="Grace", failed="bad_reading")
    experiment: Experiment = look(unknown).state["e0002"]
    assert experiment.settled[0].by == "Grace"
    assert experiment.settled[0].at == experiment.ended_at
