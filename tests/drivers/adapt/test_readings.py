"""Which key is meant, in which unit: found where it is clear, refused where it is not."""

import math
from typing import Any

import numpy as np
import pytest

from labctl_drivers.adapt.options import Options
from labctl_drivers.adapt.readings import key_among, number, refuse_no_number, refuse_other_unit, rule_of

KEYS: dict[str, dict[str, Any]] = {"tester-hardness": {"units": "HV"}, "tester_width": {}, "hum": {}}


@pytest.mark.parametrize(
    ("key", "name", "found"),
    [
        ("hum", "hardness", "hum"),
        ("hardness", "x", "tester-hardness"),
        ("width", "x", "tester_width"),
        (None, "hardness", "tester-hardness"),
        (None, "hum", "hum"),
    ],
)
def test_a_key_is_found_with_or_without_the_device_s_name(key: str | None, name: str, found: str) -> None:
    assert key_among(KEYS, key, device="tester", name=name, place="p") == found
    assert key_among({"only": {}}, None, device="tester", name=name, place="p") == "only"


def test_a_key_that_is_not_there_or_not_clear_is_refused() -> None:
    with pytest.raises(ValueError, match="p: tester reads no 'humm'; did you mean hum"):
        key_among(KEYS, "humm", device="tester", name="x", place="p")
    with pytest.raises(ValueError, match="p: is needed, for tester reads tester-hardness, tester_width, hum"):
        key_among(KEYS, None, device="tester", name="x", place="p")
    with pytest.raises(ValueError, match="p: is needed, for tester reads nothing"):
        key_among({}, None, device="tester", name="x", place="p")


@pytest.mark.parametrize(
    ("own", "unit", "described_as"),
    [
        ("HV", "HV", None),
        ("millimeter", "mm", None),
        ("counts per second or so", "Hz", None),
        ("C", "degC", "C"),
        ("", "K", None),
        (None, "K", None),
    ],
)
def test_units_that_agree_or_say_nothing_pass(own: str | None, unit: str, described_as: str | None) -> None:
    refuse_other_unit({"k": {"units": own}}, "k", unit, described_as, "p")


@pytest.mark.parametrize(("own", "unit"), [("degC", "K"), ("mm", "um"), ("C", "degC"), ("V", "A")])
def test_units_that_contradict_are_refused(own: str, unit: str) -> None:
    said = f"p: is {unit}, but k is described in {own}; write unit: {own}, or described_as: {own}"
    with pytest.raises(ValueError, match=said):
        refuse_other_unit({"k": {"units": own}}, "k", unit, None, "p")


def test_an_objective_is_one_number() -> None:
    for good in ({}, {"dtype": "integer", "shape": []}, {"dtype": "number", "shape": [1]}):
        refuse_no_number({"k": good}, "k", "p")
    with pytest.raises(ValueError, match="p: k is text"):
        refuse_no_number({"k": {"dtype": "string", "shape": []}}, "k", "p")
    for bad in ({"dtype": "array", "shape": [5]}, {"dtype": "number", "shape": [2, 1]}):
        with pytest.raises(ValueError, match="p: k is an array"):
            refuse_no_number({"k": bad}, "k", "p")


def test_numbers_of_every_kind_become_floats_and_nothing_else_does() -> None:
    for one in (2, 2.0, np.float32(2), np.int8(2), np.array(2.0), np.array([2.0])):
        assert (number(one), type(number(one))) == (2.0, float)
    assert number(True) == 1.0  # noqa: FBT003 - a reading
    assert math.isnan(number(float("nan")))
    assert number("x") == "x"
    assert isinstance(number(np.array([1.0, 2.0])), np.ndarray)


def test_the_rule_of_a_reading_is_read() -> None:
    rule = rule_of(Options({"key": "k", "unit": "HV", "described_as": "H"}, "readings.h"))
    assert (rule.place, rule.key, rule.unit, rule.described_as) == ("readings.h", "k", "HV", "H")
    assert rule_of(Options({})).unit == "dimensionless"
