"""What experiments cost: by the attempt, the hour and what they use up, failures included."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl.campaign import Campaign
from labctl.cost import cost_of, spent
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
