"""The knowledge gradient where nothing is left to learn: every score a number, and a reason."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labctl.campaign import Campaign
from labctl.strategies.candidates import Candidates, finite, runners_up
from labctl.strategies.knowledge_gradient import KnowledgeGradient
from labctl.strategies.protocol import Situation
from labctl.view import View

Written = Callable[..., Path]


@pytest.mark.parametrize("arm", ["knowledge_gradient", "improve", "cells", "outcome_novelty", "explore"])
def test_ordinary_numbers_are_followed_to_the_last_recipe(hand_campaign: Written, arm: str) -> None:
    file = hand_campaign(
        parameters={"x": {"kind": "integer", "unit": "mm", "low": 0, "high": 16}},
        objectives={"y": {"goal": "maximize", "unit": "MPa"}},
        strategy={"initial": 6, "replicates": 0, "arms": {arm: 1}},
        validation={"every": 0},
    )
    with Campaign.open(file) as campaign:
        for _ in range(16):
            (experiment,) = campaign.propose(1)
            campaign.record(experiment.id, {"y": 100.0 * float(experiment.proposal.recipe["x"])})
        strategies = [e.proposal.strategy for e in campaign.state]
    assert arm in strategies[6:]


def test_where_no_result_can_change_the_best_the_most_promising_is_taken_and_said(
    view_from: Callable[..., View],
    asked: Callable[..., object],
    came: Callable[..., object],
    situation_of: Callable[..., Situation],
) -> None:
    told = {
        "campaign": "flat",
        "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
        "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
        "instrument": {"kind": "hand"},
    }
    # In these units variances are too small for any number, so that no candidate has a gradient.
    done = [(asked({"x": x}), came(y=x * 1e-200)) for x in (1.0, 3.0, 5.0, 7.0)]
    choice = KnowledgeGradient().choose(situation_of(view_from(told, done)))
    assert choice is not None
    assert choice.acquisition == "upper_confidence_bound"
    assert "no single result is expected to raise the best expectation" in choice.because
    assert choice.value is not None
    values = [choice.value, *(other.value for other in choice.alternatives if other.value is not None)]
    assert values == sorted(values, reverse=True)
    assert len(values) == 4


def test_what_has_no_value_is_no_runner_up() -> None:
    among = Candidates(np.zeros((4, 1)), lambda row: {"x": row})
    values = np.array([3.0, -np.inf, np.nan, 1.0])
    assert [(o.recipe, o.value) for o in runners_up(among, [1, 3, 2], values)] == [({"x": 3}, 1.0)]
    assert finite(-math.inf) is None
    assert finite(math.nan) is None
    assert finite(2.0) == 2.0
