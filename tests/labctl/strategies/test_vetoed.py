"""Vetoed recipes: tried now and then, within every law and limit, and by no other arm."""

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
