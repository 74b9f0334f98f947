"""The novelty arms: what each promises, and that the same ledger and seed give the same choice."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.config import CampaignConfig, CampaignModel
from labctl.proposal import Outcome, Proposal
from labctl.space import Space
from labctl.state import CampaignState
from labctl.strategies.cells import Cells, parted
from labctl.strategies.knowledge import knowledge
from labctl.strategies.learned_novelty import LearnedNovelty
from labctl.strategies.outcome_novelty import OutcomeNovelty
from labctl.strategies.protocol import Choice, Situation
from labctl.strategies.surrogate import Surrogates
from labctl.view import View
from labctl_drivers.protocol import Recipe

Views = Callable[..., View]
SQUARE = {n: {"kind": "continuous", "unit": "mm", "low": 0, "high": 1} for n in "ab"}
GOALS: dict[str, Any] = {
    "y": {"goal": "maximize", "unit": "mm"},
    "colour": {"goal": "observe", "unit": "mm"},
}


def config_of(goals: Mapping[str, Any] = GOALS) -> dict[str, Any]:
    return {"campaign": "s", "parameters": SQUARE, "objectives": goals, "instrument": {"kind": "hand"}}


def answer(recipe: Recipe) -> dict[str, float]:
    a, b = float(recipe["a"]), float(recipe["b"])
    return {"y": a + 0.5 * b, "colour": (a - 0.5) ** 2}


def situation_of(
    view_from: Views,
    recipes: Sequence[Recipe],
    *,
    goals: Mapping[str, Any] = GOALS,
    grid: int = 0,
    pending: Sequence[Recipe] = (),
) -> Situation:
    """A campaign on the unit square that knows these recipes, and waits for the pending ones."""
    done = [
        (
            Proposal(recipe=dict(r), arm="random", because="drawn", data="0", code="labctl 0", seed=5),
            Outcome(status="measured", values={n: answer(r)[n] for n in goals}, source="hand")
            if number < len(recipes)
            else None,
        )
        for number, r in enumerate((*recipes, *pending))
    ]
    view = view_from(config_of(goals), done)
    space = view.config.space
    if grid:
        steps = np.linspace(0.0, 1.0, grid).tolist()
        space = space.with_pool({"a": sorted(steps * grid), "b": steps * grid})
    return situated(view.config, space, view.state)


def situated(config: CampaignConfig, space: Space, state: CampaignState) -> Situation:
    goal, _ = config.goal
    objectives = config.model.objectives
    known = knowledge(state, space, list(objectives), [goal])
    signs = {name: config.sign if name == goal else 1.0 for name in objectives}
    return Situation(
        space=space,
        objectives=objectives,
        knowledge=known,
        surrogates=Surrogates(known, signs, 5),
        goal=goal,
        sign=config.sign,
        allowed=lambda _recipe: True,
        rng=np.random.default_rng(7),
        seed=5,
    )


def drawn(n: int, seed: int = 0, high: float = 1.0) -> list[Recipe]:
    return [{"a": float(a), "b": float(b)} for a, b in high * np.random.default_rng(seed).random((n, 2))]


def chosen(choice: Choice | None) -> Choice:
    assert choice is not None
    return choice


@pytest.mark.parametrize("strategy", [OutcomeNovelty(), LearnedNovelty(), Cells()])
@pytest.mark.parametrize("grid", [0, 15])
def test_the_same_ledger_and_seed_give_the_same_choice(
    view_from: Views, strategy: OutcomeNovelty | LearnedNovelty | Cells, grid: int
) -> None:
    recipes = drawn(12)
    first, again = (chosen(strategy.choose(situation_of(view_from, recipes, grid=grid))) for _ in range(2))
    assert first == again
    assert strategy.arm == "novelty"
    barred = first.recipe
    situation = replace(situation_of(view_from, recipes, grid=grid), allowed=lambda r: r != barred)
    other = chosen(strategy.choose(situation))
    assert other.recipe != barred
    assert situation.space.problems(other.recipe) == ()


@pytest.mark.parametrize("strategy", [OutcomeNovelty(), LearnedNovelty(), Cells()])
def test_where_nothing_may_be_chosen_nothing_is(
    view_from: Views, strategy: OutcomeNovelty | LearnedNovelty | Cells
) -> None:
    situation = replace(situation_of(view_from, drawn(12)), allowed=lambda _recipe: False)
    assert strategy.choose(situation) is None


def test_the_most_novel_outcome_is_one_that_nobody_has_seen(view_from: Views) -> None:
    """Recipes from all over the square are known, with outcomes evenly spread between 0.6 and 0.9."""
    spread = zip(np.linspace(0.6, 0.9, 25), np.random.default_rng(2).random(25), strict=True)
    recipes = [{"a": float(y - 0.5 * b), "b": float(b)} for y, b in spread]
    goals = {"y": GOALS["y"]}
    choice = chosen(OutcomeNovelty().choose(situation_of(view_from, recipes, goals=goals, grid=21)))
    assert not 0.55 < answer(choice.recipe)["y"] < 0.95
    assert choice.acquisition == "stein_novelty"
    assert f"off the trend of the {len(recipes)} seen: expected y " in choice.because


@pytest.mark.parametrize("strategy", [OutcomeNovelty(), LearnedNovelty(), Cells()])
def test_what_is_under_way_is_not_asked_for_again(
    view_from: Views, strategy: OutcomeNovelty | LearnedNovelty | Cells
) -> None:
    recipes, pending = drawn(14, seed=5), []
    for _ in range(3):
        situation = situation_of(view_from, recipes, grid=21, pending=pending)
        choice = chosen(strategy.choose(situation))
        gaps = [abs(float(choice.recipe[n]) - float(p[n])) for p in pending for n in "ab"]
        assert all(max(pair) > 0.1 for pair in zip(gaps[::2], gaps[1::2], strict=True))
        pending.append(choice.recipe)


def test_minimising_mirrors_maximising_in_what_is_a_novel_outcome(view_from: Views) -> None:
    recipes = drawn(12, seed=3)
    picks = [
        chosen(
            OutcomeNovelty().choose(
                situation_of(view_from, recipes, goals={"y": {"goal": goal, "unit": "mm"}}, grid=15)
            )
        )
        for goal in ("maximize", "minimize")
    ]
    assert picks[0].recipe == picks[1].recipe


def test_a_phase_is_told_with_its_drift_and_changes_with_the_number_of_results(view_from: Views) -> None:
    told = {}
    for n in (10, 19, 20, 31):
        choice = chosen(LearnedNovelty().choose(situation_of(view_from, drawn(n, seed=4))))
        found = re.search(
            r"the first (\d+) results \(phase (\d), rank agreement with the last (-?[\d.]+)\)", choice.because
        )
        assert found is not None, choice.because
        told[n] = (int(found[1]), int(found[2]), float(found[3]))
    assert [told[n][:2] for n in (10, 19, 20, 31)] == [(10, 1), (10, 1), (20, 2), (30, 3)]
    # Nothing is learned between the ends of two phases.
    assert told[10][2] == told[19][2]
    assert all(-1.0 <= drift <= 1.0 for _, _, drift in told.values())


def test_before_the_first_phase_nothing_is_learned(view_from: Views) -> None:
    assert LearnedNovelty().choose(situation_of(view_from, drawn(9))) is None


def test_an_empty_cell_is_filled_before_a_filled_one_is_visited_again(view_from: Views) -> None:
    recipes = drawn(3, seed=6)
    for _ in range(8):
        situation = situation_of(view_from, recipes)
        choice = chosen(Cells().choose(situation))
        parts = parted(situation)
        assert len(parts.centres) >= 32
        cell = int(parts.cell(situation.space.encode([choice.recipe]))[0])
        tried = parts.cell(situation.knowledge.X_done)
        assert cell not in tried
        assert "a cell where nothing was tried" in choice.because
        assert f"({len(set(tried.tolist()))} of {len(parts.centres)} cells" in choice.because
        recipes.append(choice.recipe)


def test_of_the_empty_cells_the_promising_one_comes_first(view_from: Views) -> None:
    """The goal rises towards (1, 1), and the surrogate has seen enough of the rest to know it."""
    recipes = [r for r in drawn(40, seed=8) if float(r["a"]) + float(r["b"]) < 1.4]
    up = chosen(Cells().choose(situation_of(view_from, recipes, grid=21))).recipe
    assert answer(up)["y"] > 1.2
    down = chosen(
        Cells().choose(
            situation_of(view_from, recipes, goals={"y": {"goal": "minimize", "unit": "mm"}}, grid=21)
        )
    ).recipe
    assert answer(down)["y"] < 0.5


def test_cells_seek_the_target_where_there_is_one(view_from: Views) -> None:
    goals = {"y": {"goal": "target", "target": 0.9, "unit": "mm"}}
    choice = chosen(Cells().choose(situation_of(view_from, drawn(30, seed=9), goals=goals, grid=21)))
    assert answer(choice.recipe)["y"] == pytest.approx(0.9, abs=0.15)


def test_a_pool_smaller_than_the_number_of_cells_has_a_cell_for_each_recipe(view_from: Views) -> None:
    recipes = [{"a": 0.0, "b": 0.0}, {"a": 0.5, "b": 1.0}, {"a": 1.0, "b": 0.5}]
    situation = situation_of(view_from, recipes, grid=3)
    assert len(parted(situation).centres) == 9
    assert chosen(Cells().choose(situation)).recipe not in recipes


def test_all_three_may_share_a_campaign() -> None:
    content = config_of() | {"strategy": {"arms": {"outcome_novelty": 1, "learned_novelty": 1, "cells": 1}}}
    arms = CampaignConfig(Path("c.yaml"), CampaignModel.model_validate(content)).model.strategy.arms
    assert set(arms) == {"outcome_novelty", "learned_novelty", "cells"}
