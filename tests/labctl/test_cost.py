"""What experiments cost: by the attempt, the hour and what they use up, failures included."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl.campaign import Campaign
from labctl.cost import Purse, awaited, cost_of, spent
from labctl.view import View

CAMPAIGN: dict[str, Any] = {
    "campaign": "dear",
    "parameters": {
        "x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10},
        "gold": {"kind": "continuous", "unit": "mg", "low": 0, "high": 10},
    },
    "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
    "instrument": {
        "kind": "replay",
        "dataset": "card.yaml",
        "cost": {"each": 2, "hour": 36, "of": {"gold": 0.5}},
    },
    "fidelities": {"quick": {"instrument": {"kind": "replay", "dataset": "q.yaml", "cost": {"each": 0.25}}}},
}


def test_an_attempt_costs_itself_its_time_and_what_it_uses_up(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    recipe = {"x": 1, "gold": 3}
    view = view_from(
        CAMPAIGN,
        [
            (asked(recipe), came(y=1, told={"seconds": 100})),
            (asked(recipe), came("infeasible")),
            (asked(recipe), came("aborted", told={"stage": "limits"})),
            (asked(recipe), None),
            (asked(recipe, fidelity="quick"), came(y=1, told={"seconds": 100})),
            (asked(recipe), came(y=1, told={"actual": {"gold": 5}})),
        ],
    )
    # 36 an hour are 1 for each 100 s; 3 mg cost 1.5, and 5 mg that were really used 2.5.
    expected = [2 + 1 + 1.5, 2 + 1.5, 0, 0, 0.25, 2 + 2.5]
    assert [cost_of(view.config, e) for e in view.state] == pytest.approx(expected)
    assert spent(view.config, view.state) == pytest.approx(sum(expected))
    assert view.summary.cost == pytest.approx(sum(expected))


def test_every_attempt_is_paid_for(furnace_campaign: Callable[..., Path]) -> None:
    instrument = {"kind": "furnace", "options": {"fault_rate": 1.0}, "cost": {"each": 3}}
    file = furnace_campaign(instrument=instrument, retries={"instrument_fault": 2})
    with Campaign.open(file) as campaign:
        experiment = campaign.step()
        assert experiment is not None
        assert len(experiment.outcomes) == 3
        assert campaign.summary().cost == 9


def test_without_a_price_nothing_is_counted(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    free = {**CAMPAIGN, "fidelities": {}, "instrument": {"kind": "replay", "dataset": "card.yaml"}}
    view = view_from(free, [(asked({"x": 1, "gold": 1}), came(y=1))])
    assert (spent(view.config, view.state), view.summary.cost) == (0, None)


@pytest.fixture
def dear(replay_campaign: Callable[..., Path]) -> Callable[..., Campaign]:
    """Give ``dear(cost, budget, batch)``: the small replay of recipes with an x from 0 to 5."""

    def begin(cost: dict[str, Any], budget: float, batch: int = 1, **told: object) -> Campaign:
        file = replay_campaign(
            f"dear-{budget}",
            instrument={"kind": "replay", "dataset": "card.yaml", "cost": cost},
            budget={"experiments": 30, "cost": budget},
            strategy={"initial": 20, "batch": batch},
            **told,
        )
        return Campaign.open(file)

    return begin


@pytest.mark.parametrize("batch", [1, 20])
@pytest.mark.parametrize("budget", [3.0, 20.0, 55.0])
def test_what_a_recipe_uses_up_never_overdraws_the_budget(
    dear: Callable[..., Campaign], batch: int, budget: float
) -> None:
    with dear({"each": 1, "of": {"x": 2}}, budget, batch) as campaign:
        summary = campaign.run()
    assert summary.status == "finished"
    assert "the budget of" in summary.why
    assert summary.experiments > 0
    assert 0 < (summary.cost or 0) <= budget


def test_a_budget_too_small_for_any_recipe_says_what_the_cheapest_costs(
    dear: Callable[..., Campaign],
) -> None:
    from_one = {
        "x": {"kind": "continuous", "unit": "mm", "low": 1, "high": 5},
        "y": {"kind": "continuous", "unit": "percent", "low": 0, "high": 40},
    }
    with dear({"each": 1, "of": {"x": 2}}, 2.5, parameters=from_one) as campaign:
        summary = campaign.run()
    why = "the budget of 2.5 pays for none of the recipes that were found: the cheapest would cost 3"
    assert (summary.status, summary.why, summary.experiments) == ("finished", why, 0)
    with dear({"each": 1, "of": {"x": 2}}, 2) as campaign:
        # It pays for two recipes with x = 0, and for nothing else.
        summary = campaign.run()
    assert (summary.experiments, summary.cost, summary.best and summary.best.recipe["x"]) == (2, 2, 0)
    assert summary.why == "the budget of 2 is spent: the experiments cost 2"


def test_before_one_was_timed_what_runs_beside_it_is_held_to_its_time_limit(
    dear: Callable[..., Campaign],
) -> None:
    with dear({"hour": 1e9}, 100, batch=20) as campaign:
        summary = campaign.run()
    # Nobody knows how long the first one takes; it alone goes beyond the budget.
    assert summary.experiments == 1


def test_what_waits_is_valued_by_its_recipe(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    told = {**CAMPAIGN, "budget": {"cost": 20}, "fidelities": {}}
    told["instrument"] = {**CAMPAIGN["instrument"], "cost": {"each": 2, "of": {"gold": 1}}}
    done = [(asked({"x": 1, "gold": 1}), came(y=1)), (asked({"x": 1, "gold": 10}), None)]
    view = view_from(told, done)
    assert (spent(view.config, view.state), awaited(view.config, view.state)) == (3, 12)
    purse = Purse(view.config, view.state)
    assert purse.pays({"x": 1, "gold": 3})
    assert purse.why_nothing_fits() is None
    assert not purse.pays({"x": 1, "gold": 3.01})
    assert "would cost 5.01" in str(purse.why_nothing_fits())
