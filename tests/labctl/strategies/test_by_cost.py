"""Fidelities weighed by cost: what may be asked of whom, when one is dropped, and what is said of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labctl.proposal import recipe_key
from labctl.sources import sources
from labctl.strategies.by_cost import ImproveByCost
from labctl.strategies.protocol import Choice, Situation
from labctl.view import View

CAMPAIGN: dict[str, Any] = {
    "campaign": "by-cost",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
    "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
    "instrument": {"kind": "replay", "dataset": "card.yaml", "cost": {"each": 10}},
    "fidelities": {
        "quick": {"instrument": {"kind": "replay", "dataset": "q.yaml", "cost": {"each": 1}}},
        "rough": {"instrument": {"kind": "replay", "dataset": "r.yaml", "cost": {"each": 1}}},
    },
}
GRID = np.round(np.linspace(0.0, 10.0, 41), 6)


def hill(x: float) -> float:
    return float(3 * np.sin(x) - 0.2 * (x - 6) ** 2)


def noise(x: float) -> float:
    """Readings that have nothing to do with the goal."""
    return float(5 * np.sin(1e4 * x))


@pytest.fixture
def after(
    view_from: Callable[..., View],
    asked: Callable[..., Any],
    came: Callable[..., Any],
    situation_of: Callable[..., Situation],
) -> Callable[..., Situation]:
    """Give ``after(target=xs, quick=(xs, f), rough=(xs, f))``: readings of each over a grid of recipes."""

    def build(
        target: list[float],
        told: dict[str, Any] | None = None,
        offers: Callable[..., bool] | None = None,
        **read: tuple[list[float], Callable[[float], float]],
    ) -> Situation:
        done = [(asked({"x": x}), came(y=hill(x))) for x in target]
        for name, (xs, f) in read.items():
            done += [(asked({"x": x}, fidelity=name), came(y=f(x))) for x in xs]
        view = view_from({**CAMPAIGN, **(told or {})}, done)
        space = view.config.space.with_pool({"x": GRID.tolist()})
        of = offers or (lambda _name, _recipe: True)
        return situation_of(view, space, sources=sources(view.config, view.state, space, of))

    return build


def chosen(situation: Situation) -> Choice:
    choice = ImproveByCost().choose(situation)
    assert choice is not None
    return choice


SIX, MANY = [0.0, 2.0, 4.0, 6.0, 8.0, 10.0], [float(x) for x in GRID[::2]]


def test_a_fidelity_is_first_tried_where_the_target_is_known(after: Callable[..., Situation]) -> None:
    choice = chosen(after(SIX))
    assert choice.fidelity in ("quick", "rough")
    assert choice.because.startswith(f"by {choice.fidelity}: {choice.fidelity} is tried beside the target")
    assert "source" not in choice.because
    assert "quick is not proven yet, rough is not proven yet" in choice.because


def test_one_that_agrees_helps_and_one_that_misleads_is_dropped(after: Callable[..., Situation]) -> None:
    target = [float(x) for x in GRID[::4]]
    situation = after(target, quick=(MANY, lambda x: hill(x) + 0.3), rough=(MANY, noise))
    choice = chosen(situation)
    assert choice.fidelity != "rough"
    assert "quick helps" in choice.because
    assert "rough was dropped" in choice.because


def test_where_none_helps_the_goal_is_improved_on_as_without(after: Callable[..., Situation]) -> None:
    target = [float(x) for x in GRID[::4]]
    choice = chosen(after(target, quick=(MANY, noise), rough=(MANY, noise)))
    assert choice.fidelity is None
    assert (choice.acquisition or "").startswith("log_expected_improvement")
    assert "quick was dropped" in choice.because


def test_only_what_a_source_offers_is_asked_of_it(after: Callable[..., Situation]) -> None:
    def offers(name: str | None, recipe: Any) -> bool:  # noqa: ANN401 - a recipe
        return name is None or (name == "quick" and recipe["x"] == 4.0)

    choice = chosen(after(SIX, offers=offers))
    assert (choice.fidelity, choice.recipe) == ("quick", {"x": 4.0})
    # Once it was read there, nothing is left for it.
    after_it = chosen(after(SIX, offers=offers, quick=([4.0], hill)))
    assert after_it.fidelity is None
    assert recipe_key(after_it.recipe) not in {recipe_key({"x": x}) for x in SIX}


def test_a_veto_holds_for_every_fidelity(after: Callable[..., Situation]) -> None:
    vetoes = {"vetoes": [{"when": {"x": {"above": 3, "unit": "mm"}}, "because": "no"}]}
    for read in ({}, {"quick": (MANY, hill)}, {"quick": (MANY, noise), "rough": (MANY, noise)}):
        assert float(chosen(after(SIX, {"advice": vetoes}, **read)).recipe["x"]) <= 3
    everywhere = {"vetoes": [{"when": {"x": {"above": 0, "unit": "mm"}}, "because": "no"}]}
    # What is left is a recipe that is known at the target, and may still be read by a cheaper source.
    left = chosen(after(SIX, {"advice": everywhere}))
    assert (left.recipe["x"], left.fidelity is None) == (0.0, False)


def test_stand_in_readings_stay_out_of_the_goals_own_surrogate(after: Callable[..., Situation]) -> None:
    situation = after(SIX, quick=(MANY, lambda _x: 1000.0))
    known = situation.knowledge
    assert known.results["y"].y.max() < 10
    assert (known.n, len(known.X_done), len(known.stand_ins["quick"].y)) == (6, 6, len(MANY))
    assert recipe_key({"x": 0.5}) not in known.tried
    assert recipe_key({"x": 0.5}) in known.stand_ins["quick"].tried


def test_however_cheap_a_fidelity_is_the_target_has_its_turn(after: Callable[..., Situation]) -> None:
    almost_free = {
        "instrument": {**CAMPAIGN["instrument"], "cost": {"each": 10_000}},
        "fidelities": {"quick": CAMPAIGN["fidelities"]["quick"]},
    }
    target = [float(x) for x in GRID[::4]]
    readings = [x for x in MANY if x not in target]
    nine = after(target, almost_free, quick=(target[:3] + readings[:6], hill))
    assert [s.waited for s in nine.sources] == [9, 0]
    assert chosen(nine).fidelity == "quick"
    ten = chosen(after(target, almost_free, quick=(target[:3] + readings[:7], hill)))
    assert ten.fidelity is None
    assert ten.recipe["x"] not in target


def test_one_that_gives_no_reading_is_left_alone_for_a_while(
    view_from: Callable[..., View],
    asked: Callable[..., Any],
    came: Callable[..., Any],
    situation_of: Callable[..., Situation],
) -> None:
    def after_failures(n: int, results: int) -> Situation:
        done = [(asked({"x": x}), came(y=hill(x))) for x in SIX]
        done += [(asked({"x": x}, fidelity="quick"), came("instrument_fault")) for x in SIX[:n]]
        done += [(asked({"x": 0.25 * (i + 1)}), came(y=hill(0.25 * (i + 1)))) for i in range(results)]
        alone = {**CAMPAIGN, "fidelities": {"quick": CAMPAIGN["fidelities"]["quick"]}}
        view = view_from(alone, done)
        space = view.config.space.with_pool({"x": GRID.tolist()})
        of = sources(view.config, view.state, space, lambda _name, _recipe: True)
        return situation_of(view, space, sources=of)

    # As long as the target was not measured since, it counts as asked too often, whatever it gave.
    assert chosen(after_failures(4, 1)).fidelity == "quick"
    quiet = chosen(after_failures(5, 1))
    assert quiet.fidelity is None
    assert "quick gave no reading in 5 attempts and is left alone" in quiet.because
    assert chosen(after_failures(5, 10)).fidelity == "quick"


def test_what_was_made_off_its_recipe_is_not_asked_of_the_target_again(
    view_from: Callable[..., View],
    asked: Callable[..., Any],
    came: Callable[..., Any],
    situation_of: Callable[..., Situation],
) -> None:
    done = [(asked({"x": x}), came(y=hill(x))) for x in SIX]
    done.append((asked({"x": 6.75}), came("off_recipe", {"actual": {"x": 6.789}}, y=2.0)))
    done += [(asked({"x": x}, fidelity="quick"), came(y=hill(x))) for x in SIX]
    view = view_from(CAMPAIGN, done)
    # A pool of nothing but the recipe that was made: the target may not be asked for it once more.
    space = view.config.space.with_pool({"x": [6.789]})
    of = sources(view.config, view.state, space, lambda name, _recipe: name is None)
    assert ImproveByCost().choose(situation_of(view, space, sources=of)) is None


def test_readings_come_in_the_order_of_their_arrival(after: Callable[..., Situation]) -> None:
    from labctl.strategies.by_cost import _readings  # noqa: PLC0415

    readings = _readings(after(SIX, quick=(SIX[:2], hill)))
    assert readings.source.tolist() == [2] * 6 + [0] * 2
