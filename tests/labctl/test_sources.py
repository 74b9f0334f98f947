"""Fidelities as sources: what each may measure, and what it costs by what was paid."""

from collections.abc import Callable
from typing import Any

import pytest

from labctl.sources import sources
from labctl.view import View

CAMPAIGN: dict[str, Any] = {
    "campaign": "sources",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
    "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
    "instrument": {"kind": "replay", "dataset": "card.yaml", "cost": {"each": 2, "hour": 8}},
    "fidelities": {
        "rough": {"instrument": {"kind": "replay", "dataset": "r.yaml", "cost": {"each": 1}}},
        "scan": {"instrument": {"kind": "replay", "dataset": "s.yaml", "cost": {"of": {"x": 1}}}},
    },
}


def test_the_target_comes_last_and_each_has_spent_its_own(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    done = [
        (asked({"x": 1}), came(y=1, told={"seconds": 3600})),
        (asked({"x": 2}), came("infeasible")),
        (asked({"x": 3}, fidelity="rough"), came(y=1)),
        (asked({"x": 4}, fidelity="scan"), came(y=1)),
        (asked({"x": 5}, fidelity="scan"), None),
    ]
    view = view_from(CAMPAIGN, done)
    asked_of: list[tuple[str | None, object]] = []

    def offers(fidelity: str | None, recipe: object) -> bool:
        asked_of.append((fidelity, recipe))
        return fidelity == "scan"

    found = sources(view.config, view.state, view.config.space, offers)
    assert [(s.name, s.spent) for s in found] == [("rough", 1.0), ("scan", 4.0), (None, 12.0)]
    assert [s.offers({"x": 1.0}) for s in found] == [False, True, False]
    assert asked_of == [(name, {"x": 1.0}) for name in ("rough", "scan", None)]


def test_a_cost_is_stated_until_it_is_seen(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    def expected(done: list[Any]) -> list[float]:
        view = view_from(CAMPAIGN, done)
        X = view.config.space.encode([{"x": 5.0}])
        found = sources(view.config, view.state, view.config.space, lambda _name, _recipe: True)
        return [float(s.cost.predict(X).mean[0]) for s in found]

    # 2 each and an hour at 8; what only uses up something counts as 1 until one was paid for. What is not
    # known yet may well be dearer, and all alike.
    rough, scan, target = expected([])
    assert 1 <= rough < 1.5
    assert (scan / rough, target / rough) == pytest.approx((1, 10))
    quarter = [(asked({"x": i}), came(y=1, told={"seconds": 900})) for i in range(12)]
    _, _, learnt = expected(quarter)
    assert 4 <= learnt < 4 + (target - 4) / 3


def test_one_instrument_alone_is_no_choice(view_from: Callable[..., View]) -> None:
    view = view_from({**CAMPAIGN, "fidelities": {}}, [])
    assert sources(view.config, view.state, view.config.space, lambda _name, _recipe: True) == ()
