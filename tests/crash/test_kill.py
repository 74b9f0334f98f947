"""A controller that is killed at any commit goes on as if nothing had happened."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from labctl.ledger import Ledger
from labctl.state import CampaignState, fold

Live: TypeAlias = Callable[[Path, int | None], dict[str, Any]]
Written: TypeAlias = Callable[..., Path]

_SHORT: dict[str, Any] = {"strategy": {"initial": 1, "arms": {"random": 1}}, "budget": {"experiments": 2}}
# Faults and overshoots are frequent, so that attempts fail and are repeated.
_WILD = {
    **_SHORT,
    "instrument": {"kind": "furnace", "options": {"fault_rate": 0.4, "overshoot_rate": 0.3}},
    "seed": 0,
}


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    script = Path(__file__).with_name("mortal.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        stdin, stdout = server.stdin, server.stdout

        def order(campaign: Path, moments: int | None) -> dict[str, Any]:
            kind = json.loads(campaign.read_text("utf-8"))["campaign"]
            stdin.write(json.dumps({"campaign": str(campaign), "kind": kind, "moments": moments}) + "\n")
            stdin.flush()
            answer: dict[str, Any] = json.loads(stdout.readline())
            return answer

        yield order
        stdin.close()


def told(campaign: Path) -> CampaignState:
    with Ledger.read(campaign.with_suffix(".lab") / "ledger.sqlite") as ledger:
        ledger.verify()
        return fold(ledger.events())


def story(state: CampaignState) -> list[Any]:
    """Everything that must not depend on when a controller died; times, run ids and durations may."""
    chapters: list[Any] = []
    for experiment in state:
        proposal = experiment.proposal.body()
        del proposal["cpu_seconds"]
        outcomes = [
            {k: v for k, v in outcome.body().items() if k not in ("run", "seconds")}
            for outcome in experiment.outcomes
        ]
        chapters.append((experiment.id, proposal, [i.key for i in experiment.intents], outcomes))
    return chapters


def instrument_memory(campaign: Path, name: str) -> tuple[list[str], list[str]]:
    file = campaign.with_suffix(".lab") / "instruments" / f"{name}.sqlite"
    with closing(sqlite3.connect(file)) as memory:
        started = [key for (key,) in memory.execute("SELECT key FROM started ORDER BY seq")]
        finished = [key for (key,) in memory.execute("SELECT key FROM finished")]
    return started, finished


def check_nothing_lost_or_doubled(campaign: Path, instrument: str, whole: list[Any]) -> None:
    state = told(campaign)
    assert story(state) == whole
    intents = [intent.key for experiment in state for intent in experiment.intents]
    started, finished = instrument_memory(campaign, instrument)
    assert len(set(intents)) == len(intents)
    assert started == intents
    assert sorted(finished) == sorted(intents)
    for experiment in state:
        assert len(experiment.outcomes) == len(experiment.intents)
        assert experiment.status in ("measured", "failed")


@pytest.mark.parametrize("instrument", ["replay", "furnace"])
def test_killed_at_any_commit(
    live: Live,
    instrument: str,
    replay_campaign: Written,
    furnace_campaign: Written,
) -> None:
    changes = _SHORT if instrument == "replay" else _WILD
    write = replay_campaign if instrument == "replay" else furnace_campaign
    uninterrupted = write("whole", **changes)
    moments = live(uninterrupted, None)["lived"]
    whole = story(told(uninterrupted))
    if instrument == "furnace":
        assert any(len(outcomes) > 1 for *_, outcomes in whole), (
            "no attempt was repeated; choose another seed"
        )
    assert moments >= 2 * (1 + 2 * 6)
    for moment in range(moments):
        campaign = write(f"killed-{moment}", **changes)
        assert live(campaign, moment) == {"killed": True, "lived": None}
        assert live(campaign, None)["killed"] is False
        check_nothing_lost_or_doubled(campaign, instrument, whole)
        shutil.rmtree(campaign.parent)


@pytest.mark.parametrize("moments", [2, 3, 5, 9])
def test_a_controller_that_dies_again_and_again_still_gets_there(
    live: Live, moments: int, furnace_campaign: Written
) -> None:
    uninterrupted = furnace_campaign("whole", **_WILD)
    live(uninterrupted, None)
    whole = story(told(uninterrupted))
    campaign = furnace_campaign("weak", **_WILD)
    lives = 0
    while live(campaign, moments)["killed"]:
        lives += 1
        assert lives < 100, "the campaign does not get on"
    assert lives > 1
    check_nothing_lost_or_doubled(campaign, "furnace", whole)


def test_killed_around_the_card_of_a_surrogate(live: Live, replay_campaign: Written) -> None:
    changes = {"strategy": {"initial": 5, "arms": {"improve": 1}}, "budget": {"experiments": 8}}
    uninterrupted = replay_campaign("whole", **changes)
    moments = live(uninterrupted, None)["lived"]
    whole = story(told(uninterrupted))
    assert sum("predictions" in proposal and bool(proposal["predictions"]) for _, proposal, *_ in whole) >= 2
    for moment in range(moments - 15, moments - 10):
        campaign = replay_campaign(f"killed-{moment}", **changes)
        assert live(campaign, moment)["killed"] is True
        assert live(campaign, None)["killed"] is False
        check_nothing_lost_or_doubled(campaign, "replay", whole)
        with Ledger.read(campaign.with_suffix(".lab") / "ledger.sqlite") as ledger:
            cards = [json.loads(e.body)["hash"] for e in ledger.events() if e.kind == "surrogate"]
        assert len(set(cards)) == len(cards)


def test_an_instrument_that_cannot_tell_leaves_it_to_a_person(live: Live, furnace_campaign: Written) -> None:
    mute = {"kind": "furnace", "options": {"mute": True}}
    changes = {**_SHORT, "instrument": mute}
    unknown = 0
    for moment in range(8, 20):
        campaign = furnace_campaign(f"mute-{moment}", **changes)
        assert live(campaign, moment)["killed"] is True
        before = told(campaign)
        under_way = [e for e in before if e.status == "running"]
        memory = campaign.with_suffix(".lab") / "instruments" / "furnace.sqlite"
        started, finished = instrument_memory(campaign, "furnace") if memory.exists() else ([], [])
        assert live(campaign, None)["killed"] is False
        after = told(campaign)
        for experiment in under_way:
            outcome = after[experiment.id].outcomes[len(experiment.intents) - 1]
            key = experiment.intents[-1].key
            if key in started and key not in finished:
                unknown += 1
                assert (outcome.kind, outcome.stage) == ("unknown", "recover")
                assert len(after[experiment.id].intents) == len(experiment.intents)
            else:
                assert outcome.kind != "unknown"
        assert instrument_memory(campaign, "furnace")[0] == [i.key for e in after for i in e.intents]
    assert unknown > 0
