"""The state is what the events say, however they are cut into pieces."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.config import CampaignConfig, CampaignModel
from labctl.errors import RefusedError
from labctl.ledger import Event, Ledger
from labctl.proposal import NEVER, Decision, Halt, Intent, Outcome, Proposal, Resume, recipe_key
from labctl.state import CampaignState, experiment_id, fold
from labctl_drivers.protocol import FailureKind

RETRIES = {"instrument_fault": 2, "bad_reading": 1}


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """A history that a controller could have written: several experiments, interleaved, retried, cut off."""
    with Ledger.write(None) as ledger:
        config = {"retries": RETRIES}
        ledger.append("campaign", {"config": config, "seed": 1})
        waiting: list[tuple[str, int]] = []
        for number in range(1, draw(st.integers(1, 6)) + 1):
            name = experiment_id(number)
            proposal = Proposal(
                recipe={"x": float(draw(st.integers(0, 3)))},
                arm="random",
                because="b",
                data="d",
                code="c",
                seed=1,
            )
            ledger.append("proposal", proposal.body(), experiment=name, attempt=0)
            if draw(st.booleans()):
                verdict = draw(st.sampled_from(["approved", "approved", "rejected"]))
                ledger.append(
                    "decision", Decision(verdict=verdict, by="rule").body(), experiment=name, attempt=0
                )
                if verdict == "approved":
                    waiting.append((name, 1))
        for _ in range(draw(st.integers(0, 10))):
            if not waiting:
                break
            name, attempt = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
            intent = Intent(key=f"{name}/{attempt}", instrument="i", lane="l", time_limit_s=1)
            ledger.append("intent", intent.body(), experiment=name, attempt=attempt)
            if draw(st.integers(0, 4)) == 0:
                continue
            kind = draw(st.sampled_from([None, *FailureKind]))
            outcome = Outcome(status="failed" if kind else "measured", kind=kind, source="i")
            ledger.append("outcome", outcome.body(), experiment=name, attempt=attempt)
            if kind in RETRIES and attempt <= RETRIES[kind]:
                waiting.append((name, attempt + 1))
            if kind == FailureKind.UNKNOWN and _settled(draw, ledger, name, attempt) == "never":
                waiting.append((name, attempt + 1))
            _troubled(draw, ledger, name, attempt)
        return list(ledger.events())


def _troubled(draw: st.DrawFn, ledger: Ledger, name: str, attempt: int) -> None:
    """Now and then an interlock trips, and somebody may have looked."""
    if draw(st.integers(0, 5)) == 0:
        halt = Halt(lane="l", instrument="i", reason="door: open")
        ledger.append("halt", halt.body(), experiment=name, attempt=attempt)
        if draw(st.booleans()):
            ledger.append("resume", Resume(by="Ada", because="shut").body())


def _settled(draw: st.DrawFn, ledger: Ledger, name: str, attempt: int) -> str | None:
    """What a person says of an attempt, where one looks at it at all."""
    outcomes = {
        "measured": Outcome(status="measured", source="Ada"),
        "failed": Outcome(status="failed", kind=FailureKind.INFEASIBLE, source="Ada"),
        "never": Outcome(status="failed", kind=FailureKind.ABORTED, stage=NEVER, source="Ada"),
    }
    verdict = draw(st.sampled_from([None, "measured", "failed", "never"]))
    if verdict is not None:
        told = {"verdict": verdict, "outcome": outcomes[verdict].body(), "by": "Ada"}
        ledger.append("settled", told, experiment=name, attempt=attempt)
    return verdict


@settings(max_examples=80, deadline=None)
@given(histories(), st.data())
def test_a_fold_may_be_cut_anywhere_and_leaves_its_beginning_alone(
    events: list[Event], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(events)))
    begun = fold(events[:cut])
    kept = list(begun)
    whole = fold(events)
    assert begun.extend(events[cut:]) == whole
    assert list(begun) == kept
    assert (whole.seq, whole.head) == (events[-1].seq, events[-1].hash)


@settings(max_examples=80, deadline=None)
@given(histories())
def test_statuses_attempts_and_what_was_tried_agree_with_the_events(events: list[Event]) -> None:
    state = fold(events)
    for experiment in state:
        own = [e for e in events if e.experiment == experiment.id]
        kinds = [e.kind for e in own]
        assert len(experiment.intents) == kinds.count("intent")
        assert len(experiment.outcomes) == kinds.count("outcome")
        own = [e for e in own if e.kind != "halt"]
        last = json.loads(own[-1].body)
        expected = {
            "proposal": "proposed",
            "decision": last.get("verdict"),
            "intent": "running",
            "outcome": last.get("status"),
            "settled": {"never": "approved"}.get(last.get("verdict"), last.get("verdict")),
        }[own[-1].kind]
        assert len(experiment.settled) == kinds.count("settled")
        assert experiment.status == expected
        again = state.retry_allowed(experiment)
        assert (experiment in state.pending) == (not experiment.finished or again)
        if again:
            assert experiment.outcome is not None
            assert experiment.outcome.kind in RETRIES
            assert experiment.attempts_failed_by(experiment.outcome.kind) <= RETRIES[experiment.outcome.kind]
        if not experiment.finished or experiment.status == "measured":
            assert recipe_key(experiment.proposal.recipe) in state.tried
    troubles = [e.kind for e in events if e.kind in ("halt", "resume")]
    assert (state.halt is not None) == (troubles[-1:] == ["halt"])
    assert set(state.tried) <= {recipe_key(e.proposal.recipe) for e in state}


def test_a_campaign_read_back_is_the_state_it_had(furnace_campaign: Callable[..., Path]) -> None:
    from labctl.campaign import Campaign  # noqa: PLC0415 - bluesky takes a moment

    with Campaign.open(furnace_campaign()) as campaign:
        campaign.run()
        assert fold(campaign.ledger.events()) == campaign.state
        config = CampaignModel.model_validate(campaign.state.config)
        assert CampaignConfig(campaign.config.path, config).as_json() == campaign.config.as_json()


def test_an_empty_ledger_is_an_empty_state() -> None:
    assert fold([]) == CampaignState()
    assert len(fold([])) == 0


@pytest.mark.parametrize("body", ["{}", "[]", '{"recipe": 3}'])
def test_an_event_that_nobody_writes_is_named_and_not_a_traceback(body: str) -> None:
    strange = Event(7, "2026-01-01T00:00:00+00:00", "proposal", "e0001", 0, body, "0" * 64, "1" * 64)
    with pytest.raises(RefusedError, match=r"event 7 \(proposal\)"):
        fold([strange])
