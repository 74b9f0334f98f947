"""Nothing passes the lab's limits that the lab has not allowed."""

import hashlib
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.starter import configs_folder
from labctl_drivers.limits import Limit, Limits, LimitsError, load_limits, of_numbers
from labctl_drivers.protocol import Ramp

FURNACE = configs_folder() / "limits" / "furnace.yaml"
PINT = pint.UnitRegistry()
GOOD = """
limits:
  temperature: {low: 15, high: 1200, unit: degC}
  hold_time: {low: 0, high: 48, unit: hour}
  ph: {low: 0, high: 14, unit: ""}
  ramp: {low: 0, high: 20, unit: degC/minute}
unlimited: [stirrer]
"""


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    path = tmp_path / "lab.yaml"
    path.write_text(GOOD)
    return load_limits(path)


def test_a_file_is_read_with_its_digest(limits: Limits, tmp_path: Path) -> None:
    assert limits.limits["temperature"] == Limit(15.0, 1200.0, "degC")
    assert limits.unlimited == {"stirrer"}
    assert limits.sha256 == hashlib.sha256((tmp_path / "lab.yaml").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("recipe", "units"),
    [
        ({"temperature": 1200, "hold_time": 48.0}, {"temperature": "degC", "hold_time": "hour"}),
        ({"temperature": 1473.15}, {"temperature": "K"}),
        ({"temperature": 288.15}, {"temperature": "K"}),
        ({"temperature": 59.0}, {"temperature": "degF"}),
        ({"hold_time": 2880}, {"hold_time": "minute"}),
        ({"ramp": 20 / 60}, {"ramp": "K/s"}),
        ({"ph": 7.0}, {}),
        ({"stirrer": 1e9, "colour": "red"}, {"stirrer": "rpm"}),
        ({}, {}),
    ],
)
def test_what_is_allowed_passes(recipe: dict[str, Any], units: dict[str, str], limits: Limits) -> None:
    assert limits.violations(recipe, units) == ()


@pytest.mark.parametrize(
    ("recipe", "units", "why"),
    [
        (
            {"temperature": 1200.0001},
            {"temperature": "degC"},
            "above the lab's limit of 1200 degC in lab.yaml",
        ),
        ({"temperature": 14.999}, {"temperature": "degC"}, "below the lab's limit of 15 degC"),
        ({"temperature": 1300}, {"temperature": "degF"}, None),
        ({"temperature": 2193}, {"temperature": "degF"}, "above the lab's limit"),
        ({"temperature": 1473.16}, {"temperature": "K"}, "temperature = 1473.16 K is above"),
        ({"temperature": 100}, {}, "has no unit"),
        ({"temperature": 100}, {"temperature": "minute"}, "cannot be converted"),
        ({"temperature": 100}, {"temperature": "delta_degC"}, "cannot be converted"),
        ({"temperature": 100}, {"temperature": "warm"}, "is not a unit"),
        ({"temperature": "100"}, {"temperature": "degC"}, "is text, but lab.yaml limits a number"),
        ({"stirrer": "fast"}, {}, f"stirrer = 'fast' is text; {of_numbers('lab.yaml', 'stirrer')}"),
        ({"temperature": math.nan}, {"temperature": "degC"}, "neither a finite number nor text"),
        ({"temperature": math.inf}, {"temperature": "degC"}, "neither a finite number nor text"),
        ({"stirrer": -math.inf}, {"stirrer": "rpm"}, "neither a finite number nor text"),
        ({"stirrer": 10**5000}, {"stirrer": "rpm"}, "neither a finite number nor text"),
        ({"stirrer": True}, {"stirrer": "rpm"}, "neither a finite number nor text"),
        ({"stirrer": None}, {"stirrer": "rpm"}, "neither a finite number nor text"),
        ({"pressure": 1.0}, {"pressure": "bar"}, "pressure has no limit in lab.yaml"),
        ({"ph": 15}, {}, "above the lab's limit of 14 in lab.yaml"),
        ({"ph": 7.0}, {"ph": "degC"}, "cannot be converted"),
    ],
)
def test_what_is_not_allowed_is_said(
    recipe: dict[str, Any], units: dict[str, str], why: str | None, limits: Limits
) -> None:
    found = limits.violations(recipe, units)
    if why is None:
        assert found == ()
    else:
        (sentence,) = found
        assert why in sentence
        assert len(sentence) < 250


def test_a_text_under_unlimited_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text("limits: {}\nunlimited: [quench, stirrer]")
    (sentence,) = load_limits(path).violations({"quench": "oil", "stirrer": 3.0}, {"stirrer": "rpm"})
    assert sentence == (
        "quench = 'oil' is text; lab.yaml lists numbers under unlimited, and a text needs no entry: take "
        "quench out there"
    )
    path.write_text("limits: {}\nunlimited: [stirrer]")
    assert load_limits(path).violations({"quench": "oil", "stirrer": 3.0}, {"stirrer": "rpm"}) == ()


def test_every_violation_of_a_recipe_is_said(limits: Limits) -> None:
    recipe = {"temperature": 9999.0, "hold_time": -1.0, "pressure": 1.0, "colour": "red"}
    units = {"temperature": "degC", "hold_time": "hour", "pressure": "bar"}
    assert len(limits.violations(recipe, units)) == 3


@given(
    share=st.floats(0, 1),
    low=st.floats(-1e5, 1e5),
    width=st.floats(0, 1e5),
    pair=st.sampled_from([("degC", "K"), ("degF", "degC"), ("minute", "hour"), ("um", "km"), ("K", "degF")]),
)
@settings(max_examples=200, deadline=None)
def test_inside_in_any_unit_passes_and_clearly_outside_never_does(
    share: float, low: float, width: float, pair: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    unit, recipe_unit = pair
    path = tmp_path_factory.mktemp("limits") / "lab.yaml"
    high = low + width
    path.write_text(f"limits: {{x: {{low: {low:.17f}, high: {high:.17f}, unit: {unit}}}}}")
    limits = load_limits(path)
    low, high = limits.limits["x"].low, limits.limits["x"].high

    def asked(value: float) -> tuple[str, ...]:
        converted = PINT.Quantity(value, unit).to(recipe_unit).magnitude
        return limits.violations({"x": converted}, {"x": recipe_unit})

    inside = min(high, max(low, low + share * (high - low)))
    margin = 1e-6 * max(1.0, abs(low), abs(high))
    assert limits.violations({"x": inside}, {"x": unit}) == ()
    if low + margin <= inside <= high - margin:
        assert asked(inside) == ()
    assert asked(high + margin)
    assert asked(low - margin)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the file must be a mapping"),
        ("[]", "the file must be a mapping"),
        ("unlimited: []", "limits must be a mapping"),
        ("limits: {}\nlimit: {}", "unknown key 'limit'; known are forbidden, limits, rates, unlimited"),
        ("limits: {t: {low: 0, high: 1, unit: K, soft: true}}", "limits.t has the unknown key 'soft'"),
        ("limits: {t: {low: 0, high: 1}}", "limits.t lacks unit"),
        ("limits: {t: {high: 1, unit: K}}", "limits.t lacks low"),
        ("limits: {t: {low: 2, high: 1, unit: K}}", "low 2 above high 1"),
        ("limits: {t: {low: 0, high: .inf, unit: K}}", "limits.t.high must be a finite number"),
        ("limits: {t: {low: .nan, high: 1, unit: K}}", "limits.t.low must be a finite number"),
        ("limits: {t: {low: no, high: 1, unit: K}}", "limits.t.low must be a finite number"),
        ("limits: {t: {low: 10:00, high: 2000, unit: K}}", "such as 15 or 1.0e\\+3, and is '10:00'"),
        ("limits: {t: {low: 0, high: 1, unit: 5}}", "limits.t.unit must be text"),
        ("limits: {t: {low: 0, high: 1, unit: furlongish}}", "'furlongish' is not a unit"),
        ("limits: {t: 5}", "limits.t must be a mapping"),
        ("limits: {1: {low: 0, high: 1, unit: K}}", "put the name in quotes"),
        ("limits: {}\nunlimited: t", "unlimited must be a list"),
        ("limits: {}\nunlimited: [{a: 1}]", "put the name in quotes"),
        ("limits: {t: {low: 0, high: 1, unit: K}}\nunlimited: [t]", "t stands under limits and under"),
        ("limits: &a {}\nunlimited: *a", "alias"),
        ("limits: {t: {low: 0, high: 1, unit: K}, t: {low: 0, high: 9, unit: K}}", "'t' stands twice"),
    ],
)
def test_a_file_that_is_not_understood_allows_nothing(content: str, why: str | None, tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(content)
    with pytest.raises(LimitsError, match=why) as caught:
        load_limits(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


RULES = """
limits:
  temperature: {low: 20, high: 1200, unit: degC}
  heating_rate: {low: 0.1, high: 50, unit: K/min}
  flow: {low: 0, high: 5, unit: mL/min}
rates:
  temperature: {at_most: 10, unit: K/min, set_by: heating_rate}
  flow: {at_most: 1, unit: mL/min**2}
forbidden:
  - {temperature: {above: 500, unit: degC}, gas: air}
  - {flow: {below: 0.5, unit: mL/min}, gas: [hydrogen, methane]}
"""
HEATED = {"temperature": "degC", "heating_rate": "K/min", "flow": "mL/min"}


@pytest.mark.parametrize(
    ("recipe", "ramps", "why"),
    [
        ({"temperature": 500.0, "heating_rate": 10.0, "gas": "air"}, None, None),
        ({"temperature": 900.0, "heating_rate": 10.0, "gas": "argon"}, None, None),
        ({"temperature": 400.0}, {"temperature": Ramp(-0.1, "K/s")}, None),
        ({"flow": 1.0}, None, None),
        ({"flow": 1.0}, {"flow": Ramp(1.0, "mL/min**2")}, None),
        ({"flow": 0.5, "gas": "hydrogen"}, None, None),
        (
            {"temperature": 400.0, "heating_rate": 10.5},
            None,
            "temperature changes by 10.5 K/min, and lab.yaml allows at most 10 K/min",
        ),
        (
            {"temperature": 400.0, "heating_rate": 1.0},
            {"temperature": Ramp(1.0, "K/s")},
            "temperature changes by 1 K/s, and lab.yaml allows at most 10 K/min",
        ),
        (
            {"temperature": 400.0},
            None,
            "nothing says how fast temperature changes, which lab.yaml limits; give",
        ),
        (
            {"flow": 1.0},
            {},
            "nothing says how fast flow changes, which lab.yaml limits; give set_by in that file",
        ),
        (
            {"flow": 1.0},
            {"flow": Ramp(math.nan, "mL/min**2")},
            "flow changes by nan, which is no finite number",
        ),
        ({"flow": 1.0}, {"flow": Ramp(1.0, "bar/min")}, "cannot be checked against lab.yaml"),
        (
            {"temperature": 500.5, "heating_rate": 1.0, "gas": " AIR"},
            None,
            "lab.yaml forbids temperature = 500.5 degC with gas = ' AIR'",
        ),
        ({"flow": 0.4, "gas": "methane"}, None, "lab.yaml forbids flow = 0.4 mL/min with gas = 'methane'"),
        (
            {"temperature": 500.5, "heating_rate": 1.0},
            None,
            "lab.yaml forbids temperature = 500.5 degC, and the recipe does not say gas",
        ),
        ({"gas": "hydrogen"}, None, "lab.yaml forbids gas = 'hydrogen', and the recipe does not say flow"),
    ],
)
def test_rates_and_combinations_are_kept(
    recipe: dict[str, Any], ramps: dict[str, Ramp] | None, why: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(RULES)
    found = load_limits(path).violations(recipe, HEATED, ramps)
    if why is None:
        assert found == ()
    else:
        assert len(found) == 1
        assert why in found[0]


def test_minus_zero_is_below_a_limit_of_zero(limits: Limits) -> None:
    assert limits.violations({"ph": -0.0}, {}) == ("ph = -0 is below the lab's limit of 0 in lab.yaml",)
    assert limits.violations({"ph": 0.0}, {}) == ()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("rates: []", "rates must be a mapping"),
        ("rates: {t: {at_most: 0, unit: K/min}}", "rates.t.at_most must be above 0, and is 0"),
        ("rates: {t: {at_most: 5}}", "rates.t lacks unit; write {at_most: 10, unit: K/min}"),
        ("rates: {t: {at_most: 5, unit: K/min, set_by: 5}}", "rates.t.set_by names 5, which is no text"),
        (
            "rates: {t: {at_most: 5, unit: K/min, set_by: ramp}}",
            "names 'ramp', which stands neither under limits",
        ),
        ("rates: {u: {at_most: 5, unit: K/min}}", "rates names 'u', which stands neither under limits nor"),
        ("forbidden: {t: air}", "forbidden must be a list of combinations"),
        ("forbidden: [{}]", r"forbidden\[0\] is empty, which would forbid everything"),
        ("forbidden: [{gas: 5}]", r"forbidden\[0\].gas must be a text such as air"),
        ("forbidden: [{gas: []}]", r"forbidden\[0\].gas must be a text such as air"),
        ("forbidden: [{t: {unit: K}}]", r"forbidden\[0\].t needs unit, and above or below or both"),
        ("forbidden: [{t: {above: 5, below: 5, unit: K}}]", "which no number is; exchange them"),
        ("forbidden: [{u: {above: 5, unit: K}}]", "names 'u', which stands neither under limits nor"),
        ("forbidden: [{t: {above: 5, unit: K, soft: 1}}]", "has the unknown key 'soft'"),
    ],
)
def test_rates_and_combinations_that_are_not_understood_allow_nothing(
    more: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text("limits: {t: {low: 0, high: 1, unit: K}}\n" + more)
    with pytest.raises(LimitsError, match=why):
        load_limits(path)


def test_a_missing_file_allows_nothing(tmp_path: Path) -> None:
    with pytest.raises(LimitsError, match=r"cannot be read.*nothing is allowed to run"):
        load_limits(tmp_path / "lab.yaml")


def test_the_furnace_s_own_limits_hold() -> None:
    limits = load_limits(FURNACE)
    units = {"temperature": "degC", "hold_time": "minute"}
    assert limits.violations({"temperature": 190.0, "hold_time": 600.0, "quench": "oil"}, units) == ()
    assert len(limits.violations({"temperature": 700.0, "hold_time": 3000.0, "quench": "oil"}, units)) == 2


def test_importing_limits_imports_nothing_heavy() -> None:
    script = "import sys, labctl_drivers.limits; print({'pint', 'numpy', 'bluesky'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


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
    limits = load_limits(path)
    for gas in (told, asked, f" {asked.upper()} "):
        assert "forbids" in limits.violations({"gas": gas}, {})[0]
    assert limits.violations({"gas": "argon"}, {}) == ()
