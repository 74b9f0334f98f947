"""Numbers keep their meaning from one unit to another, and what is no unit is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.units import UnitError, convert


@pytest.mark.parametrize(
    ("value", "unit", "target", "expected"),
    [
        (25.0, "degC", "K", 298.15),
        (0.0, "K", "degC", -273.15),
        (212.0, "degF", "degC", 100.0),
        (90.0, "minute", "hour", 1.5),
        (10.0, "degC/minute", "K/s", 1 / 6),
        (18.0, "degF/hour", "K/hour", 10.0),
        (250.0, "percent", "dimensionless", 2.5),
        (1.0, "mg/mL", "kg/m**3", 1.0),
        (3.0, "mL min^-1", "L/hour", 0.18),
        (100.0, "HV", "MPa", 980.665),
        (4.0, "", "", 4.0),
    ],
)
def test_conversions_of_the_laboratory(value: float, unit: str, target: str, expected: float) -> None:
    assert convert(value, unit, target) == pytest.approx(expected, rel=1e-12)


@given(
    st.floats(-1e6, 1e6), st.sampled_from([("degC", "K"), ("degF", "degC"), ("minute", "hour"), ("mm", "m")])
)
@settings(max_examples=100, deadline=None)
def test_there_and_back_is_where_it_began(value: float, pair: tuple[str, str]) -> None:
    assert convert(convert(value, *pair), *reversed(pair)) == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("unit", "target"),
    [("degC", "minute"), ("delta_degC", "degC"), ("degC", "delta_degC"), ("K", "delta_degC"), ("", "degC")],
)
def test_what_measures_something_else_is_refused(unit: str, target: str) -> None:
    with pytest.raises(UnitError, match="cannot be converted"):
        convert(1.0, unit, target)


@pytest.mark.parametrize(
    "unit",
    [
        "furlongish",
        "9**9**9**9",
        "m**99999999",
        "2*m",
        "5 m",
        "(m)",
        "m;import os",
        "__import__('os')",
        "m" * 99,
    ],
)
def test_what_is_no_unit_is_refused_before_it_is_worked_out(unit: str) -> None:
    with pytest.raises(UnitError, match="is not a unit"):
        convert(1.0, unit, "m")
