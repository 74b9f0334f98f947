"""An optimiser from outside chooses, and labctl keeps its own rules, limits and predictions about it."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl import Campaign, RequestError, load_config

Written = Callable[..., Path]

MODULE = '''
"""Optimisers as a lab may have them."""

import json
import random
from pathlib import Path


class Compass:
    """Steps away from the best point so far; notes down all that it is told."""

    def __init__(self, parameters, objectives, seed, step=0.2, notes=None, only=None):
        self.parameters, self.objectives = parameters, objectives
        self.random = random.Random(seed)
        self.step, self.notes, self.only = step, notes, only
        self.told = {"results": [], "registered": [], "failed": []}

    def suggest(self, num_points=None):
        if self.notes:
            Path(self.notes).write_text(json.dumps(self.told))
        if self.only is not None:
            return [dict(self.only, _id=0)]
        best = max(self.told["results"], key=lambda p: p["height"], default=None)
        point = {}
        for name, p in self.parameters.items():
            centre = best[name] if best else (p.low + p.high) / 2
            point[name] = centre + self.step * (p.high - p.low) * self.random.uniform(-1, 1)
        return [{"_id": 0, **point}]

    def ingest(self, points):
        assert all("_id" not in point for point in points)
        self.told["results"] += [dict(point) for point in points]


class Told(Compass):
    """One that also takes points and failures."""

    def register_suggestions(self, suggestions):
        self.told["registered"] += [dict(point) for point in suggestions]
        return [{**point, "_id": len(self.told["registered"]) - 1} for point in suggestions]

    def register_failures(self, suggestions):
        self.told["failed"] += [dict(point) for point in suggestions]


def broken(parameters, objectives, seed):
    raise KeyError("no licence")


def nothing(parameters, objectives, seed):
    return object()
'''


@pytest.fixture
def with_optimizer(hand_campaign: Written) -> Written:
    """Give ``with_optimizer("Told", options)``: a campaign by hand with this optimiser of the lab's own."""

    def write(name: str, options: dict[str, Any] | None = None, **changes: Any) -> Path:  # noqa: ANN401 - any key
        plugged = {"optimizer": f"lab_{name.lower()}:{name}", "modules": "lab", "options": options or {}}
        content: dict[str, Any] = {
            "parameters": {
                "x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 4},
                "y": {"kind": "continuous", "unit": "mm", "low": 0, "high": 4},
            },
            "objectives": {"height": {"goal": "maximize", "unit": "mm"}},
            "strategy": {"initial": 3, "arms": {"plugged": 1}, "replicates": 0, "plugged": plugged},
            "validation": {"every": 0},
            "budget": {"experiments": 40},
        }
        file = hand_campaign(**{**content, **changes})
        (file.parent / "lab").mkdir(exist_ok=True)
        (file.parent / "lab" / f"lab_{name.lower()}.py").write_text(textwrap.dedent(MODULE))
        return file

    return write


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has modules of its own, of the same name."""
    import sys  # noqa: PLC0415 - only to put it back

    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in sys.modules if name.startswith("lab_")]:
        monkeypatch.delitem(sys.modules, name)


def height(recipe: Any) -> float:  # noqa: ANN401 - a recipe
    return 5.0 - (float(recipe["x"]) - 1.0) ** 2 - (float(recipe["y"]) - 3.0) ** 2


def play(file: Path, n: int) -> list[Any]:
    with Campaign.open(file) as campaign:
        for _ in range(n):
            [experiment] = campaign.propose()
            campaign.record(experiment.id, {"height": height(experiment.proposal.recipe)})
        return list(campaign.state)


def test_it_chooses_and_labctl_predicts_before_the_result(with_optimizer: Written) -> None:
    done = play(with_optimizer("Compass"), 20)
    assert [e.proposal.strategy for e in done] == ["space_filling"] * 3 + ["plugged"] * 17
    assert {e.proposal.arm for e in done[3:]} == {"improve"}
    assert all(e.proposal.because.startswith(("suggested by lab_", "nearest to what lab_")) for e in done[3:])
    assert all(e.proposal.predictions["height"].sd > 0 for e in done[6:])
    assert max(e.outcome.values["height"] for e in done[3:]) > max(
        e.outcome.values["height"] for e in done[:3]
    )


def test_a_restart_after_each_result_changes_nothing(with_optimizer: Written, tmp_path: Path) -> None:
    file = with_optimizer("Compass")
    whole = [e.proposal.recipe for e in play(file, 8)]
    for path in (file.parent / f"{file.stem}.lab").iterdir():
        path.rename(tmp_path / path.name)
    for _ in range(8):
        parts = [e.proposal.recipe for e in play(file, 1)]
    assert parts == whole


def test_it_is_told_results_failures_and_what_is_under_way(with_optimizer: Written, tmp_path: Path) -> None:
    import json  # noqa: PLC0415 - only here

    notes = tmp_path / "notes.json"
    with Campaign.open(with_optimizer("Told", {"notes": str(notes)})) as campaign:
        first, second, third = campaign.propose(3)
        campaign.record(first.id, {"height": 2.0})
        campaign.record(second.id, failed="infeasible", message="it cracked")
        off = {**third.proposal.recipe, "x": 3.5}
        campaign.record(third.id, {"height": 1.0}, actual=off)
        [fourth] = campaign.propose()
        campaign.propose()
        told = json.loads(notes.read_text())
        assert told["results"] == [{**first.proposal.recipe, "height": 2.0}, {**off, "height": 1.0}]
        assert told["registered"] == [second.proposal.recipe, fourth.proposal.recipe]
        assert told["failed"] == [{**second.proposal.recipe, "_id": 0}]


def test_what_it_suggests_outside_is_moved_in_and_the_reason_says_so(with_optimizer: Written) -> None:
    stepped = {"kind": "continuous", "unit": "mm", "low": 0, "high": 4, "step": 0.5}
    parameters = {"x": stepped, "y": {"kind": "continuous", "unit": "mm", "low": 0, "high": 4}}
    file = with_optimizer("Compass", {"only": {"x": 1.3, "y": 17.0}}, parameters=parameters)
    chosen = play(file, 4)[-1].proposal
    assert chosen.recipe == {"x": 1.5, "y": 4.0}
    assert chosen.because == "nearest to what lab_compass:Compass suggested (x 1.3, y 17)"


def test_what_is_forbidden_or_was_tried_is_not_proposed(with_optimizer: Written) -> None:
    file = with_optimizer("Compass", {"only": {"x": 1.0, "y": 3.0}}, limits="limits.yaml")
    limits = "limits:\n  x: {low: 0, high: 4, unit: mm}\n  y: {low: 0, high: 4, unit: mm}\nunlimited: []\n"
    (file.parent / "limits.yaml").write_text(limits)
    done = play(file, 5)
    assert [e.proposal.strategy for e in done[3:]] == ["plugged", "gaps"]
    (file.parent / "limits.yaml").write_text(limits.replace("x: {low: 0", "x: {low: 2"))
    assert play(file, 1)[-1].proposal.recipe["x"] >= 2


def test_in_a_table_it_gets_the_nearest_row_that_is_left(replay_campaign: Written) -> None:
    plugged = {"optimizer": "lab_compass:Compass", "modules": "lab", "options": {"only": {"x": 2.2, "y": 19}}}
    file = replay_campaign(
        strategy={"initial": 1, "arms": {"plugged": 1}, "replicates": 0, "plugged": plugged}
    )
    (file.parent / "lab").mkdir()
    (file.parent / "lab" / "lab_compass.py").write_text(MODULE)
    with Campaign.open(file) as campaign:
        campaign.run(experiments=4)
        recipes = [
            tuple(e.proposal.recipe.values()) for e in campaign.state if e.proposal.strategy == "plugged"
        ]
    assert recipes[0] == (2.0, 20.0)
    assert len(set(recipes)) == 3
    assert all(abs(x - 2.2) <= 1.3 and abs(y - 19) <= 12 for x, y in recipes)


@pytest.mark.parametrize(
    ("name", "only", "says"),
    [
        ("broken", None, r"broken failed in make: KeyError: 'no licence'"),
        ("nothing", None, r"nothing gave object, which has no suggest and no ingest"),
        ("missing", None, r"has no 'missing'"),
        ("Compass", {"x": 1.0}, r"suggested a point without y"),
        ("Compass", {"x": "a lot", "y": 1.0}, r"suggested x = 'a lot'"),
        ("Compass", {"x": float("nan"), "y": 1.0}, r"suggested x = nan"),
    ],
)
def test_what_is_wrong_with_it_is_said_in_a_sentence(
    with_optimizer: Written, name: str, only: dict[str, object] | None, says: str
) -> None:
    file = with_optimizer(name, None)
    if only is not None:
        module = file.parent / "lab" / "lab_compass.py"
        module.write_text(MODULE + f"\nonly = {only!r}\n".replace("nan", "float('nan')"))
        module.write_text(
            module.read_text().replace("self.only is not None", "True").replace("self.only, _id", "only, _id")
        )
    with pytest.raises(RequestError, match=says) as caught:
        play(file, 4)
    assert "strategy.plugged.optimizer" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_file_says_what_is_missing(hand_campaign: Written) -> None:
    plugged = {"optimizer": "a:b"}
    for strategy in ({"arms": {"plugged": 1}}, {"plugged": plugged}):
        with pytest.raises(RequestError, match=r"strategy\.plugged.*give both or neither"):
            load_config(hand_campaign(strategy=strategy))
    for name in ("os.system('ls')", "../evil:make", "mylab"):
        with pytest.raises(RequestError, match=r"strategy\.plugged\.optimizer"):
            load_config(hand_campaign(strategy={"arms": {"plugged": 1}, "plugged": {"optimizer": name}}))
