"""A setting out of its range is refused by its name."""

from typing import Any

import pytest

from labctl_drivers.protocol import Surroundings
from labctl_drivers.registry import build


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"speed": 0}, "speed must be a number above 0"),
        ({"slots": 0}, "slots must be a number"),
        ({"slots": 2.5}, "slots must be a whole number"),
        ({"glass_width": 0.01}, "glass_width must be a number above 0.03"),
        ({"highest_hv": 100.0}, "highest_hv must be a number above 300"),
        ({"spill_rate": 1.1}, "spill_rate must be a number up to 1"),
        ({"weigh_error_mg": 500.0}, "weigh_error_mg must be a number up to 100"),
        ({"humidity_effect": 9}, "humidity_effect must be a number between -1.5 and 1.5"),
        ({"mute": 1}, "mute must be true or false"),
        ({"fault_rates": 0.1}, "fault_rates must give each device its faults"),
        ({"fault_rates": {"oven": 0.1}}, "fault_rates.oven must give each fault its rate"),
        ({"fault_rates": {"kettle": {"slow": 0.1}}}, "no device 'kettle'; there are robot, balance"),
        ({"fault_rates": {"door": {"open": 0.1}}}, "no device 'door'"),
        ({"fault_rates": {"oven": {"lying": 0.1}}}, "oven has no fault 'lying'; it has slow, stuck"),
        ({"fault_rates": {"furnace": {"too-hot": 1}}}, "furnace has no fault 'too-hot'"),
        ({"fault_rates": {"oven": {"slow": 2}}}, "fault_rates.oven.slow must be a number up to 1"),
        ({"fault_schedule": "always"}, "fault_schedule must be a list"),
        ({"fault_schedule": [{"device": "oven"}]}, "must have crucible, device and fault"),
        (
            {"fault_schedule": [{"crucible": 0, "device": "oven", "fault": "slow"}]},
            "fault_schedule: crucible must be a number above 0",
        ),
        ({"sloths": 3}, "has no option 'sloths'; did you mean slots"),
    ],
)
def test_what_is_wrong_is_said(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=f"instrument workshop.*{why}"):
        build("workshop", options, Surroundings())
