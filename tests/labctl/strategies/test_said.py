"""Why a recipe promises a gain, in words that a stranger understands."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from labctl.proposal import Predicted
from labctl.strategies.gain import gain
from labctl.strategies.protocol import Situation
from labctl.strategies.said import because
from labctl.view import View

TOLD: dict[str, Any] = {
    "campaign": "words",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
    "objectives": {
        "y": {"goal": "maximize", "unit": "MPa"},
        "w": {"goal": "observe", "unit": "mm", "at_most": 9},
    },
    "instrument": {"kind": "hand"},
}


@pytest.fixture
def told(
    view_from: Callable[..., View],
    asked: Callable[..., Any],
    came: Callable[..., Any],
    situation_of: Callable[..., Situation],
) -> Callable[..., str]:
    def build(expected: Mapping[str, tuple[float, float]], **changes: Any) -> str:  # noqa: ANN401 - a file
        done = [(asked({"x": x}), came(y=x, w=1.0)) for x in (1.0, 2.0, 3.0, 4.0)]
        situation = situation_of(view_from({**TOLD, **changes}, done))
        found = gain(situation)
        assert found is not None
        predicted = {n: Predicted(mean=mean, sd=sd, noise_sd=0.1) for n, (mean, sd) in expected.items()}
        return because(predicted, situation, found, np.array([[0.3]]))

    return build


def test_a_recipe_that_is_expected_to_be_worse_is_chosen_because_it_is_uncertain(
    told: Callable[..., str],
) -> None:
    worse = told({"y": (1.0, 3.0), "w": (1.0, 0.1)})
    assert "worse than the best known recipe is expected to be" in worse
    assert "yet with the greatest expected improvement of all, since it is so uncertain" in worse
    better = told({"y": (9.0, 3.0), "w": (1.0, 0.1)})
    assert "uncertain" not in better
    assert better.endswith("with the greatest expected improvement of all")


def test_a_limit_on_an_outcome_is_kept_with_a_chance(told: Callable[..., str]) -> None:
    # Half a normal lies below its mean.
    assert "w 9 ± 1 (within its limits with a chance of 50%)" in told({"y": (5.0, 1.0), "w": (9.0, 1.0)})


def test_a_belief_is_told_with_its_weight(told: Callable[..., str]) -> None:
    prior = {"x": {"near": 5, "within": 2}}
    # One width away a normal density has fallen to exp(-1/2), and four results stand beside a strength of 4.
    said = told({"y": (5.0, 1.0), "w": (1.0, 0.1)}, advice={"prior": prior, "strength": 4})
    assert said.endswith("; what people believe of good recipes weighs it by 0.61, where 1 is the most")
