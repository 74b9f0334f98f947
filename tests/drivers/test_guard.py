"""The driver's own check says in one sentence why something may not be started or set."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from labctl_drivers.guard import Guard
from labctl_drivers.protocol import Ramp

LIMITS = """
limits:
  temperature: {low: 20, high: 1200, unit: degC}
  ph: {low: 0, high: 14, unit: ""}
  flow: {low: 0, high: 5, unit: mL/min}
  heating_rate: {low: 0.1, high: 50, unit: K/min}
rates:
  temperature: {at_most: 10, unit: K/min, set_by: heating_rate}
  flow: {at_most: 1, unit: mL/min**2}
forbidden:
  - {temperature: {above: 500, unit: degC}, gas: air}
  - {ph: {above: 3, below: 5, unit: ""}, gas: [hydrogen, methane]}
unlimited: [stirrer]
"""
SLOW = {"flow": Ramp(1.0, "mL/min**2")}


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    path = tmp_path / "lab.yaml"
    path.write_text(LIMITS)
    return Guard(path)


@pytest.mark.parametrize(
    ("recipe", "units", "ramps"),
    [
        ({}, {}, None),
        ({"ph": 14}, {}, None),
        ({"ph": 0.0, "stirrer": 1e9, "colour": "red"}, {"stirrer": "rpm"}, None),
        (
            {"temperature": 1200, "heating_rate": 10.0, "gas": "argon"},
            {"temperature": "degC", "heating_rate": "K/min"},
            None,
        ),
        ({"temperature": 1473.15, "gas": ""}, {"temperature": "K"}, {"temperature": Ramp(10, "K/min")}),
        ({"temperature": 68.0}, {"temperature": "degF"}, {"temperature": Ramp(-1 / 6, "delta_degC/s")}),
        ({"flow": 0.3}, {"flow": "L/hour"}, SLOW),
        ({"temperature": 500.0, "gas": "air"}, {"temperature": "degC"}, {"temperature": Ramp(1.0, "K/min")}),
        ({"ph": 3.0, "gas": "methane"}, {}, None),
        ({"ph": 5.0, "gas": "methane"}, {}, None),
        ({"ph": 4.0, "gas": "argon"}, {}, None),
    ],
)
def test_what_the_lab_allows_passes(
    recipe: dict[str, Any], units: dict[str, str], ramps: Mapping[str, Ramp] | None, guard: Guard
) -> None:
    assert guard(recipe, units, ramps) is None


@pytest.mark.parametrize(
    ("recipe", "units", "ramps", "why"),
    [
        ({"ph": math.nextafter(14, 15)}, {}, None, "ph = 14.000000000000002  lies outside 0.0 to 14.0"),
        ({"ph": -0.0}, {}, None, "ph is minus zero, which a device may take for a negative number"),
        ({"ph": math.nan}, {}, None, "ph is not finite"),
        ({"ph": 10**400}, {}, None, "ph is larger than any number"),
        ({"ph": True}, {}, None, "ph is neither a number nor a text"),
        ({"ph": "7"}, {}, None, "ph is a text where the lab expects a number"),
        ({"stirrer": "fast"}, {}, None, "stirrer is a text where the lab expects a number"),
        ({"stirrer": math.inf}, {"stirrer": "rpm"}, None, "stirrer is not finite"),
        ({"pressure": 1.0}, {"pressure": "bar"}, None, "the lab has no limits for pressure"),
        ({"flow": 1.0}, {}, SLOW, "flow has no unit, and its limit is in mL/min"),
        ({"flow": 1.0}, {"flow": "bar"}, SLOW, "flow is in bar, and its limit in mL/min"),
        ({"flow": 1.0}, {"flow": "warm"}, SLOW, "'warm' is no unit that is known"),
        ({"flow": 1.0}, {"flow": "9**9**9"}, SLOW, "'9**9**9' is no unit"),
        ({"flow": 1.0}, {"flow": "mL/min"}, None, "nothing says how fast flow changes"),
        (
            {"flow": 1.0},
            {"flow": "mL/min"},
            {"flow": Ramp(1.1, "mL/min**2")},
            "flow would change by 1.1 mL/min**2",
        ),
        (
            {"flow": 1.0},
            {"flow": "mL/min"},
            {"flow": Ramp(math.nan, "mL/min**2")},
            "the rate of flow is not finite",
        ),
        (
            {"flow": 1.0},
            {"flow": "mL/min"},
            {"flow": Ramp(1.0, "mL/min")},
            "flow is in mL/min, and its limit in",
        ),
        (
            {"temperature": 100.0, "heating_rate": 10.1},
            {"temperature": "degC", "heating_rate": "K/min"},
            None,
            "temperature would change by 10.1 K/min, and at most 10 is allowed",
        ),
        (
            {"temperature": 100.0, "heating_rate": 1.0},
            {"temperature": "degC", "heating_rate": "K/min"},
            {"temperature": Ramp(11.0, "K/min")},
            "temperature would change by 11 K/min",
        ),
        (
            {"temperature": 500.1, "gas": "AIR ", "heating_rate": 1.0},
            {"temperature": "degC", "heating_rate": "K/min"},
            None,
            "temperature and gas make a combination that the lab forbids",
        ),
        ({"ph": 4.0, "gas": "methane"}, {}, None, "ph and gas make a combination"),
        ({"ph": 4.0}, {}, None, "ph and gas make a combination"),
        ({"gas": "hydrogen"}, {}, None, "ph and gas make a combination"),
        ({"gas": 5.0}, {}, None, "the lab has no limits for gas"),
    ],
)
def test_what_it_does_not_allow_is_said(
    *,
    recipe: dict[str, Any],
    units: dict[str, str],
    ramps: Mapping[str, Ramp] | None,
    why: str,
    guard: Guard,
) -> None:
    said = guard(recipe, units, ramps)
    assert said is not None
    assert said.startswith(why)
    assert said.endswith("(lab.yaml)")


def test_a_device_asks_before_each_setpoint(guard: Guard) -> None:
    assert guard.move("temperature", 600.0, "degC", Ramp(10.0, "K/min")) is None
    assert guard.move("ph", 7.0, "") is None
    for said, why in (
        (
            guard.move("temperature", 600.0, "degC", Ramp(10.1, "K/min")),
            "temperature would change by 10.1 K/min",
        ),
        (guard.move("temperature", 600.0, "degC"), "temperature may not jump"),
        (
            guard.move("temperature", 1201.0, "degC", Ramp(1.0, "K/min")),
            "temperature = 1201.0 degC lies outside",
        ),
        (guard.move("pressure", 1.0, "bar"), "the lab has no limits for pressure"),
    ):
        assert said is not None
        assert said.startswith(why)
    guard.path.unlink()
    assert str(guard.move("ph", 7.0, "")).startswith("the lab's limits cannot be used")


def test_whatever_goes_wrong_in_the_check_allows_nothing(guard: Guard) -> None:
    nothing: Any = None
    assert guard(nothing, {}) == "the limits in lab.yaml could not be checked (AttributeError)"
    assert guard({"ph": 7.0}, nothing) == "the limits in lab.yaml could not be checked (AttributeError)"
    assert guard({"flow": 1.0}, {"flow": "mL/min"}, {"flow": nothing}) is not None


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("H\u2082", "H2"),
        ("\u212bngstr\u00f6m", "a\u030angstro\u0308m"),
        ("stra\u00dfe", "STRASSE"),
    ],
)
def test_a_forbidden_text_is_known_however_unicode_spells_it(told: str, asked: str, tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(f"limits: {{}}\nforbidden:\n  - {{gas: {told}}}\n", "utf-8")
    guard = Guard(path)
    for gas in (told, asked, f" {asked.upper()} "):
        assert "forbids" in (guard({"gas": gas}, {}) or "")
    assert guard({"gas": "argon"}, {}) is None
