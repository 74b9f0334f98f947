"""Vetoed recipes: tried now and then, within every law and limit, and by no other arm."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.campaign import Campaign
from labctl.strategies.improve import Improve
from labctl.strategies.protocol import Situation
from labctl.strategies.vetoed import Vetoed
from labctl.view import View

VETO = {"when": {"x": {"above": 8, "unit": "mm"}}, "because": "it never worked"}
CAMPAIGN: dict[str, Any] = {
    "campaign": "vetoes",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
    "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
    "instrument": {"kind": "hand"},
    "advice": {"vetoes": [VETO]},
}


@pytest.fixture
def situation(
    view_from: Callable[..., View],
    asked: Callable[..., Any],
    came: Callable[..., Any],
    situation_of: Callable[..., Situation],
) -> Callable[..., Situation]:
    def build(told: dict[str, Any], **changes: Any) -> Situation:  # noqa: ANN401 - fields
        return situation_of(view_from(told, [(asked({"x": 1}), came(y=1))]), **changes)

    return build


def test_a_vetoed_recipe_is_drawn_with_the_reason_that_speaks_against_it(
    situation: Callable[..., Situation],
) -> None:
    drawn = []
    for seed in range(20):
        choice = Vetoed().choose(situation(CAMPAIGN, rng=np.random.default_rng(seed)))
        assert choice is not None
        drawn.append(float(choice.recipe["x"]))
        assert choice.because == "drawn to learn what a veto costs, which says: it never worked"
    assert min(drawn) > 8
    assert max(drawn) - min(drawn) > 1


def test_the_labs_limits_hold_for_what_is_vetoed_too(situation: Callable[..., Situation]) -> None:
    choice = Vetoed().choose(situation(CAMPAIGN, allowed=lambda recipe: recipe["x"] < 8.5))
    assert choice is not None
    assert 8 < float(choice.recipe["x"]) < 8.5
    assert Vetoed().choose(situation(CAMPAIGN, allowed=lambda _recipe: False)) is None


def test_without_a_veto_there_is_nothing_to_try(situation: Callable[..., Situation]) -> None:
    assert Vetoed().choose(situation({**CAMPAIGN, "advice": {}})) is None


def test_a_pool_runs_out_of_vetoed_recipes(replay_campaign: Callable[..., Path]) -> None:
    top = {
        "when": {"x": {"at_least": 5, "unit": "mm"}, "y": {"below": 15, "unit": "percent"}},
        "because": "odd",
    }
    file = replay_campaign(
        strategy={"initial": 2, "arms": {"improve": 1}, "replicates": 0},
        advice={"vetoes": [top], "doubt": 0.5},
        budget={"experiments": 14},
    )
    with Campaign.open(file) as campaign:
        campaign.run()
        done = list(campaign.state)
    against = [e for e in done if e.proposal.recipe["x"] == 5 and e.proposal.recipe["y"] < 15]
    # There are two of them, and half of the experiments go to them until they are used up.
    assert [e.proposal.strategy for e in against] == ["vetoed"] * 2
    assert Counter(e.proposal.strategy for e in done)["vetoed"] == 2
    assert max(e.number for e in against) <= 7


def test_improvement_does_not_climb_into_a_veto(
    view_from: Callable[..., View],
    asked: Callable[..., Any],
    came: Callable[..., Any],
    situation_of: Callable[..., Situation],
) -> None:
    # Everything says that the best lies at the right end, where the veto is.
    done = [(asked({"x": x}), came(y=x)) for x in (0.0, 1.0, 2.0, 4.0, 6.0, 7.0)]
    free = situation_of(view_from({**CAMPAIGN, "advice": {}}, done))
    choice = Improve().choose(free)
    assert choice is not None
    assert float(choice.recipe["x"]) > 8
    held = Improve().choose(situation_of(view_from(CAMPAIGN, done)))
    assert held is not None
    assert 7 < float(held.recipe["x"]) <= 8
    assert all(float(other.recipe["x"]) <= 8 for other in held.alternatives)


def by_hand(folder: Path, x: dict[str, Any], vetoes: list[dict[str, Any]], **told: Any) -> Path:  # noqa: ANN401
    file = folder / "campaign.yaml"
    parameters = {"x": x, **told.pop("parameters", {})}
    content = {
        **CAMPAIGN,
        "parameters": parameters,
        "advice": {"vetoes": vetoes, "doubt": told.pop("doubt", 0)},
        "validation": {"every": 0},
        "strategy": {"initial": 1, "arms": {"improve": 1}, "replicates": 0},
        **told,
    }
    file.write_text(json.dumps(content), "utf-8")
    return file


UNIT = {"kind": "continuous", "unit": "mm", "low": 0, "high": 1}


def above(name: str, end: float) -> dict[str, Any]:
    return {"when": {name: {"above": end, "unit": "mm"}}, "because": "no"}


def below(name: str, end: float) -> dict[str, Any]:
    return {"when": {name: {"below": end, "unit": "mm"}}, "because": "no"}


def test_vetoes_that_leave_little_leave_enough(tmp_path: Path) -> None:
    # 0.09 % of the square, as ends of each; and 0.02 % around a diagonal corner, which no end can say.
    ends = [above("x", 0.03), above("z", 0.03)]
    corner = [
        above("x", 0.03),
        {"when": {"x": {"above": 0.001, "unit": "mm"}, "z": {"below": 0.99, "unit": "mm"}}, "because": "no"},
        {"when": {"x": {"at_most": 0.001, "unit": "mm"}}, "because": "no"},
    ]
    for number, vetoes in enumerate((ends, corner)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with Campaign.open(by_hand(folder, UNIT, vetoes, parameters={"z": UNIT})) as campaign:
            for n in range(6):
                (experiment,) = campaign.propose(1)
                recipe = experiment.proposal.recipe
                assert float(recipe["x"]) <= 0.03
                assert float(recipe["z"]) <= 0.03 if number == 0 else float(recipe["z"]) >= 0.99
                campaign.record(experiment.id, {"y": float(n)})


def test_vetoes_that_leave_one_point_leave_it_and_doubt_tries_the_others_after_it(tmp_path: Path) -> None:
    vetoes = [above("x", 0.5), below("x", 0.5)]
    with Campaign.open(by_hand(tmp_path, UNIT, vetoes)) as campaign:
        assert [e.proposal.recipe for e in campaign.propose(3)] == [{"x": 0.5}]
        assert campaign.none_left() == ("exhausted", "every candidate that no veto speaks against was tried")
    in_doubt = tmp_path / "doubt"
    in_doubt.mkdir()
    with Campaign.open(by_hand(in_doubt, UNIT, vetoes, doubt=0.05)) as campaign:
        assert [e.proposal.strategy for e in campaign.propose(3)][1:] == ["vetoed"] * 2


def test_with_doubt_no_vetoed_recipe_stays_untried_for_ever(tmp_path: Path) -> None:
    small = {"kind": "integer", "unit": "mm", "low": 0, "high": 5}
    with Campaign.open(by_hand(tmp_path, small, [above("x", 1)], doubt=0.5)) as campaign:
        for _ in range(6):
            (experiment,) = campaign.propose(1)
            campaign.record(experiment.id, {"y": float(experiment.proposal.recipe["x"])})
        tried = {e.proposal.recipe["x"]: e.proposal.strategy for e in campaign.state}
        assert set(tried) == {0, 1, 2, 3, 4, 5}
        assert all(tried[x] == "vetoed" for x in (2, 3, 4, 5))
        assert campaign.propose(1) == []
        assert campaign.none_left() == ("exhausted", "every candidate was tried")


def test_a_veto_against_a_small_part_is_doubted_too(situation: Callable[..., Situation]) -> None:
    tiny = [{"when": {"x": {"above": 2, "below": 2.000001, "unit": "mm"}}, "because": "it foams"}]
    choice = Vetoed().choose(situation({**CAMPAIGN, "advice": {"vetoes": tiny}}))
    assert choice is not None
    assert 2 < float(choice.recipe["x"]) < 2.000001
