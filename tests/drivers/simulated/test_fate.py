"""Chance is a pure function of seed and key, as frequent as its settings say."""

import math
import statistics
from collections.abc import Callable
from typing import Any

import pytest

from labctl_drivers.simulated.fate import Fate, drawn
from labctl_drivers.simulated.settings import BenchSettings

SETTINGS = BenchSettings()
MANY = 2000


def fates(**changed: float) -> list[Fate]:
    settings = BenchSettings(**changed)
    return [drawn(0, f"k{number}", settings) for number in range(MANY)]


def test_seed_and_key_decide_everything() -> None:
    assert drawn(1, "a", SETTINGS) == drawn(1, "a", SETTINGS)
    assert drawn(1, "a", SETTINGS) != drawn(2, "a", SETTINGS)
    assert drawn(1, "a", SETTINGS) != drawn(1, "b", SETTINGS)


@pytest.mark.parametrize(
    ("setting", "happens"),
    [
        ("fault_rate", lambda fate: fate.dropout_at is not None),
        ("door_rate", lambda fate: fate.door_at is not None),
        ("smear_rate", lambda fate: fate.smeared is not None),
        ("overshoot_rate", lambda fate: fate.overshoot_k > 6.0),
    ],
)
def test_a_rate_is_how_often_it_happens(setting: str, happens: Callable[[Fate], bool]) -> None:
    counted = sum(map(happens, fates(**{setting: 0.2})))
    # four standard deviations of a binomial count
    assert abs(counted - 0.2 * MANY) < 4 * math.sqrt(MANY * 0.2 * 0.8)
    assert sum(map(happens, fates(**{setting: 0.0}))) == 0


def test_one_setting_leaves_the_rest_of_the_fate_alone() -> None:
    calm, wild = drawn(3, "k", SETTINGS), drawn(3, "k", BenchSettings(fault_rate=1.0, smear_rate=1.0))
    assert wild.dropout_at is not None
    assert (calm.overshoot_k, calm.humidity, calm.indent_errors) == (
        wild.overshoot_k,
        wild.humidity,
        wild.indent_errors,
    )


def test_the_furnace_is_unbiased_and_as_steady_as_it_says() -> None:
    offsets = [fate.overshoot_k for fate in fates(overshoot_rate=0.0)]
    assert abs(statistics.fmean(offsets)) < 4 * 1.2 / math.sqrt(MANY)
    assert statistics.stdev(offsets) == pytest.approx(1.2, rel=0.1)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"speed": 0}, "speed must be a number above 0"),
        ({"speed": math.nan}, "speed must be"),
        ({"fault_rate": 1.5}, "fault_rate must be a number up to 1"),
        ({"fault_rate": "often"}, "fault_rate must be"),
        ({"smear_rate": -0.1}, "smear_rate must be"),
        ({"indents": 1}, "indents must be"),
        ({"indents": 2.5}, "indents must be a whole number"),
        ({"indents": True}, "indents must be"),
        ({"mute": "yes"}, "mute must be true or false"),
        ({"lowest_hv": 90.0, "highest_hv": 80.0}, "highest_hv must be a number above 90"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        BenchSettings(**changed)
