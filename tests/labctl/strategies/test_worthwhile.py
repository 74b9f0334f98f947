"""What is worth an experiment: neither a near twin nor what hardly makes a sample."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labctl.strategies.improve import Improve
from labctl.strategies.protocol import Situation
from labctl.strategies.worthwhile import HARDLY, NEAR, TWIN, hopeless, twins
from labctl.view import View

CAMPAIGN: dict[str, Any] = {
    "campaign": "worthwhile",
    "parameters": {
        "x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10},
        "z": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10},
    },
    "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
    "instrument": {"kind": "hand"},
}


@pytest.fixture
def after(
    view_from: Callable[..., View],
    asked: Callable[..., Any],
    came: Callable[..., Any],
    situation_of: Callable[..., Situation],
) -> Callable[..., Situation]:
    """Give ``after(n, breaks=False)``: n results of a hill at (7, 3); where it breaks, none above x = 8."""

    def build(n: int, *, breaks: bool = False) -> Situation:
        rng = np.random.default_rng(1)
        done = []
        for x, z in rng.uniform(0.0, 10.0, (n, 2)):
            y = -((x - 7.0) ** 2) - (z - 3.0) ** 2 + 0.5 * rng.standard_normal()
            lost = breaks and x > 8.0
            done.append((asked({"x": x, "z": z}), came(kind="infeasible") if lost else came(y=y)))
        return situation_of(view_from(CAMPAIGN, done))

    return build


def test_a_twin_lies_within_a_hair_in_every_setting(after: Callable[..., Situation]) -> None:
    situation = after(6)
    known = situation.knowledge.X_done[:1]
    steps = np.array([[0, 0], [0.9 * TWIN, 0], [0.9 * TWIN, 1.1 * TWIN], [0, NEAR]])
    places = known + steps
    assert twins(situation, places).tolist() == [True, True, False, False]
    # What is not expected to gain more than readings scatter has to keep farther off.
    assert twins(situation, places, np.zeros(4)).tolist() == [True, True, True, False]
    assert twins(situation, places, np.full(4, 2.0)).tolist() == [True, True, False, False]


def test_a_pool_has_no_twins(after: Callable[..., Situation]) -> None:
    situation = after(6)
    columns = {name: [0.0, 10.0, 5.0] for name in ("x", "z")}
    pooled = replace(situation, space=situation.space.with_pool(columns))
    assert not twins(pooled, situation.knowledge.X_done).any()


def test_improving_proposes_no_twin_of_the_best(after: Callable[..., Situation]) -> None:
    situation = after(40)
    for seed in range(5):
        choice = Improve().choose(replace(situation, rng=np.random.default_rng(seed)))
        assert choice is not None
        x = situation.space.encode([choice.recipe])
        assert np.abs(situation.knowledge.X_done - x).max(axis=1).min() >= TWIN


def test_what_hardly_makes_a_sample_waits_unless_the_risk_is_taken(after: Callable[..., Situation]) -> None:
    situation = after(60, breaks=True)
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 11)] * 2), axis=-1).reshape(-1, 2)
    chance = situation.surrogates.chance(grid)
    assert chance is not None
    assert chance.min() < HARDLY < chance.max()
    assert (hopeless(situation, grid, risk=False) == (chance < HARDLY)).all()
    assert not hopeless(situation, grid, risk=True).any()
    # Where nothing is likelier, nothing is ruled out.
    assert not hopeless(situation, grid[chance < HARDLY], risk=False).any()


def test_nothing_is_hopeless_before_the_first_failure(after: Callable[..., Situation]) -> None:
    assert not hopeless(after(6), np.random.default_rng(0).uniform(size=(20, 2)), risk=False).any()
