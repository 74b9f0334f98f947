"""Budgets, costs and rules that end a campaign: what they may say."""

import pytest
from pydantic import ValidationError

from labctl.budget import MOST_PRICE, BudgetConfig, CostConfig, StopRule, Target, seconds_in


@pytest.mark.parametrize(
    ("text", "seconds"), [("10 min", 600.0), (" 1.5 hour ", 5400.0), ("2 day", 172800.0), ("1e3 ms", 1.0)]
)
def test_a_time_has_its_unit(text: str, seconds: float) -> None:
    assert seconds_in(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "min", "0 s", "-1 s", "nan s", "inf s", "1 gram", "ten min", "1e308 year"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        seconds_in(text)
    with pytest.raises(ValidationError, match="is no time"):
        BudgetConfig(time=text)


@pytest.mark.parametrize(
    "told", [{}, {"each": 0}, {"each": -1}, {"hour": -1}, {"of": {"x": 0}}, {"of": {"x": -1, "y": 3}}]
)
def test_a_cost_costs_something_and_gives_nothing_back(told: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CostConfig.model_validate(told)


@pytest.mark.parametrize("told", [{"each": 1e308}, {"hour": 1e31}, {"each": 1, "of": {"x": 1e200}}])
def test_a_price_that_adds_up_to_no_number_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="adds up to no number; count in a larger unit"):
        CostConfig.model_validate(told)
    assert CostConfig(each=MOST_PRICE).each == 1e30


def test_a_rule_names_what_it_waits_for() -> None:
    with pytest.raises(ValidationError, match="needs stagnation, improvement_chance or failure_rate"):
        StopRule(experiments=3)
    assert StopRule(stagnation=3).proposals == 5


@pytest.mark.parametrize(
    "told",
    [
        {"stagnation": 0},
        {"improvement_chance": 0},
        {"improvement_chance": 1},
        {"failure_rate": 1},
        {"failure_rate": 0.5, "last": 1},
        {"stagnation": True},
    ],
)
def test_a_rule_that_always_or_never_holds_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StopRule.model_validate(told)


def test_a_target_has_a_unit_that_is_known() -> None:
    assert Target(value=3, unit="mm").unit == "mm"
    with pytest.raises(ValidationError, match="furlongish"):
        Target(value=3, unit="furlongish")
