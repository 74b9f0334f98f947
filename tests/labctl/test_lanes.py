"""Experiments side by side: how many run at once, what they share, and what stops one lane or all of them."""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from labctl.bench import Bench
from labctl.campaign import Campaign
from labctl.cli import main
from labctl.config import CampaignConfig, CampaignModel, load_config
from labctl.errors import RefusedError, RequestError
from labctl.ledger import Entry, Ledger
from labctl.proposal import Intent, recipe_key
from labctl.state import fold
from labctl.view import view_of
from labctl_drivers.protocol import Answer, Attempt, Bound, ExperimentFailed, FailureKind, Reading, Recipe

Written = Callable[..., Path]


@dataclass
class Floor:
    """What all instruments of a test do, and what is done to them."""

    seconds: Callable[[str], float] = lambda _experiment: 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    running: int = 0
    most: int = 0
    started: list[tuple[str, str]] = field(default_factory=list)
    needs: Mapping[str, int] = field(default_factory=dict)
    tripped: dict[str, str] = field(default_factory=dict)
    unstoppable: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    answer: Callable[[str], Answer] = lambda _key: Answer("never")


class Worker:
    """One instrument on the floor."""

    def __init__(self, floor: Floor) -> None:
        self.name = "worker"
        self.floor = floor

    def connect(self) -> None:
        if self.name in self.floor.dead:
            raise ConnectionError("nobody answers")

    def check(self, recipe: Recipe) -> str | None:  # noqa: ARG002 - the protocol's
        return None

    def needs(self, recipe: Recipe) -> Mapping[str, int]:  # noqa: ARG002 - the protocol's
        return self.floor.needs

    def interlocks(self) -> Mapping[str, Callable[[], str | None]]:
        return {"door": lambda: self.floor.tripped.get(self.name)}

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        from bluesky import plan_stubs as bps  # noqa: PLC0415 - as drivers do

        floor = self.floor
        with floor.lock:
            floor.running += 1
            floor.most = max(floor.most, floor.running)
            floor.started.append((self.name, attempt.experiment))
        try:
            yield from bps.sleep(floor.seconds(attempt.experiment))
            if self.name in floor.unstoppable:
                raise ExperimentFailed(FailureKind.INSTRUMENT_FAULT, "it smokes", stage="process")
        finally:
            with floor.lock:
                floor.running -= 1
        x = float(attempt.recipe["x"])
        return Reading({"y": x * (10.0 - x)}, {"y": "dimensionless"})

    def ask(self, key: str) -> Answer:
        return self.floor.answer(key)

    def stop(self) -> None:
        if self.name in self.floor.unstoppable:
            raise OSError("the valve is stuck")

    def close(self) -> None:
        pass


def opened(
    folder: Path,
    floor: Floor,
    *,
    lanes: int = 2,
    experiments: int = 6,
    time_limit_s: float = 60.0,
    **changes: Any,  # noqa: ANN401 - any key
) -> Campaign:
    folder.mkdir(parents=True, exist_ok=True)
    limits = folder / "limits.yaml"
    low_high = {"x": {"low": 0, "high": 10, "unit": "dimensionless"}}
    limits.write_text(json.dumps({"limits": low_high, "unlimited": []}))
    model = {
        "campaign": "floor",
        "parameters": {"x": {"kind": "continuous", "unit": "dimensionless", "low": 0, "high": 10}},
        "objectives": {"y": {"goal": "maximize", "unit": "dimensionless"}},
        "instrument": {"kind": "furnace", "lanes": lanes},
        "limits": limits.name,
        "strategy": {"initial": 3, "arms": {"random": 1}},
        "budget": {"experiments": experiments},
        **changes,
    }
    config = CampaignConfig(folder / "floor.yaml", CampaignModel.model_validate(model))
    from labctl_drivers.protocol import Surroundings  # noqa: PLC0415 - beside its use

    bench = Bench(config.space, lambda _: Worker(floor), Surroundings(), time_limit_s, limits, lanes=lanes)
    ledger = Ledger.write(folder / "ledger.sqlite")
    campaign = Campaign(config, ledger, bench, folder=folder, seed=0)
    campaign.predict_always = False
    return campaign


def events(campaign: Campaign) -> list[tuple[str, str | None]]:
    return [(e.kind, e.experiment) for e in campaign.ledger.events()]


def test_two_lanes_take_much_less_time_than_one(tmp_path: Path) -> None:
    took: dict[int, float] = {}
    for lanes in (1, 2):
        floor = Floor(seconds=lambda _: 0.5)
        with opened(tmp_path / f"{lanes}", floor, lanes=lanes, experiments=2) as campaign:
            # The first experiment of a lane pays for making it.
            campaign.run(experiments=lanes)
            begun = time.monotonic()
            campaign.run(experiments=lanes + 2)
            took[lanes] = time.monotonic() - begun
            assert floor.most == lanes
            assert len(campaign.state.measured) == lanes + 2
    assert took[2] < 0.75 * took[1]


def test_every_lane_is_kept_busy_and_has_an_instrument_of_its_own(tmp_path: Path) -> None:
    floor = Floor(seconds=lambda _: 0.05)
    with opened(tmp_path, floor, lanes=3, experiments=9) as campaign:
        campaign.run()
        intents = [e.intents[0] for e in campaign.state]
        assert {(i.lane, i.instrument) for i in intents} == {(f"lane-{k}", f"worker-{k}") for k in (1, 2, 3)}
        assert floor.most == 3
        assert campaign.ledger.verify().events == len(campaign.ledger)
    assert sorted(done for _, done in floor.started) == [f"e{n:04d}" for n in range(1, 10)]


def test_results_are_written_in_the_order_they_come_and_what_is_proposed_follows_from_it(
    tmp_path: Path,
) -> None:
    stories = []
    for name in ("one", "two"):
        floor = Floor(seconds=lambda experiment: 0.6 if experiment == "e0001" else 0.02)
        with opened(tmp_path / name, floor, experiments=6) as campaign:
            campaign.run()
            outcomes = [who for kind, who in events(campaign) if kind == "outcome"]
            assert outcomes == ["e0002", "e0003", "e0004", "e0005", "e0006", "e0001"]
            bodies = [
                {k: v for k, v in e.proposal.body().items() if k != "cpu_seconds"} for e in campaign.state
            ]
            stories.append((events(campaign), bodies))
    assert stories[0] == stories[1]


def test_the_budget_holds_with_experiments_under_way(tmp_path: Path) -> None:
    floor = Floor(seconds=lambda _: 0.02)
    with opened(tmp_path, floor, lanes=4, experiments=5, strategy={"initial": 2, "batch": 3}) as campaign:
        summary = campaign.run()
        assert (summary.status, summary.experiments, summary.waiting) == ("finished", 5, 0)


def test_what_exists_once_is_used_by_one_lane_at_a_time(tmp_path: Path) -> None:
    floor = Floor(seconds=lambda _: 0.02, needs={"furnace": 1})
    with opened(tmp_path, floor, lanes=3) as campaign:
        summary = campaign.run()
        assert (summary.status, summary.measured, floor.most) == ("finished", 6, 1)
        assert all(e.intents[0].needs == {"furnace": 1} for e in campaign.state)


def test_resources_bound_how_many_run(tmp_path: Path) -> None:
    floor = Floor(seconds=lambda _: 0.05, needs={"rack slot": 2})
    with opened(tmp_path, floor, lanes=4, resources={"rack slot": 5}) as campaign:
        assert campaign.run().measured == 6
    assert floor.most == 2


def test_needs_that_can_never_be_met_start_nothing(tmp_path: Path) -> None:
    floor = Floor(needs={"rack slot": 9})
    with opened(tmp_path, floor, resources={"rack slot": 2}, budget={"failures_in_a_row": 3}) as campaign:
        summary = campaign.run()
        assert summary.status == "halted"
        first = campaign.state["e0001"].outcome
        assert first is not None
        assert (first.kind, first.stage, campaign.summary().cost) == ("aborted", "resources", None)
        assert "needs 9 rack slot, and there is 2; say under resources" in first.message
    assert floor.started == []


def test_refusals_cost_nothing_of_the_budget_and_the_next_run_asks_again(tmp_path: Path) -> None:
    floor = Floor(needs={"rack slot": 9})
    with opened(tmp_path, floor, resources={"rack slot": 2}, lanes=1, experiments=4) as campaign:
        summary = campaign.run()
        assert (summary.status, len(campaign.state)) == ("halted", 2), summary
        assert "2 experiments in a row were not begun and do not count: not started: " in summary.why
        again = campaign.run()
        assert (again.status, len(campaign.state)) == ("halted", 4)
    floor.needs = {}
    with opened(tmp_path, floor, resources={"rack slot": 2}, lanes=1, experiments=4) as campaign:
        summary = campaign.run()
        assert (summary.status, summary.measured, len(campaign.state)) == ("finished", 4, 8)
        # The layout of the start lost none of its recipes.
        keys = [recipe_key(e.proposal.recipe) for e in campaign.state]
        assert keys[0] == keys[1] == keys[4]


def test_a_door_that_is_still_open_costs_no_experiment(tmp_path: Path) -> None:
    floor = Floor()
    with opened(tmp_path, floor, lanes=1, experiments=2) as campaign:
        floor.tripped["worker"] = "the door is open"
        for _ in range(2):
            assert campaign.run().status == "halted"
            campaign.resume(by="Ada", because="looked, and left it open")
        assert floor.started == []
        floor.tripped.clear()
        summary = campaign.run()
        assert (summary.status, summary.measured) == ("finished", 2)
        assert recipe_key(campaign.state["e0001"].proposal.recipe) == recipe_key(
            campaign.state["e0003"].proposal.recipe
        )


def test_a_recipe_of_a_persons_own_is_carried_out_by_the_next_run(tmp_path: Path) -> None:
    floor = Floor()
    with opened(tmp_path, floor, experiments=2) as campaign:
        own = campaign.expert({"x": 7.5})
        assert campaign.run().measured == 2
        assert campaign.state[own.id].status == "measured"
        assert floor.started[0][1] == own.id


def test_an_interlock_halts_until_a_person_resumes(tmp_path: Path) -> None:
    floor = Floor(seconds=lambda _: 0.3)
    with opened(tmp_path, floor) as campaign:

        def open_the_door() -> None:
            while floor.running < 2:
                time.sleep(0.005)
            floor.tripped["worker-1"] = "the door is open"

        person = threading.Thread(target=open_the_door)
        person.start()
        summary = campaign.run()
        person.join()
        assert summary.status == "halted"
        assert "worker-1 was stopped by interlock door: the door is open" in summary.why
        assert "labctl resume" in summary.why
        # The other lane's sample was not sacrificed, and its result is written.
        kinds = {e.id: e.outcome.kind if e.outcome else "none" for e in campaign.state}
        assert sorted(kinds.values(), key=str) == [None, "aborted"]
        assert campaign.step() is None
    started = len(floor.started)
    floor.tripped.clear()
    with opened(tmp_path, floor) as campaign:
        assert campaign.run().status == "halted"
        assert view_of(campaign.config, campaign.state, tmp_path).summary.status == "halted"
        assert len(floor.started) == started
        for by, because in (("", "shut it"), ("Ada", " "), ("A\ud800", "shut it")):
            with pytest.raises(RequestError):
                campaign.resume(by=by, because=because)
        assert campaign.state.halt is not None
        campaign.resume(by="Ada", because="shut the door")
        summary = campaign.run()
        assert (summary.status, summary.halted) == ("finished", None)
        with pytest.raises(RequestError, match="nothing has halted"):
            campaign.resume(by="Ada", because="again")
        assert [e.kind for e in campaign.ledger.events()].count("resume") == 1
        assert fold(campaign.ledger.events()) == campaign.state


def test_the_lane_of_a_suspect_instrument_stops_and_the_others_go_on(tmp_path: Path) -> None:
    floor = Floor(seconds=lambda _: 0.02, unstoppable={"worker-2"}, needs={"oven": 1})
    with opened(tmp_path, floor, resources={"oven": 2}, retries={"instrument_fault": 0}) as campaign:
        summary = campaign.run()
        assert (summary.status, summary.measured, summary.failed) == ("finished", 5, {"instrument_fault": 1})
        [suspect] = summary.suspects
        assert (suspect["lane"], suspect["instrument"]) == ("lane-2", "worker-2")
        assert "the valve is stuck" in suspect["reason"]
        assert [name for name, _ in floor.started].count("worker-2") == 1
    with opened(
        tmp_path, floor, resources={"oven": 1}, retries={"instrument_fault": 0}, experiments=8
    ) as campaign:
        # What the suspect attempt took may still be in use, so nobody else gets it.
        summary = campaign.run()
        assert summary.status == "halted"
        assert "worker-2 on lane-2 is suspect" in summary.why
        floor.unstoppable.clear()
        campaign.resume(by="Ada", because="a new valve")
        summary = campaign.run()
        assert (summary.status, summary.suspects) == ("finished", ())


def test_a_campaign_whose_only_instrument_is_suspect_is_halted(tmp_path: Path) -> None:
    floor = Floor(unstoppable={"worker"})
    with opened(tmp_path, floor, lanes=1) as campaign:
        summary = campaign.run()
        assert (summary.status, len(floor.started)) == ("halted", 1)
        assert "worker on lane-1 is suspect" in summary.why


def test_an_instrument_that_cannot_be_connected_leaves_its_lane_out(tmp_path: Path) -> None:
    floor = Floor(dead={"worker-2"})
    with opened(tmp_path / "one", floor) as campaign:
        assert campaign.run().status == "finished"
        assert {name for name, _ in floor.started} == {"worker-1"}
    floor = Floor(dead={"worker-1", "worker-2"})
    with opened(tmp_path / "none", floor) as campaign:
        with pytest.raises(RefusedError, match="cannot connect worker-1: ConnectionError: nobody answers"):
            campaign.run()
        assert [e.status for e in campaign.state] == ["approved"]
    with opened(tmp_path / "none", Floor()) as campaign:
        assert campaign.run().status == "finished"


def test_stop_lets_all_lanes_finish_and_abort_breaks_all_of_them_off(tmp_path: Path) -> None:
    for break_off in (False, True):
        floor = Floor(seconds=lambda _: 0.4)
        with opened(tmp_path / str(break_off), floor) as campaign:

            def interrupt(
                campaign: Campaign = campaign, floor: Floor = floor, *, hard: bool = break_off
            ) -> None:
                while floor.running < 2:
                    time.sleep(0.005)
                campaign.stop("enough")
                for _ in range(3 if hard else 0):
                    campaign.abort("enough")

            person = threading.Thread(target=interrupt)
            person.start()
            summary = campaign.run()
            person.join()
            assert (summary.status, summary.why, summary.experiments) == ("stopped", "enough", 2)
            kinds = [e.outcome.kind for e in campaign.state if e.outcome]
            assert kinds == (["aborted", "aborted"] if break_off else [None, None])


def test_a_limits_file_that_goes_bad_lets_the_other_lane_finish(tmp_path: Path) -> None:
    floor = Floor(seconds=lambda experiment: 0.4 if experiment == "e0001" else 0.02)
    with opened(tmp_path, floor) as campaign:

        def spoil(_: object) -> None:
            (tmp_path / "limits.yaml").write_text("limits: nonsense")

        with pytest.raises(RequestError, match=r"limits\.yaml"):
            campaign.run(watch=spoil)
        assert {e.id: e.status for e in campaign.state}["e0001"] == "measured"
        assert not any(e.status == "running" for e in campaign.state)


def test_a_second_lane_may_come_later_and_tables_and_people_have_one(
    furnace_campaign: Written, replay_campaign: Written
) -> None:
    file = furnace_campaign()
    with Campaign.open(file) as campaign:
        campaign.run(experiments=2)
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "instrument": {"kind": "furnace", "lanes": 2}}))
    with Campaign.open(file) as campaign:
        assert campaign.run().experiments == 5
        assert {i.instrument for e in campaign.state for i in e.intents} == {
            "furnace",
            "furnace-1",
            "furnace-2",
        }
    lanes = file.with_suffix(".lab") / "instruments"
    assert [p.name for p in sorted(lanes.rglob("*.sqlite"))] == ["furnace.sqlite", "furnace.sqlite"]
    table = replay_campaign(instrument={"kind": "replay", "dataset": "card.yaml", "lanes": 2})
    with pytest.raises(RequestError, match="lanes are for instruments that take their time"):
        load_config(table)


def left_behind(folder: Path, *, time_limit_s: float = 60.0) -> None:
    """A campaign whose controller died after the intent of its first experiment, on lane 1."""
    with opened(folder, Floor(), time_limit_s=time_limit_s) as campaign:
        experiment = campaign._propose("lane")
        assert experiment is not None
        campaign._review(experiment)
        intent = Intent(key="k/1", instrument="worker-1", lane="lane-1", time_limit_s=time_limit_s)
        campaign._append(Entry("intent", intent.body(), experiment.id, 1))


DONE = Answer("done", reading=Reading({"y": 4.0}, {"y": "dimensionless"}))


def test_an_instrument_that_answers_late_is_heard_and_the_other_lane_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labctl.lanes._ASK_AGAIN_S", 0.01)
    left_behind(tmp_path)
    floor, asked = Floor(), []

    def answer(key: str) -> Answer:
        asked.append(key)
        if len(floor.started) < 3:
            if len(asked) % 2:
                raise ConnectionError("the line is dead")
            return Answer("running")
        return DONE

    floor.answer = answer
    with opened(tmp_path, floor, time_limit_s=60.0) as campaign:
        assert campaign.run().status == "finished"
        first = campaign.state["e0001"]
        assert first.outcome is not None
        assert first.outcome.values == {"y": 4.0}
        outcomes = [who for kind, who in events(campaign) if kind == "outcome"]
        assert outcomes.index("e0001") >= 2
    assert "e0001" not in [done for _, done in floor.started]
    assert set(asked) == {"k/1"}


@pytest.mark.parametrize("silence", ["running", "dead"])
def test_an_instrument_that_never_answers_leaves_it_to_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silence: str
) -> None:
    monkeypatch.setattr("labctl.lanes._ASK_AGAIN_S", 0.01)
    left_behind(tmp_path, time_limit_s=0.2)

    def answer(_key: str) -> Answer:
        if silence == "dead":
            raise ConnectionError("the line is dead")
        return Answer("running")

    with opened(tmp_path, Floor(answer=answer), time_limit_s=0.2) as campaign:
        assert campaign.run().status == "finished"
        first = campaign.state["e0001"]
        assert first.unsettled
        assert first.outcome is not None
        sentence = "the line is dead" if silence == "dead" else "still said 'running' after 0.2 s"
        assert sentence in first.outcome.message


def test_who_breaks_off_the_asking_finds_the_attempt_as_it_was(tmp_path: Path) -> None:
    left_behind(tmp_path)
    floor = Floor()
    with opened(tmp_path, floor, experiments=1) as campaign:

        def answer(_key: str) -> Answer:
            campaign.abort("enough")
            return Answer("running")

        floor.answer = answer
        assert campaign.run().status == "stopped"
        assert campaign.state["e0001"].status == "running"
    with opened(tmp_path, Floor(answer=lambda _: DONE), experiments=1) as campaign:
        assert campaign.run().measured == 1


@pytest.mark.parametrize("lost", [False, True])
def test_a_memory_that_was_made_anew_is_not_believed(
    furnace_campaign: Written, monkeypatch: pytest.MonkeyPatch, *, lost: bool
) -> None:
    file = furnace_campaign()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with Campaign.open(file) as campaign:
        monkeypatch.setattr(campaign._lanes, "start", dies)
        with pytest.raises(KeyboardInterrupt):
            campaign.run(experiments=1)
    if lost:
        shutil.rmtree(load_config(file).folder / "instruments")
    with Campaign.open(file) as campaign:
        campaign.run(experiments=1)
        first = campaign.state["e0001"]
        assert first.intents[0].memory is not None
        assert len(first.intents) == 1
        assert first.unsettled == lost
        assert (first.status == "measured") != lost


@pytest.mark.parametrize("odd", ["pipe", "folder"])
def test_documents_that_are_no_file_are_refused_before_anything_starts(
    furnace_campaign: Written, capfd: pytest.CaptureFixture[str], odd: str
) -> None:
    file = furnace_campaign()
    folder = load_config(file).folder
    folder.mkdir()
    (os.mkfifo if odd == "pipe" else os.mkdir)(folder / "documents.jsonl")
    for command in (["run", str(file)], ["mirror", str(file), "--tiled", str(folder / "catalog")]):
        assert main(command) == 2
        said = capfd.readouterr().err
        assert "documents.jsonl" in said
        assert "is a " in said
        assert "Traceback" not in said


class Odd(Worker):
    """A worker on lane 1 that hands over what it should not."""

    def __init__(self, floor: Floor, handed: object) -> None:
        super().__init__(floor)
        self.handed = handed

    def start(self, attempt: Attempt) -> Generator[Any, Any, Any]:
        reading = yield from super().start(attempt)
        if self.name != "worker-1":
            return reading
        if isinstance(self.handed, Exception):
            raise self.handed
        return self.handed


@pytest.mark.parametrize(
    ("handed", "kind"),
    [
        (Reading({"y": "OVERLOAD"}, {}), "bad_reading"),  # type: ignore[dict-item]
        (
            ExperimentFailed(
                FailureKind.OFF_RECIPE,
                5,  # type: ignore[arg-type]
                stage="measure",
                reading=Reading({"y": "abc"}, {}),  # type: ignore[dict-item]
                bounds={"y": Bound(low="a")},  # type: ignore[arg-type]
            ),
            "off_recipe",
        ),
        (None, "bad_reading"),
    ],
)
def test_what_one_instrument_hands_over_breaks_off_no_other_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handed: object, kind: str
) -> None:
    monkeypatch.setitem(globals(), "Worker", lambda floor: Odd(floor, handed))
    floor = Floor(seconds=lambda experiment: 0.0 if experiment == "e0001" else 0.1)
    with opened(tmp_path, floor, experiments=4) as campaign:
        campaign.run()
        first, second = campaign.state["e0001"].outcomes[0], campaign.state["e0002"].outcomes[0]
        assert (first.kind, second.status) == (kind, "measured")
    with opened(tmp_path, floor, experiments=4) as campaign:
        assert campaign.summary().status in ("finished", "halted", "open")
