"""What is wanted, in words."""

from collections.abc import Callable
from typing import Any

import pytest

from labctl.report.goals import goal_in_words, led_by, limits_in_words
from labctl.view import View

MPA = {"goal": "maximize", "unit": "MPa"}


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        ({"strength": MPA}, "Highest strength in MPa"),
        ({"cost": {"goal": "minimize", "unit": "dimensionless"}}, "Lowest cost"),
        (
            {"tint": {"goal": "target", "target": 3, "unit": "dimensionless"}},
            "Wanted: tint as near to 3 as can be",
        ),
        (
            {
                "strength": MPA,
                "cost": {"goal": "minimize", "unit": "dimensionless"},
                "hue": {"goal": "target", "target": 30, "unit": "degC"},
                "give": {"goal": "observe", "unit": "percent", "at_least": 5},
            },
            "Highest strength in MPa, lowest cost and hue as near to 30 °C as can be, with give at least 5 %",
        ),
        (
            {
                "strength": {**MPA, "at_most": 900},
                "ash": {"goal": "observe", "unit": "percent", "at_least": 1, "at_most": 2},
            },
            "Highest strength in MPa, with strength at most 900 MPa and ash between 1 and 2 %",
        ),
    ],
)
def test_goals_targets_and_limits_are_said_plainly(
    view_from: Callable[..., View], campaign: dict[str, Any], objectives: dict[str, Any], said: str
) -> None:
    assert goal_in_words(view_from({**campaign, "objectives": objectives}, []).config) == said


def test_a_campaign_without_limits_says_none(
    view_from: Callable[..., View], campaign: dict[str, Any]
) -> None:
    assert limits_in_words(view_from({**campaign, "objectives": {"strength": MPA}}, []).config) == ""


def test_any_goal_can_lead_and_the_limits_stay(alloys: Callable[..., View]) -> None:
    config = alloys([]).config
    led = led_by(config, "price")
    assert led.goal[0] == "price"
    assert set(led.goals) == {"strength", "price"}
    assert led.worth(2.0) > led.worth(3.0)
    assert not led.keeps({"ductility": 4.0})
    assert config.goal[0] == "strength"
