"""Surprising results are flagged and measured again, and what the replicate says is kept."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.proposal import Outcome, Predicted, Proposal
from labctl.surprises import flagged, surprises
from labctl.view import View
from labctl_models.audit.anomalies import anomalies

CAMPAIGN: dict[str, Any] = {
    "campaign": "line",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 100}},
    "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
    "instrument": {"kind": "hand"},
}


def done(x: float, y: float, *, arm: str = "random") -> tuple[Proposal, Outcome]:
    proposal = Proposal(
        recipe={"x": x},
        arm=arm,  # type: ignore[arg-type] # one of the arms
        because="drawn",
        predictions={"y": Predicted(mean=0.0, sd=0.6, noise_sd=0.8)},
        data="0",
        code="labctl 0",
        seed=5,
    )
    return proposal, Outcome(status="measured", values={"y": y}, source="hand")


def usual(n: int = 20, scatter: float = 1.0) -> list[tuple[Proposal, Outcome]]:
    rng = np.random.default_rng(3)
    return [done(float(i), scatter * float(rng.uniform(-1.5, 1.5))) for i in range(n)]


def test_one_outlier_is_flagged_and_waits_for_its_replicate(view_from: Callable[..., View]) -> None:
    view = view_from(CAMPAIGN, [*usual(), done(50.0, 9.0)])
    (found,) = surprises(view.config, view.state)
    assert (found.experiment, found.recipe, found.replicate) == ("e0021", {"x": 50.0}, "waiting")
    assert found.z == 9.0


def test_a_replicate_that_agrees_and_one_that_does_not(view_from: Callable[..., View]) -> None:
    for value, answer in ((8.5, "agrees"), (0.3, "disagrees")):
        view = view_from(CAMPAIGN, [*usual(), done(50.0, 9.0), done(50.0, value, arm="replicate")])
        (found,) = surprises(view.config, view.state)
        assert found.replicate == answer


def test_a_surrogate_that_is_always_too_sure_makes_no_single_result_a_surprise(
    view_from: Callable[..., View],
) -> None:
    view = view_from(CAMPAIGN, usual(scatter=6.0))
    assert surprises(view.config, view.state) == ()


def test_too_few_scored_results_surprise_nobody(view_from: Callable[..., View]) -> None:
    view = view_from(CAMPAIGN, [*usual(5), done(50.0, 30.0)])
    assert surprises(view.config, view.state) == ()


@given(st.lists(st.floats(-9, 9), max_size=40), st.sampled_from([0.05, 0.1, 0.3]))
@settings(deadline=None)
def test_the_plain_rule_flags_what_the_audit_flags(z: list[float], rate: float) -> None:
    assert flagged(z, rate=rate) == anomalies(np.array(z), rate=rate).rows.tolist()
