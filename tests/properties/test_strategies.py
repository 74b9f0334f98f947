"""Laws of strategies: pure, lawful, never twice; and minimising mirrors maximising."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from labctl.config import CampaignConfig, CampaignModel
from labctl.ledger import Ledger
from labctl.proposal import Outcome, recipe_key
from labctl.space import Space
from labctl.state import CampaignState, experiment_id, fold
from labctl.strategies.knowledge import Results
from labctl.strategies.surrogate import fit
from labctl.strategy import propose
from labctl_drivers.protocol import Recipe

SPACES: dict[str, dict[str, Any]] = {
    "mixed": {
        "parameters": {
            "t": {"kind": "continuous", "unit": "minute", "low": 1, "high": 100, "scale": "log"},
            "n": {"kind": "integer", "unit": "dimensionless", "low": 0, "high": 4},
            "mesh": {"kind": "ordinal", "unit": "mm", "levels": [1, 2, 5]},
            "acid": {"kind": "categorical", "choices": ["HCl", "no"]},
        }
    },
    "mixture": {
        "parameters": {c: {"kind": "continuous", "unit": "percent", "low": 0, "high": 100} for c in "abcd"},
        "mixtures": {"m": {"parts": ["a", "b", "c", "d"], "total": 100, "unit": "percent", "max_parts": 3}},
        "constraints": [{"terms": {"a": 1, "b": 1}, "at_most": 60, "unit": "percent"}],
    },
    "formula": {
        "parameters": {
            "salt": {
                "kind": "formula",
                "choices": ["NaCl", "KBr", "LiF", "MgO", "CaF2", "Fe2O3", "TiO2", "SiO2"],
            },
            "n": {"kind": "integer", "unit": "dimensionless", "low": 1, "high": 3},
        }
    },
}


def config_of(space: Mapping[str, Any], arm: str, goal: str = "maximize", initial: int = 2) -> CampaignConfig:
    content = {
        "campaign": "laws",
        **space,
        "objectives": {"y": {"goal": goal, "unit": "dimensionless"}},
        "instrument": {"kind": "hand"},
        "strategy": {"initial": initial, "arms": {arm: 1}, "replicates": 0},
    }
    return CampaignConfig(Path("laws.yaml"), CampaignModel.model_validate(content))


def height(space: Space, recipe: Recipe) -> float:
    x = space.encode([recipe])[0]
    return float(-np.sum((x - 0.3) ** 2) + 0.1 * x[0])


def play(
    config: CampaignConfig,
    steps: int,
    *,
    seed: int,
    sign: float = 1.0,
    space: Space | None = None,
    allowed: Any = lambda _: True,  # noqa: ANN401 - a rule
) -> tuple[CampaignState, list[Recipe]]:
    """Carry out proposals, each answered at once by a smooth function."""
    space = space or config.space
    chosen: list[Recipe] = []
    with Ledger.write(None) as ledger:
        first = {"config": config.as_json(), "seed": seed, "table": None, "token": "t", "code": "c"}
        state = fold([ledger.append("campaign", first)])
        for number in range(1, steps + 1):
            proposed = propose(config, space, state, seed=seed, allowed=allowed)
            if proposed is None:
                break
            chosen.append(proposed.proposal.recipe)
            name, value = experiment_id(number), sign * height(space, proposed.proposal.recipe)
            outcome = Outcome(status="measured", values={"y": value}, source="test")
            state = state.extend(
                [
                    ledger.append("proposal", proposed.proposal.body(), experiment=name, attempt=0),
                    ledger.append(
                        "decision", {"verdict": "approved", "by": "rule"}, experiment=name, attempt=0
                    ),
                    ledger.append("outcome", outcome.body(), experiment=name, attempt=1),
                ]
            )
        return state, chosen


@settings(max_examples=10, deadline=None)
@given(
    space=st.sampled_from(sorted(SPACES)),
    arm=st.sampled_from(["improve", "novelty", "outcome_novelty", "learned_novelty", "cells", "random"]),
    seed=st.integers(0, 10_000),
)
def test_proposals_are_lawful_allowed_fresh_and_repeatable(space: str, arm: str, seed: int) -> None:
    config = config_of(SPACES[space], arm)
    barred = next(iter(config.space.parameters))
    limit = {"mixed": 50.0, "mixture": 40.0}.get(space)

    def allowed(recipe: Recipe) -> bool:
        return recipe[barred] != "NaCl" if limit is None else float(recipe[barred]) <= limit

    _, chosen = play(config, 6, seed=seed, allowed=allowed)
    assert len(chosen) == 6
    for recipe in chosen:
        assert config.space.problems(recipe) == ()
        assert config.space.canonical(recipe) == recipe
        assert allowed(recipe)
    assert len({recipe_key(recipe) for recipe in chosen}) == 6
    assert play(config, 6, seed=seed, allowed=allowed)[1] == chosen


@pytest.mark.parametrize("space", sorted(SPACES))
def test_minimising_the_negative_is_maximising(space: str) -> None:
    up = play(config_of(SPACES[space], "improve", "maximize"), 7, seed=4)[1]
    down = play(config_of(SPACES[space], "improve", "minimize"), 7, seed=4, sign=-1.0)[1]
    assert up == down


@pytest.mark.parametrize("arm", ["improve", "novelty", "outcome_novelty", "cells", "random"])
@pytest.mark.parametrize("start", [1, 7])
def test_a_small_pool_is_used_up_exactly_once(arm: str, start: int) -> None:
    config = config_of(SPACES["mixed"], arm, initial=start)
    pool = {
        "t": [1.0, 10.0, 100.0] * 3,
        "n": [0, 0, 0, 1, 1, 1, 4, 4, 4],
        "mesh": [1.0] * 9,
        "acid": ["no"] * 9,
    }
    state, chosen = play(config, 30, seed=1, space=config.space.with_pool(pool))
    assert len(chosen) == 9
    assert len({recipe_key(recipe) for recipe in chosen}) == 9
    assert len(state.tried) == 9


def test_a_finite_space_without_a_pool_ends_too() -> None:
    config = config_of(SPACES["formula"], "random")
    _, chosen = play(config, 60, seed=3)
    assert len({recipe_key(r) for r in chosen}) == len(chosen)
    assert len(chosen) >= 22  # of 24; draws may miss the last ones


def test_improve_beats_chance_on_a_smooth_function() -> None:
    best: dict[str, list[float]] = {}
    for arm in ("improve", "random"):
        config = config_of(SPACES["mixed"], arm, initial=5)
        for seed in range(5):
            _, chosen = play(config, 18, seed=seed)
            best.setdefault(arm, []).append(max(height(config.space, r) for r in chosen))
    better = sum(a > b for a in best["improve"] for b in best["random"])
    assert better >= 20, f"improve wins {better} of 25 pairs"
    assert np.median(best["improve"]) > np.median(best["random"])


def test_novelty_takes_a_remote_recipe_that_has_no_twin() -> None:
    """Among the quarter most remote from their nearest ones, the one farthest from the very nearest."""
    unit_square = {n: {"kind": "continuous", "unit": "mm", "low": 0, "high": 1} for n in "ab"}
    config = config_of({"parameters": unit_square}, "novelty")
    X = config.space.encode(play(config, 16, seed=2)[1])
    elsewhere = np.random.default_rng(0).random((400, 2))

    def gaps(points: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances to the k nearest known recipes, the very nearest first."""
        k = min(math.ceil(math.sqrt(len(known))), len(known) - 1)
        apart = np.linalg.norm(points[:, None] - known[None], axis=2)
        return np.asarray(np.sort(apart, axis=1)[:, :k])

    for i in range(3, 16):
        chosen, others = gaps(X[i : i + 1], X[:i])[0], gaps(elsewhere, X[:i])
        remote = others.mean(axis=1) >= np.quantile(others.mean(axis=1), 0.75)
        assert chosen.mean() > np.quantile(others.mean(axis=1), 0.7), i
        assert chosen[0] > np.quantile(others[remote, 0], 0.98), i


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_censored_bound_never_raises_the_surrogate_above_it(sign: float) -> None:
    """Whichever way the goal points, what lies beyond a detector is believed to lie beyond it."""
    rng = np.random.default_rng(0)
    X = rng.random((12, 1)) * 0.6
    y = 2.0 + 3.0 * X[:, 0]
    beyond = np.array([[0.9], [0.95]])
    low, high = (np.array([-math.inf] * 2), np.array([1.0, 1.0]))
    told = fit(Results(X, y, beyond, low, high), sign, seed=0)
    silent = fit(Results(X, y, np.empty((0, 1)), np.empty(0), np.empty(0)), sign, seed=0)
    noise = 3 * told.noise_sd + 0.15
    assert (sign * silent.predict(beyond).mean > 2.5).all()
    assert (sign * told.predict(beyond).mean <= 1.0 + noise).all()
    agreed = fit(Results(X, y, beyond, np.array([1.0, 1.0]), np.array([math.inf] * 2)), sign, seed=0)
    assert agreed.predict(beyond).mean == pytest.approx(silent.predict(beyond).mean)
