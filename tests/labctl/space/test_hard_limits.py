"""The lab's hard limits as ends to draw between: in any unit, and never narrower than the limits are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.space import Categorical, Continuous, Integer, Ordinal, Space, sample
from labctl.space.hard_limits import within_limits
from labctl.space.parameters import ends
from labctl_drivers.limits import Limits, load_limits

SPACE = Space(
    {
        "x": Continuous(unit="mm", low=0, high=1),
        "t": Continuous(unit="degC", low=0, high=500),
        "n": Integer(unit="mm", low=0, high=9),
        "o": Ordinal(unit="mm", levels=(0.1, 0.3, 0.7)),
        "k": Categorical(choices=("Air", "argon")),
    }
)
WIDE = {
    "x": {"low": 0, "high": 1, "unit": "mm"},
    "t": {"low": 273.15, "high": 773.15, "unit": "K"},
    "n": {"low": 0, "high": 0.009, "unit": "m"},
    "o": {"low": 0, "high": 700, "unit": "um"},
}


@pytest.fixture
def limits(tmp_path: Path) -> Any:  # noqa: ANN401 - a small writer
    def write(**told: Any) -> Limits:  # noqa: ANN401 - a file
        file = tmp_path / "limits.yaml"
        content = {"limits": {**WIDE, **told.pop("limits", {})}, "unlimited": [], **told}
        file.write_text(json.dumps(content), "utf-8")
        return load_limits(file)

    return write


def every_allowed(found: Limits, recipes: list[Any]) -> bool:
    return not any(found.violations(recipe, SPACE.units) for recipe in recipes)


def test_limits_as_wide_as_the_space_leave_it_the_very_same(limits: Any) -> None:  # noqa: ANN401
    assert within_limits(SPACE, None).strict is SPACE
    # In other units too, whatever a conversion leaves in the last digit.
    assert within_limits(SPACE, limits()).strict is SPACE


def test_draws_lie_within_narrow_limits_in_their_own_units(limits: Any) -> None:  # noqa: ANN401
    found = limits(
        limits={
            "x": {"low": 0.0001, "high": 0.0003, "unit": "m"},
            "t": {"low": 300, "high": 310, "unit": "K"},
            "n": {"low": 0.002, "high": 0.003, "unit": "m"},
            "o": {"low": 0, "high": 300, "unit": "um"},
        }
    )
    room = within_limits(SPACE, found).strict
    assert room is not None
    drawn = sample(room, 300, np.random.default_rng(0))
    assert every_allowed(found, drawn)
    assert min(float(r["t"]) for r in drawn) == pytest.approx(26.85, abs=0.2)
    assert max(float(r["t"]) for r in drawn) == pytest.approx(36.85, abs=0.2)
    # The ends themselves are within, although no conversion is exact.
    assert {r["n"] for r in drawn} == {2, 3}
    assert {r["o"] for r in drawn} == {0.1, 0.3}


def test_limits_that_leave_nothing_prove_it(limits: Any) -> None:  # noqa: ANN401
    assert within_limits(SPACE, limits(limits={"x": {"low": 2, "high": 3, "unit": "mm"}})).box is None
    assert within_limits(SPACE, limits(limits={"n": {"low": 2.2, "high": 2.7, "unit": "mm"}})).box is None


def test_a_setting_that_sets_how_fast_another_moves_keeps_the_rate(limits: Any) -> None:  # noqa: ANN401
    space = Space({**SPACE.parameters, "ramp": Continuous(unit="K/min", low=0.1, high=100)})
    found = limits(
        limits={"ramp": {"low": 0, "high": 1000, "unit": "K/min"}},
        rates={"t": {"at_most": 60, "unit": "K/hour", "set_by": "ramp"}},
    )
    room = within_limits(space, found).strict
    assert room is not None
    assert ends(room.numeric("ramp")) == (0.1, pytest.approx(1.0, rel=1e-12))
    recipes = sample(room, 200, np.random.default_rng(0))
    assert not any(found.violations(recipe, space.units) for recipe in recipes)


def test_combinations_of_the_limits_are_forbidden_to_draws(limits: Any) -> None:  # noqa: ANN401
    found = limits(
        forbidden=[
            {"k": "air", "t": {"above": 274.15, "unit": "K"}},
            {"k": ["ARGON"], "x": {"above": 0.001, "unit": "mm"}},
            {"k": "neon", "x": {"below": 0.5, "unit": "mm"}},
        ]
    )
    room = within_limits(SPACE, found).strict
    assert room is not None
    # Some 3 in 1000 recipes are left.
    drawn = sample(room, 100, np.random.default_rng(0))
    assert every_allowed(found, drawn)
    assert {r["k"] for r in drawn} == {"Air", "argon"}
