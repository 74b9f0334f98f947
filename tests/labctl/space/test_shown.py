"""Settings as a person reads them: what is shown is what was proposed, within a millionth of the range."""

import math

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labctl.space import Categorical, Continuous, Integer, Ordinal
from labctl.space.shown import recipe_text, resolution, setting_text


def test_steps_and_narrow_ranges_keep_the_digits_they_need() -> None:
    pressure = Continuous(unit="Pa", low=101300, high=101305, step=0.25)
    assert [setting_text(pressure, v) for v in (101304.0, 101304.25, 101301.5)] == [
        "101304",
        "101304.25",
        "101301.5",
    ]
    width = Continuous(unit="m", low=1e-12, high=9e-12)
    assert setting_text(width, 3.25e-12) == "3.25e-12"
    assert setting_text(Continuous(unit="mm", low=0, high=1, step=0.1), 0.1 + 0.2) == "0.3"
    assert setting_text(Continuous(unit="s", low=0, high=1e6), 150000.0) == "150000"


def test_whole_numbers_levels_and_choices_are_shown_as_they_are() -> None:
    assert setting_text(Integer(unit="s", low=0, high=10**9), 123456789) == "123456789"
    assert setting_text(Ordinal(unit="um", levels=(0.1, 123456.5)), 123456.5) == "123456.5"
    assert setting_text(Categorical(choices=("a", "b")), "a") == "a"
    told = {"t": Continuous(unit="degC", low=0, high=100), "n": Integer(unit="dimensionless", low=0, high=9)}
    assert recipe_text({"t": 12.5, "n": 3}, told) == "t 12.5 degC, n 3"


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.floats(0, 1), st.booleans())
def test_what_is_shown_is_within_a_millionth_of_the_range(
    low: float,
    span: float,
    place: float,
    log: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    low = abs(low) + 1e-6 if log else low
    assume(low + span > low)
    parameter = Continuous(unit="mm", low=low, high=low + span, scale="log" if log else "linear")
    value = min(max(low + place * span, low), low + span)
    close = resolution(parameter, value)
    assert abs(float(setting_text(parameter, value)) - value) <= close
    limit = value * math.log((low + span) / low) if log else (low + span) - low
    assert close <= 1.000001e-6 * limit
