"""The study of a campaign: what counts for the goal, and nothing that a cheaper fidelity read."""

from collections.abc import Callable
from typing import Any

from labctl.study import of_campaign
from labctl.view import View

CAMPAIGN: dict[str, Any] = {
    "campaign": "study",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
    "objectives": {"y": {"goal": "maximize", "unit": "mm"}, "z": {"goal": "minimize", "unit": "mm"}},
    "instrument": {"kind": "hand"},
}


def test_a_stand_in_and_a_missing_goal_are_no_values(
    view_from: Callable[..., View], asked: Callable[..., Any], came: Callable[..., Any]
) -> None:
    done = [
        (asked({"x": 1}), came(y=1, z=2)),
        (asked({"x": 2}, fidelity="quick"), came(y=100)),
        (asked({"x": 3}), came(z=2)),
        (asked({"x": 4}), came("infeasible")),
        (asked({"x": 5}, fidelity="quick"), came("instrument_fault")),
        (asked({"x": 6}), None),
    ]
    view = view_from(CAMPAIGN, done)
    study = of_campaign(view.config, view.config.space, view.state)
    assert study.ids == ("e0001", "e0003", "e0004")
    assert study.failed.tolist() == [False, False, True]
    assert study.y[study.measured].tolist() == [1.0]
