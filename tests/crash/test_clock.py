"""A clock that is set back an hour and forward a day changes the times that are written, and no order."""

from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import ClassVar

import pytest

import labctl.ledger
from labctl.campaign import Campaign
from labctl.ledger import Ledger
from labctl.state import fold

CAMPAIGN = """\
campaign: clock
parameters:
  force: {kind: continuous, low: 1, high: 10, unit: kN}
  dwell: {kind: continuous, low: 1, high: 10, unit: second}
objectives:
  depth: {goal: maximize, unit: mm}
instrument: {kind: press}
limits: limits.yaml
strategy: {initial: 1, replicates: 0, arms: {random: 1}}
budget: {experiments: 12, time: 2 hour}
"""
LIMITS = """\
limits:
  force: {low: 0, high: 20, unit: kN}
  dwell: {low: 0, high: 20, unit: second}
"""


class Clock(datetime):
    """The wall clock of a machine that somebody sets."""

    set_by: ClassVar[timedelta] = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return super().now(tz) + cls.set_by


def test_a_clock_set_back_and_forward_keeps_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clock.yaml").write_text(CAMPAIGN)
    (tmp_path / "limits.yaml").write_text(LIMITS)
    monkeypatch.setattr(labctl.ledger, "datetime", Clock)
    for hours in (0, -1, 23):
        monkeypatch.setattr(Clock, "set_by", timedelta(hours=hours))
        with Campaign.open(tmp_path / "clock.yaml") as campaign:
            for _ in range(2):
                experiment = campaign.step()
                assert experiment is not None
                assert experiment.status == "measured"
    with Ledger.read(tmp_path / "clock.lab" / "ledger.sqlite") as ledger:
        assert ledger.verify().head == ledger.head
        events = list(ledger.events())
    times = [datetime.fromisoformat(event.time) for event in events]
    assert times != sorted(times)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    state = fold(iter(events))
    assert [e.id for e in state] == [f"e{n:04d}" for n in range(1, 7)]
    ended = [e.ended_seq or 0 for e in state]
    assert ended == sorted(ended)
    # The time budget is held against the clock as it stands now, not against a day that never passed.
    with Campaign.open(tmp_path / "clock.yaml") as campaign:
        assert campaign.ended() is None
    assert datetime.now(UTC) - times[0] < timedelta(hours=1)
