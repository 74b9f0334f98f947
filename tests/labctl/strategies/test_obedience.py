"""With "interpolation only", nothing outside the known domain is chosen by predicted improvement alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labctl.proposal import Outcome, Proposal
from labctl.space import Space
from labctl.state import CampaignState
from labctl.strategy import Proposed, propose
from labctl.view import View

X = "x"
FULL = np.round(np.linspace(0.0, 10.0, 101), 6)


def campaign(arms: dict[str, float]) -> dict[str, Any]:
    return {
        "campaign": "slope",
        "parameters": {X: {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
        "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
        "instrument": {"kind": "hand"},
        "strategy": {"initial": 1, "arms": arms, "replicates": 0},
    }


def known(view_from: Callable[..., View], arms: dict[str, float]) -> tuple[View, Space]:
    """A rising line, measured up to 3 of 10: everything promising lies beyond what is known."""
    done = []
    for i, x in enumerate(np.linspace(0.0, 3.0, 13)):
        proposal = Proposal(
            recipe={X: float(np.round(x, 6))},
            arm="initial",
            because="laid out",
            data="0",
            code="labctl 0",
            seed=5,
        )
        done.append(
            (proposal, Outcome(status="measured", values={"y": 2.0 * x + 0.01 * (i % 3)}, source="hand"))
        )
    view = view_from(campaign(arms), done)
    return view, view.config.space.with_pool({X: FULL.tolist()})


def next_proposal(view: View, space: Space, state: CampaignState) -> Proposal:
    proposed = propose(view.config, space, state, seed=5, allowed=lambda _recipe: True)
    assert isinstance(proposed, Proposed)
    return proposed.proposal


def judged(view: View, verdict: str) -> CampaignState:
    return replace(view.state, verdict={"verdict": verdict, "n": 13, "surrogate": "gp-ard"})


def test_a_trusted_surrogate_may_leave_the_domain(view_from: Callable[..., View]) -> None:
    view, space = known(view_from, {"improve": 1})
    for state in (view.state, judged(view, "trusted")):
        chosen = next_proposal(view, space, state)
        assert (chosen.arm, chosen.domain.where if chosen.domain else None) == ("improve", "outside")
        assert float(chosen.recipe[X]) > 4.0


@pytest.mark.parametrize("verdict", ["interpolation only", "lookup table"])
def test_another_verdict_keeps_improvement_inside(view_from: Callable[..., View], verdict: str) -> None:
    view, space = known(view_from, {"improve": 1})
    chosen = next_proposal(view, space, judged(view, verdict))
    assert chosen.arm == "improve"
    assert chosen.domain is not None
    assert chosen.domain.where in ("inside", "edge")
    assert chosen.because.endswith("inside the known domain")


@pytest.mark.parametrize(
    ("arm", "strategy"), [("explore", "explore"), ("explore", "gaps"), ("novelty", "novelty")]
)
def test_arms_that_promise_nothing_may_leave_and_say_so(
    view_from: Callable[..., View], arm: str, strategy: str
) -> None:
    view, space = known(view_from, {strategy: 1})
    chosen = next_proposal(view, space, judged(view, "interpolation only"))
    assert (chosen.arm, chosen.strategy) == (arm, strategy)
    assert chosen.domain is not None
    assert chosen.domain.where == "outside"


def test_where_no_improvement_is_allowed_the_largest_gap_is_taken(view_from: Callable[..., View]) -> None:
    view, _ = known(view_from, {"improve": 1})
    far = view.config.space.with_pool({X: [7.0, 8.0, 9.5]})
    chosen = next_proposal(view, far, judged(view, "interpolation only"))
    assert (chosen.arm, chosen.strategy, chosen.recipe) == ("explore", "gaps", {X: 9.5})


def test_the_domain_stamp_names_the_nearest_success(view_from: Callable[..., View]) -> None:
    view, space = known(view_from, {"random": 1})
    chosen = next_proposal(view, space, view.state)
    assert chosen.domain is not None
    assert chosen.domain.nearest_success is not None
    nearest = view.state[chosen.domain.nearest_success]
    gaps = [abs(float(e.proposal.recipe[X]) - float(chosen.recipe[X])) for e in view.state]
    assert abs(float(nearest.proposal.recipe[X]) - float(chosen.recipe[X])) == min(gaps)
