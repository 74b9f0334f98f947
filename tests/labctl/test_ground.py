"""Where a recipe lies among the measured ones, and which success and failure are nearest to it."""

from collections.abc import Callable
from typing import Any

from labctl.ground import ground
from labctl.proposal import Outcome, Proposal
from labctl.space import Continuous, Space
from labctl.view import View
from labctl_drivers.protocol import FailureKind

CAMPAIGN: dict[str, Any] = {
    "campaign": "square",
    "parameters": {
        "x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10},
        "y": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10},
    },
    "objectives": {"z": {"goal": "maximize", "unit": "mm"}},
    "instrument": {"kind": "hand"},
}
SPACE = Space({n: Continuous(unit="mm", low=0, high=10) for n in ("x", "y")})


def done(x: float, y: float, kind: FailureKind | None = None) -> tuple[Proposal, Outcome]:
    proposal = Proposal(
        recipe={"x": x, "y": y}, arm="random", because="drawn", data="0", code="labctl 0", seed=5
    )
    if kind is not None:
        return proposal, Outcome(status="failed", kind=kind, source="hand")
    return proposal, Outcome(status="measured", values={"z": x}, source="hand")


def test_inside_and_outside_and_the_nearest_of_each_kind(view_from: Callable[..., View]) -> None:
    grid = [done(float(x), float(y)) for x in range(4) for y in range(4)]
    view = view_from(CAMPAIGN, [*grid, done(3.0, 9.0, FailureKind.INFEASIBLE)])
    stood = ground(SPACE, view.state)
    assert stood is not None
    near = stood.stamp({"x": 1.2, "y": 1.1})
    assert (near.where, near.nearest_success, near.nearest_failure) == ("inside", "e0006", "e0017")
    far = stood.stamp({"x": 9.5, "y": 9.5})
    assert (far.where, far.percentile, far.nearest_failure) == ("outside", 1.0, "e0017")
    X = SPACE.encode([{"x": 1.2, "y": 1.1}, {"x": 9.5, "y": 9.5}])
    assert stood.inside(X).tolist() == [True, False]


def test_what_the_machine_did_is_no_failure_of_a_recipe(view_from: Callable[..., View]) -> None:
    view = view_from(CAMPAIGN, [done(1, 1), done(2, 2), done(3, 3), done(4, 4, FailureKind.INSTRUMENT_FAULT)])
    stood = ground(SPACE, view.state)
    assert stood is not None
    assert stood.stamp({"x": 4.0, "y": 4.0}).nearest_failure is None


def test_one_result_is_no_ground_to_stand_on(view_from: Callable[..., View]) -> None:
    view = view_from(CAMPAIGN, [done(1, 1), done(2, 2, FailureKind.INFEASIBLE)])
    assert ground(SPACE, view.state) is None
