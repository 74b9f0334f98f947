"""The gate: when a campaign judges its surrogate, and that it never claims what is not there."""

from collections.abc import Callable
from typing import Any

import numpy as np

from labctl.proposal import Outcome, Proposal
from labctl.space import Continuous, Space
from labctl.strategies.surrogate import SURROGATES
from labctl.trust import due, judge, surrogate_of
from labctl.view import View

CAMPAIGN: dict[str, Any] = {
    "campaign": "cube",
    "parameters": {n: {"kind": "continuous", "unit": "mm", "low": 0, "high": 1} for n in ("a", "b", "c")},
    "objectives": {"y": {"goal": "maximize", "unit": "mm"}},
    "instrument": {"kind": "hand"},
    "validation": {"start": 20, "every": 15},
}
SPACE = Space({n: Continuous(unit="mm", low=0, high=1) for n in ("a", "b", "c")})


def done(x: np.ndarray[Any, Any], y: float) -> tuple[Proposal, Outcome]:
    recipe = dict(zip("abc", map(float, x), strict=True))
    proposal = Proposal(recipe=recipe, arm="random", because="drawn", data="0", code="labctl 0", seed=5)
    return proposal, Outcome(status="measured", values={"y": float(y)}, source="hand")


def measured(n: int, *, shuffle: bool = False, constant: bool = False) -> list[tuple[Proposal, Outcome]]:
    rng = np.random.default_rng(2)
    X = rng.random((n, 3))
    y = 10 * X[:, 0] - 4 * X[:, 1] + X[:, 2] + 0.1 * rng.standard_normal(n)
    y = rng.permutation(y) if shuffle else np.ones(n) if constant else y
    return [done(x, v) for x, v in zip(X, y, strict=True)]


def test_a_plain_trend_can_be_trusted_beyond_the_data(view_from: Callable[..., View]) -> None:
    view = view_from(CAMPAIGN, measured(60))
    found = judge(view.config, SPACE, view.state, seed=0)
    assert (found["verdict"], found["n"]) == ("trusted", 60)
    assert found["surrogate"] in SURROGATES
    again = judge(view.config, SPACE, view.state, seed=0)
    assert {k: v for k, v in again.items() if k != "cpu_seconds"} == {
        k: v for k, v in found.items() if k != "cpu_seconds"
    }


def test_on_shuffled_labels_no_winner_is_claimed(view_from: Callable[..., View]) -> None:
    view = view_from(CAMPAIGN, measured(60, shuffle=True))
    found = judge(view.config, SPACE, view.state, seed=0)
    assert (found["verdict"], found["winner"]) == ("lookup table", None)
    assert found["surrogate"] == "gp-ard"


def test_what_cannot_be_judged_is_not_trusted_and_says_why(view_from: Callable[..., View]) -> None:
    view = view_from(CAMPAIGN, measured(25, constant=True))
    found = judge(view.config, SPACE, view.state, seed=0)
    assert found["verdict"] == "lookup table"
    assert found["reason"].startswith("it cannot be judged: ")


def test_it_is_due_at_the_start_and_every_so_many_results(view_from: Callable[..., View]) -> None:
    states = {n: view_from(CAMPAIGN, measured(n)) for n in (19, 20, 34, 35)}
    assert not due(states[19].config, states[19].state)
    assert due(states[20].config, states[20].state)
    from dataclasses import replace  # noqa: PLC0415 - for this law alone

    judged = {n: replace(view.state, verdict={"n": 20}) for n, view in states.items()}
    assert not due(states[34].config, judged[34])
    assert due(states[35].config, judged[35])
    never = view_from({**CAMPAIGN, "validation": {"every": 0}}, measured(40))
    assert not due(never.config, never.state)


def test_only_surrogates_that_tell_how_unsure_they_are_may_choose() -> None:
    assert surrogate_of("gp-isotropic") == "gp-isotropic"
    assert surrogate_of("random-forest") == surrogate_of(None) == "gp-ard"
