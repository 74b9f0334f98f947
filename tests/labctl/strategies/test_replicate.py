"""The same recipe again: the surprise first, then the best one that may be had."""

from collections.abc import Callable
from typing import Any

import pytest

from labctl.strategies.protocol import Situation
from labctl.strategies.replicate import Replicate
from labctl.surprises import Surprise
from labctl.view import View

CAMPAIGN: dict[str, Any] = {
    "campaign": "again",
    "parameters": {"x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 10}},
    "objectives": {
        "y": {"goal": "maximize", "unit": "mm"},
        "z": {"goal": "observe", "unit": "mm"},
    },
    "instrument": {"kind": "hand"},
}
VETO = {"when": {"x": {"above": 6.5, "unit": "mm"}}, "because": "no"}


@pytest.fixture
def after(
    view_from: Callable[..., View],
    asked: Callable[..., Any],
    came: Callable[..., Any],
    situation_of: Callable[..., Situation],
) -> Callable[..., Situation]:
    """Give ``after({...changes of the file}, **of the situation)``: y is best at 7, and z rises with x."""

    def build(told: dict[str, Any] | None = None, **changes: Any) -> Situation:  # noqa: ANN401 - fields
        done = [(asked({"x": x}), came(y=20 - (x - 7) ** 2, z=x)) for x in map(float, range(11))]
        return situation_of(view_from({**CAMPAIGN, **(told or {})}, done), **changes)

    return build


def again(situation: Situation) -> float | None:
    choice = Replicate().choose(situation)
    return None if choice is None else float(choice.recipe["x"])


def test_the_most_surprising_recipe_comes_first(after: Callable[..., Situation]) -> None:
    odd = (Surprise("e0003", {"x": 2.0}, -5.0, "waiting"), Surprise("e0004", {"x": 3.0}, 4.0, "waiting"))
    choice = Replicate().choose(after(surprises=odd))
    assert choice is not None
    assert (choice.recipe, choice.acquisition, choice.value) == ({"x": 2.0}, "surprise", 5.0)
    assert choice.because.startswith("e0003 came out 5.0 predicted sd below its prediction")
    allowed: Callable[[Any], bool] = lambda recipe: recipe["x"] != 2.0  # noqa: E731 - one use
    assert again(after(surprises=odd, allowed=allowed)) == 3.0


def test_without_a_surprise_the_best_is_measured_again(after: Callable[..., Situation]) -> None:
    choice = Replicate().choose(after())
    assert choice is not None
    assert choice.recipe == {"x": 7.0}
    assert choice.because.startswith("the best recipe known, measured again")


def test_the_best_is_that_of_the_goal(after: Callable[..., Situation]) -> None:
    y = {"goal": "target", "target": 4, "unit": "mm"}
    assert again(after({"objectives": {"y": y}})) in (3.0, 11.0)
    assert again(after({"objectives": {"y": {"goal": "minimize", "unit": "mm"}}})) == 0.0


def test_what_breaks_a_limit_is_not_the_best(after: Callable[..., Situation]) -> None:
    limited = {**CAMPAIGN["objectives"], "z": {"goal": "observe", "unit": "mm", "at_most": 5.5}}
    assert again(after({"objectives": limited})) == 5.0
    never = {**CAMPAIGN["objectives"], "z": {"goal": "observe", "unit": "mm", "at_least": 50}}
    assert again(after({"objectives": never})) is None


def test_what_may_not_be_made_or_says_nothing_new_is_passed_over(after: Callable[..., Situation]) -> None:
    assert again(after({"advice": {"vetoes": [VETO]}})) == 6.0
    assert again(after(allowed=lambda recipe: recipe["x"] < 4)) == 3.0
    assert again(after(repeatable=lambda _recipe: False)) is None
    odd = (Surprise("e0010", {"x": 9.0}, 5.0, "waiting"),)
    assert again(after({"advice": {"vetoes": [VETO]}}, surprises=odd)) == 6.0
