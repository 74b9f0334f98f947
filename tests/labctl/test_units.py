"""Units that people write, what pint makes of them, and numbers that cross from one to another."""

import pytest

from labctl import units


@pytest.mark.parametrize("unit", sorted(units.USUAL))
def test_every_usual_unit_is_one_that_pint_knows(unit: str) -> None:
    assert units._parsed(unit) == unit
    assert units.canonical(unit) == unit


@pytest.mark.parametrize(
    ("written", "kept"),
    [("°C", "degC"), (" % ", "percent"), ("-", "dimensionless"), ("a.u.", "unknown"), ("wt%", "percent")],
)
def test_what_people_write_in_headers(written: str, kept: str) -> None:
    assert units.canonical(written) == kept


@pytest.mark.parametrize("written", ["", "furlongish", "9**9**9**9", "mm[", "m" * 61, "__import__('os')"])
def test_what_is_no_unit_is_none_and_computes_nothing(written: str) -> None:
    assert units.canonical(written) is None


@pytest.mark.parametrize(
    ("source", "target", "factor"),
    [
        ("ml", "µl", 1000.0),
        ("hour", "second", 3600.0),
        ("min", "second", 60.0),
        ("day", "second", 86400.0),
        ("HV", "MPa", 9.80665),
        ("degC", "kelvin", None),
        ("mm", "second", None),
        ("unknown", "mm", None),
        ("unknown", "unknown", 1.0),
    ],
)
def test_factors(source: str, target: str, factor: float | None) -> None:
    found = units.factor(source, target)
    assert found == (None if factor is None else pytest.approx(factor, rel=1e-12))


def test_the_times_known_by_heart_are_those_of_pint() -> None:
    for (source, target), seconds in units._SECONDS.items():
        assert units.registry().Quantity(1.0, source).to(target).magnitude == pytest.approx(seconds)
