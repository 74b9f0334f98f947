"""Recipes in the devices' own units: the same number that pint gives, and nothing that cannot be set."""

import math
from typing import Any

import pint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.adapt.options import Options
from labctl_drivers.adapt.settings import SettingRule, converted, problem_of, ramps_of, reached, rule_of
from labctl_drivers.protocol import Attempt, ExperimentFailed, FailureKind, Ramp, Recipe

UREG: Any = pint.UnitRegistry()
PAIRS = [("K", "degC"), ("degF", "K"), ("minute", "s"), ("mm", "um"), ("percent", "dimensionless")]


def attempt(recipe: Recipe, **units: str) -> Attempt:
    return Attempt("k", "c", "e0001", 1, recipe, units)


@settings(max_examples=100, deadline=None)
@given(st.floats(0.1, 1e4), st.sampled_from(PAIRS))
def test_a_setting_is_converted_as_pint_does_and_back(value: float, pair: tuple[str, str]) -> None:
    asked, own = pair
    rules = {"x": SettingRule(own)}
    told = converted(attempt({"x": value}, x=asked), rules, "bench")["x"]
    assert told == pytest.approx(UREG.Quantity(value, asked).to(own).magnitude)
    assert reached(attempt({"x": value}, x=asked), "x", told, rules["x"]) == pytest.approx(value, rel=1e-9)


RULES = {
    "t": SettingRule("degC"),
    "quench": SettingRule("dimensionless", {"water": 0, "oil": 1}),
    "gas": SettingRule("dimensionless"),
}


def test_choices_become_what_the_device_takes() -> None:
    told = converted(attempt({"t": 3, "quench": "oil", "gas": "argon"}, t="degC"), RULES, "bench")
    assert told == {"t": 3, "quench": 1, "gas": "argon"}
    assert reached(attempt({}), "quench", 1.0, RULES["quench"]) == "oil"
    assert reached(attempt({}), "gas", "argon", RULES["gas"]) == "argon"


@pytest.mark.parametrize(
    ("changes", "units", "said"),
    [
        ({"t": None}, {}, "bench needs t, which the recipe has not"),
        ({"speed": 1}, {}, "bench cannot set speed; it has t, quench, gas"),
        ({"quench": "air"}, {}, "settings.quench.choices has no 'air'; it has water, oil"),
        ({"t": "hot"}, {}, "t is the text 'hot', and settings.t wants a number in degC"),
        ({"t": math.nan}, {}, "t is nan, and no device is set to that"),
        ({"t": math.inf}, {}, "t is inf"),
        ({"t": 3.0}, {"t": "mm"}, "t: mm cannot be converted to degC; give settings.t.unit the device's own"),
        ({"t": 1e308}, {"t": "Mkelvin"}, "t is inf in degC"),
    ],
)
def test_what_cannot_be_set_is_refused_before_anything_moves(
    changes: dict[str, Any], units: dict[str, str], said: str
) -> None:
    recipe = {"t": 3.0, "quench": "oil", "gas": "argon", **changes}
    recipe = {name: value for name, value in recipe.items() if value is not None}
    with pytest.raises(ExperimentFailed) as failed:
        converted(attempt(recipe, **units), RULES, "bench")
    assert said in failed.value.message
    assert (failed.value.kind, failed.value.stage) == (FailureKind.INSTRUMENT_FAULT, "check")


def test_a_recipe_that_fits_has_no_problem() -> None:
    assert problem_of({"t": 3, "quench": "oil", "gas": "argon"}, RULES, "bench") is None


def test_the_rule_of_a_setting_is_read() -> None:
    rule = rule_of(Options({"unit": "K", "ramp": "10 K/min"}))
    assert rule == SettingRule("K", {}, (10.0, "K/min"))
    assert ramps_of({"t": rule, "x": SettingRule("m")}) == {"t": Ramp(10.0, "K/min")}
    assert rule_of(Options({"choices": {1: "a"}})).choices == {"1": "a"}
    with pytest.raises(ValueError, match="choices: is for settings without a unit"):
        rule_of(Options({"unit": "K", "choices": {"a": 1}}))
    with pytest.raises(ValueError, match=r"choices\.a: must be a number or a text"):
        rule_of(Options({"choices": {"a": []}}))
