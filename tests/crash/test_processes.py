"""Several processes that want the same campaign, and a clock that jumps."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from crash_bench import acts, campaign_in, faults, told, unfinished

import labctl.ledger

Die = Callable[..., bool]
PROPOSALS = int(os.environ.get("LABCTL_PROPOSALS", "80"))
"""How many proposals eight processes share; 200 takes a minute and a half of one processor."""


@pytest.mark.timeout(300)
def test_eight_processes_on_one_campaign_dispatch_each_proposal_once(tmp_path: Path, die: Die) -> None:
    folder = tmp_path / "wanted"
    die(folder, "askable", processes=8, experiments=PROPOSALS, deaths=4)
    assert faults(folder) == []
    assert unfinished(folder, PROPOSALS) == []
    _, state = told(folder)
    keys = [intent.key for e in state for intent in e.intents]
    assert len(keys) == len(set(keys)) == len(acts(folder)) == PROPOSALS
    # The lock went with the last process, dead or alive.
    with campaign_in(folder, "askable", experiments=PROPOSALS) as campaign:
        assert campaign.run().experiments == PROPOSALS


class Jumping(datetime):
    """A clock that somebody sets while the campaign runs."""

    shift = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + cls.shift


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(days=1)])
def test_a_clock_that_jumps_leaves_the_order_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    monkeypatch.setattr(labctl.ledger, "datetime", Jumping)
    monkeypatch.setattr("labctl.campaign.datetime", Jumping)
    monkeypatch.setattr(Jumping, "shift", timedelta())
    with campaign_in(tmp_path, "askable", experiments=6) as campaign:
        campaign.run(experiments=2)
        Jumping.shift = jump
        campaign.run(experiments=4)
    with campaign_in(tmp_path, "askable", experiments=6) as campaign:
        Jumping.shift = timedelta()
        assert campaign.run().status == "finished"
    events, state = told(tmp_path)
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    times = [datetime.fromisoformat(e.time) for e in events]
    assert times != sorted(times)
    assert [e.status for e in state] == ["measured"] * 6
    for e in state:
        own = [event.kind for event in events if event.experiment == e.id]
        assert own == ["proposal", "decision", "intent", "outcome"]
    assert faults(tmp_path) == []
    assert datetime.now(UTC) - max(times) < timedelta(days=2)
