"""The page on safety: its file of limits is read, and its code does what the page says."""

import re
from pathlib import Path
from typing import Any

import pytest

from labctl_drivers.guard import Guard
from labctl_drivers.limits import load_limits
from labctl_drivers.patience import Patience
from labctl_drivers.protocol import ExperimentFailed, Interlocked

PAGE = (Path(__file__).parents[2] / "docs" / "safety.md").read_text(encoding="utf-8")
CODE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
[LIMITS] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
UNITS = {"temperature": "degC", "hold_time": "hour", "heating_rate": "K/min", "stirrer": "rpm"}
GOOD = {"temperature": 450.0, "hold_time": 1.0, "heating_rate": 10.0, "atmosphere": "argon", "stirrer": 1e9}


@pytest.fixture
def limits_file(tmp_path: Path) -> Path:
    path = tmp_path / "limits.yaml"
    path.write_text(LIMITS, "utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({}, True),
        ({"temperature": 1201.0}, False),
        ({"heating_rate": 25.0}, False),
        ({"atmosphere": "air", "temperature": 500.0}, True),
        ({"atmosphere": "air", "temperature": 501.0}, False),
        ({"atmosphere": "methane"}, False),
        ({"atmosphere": "methane", "quench": "oil"}, True),
    ],
)
def test_the_limits_of_the_page_are_kept_by_both(
    *, change: dict[str, Any], allowed: bool, limits_file: Path
) -> None:
    recipe = GOOD | change
    assert (load_limits(limits_file).violations(recipe, UNITS) == ()) == allowed
    assert (Guard(limits_file)(recipe, UNITS) is None) == allowed


def test_the_code_of_the_page_does_what_it_says(limits_file: Path) -> None:
    setpoint, interlocks = CODE
    names: dict[str, Any] = {}
    exec(setpoint, names)  # noqa: S102 - the page's own code
    names["refuse"](limits_file, 600.0)
    with pytest.raises(ExperimentFailed, match="lies outside"):
        names["refuse"](limits_file, 1201.0)
    exec(interlocks, names)  # noqa: S102 - the page's own code
    furnace = names["Furnace"]()
    assert isinstance(furnace, Interlocked)
    assert furnace.interlocks()["door"]() is None
    furnace.door_is_open = True
    assert furnace.interlocks()["door"]() == "it is open"


def test_the_times_of_the_page_are_those_of_the_lane() -> None:
    patience = Patience()
    assert (patience.connect_s, patience.answer_s, patience.stop_s, patience.end_s) == (60, 30, 10, 30)
    assert (patience.look_s, patience.period_s, patience.orderly_s) == (2, 0.1, 0.2)
    for said in (
        "connecting (60 s)",
        "limits (30 s)",
        "(10 s)",
        "broken off (30 s)",
        "one look (2 s)",
        "every 0.1 s",
    ):
        assert said in PAGE
