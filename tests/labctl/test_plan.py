"""A campaign inside somebody's own RunEngine: the same ledger, and at most once whatever they press."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bluesky import RunEngine
from bluesky import plan_stubs as bps
from bluesky.utils import RunEngineInterrupted

from labctl import Campaign, RequestError
from labctl.plan import campaign_plan
from labctl.state import CampaignState
from labctl_drivers.memory import Memory

Written = Callable[..., Path]

QUIET = {"fault_rate": 0, "overshoot_rate": 0, "smear_rate": 0}
SHORT = {
    "temperature": {"kind": "continuous", "unit": "degC", "low": 120, "high": 140},
    "hold_time": {"kind": "continuous", "unit": "minute", "low": 10, "high": 12},
    "quench": {"kind": "categorical", "choices": ["water", "oil", "air"]},
}


@pytest.fixture
def engine() -> Iterator[RunEngine]:
    made = RunEngine({"user": "me"}, call_returns_result=True, context_managers=[])
    yield made
    made.loop.call_soon_threadsafe(made.loop.stop)
    while made.loop.is_running():
        time.sleep(0.001)
    made.loop.close()


@pytest.fixture
def slow(furnace_campaign: Written) -> Path:
    """A campaign whose experiments take about half a second each."""
    options = {**QUIET, "speed": 2400}
    return furnace_campaign(parameters=SHORT, instrument={"kind": "furnace", "options": options})


def _state(file: Path) -> CampaignState:
    with Campaign.open(file) as campaign:
        return campaign.state


def _started(file: Path) -> list[str]:
    """The keys that the instrument remembers to have started."""
    memory = Memory(
        next((file.parent / f"{file.stem}.lab" / "instruments").rglob("*.sqlite")).parent, "furnace"
    )
    keys = [remembered.attempt.key for remembered in memory.all()]
    memory.close()
    return keys


def _when_running(engine: RunEngine, do: Callable[[], object]) -> threading.Thread:
    """Do something while the second run is under way."""
    starts: list[Any] = []
    engine.subscribe(lambda _name, doc: starts.append(doc), "start")

    def wait() -> None:
        while len(starts) < 2:
            time.sleep(0.005)
        time.sleep(0.1)
        do()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_it_runs_with_their_subscribers_and_goes_on_later(
    engine: RunEngine, furnace_campaign: Written
) -> None:
    file = furnace_campaign()
    told: list[tuple[str, Any]] = []
    watched: list[str] = []
    engine.subscribe(lambda name, doc: told.append((name, doc)))
    first = engine(campaign_plan(file, experiments=3, watch=lambda e: watched.append(e.id))).plan_result
    assert (first.status, first.experiments) == ("finished", 3)
    assert watched == ["e0001", "e0002", "e0003"]
    second = engine(campaign_plan(file)).plan_result
    assert second.experiments == 5
    state = _state(file)
    starts = [doc for name, doc in told if name == "start"]
    assert {doc["user"] for doc in starts} == {"me"}
    assert [doc["key"] for doc in starts] == [intent.key for e in state for intent in e.intents]
    assert {doc["uid"] for doc in starts} == {outcome.run for e in state for outcome in e.outcomes}
    lines = (file.parent / f"{file.stem}.lab" / "documents.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in lines] == [name for name, _ in told]


def test_it_proposes_and_measures_what_labctl_run_does(
    engine: RunEngine, furnace_campaign: Written, tmp_path: Path
) -> None:
    file = furnace_campaign()
    engine(campaign_plan(file))
    ours = _state(file)
    with Campaign.open(file, folder=tmp_path / "other") as campaign:
        campaign.run()
        theirs = campaign.state
    assert [e.proposal.recipe for e in ours] == [e.proposal.recipe for e in theirs]
    assert [[o.values for o in e.outcomes] for e in ours] == [[o.values for o in e.outcomes] for e in theirs]


def test_it_can_be_a_part_of_another_plan(engine: RunEngine, furnace_campaign: Written) -> None:
    file = furnace_campaign()

    def around() -> Any:  # noqa: ANN401 - a plan
        yield from bps.sleep(0.01)
        summary = yield from campaign_plan(file, experiments=2)
        yield from bps.sleep(0.01)
        return summary.experiments

    assert engine(around()).plan_result == 2


@pytest.mark.parametrize("how", ["abort", "stop", "pause"])
def test_what_breaks_off_the_engine_is_written_down_and_not_done_again(
    engine: RunEngine, slow: Path, how: str
) -> None:
    does = {"abort": lambda: engine.abort("enough"), "stop": engine.stop, "pause": engine.request_pause}
    thread = _when_running(engine, does[how])
    with contextlib.suppress(RunEngineInterrupted):
        engine(campaign_plan(slow, experiments=4))
    thread.join()
    assert engine.state == "idle"
    state = _state(slow)
    assert [e.status for e in state] == ["measured", "failed"]
    outcome = state["e0002"].outcome
    assert outcome is not None
    assert (outcome.kind, outcome.source) == ("aborted", "furnace")
    assert "outside the lane" in outcome.message
    assert engine(campaign_plan(slow, experiments=4)).plan_result.experiments == 4
    state = _state(slow)
    assert [e.status for e in state] == ["measured", "failed", "measured", "measured"]
    keys = _started(slow)
    assert len(keys) == len(set(keys)) == 4


def test_a_halt_is_written_down_too(engine: RunEngine, slow: Path) -> None:
    thread = _when_running(engine, engine.halt)
    with pytest.raises(RunEngineInterrupted):
        engine(campaign_plan(slow, experiments=4))
    thread.join()
    _wait(lambda: not any(t.name == "campaign" for t in threading.enumerate()))
    state = _state(slow)
    assert [e.status for e in state] == ["measured", "failed"]
    assert state["e0002"].outcome is not None
    assert state["e0002"].outcome.kind == "aborted"


def test_one_ctrl_c_ends_it_after_the_experiment_that_runs(engine: RunEngine, slow: Path) -> None:
    thread = _when_running(engine, lambda: engine.request_pause(defer=True))
    with pytest.raises(RunEngineInterrupted):
        engine(campaign_plan(slow, experiments=4))
    thread.join()
    assert [e.status for e in _state(slow)] == ["measured", "measured"]
    assert engine(campaign_plan(slow, experiments=3)).plan_result.experiments == 3


def test_a_time_limit_ends_one_attempt_and_not_the_plan(engine: RunEngine, furnace_campaign: Written) -> None:
    limited = {"kind": "furnace", "options": {**QUIET, "speed": 2400}, "time_limit": "0.1 second"}
    file = furnace_campaign(parameters=SHORT, instrument=limited, retries={"instrument_fault": 0})
    summary = engine(campaign_plan(file, experiments=2)).plan_result
    assert summary.failed == {"instrument_fault": 2}
    assert all("timed out after 0.1 s" in e.outcome.message for e in _state(file) if e.outcome)
    assert engine.state == "idle"


def test_what_is_wrong_with_the_request_comes_out_of_the_engine(
    engine: RunEngine, furnace_campaign: Written, hand_campaign: Written
) -> None:
    with pytest.raises(RequestError, match="nothing to run"):
        engine(campaign_plan(hand_campaign()))
    file = furnace_campaign()
    (file.parent / "limits.yaml").unlink()
    with pytest.raises(RequestError, match=r"limits\.yaml"):
        engine(campaign_plan(file))
    with pytest.raises(RequestError, match=r"instrument\.lanes: a RunEngine carries out one"):
        engine(campaign_plan(furnace_campaign("two", instrument={"kind": "furnace", "lanes": 2})))
    assert engine.state == "idle"


def _wait(for_it: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not for_it():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
