"""A campaign under the plans of bluesky-adaptive itself, in a real RunEngine."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from bluesky import RunEngine
from ophyd_async.core import init_devices, soft_signal_rw

from labctl import Campaign, RefusedError, RequestError
from labctl.adaptive import CampaignOptimizer

protocols = pytest.importorskip("bluesky_adaptive.protocols", reason="bluesky-adaptive is not installed")
plans = pytest.importorskip("bluesky_adaptive.plans", reason="bluesky-adaptive is not installed")

Written = Callable[..., Path]

PLANE: dict[str, Any] = {
    "parameters": {
        "x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 4},
        "y": {"kind": "continuous", "unit": "mm", "low": 0, "high": 4},
    },
    "objectives": {
        "height": {"goal": "maximize", "unit": "mm"},
        "tilt": {"goal": "observe", "unit": "degree"},
    },
    "strategy": {"initial": 4, "arms": {"improve": 1}},
    "budget": {"experiments": 7},
}


def height(x: float, y: float) -> float:
    return 3.0 - (x - 1.0) ** 2 - (y - 3.0) ** 2


@pytest.fixture
def engine() -> Iterator[RunEngine]:
    made = RunEngine({}, call_returns_result=True, context_managers=[])
    yield made
    made.loop.call_soon_threadsafe(made.loop.stop)
    while made.loop.is_running():
        time.sleep(0.001)
    made.loop.close()


@pytest.fixture
def campaign(hand_campaign: Written) -> Iterator[Campaign]:
    with Campaign.open(hand_campaign(**PLANE)) as opened:
        yield opened


class Evaluation:
    """Reads what a run scanned out of its documents, as a data server would tell it."""

    def __init__(self, engine: RunEngine) -> None:
        self.found: dict[str, list[Mapping[str, Any]]] = {}
        self.order: dict[str, list[str]] = {}
        self._streams: dict[str, str] = {}
        self.broken = False
        engine.subscribe(self._take)

    def _take(self, name: str, doc: Mapping[str, Any]) -> None:
        if name == "start" and "blop_acquisition_order" in doc:
            self.order[doc["uid"]] = doc["blop_acquisition_order"]
            self.found[doc["uid"]] = []
        elif name == "descriptor":
            self._streams[doc["uid"]] = doc["run_start"]
        elif name == "event" and self._streams[doc["descriptor"]] in self.found:
            self.found[self._streams[doc["descriptor"]]].append(doc["data"])

    def __call__(self, uid: str, suggestions: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        if self.broken:
            raise OSError("the detector's file is gone")
        assert {s["_id"] for s in suggestions} == set(self.order[uid])
        rows = zip(self.order[uid], self.found[uid], strict=True)
        return [{"_id": name, "height": height(row["x"], row["y"])} for name, row in rows]


@pytest.fixture
def problem(engine: RunEngine, campaign: Campaign) -> Any:  # noqa: ANN401 - of bluesky-adaptive
    with init_devices():
        x = soft_signal_rw(float, 0.0, units="mm")
        y = soft_signal_rw(float, 0.0, units="mm")
    return protocols.OptimizationProblem(
        optimizer=CampaignOptimizer(campaign),
        actuators=[x, y],
        sensors=[x, y],
        evaluation_function=Evaluation(engine),
    )


def test_it_has_every_protocol_of_an_optimiser(campaign: Campaign) -> None:
    optimizer = CampaignOptimizer(campaign)
    for name in (
        "Optimizer",
        "CanRegisterSuggestions",
        "TrialFaultAware",
        "SupportsStoppingCriteria",
        "Checkpointable",
    ):
        assert isinstance(optimizer, getattr(protocols, name))


def test_its_own_plan_optimises_and_every_prediction_is_older_than_its_result(
    engine: RunEngine,
    campaign: Campaign,
    problem: Any,  # noqa: ANN401 - of bluesky-adaptive
) -> None:
    # Without a number of iterations the campaign's own budget has to end it.
    engine(plans.optimize(problem, iterations=None, n_points=2, checkpoint_interval=1))
    assert [e.status for e in campaign.state] == ["measured"] * 8
    for experiment in campaign.state:
        recipe, outcome = experiment.proposal.recipe, experiment.outcome
        assert outcome is not None
        assert outcome.values == {"height": pytest.approx(height(recipe["x"], recipe["y"]))}
        assert outcome.source == "bluesky-adaptive"
    places = {(e.kind, e.experiment): e.seq for e in campaign.ledger.events()}
    assert all(places["proposal", e.id] < places["outcome", e.id] for e in campaign.state)
    assert campaign.state["e0007"].proposal.predictions["height"].sd > 0
    [(name, recipe, outcomes)] = problem.optimizer.get_best_points()
    assert outcomes["height"] == max(e.outcome.values["height"] for e in campaign.state if e.outcome)
    assert campaign.state[name].proposal.recipe == recipe
    assert problem.optimizer.should_stop() == (True, "the budget of 7 experiments is spent")


def test_points_of_a_person_and_a_baseline_become_experiments(
    engine: RunEngine,
    campaign: Campaign,
    problem: Any,  # noqa: ANN401 - of bluesky-adaptive
) -> None:
    engine(plans.sample_suggestions(problem, [{"x": 1.0, "y": 2.0}, {"x": 0.5, "y": 3.5}]))
    engine(plans.acquire_baseline(problem, {"x": 2.0, "y": 2.0}, md={"blop_acquisition_order": ["baseline"]}))
    assert [e.proposal.arm for e in campaign.state] == ["expert"] * 3
    assert [e.proposal.recipe["x"] for e in campaign.state] == [1.0, 0.5, 2.0]
    assert [e.status for e in campaign.state] == ["measured"] * 3


def test_a_failed_evaluation_is_written_down_and_the_next_plan_goes_on(
    engine: RunEngine,
    campaign: Campaign,
    problem: Any,  # noqa: ANN401 - of bluesky-adaptive
) -> None:
    problem.evaluation_function.broken = True
    with pytest.raises(OSError, match="detector's file"):
        engine(plans.optimize(problem, iterations=2, n_points=2))
    assert [e.outcome.kind for e in campaign.state if e.outcome] == ["unknown", "unknown"]
    problem.evaluation_function.broken = False
    engine(plans.optimize(problem, iterations=1, n_points=2))
    assert [e.status for e in campaign.state] == ["failed"] * 2 + ["measured"] * 2
    recipes = [tuple(e.proposal.recipe.values()) for e in campaign.state]
    assert len(set(recipes)) == 4


def test_what_a_dead_session_left_is_listed_and_never_suggested_twice(hand_campaign: Written) -> None:
    file = hand_campaign(**PLANE)
    with Campaign.open(file) as campaign:
        given = CampaignOptimizer(campaign).suggest(3)
    with Campaign.open(file) as campaign:
        optimizer = CampaignOptimizer(campaign)
        assert optimizer.waiting == list(given)
        optimizer.ingest([{"_id": given[0]["_id"], "height": (2.0, 0.1)}])
        optimizer.register_failures([given[0], given[1]])
        assert optimizer.waiting == [given[2]]
        [fresh] = optimizer.suggest()
        assert fresh["_id"] == "e0004"
        statuses = [e.status for e in campaign.state]
        assert campaign.state["e0001"].outcome is not None
        assert campaign.state["e0001"].outcome.values == {"height": 2.0}
    assert statuses == ["measured", "failed", "proposed", "proposed"]


def test_outcomes_are_told_apart(campaign: Campaign) -> None:
    optimizer = CampaignOptimizer(campaign)
    first, second, third = optimizer.suggest(3)
    optimizer.ingest([{**first, "height": math.nan, "other": 3.0}])
    optimizer.ingest([{**second, "x": second["x"] / 2 + 1.0, "height": 1.0}])
    optimizer.ingest([{**third, "height": 1.5, "tilt": math.inf}])
    kinds = [e.outcome.kind for e in campaign.state if e.outcome]
    assert kinds == ["bad_reading", "off_recipe", None]
    assert campaign.state["e0003"].outcome is not None
    assert campaign.state["e0003"].outcome.values == {"height": 1.5}


def test_what_makes_no_sense_is_refused_in_a_sentence(campaign: Campaign) -> None:
    optimizer = CampaignOptimizer(campaign)
    [point] = optimizer.suggest()
    with pytest.raises(RequestError, match="needs 1 more setting: y"):
        optimizer.ingest([{"_id": "nobody", "x": 1.0, "height": 1.0}])
    with pytest.raises(RequestError, match="height: give its value in mm"):
        optimizer.ingest([{"_id": point["_id"], "hight": 1.0}])
    with pytest.raises(RequestError, match="lies outside"):
        optimizer.register_suggestions([{"x": 9.0, "y": 1.0}])
    with pytest.raises(RequestError, match="no experiment of bench"):
        optimizer.register_failures([{"_id": "e0099"}])
    optimizer.ingest([{**point, "height": 1.0}])
    with pytest.raises(RequestError, match="has its result already"):
        optimizer.ingest([{**point, "height": 2.0}])


def test_suggestions_keep_the_labs_limits_and_end_when_none_is_left(hand_campaign: Written) -> None:
    file = hand_campaign(**PLANE, limits="limits.yaml")
    limits = "limits:\n  x: {low: 0, high: 1, unit: mm}\n  y: {low: 0, high: 1, unit: mm}\nunlimited: []\n"
    (file.parent / "limits.yaml").write_text(limits)
    with Campaign.open(file) as campaign:
        optimizer = CampaignOptimizer(campaign)
        points = optimizer.suggest(4)
        assert all(point["x"] <= 1.0 and point["y"] <= 1.0 for point in points)
        (file.parent / "limits.yaml").write_text(limits.replace("low: 0, high: 1", "low: 50, high: 51"))
        with pytest.raises(RefusedError, match="leave no recipe"):
            optimizer.suggest()
