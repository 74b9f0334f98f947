"""The driver's own check allows nothing that the controller's refuses, and reads every plain file it does."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from labctl.starter import configs_folder
from labctl_drivers.guard import Guard
from labctl_drivers.guard_file import FileRefusedError, book_of
from labctl_drivers.limits import Limits, LimitsError, load_limits
from labctl_drivers.protocol import Ramp

ODD = (math.nan, math.inf, True, None, 10**400, 7, "air", [])
NAMES = ("temperature", "pressure", "ph", "flow")
TEXTS = ("air", "Air ", "argon", "no", "1", "")
UNITS = ("degC", "K", "degF", "bar", "Pa", "", "mL/min", "L/hour", "K/min", "degC/s", "delta_degC", "warm")
SETTINGS = settings(
    max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
edges = st.sampled_from([0.0, -0.0, 1.0, 20.0, 100.0, 293.15, 500.0, 1200.0])
numbers = edges | st.floats(-2000, 2000)
units = st.sampled_from(UNITS)


def seldom(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 19)) == 13


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """What a file of limits may say, with a slip now and then."""
    limits = {}
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)):
        low, high = sorted((draw(numbers), draw(numbers)), reverse=seldom(draw))
        limits[name] = {"low": low, "high": high, "unit": draw(units)}
    file: dict[str, Any] = {"limits": limits}
    named = st.sampled_from([*limits, "temprature"] if seldom(draw) else [*limits])
    if draw(st.booleans()):
        file["unlimited"] = ["stirrer", *(["ph"] if seldom(draw) else [])]
    if draw(st.booleans()):
        rate = {"at_most": 0.0 if seldom(draw) else draw(st.floats(0.5, 100.0)), "unit": draw(units)}
        if draw(st.booleans()):
            rate["set_by"] = draw(named)
        file["rates"] = {draw(named): rate}
    if draw(st.booleans()):
        ends = [{"above": draw(numbers)}, {"below": draw(numbers)}, {"above": -5.0, "below": 900.0}]
        number = st.builds(
            lambda end, unit: {**end, "unit": unit}, st.sampled_from([*ends, *ends, {}][:7]), units
        )
        text = st.sampled_from(TEXTS) | st.lists(st.sampled_from(TEXTS), min_size=1, max_size=2)
        numeric = st.dictionaries(named, number, min_size=1, max_size=2)
        both = st.builds(
            lambda one, two: {**one, **two}, numeric, st.fixed_dictionaries({}, optional={"gas": text})
        )
        file["forbidden"] = draw(st.lists(both, min_size=1, max_size=2))
    return file


@st.composite
def questions(
    draw: st.DrawFn,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, str], dict[str, Ramp] | None]:
    """A file, and a recipe with units and ramps, most of which fit the file."""
    file = draw(files())
    recipe: dict[str, Any] = {}
    in_units: dict[str, str] = {}
    for name, limit in file["limits"].items():
        inside = st.sampled_from([limit["low"], limit["high"], (limit["low"] + limit["high"]) / 2])
        recipe[name] = draw(numbers | st.sampled_from(ODD)) if seldom(draw) else draw(inside)
        in_units[name] = draw(units) if seldom(draw) else limit["unit"]
    if draw(st.booleans()):
        recipe["gas"] = draw(st.sampled_from(TEXTS))
    if draw(st.booleans()) and recipe:
        recipe.pop(draw(st.sampled_from(sorted(recipe))))
    if seldom(draw):
        recipe["stirrer"] = draw(numbers | st.sampled_from(ODD))
    ramps = None
    if draw(st.booleans()):
        speed = st.floats(-20, 60) | st.just(math.nan)
        unit = next((rate["unit"] for rate in file.get("rates", {}).values()), "K/min")
        ramps = draw(
            st.dictionaries(st.sampled_from(NAMES), st.builds(Ramp, speed, st.just(unit)), max_size=3)
        )
    return file, recipe, in_units, ramps


def read_both(path: Path) -> tuple[Limits | None, str | None]:
    """What the controller makes of a file, and what the guard says to a recipe that asks for nothing."""
    try:
        limits = load_limits(path)
    except LimitsError:
        limits = None
    return limits, Guard(path)({}, {})


@given(question=questions())
@SETTINGS
def test_the_guard_is_never_the_more_lenient_one(
    question: tuple[dict[str, Any], dict[str, Any], dict[str, str], Mapping[str, Ramp] | None], tmp_path: Path
) -> None:
    file, recipe, in_units, ramps = question
    path = tmp_path / "lab.yaml"
    path.write_text(json.dumps(file))
    limits, refused = read_both(path)
    # Written plainly, both understand a file or neither does.
    assert (limits is None) == (refused is not None)
    if limits is None:
        event("file refused")
        return
    allowed = not limits.violations(recipe, in_units, ramps)
    said = Guard(path)(recipe, in_units, ramps)
    event(f"allowed by the controller: {allowed}, by the guard: {said is None}")
    if limits.rates and limits.forbidden:
        event(f"with a rate and a combination, by the guard: {said is None}")
    assert allowed or said is not None
    same = all(in_units.get(name) == limit.unit for name, limit in limits.limits.items() if name in recipe)
    told = ramps is not None or not limits.rates
    if (
        same
        and told
        and all(limits.limits[n].unit == c.unit for f in limits.forbidden for n, c in f.items() if n != "gas")
    ):
        assert allowed == (said is None)


@given(
    value=st.floats(-2000, 2000),
    share=st.floats(0, 1),
    pair=st.sampled_from([("degC", "K"), ("degF", "degC"), ("bar", "Pa"), ("mL/min", "L/hour")]),
)
@SETTINGS
def test_both_agree_in_other_units_but_for_a_rounding(
    *, value: float, share: float, pair: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(json.dumps({"limits": {"x": {"low": -500.0, "high": 700.0, "unit": pair[0]}}}))
    limits, guard = load_limits(path), Guard(path)
    asked = value if share < 0.5 else -500.0 + share * 1200.0
    controller = not limits.violations({"x": asked}, {"x": pair[1]})
    driver = guard({"x": asked}, {"x": pair[1]}) is None
    if controller != driver:
        # Only within half of the rounding that the controller grants, which no drawn value is by chance.
        pytest.fail(f"{asked!r} {pair}")


@pytest.mark.parametrize(
    "text",
    [
        "limits: {t: {low: 0600, high: 900, unit: K}}",
        "limits: {t: {low: 1e2, high: 1.0e+3, unit: K}}",
        "limits:\n  t:\n    low: 1.\n    high: 2\n    unit: mg/mL\n",
        "limits: {'1': {low: 0, high: 1, unit: ''}, 2-propanol: {low: 0, high: 1, unit: mL}}",
        "limits: {flow rate: {low: -1, high: +1, unit: 'mL/min'}}\nunlimited: [pH-value]",
        "# a comment\n---\nlimits: {}\n",
        "\ufefflimits: {}",
    ],
)
def test_plain_files_mean_the_same_to_both(text: str, tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(text, "utf-8")
    book = book_of(path.read_bytes())
    limits = load_limits(path)
    assert book.ranges == {n: (one.low, one.high, one.unit) for n, one in limits.limits.items()}
    assert book.free == limits.unlimited


@pytest.mark.parametrize(
    "text",
    [
        "%YAML 1.1\n---\nlimits: {t: {low: 0, high: 0600, unit: K}}",
        "limits: {t: {low: 0, high: 0o600, unit: K}}",
        "limits: {t: {low: 0, high: 0x600, unit: K}}",
        "limits: {t: {low: 0, high: 6_00, unit: K}}",
        "limits: {t: {low: 0, high: 10:00, unit: K}}",
        "limits: {t: {low: 0, high: '600', unit: K}}",
        "limits: {t: {low: 0, high: !!float 600, unit: K}}",
        "limits: {t: {low: 0, high: .inf, unit: K}}",
        "limits: {t: {low: 0, high: 1e999, unit: K}}",
        "limits: {t: {low: 0, high: 600, unit: K}, t: {low: 0, high: 900, unit: K}}",
        "limits: {t: &a {low: 0, high: 600, unit: K}, u: *a}",
        "limits: {t: {<<: {low: 0, high: 600}, unit: K}}",
        "limits: {}\n---\nlimits: {}",
        "limits: {t: {low: 0, high: 600, unit: K\u2028, high: 900}}",
        "limits: {1: {low: 0, high: 600, unit: K}}",
        "limits: " + "[" * 2000,
        "limits: {t: {low: 0, high: 600, unit: furlongish}}",
        "limits: {t: {low: 0, high: 600, unit: 9**9**9}}",
        "limits: {t: {low: 0, high: 600, unit: K**99999999}}",
        "",
        "\x00",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_by_the_guard(text: str, tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(text, "utf-8")
    said = Guard(path)({}, {})
    assert said is not None
    assert "\n" not in said
    assert len(said) < 250


def test_the_two_share_no_code() -> None:
    import ast  # noqa: PLC0415 - only here

    from labctl_drivers import guard, guard_file  # noqa: PLC0415 - only here

    for module in (guard, guard_file):
        tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
        named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        ours = {name for name in named if name and name.startswith("labctl")}
        assert ours <= {"labctl_drivers.guard_file", "labctl_drivers.protocol"}
    with pytest.raises(FileRefusedError):
        book_of(b"limits: 5")


@pytest.mark.parametrize(
    "path", sorted((configs_folder() / "limits").glob("*.yaml")), ids=lambda path: path.name
)
def test_every_file_of_limits_that_labctl_brings_along_means_the_same_to_both(path: Path) -> None:
    limits, said = read_both(path)
    assert limits is not None
    assert said is None
    book = book_of(path.read_bytes())
    assert book.ranges == {n: (one.low, one.high, one.unit) for n, one in limits.limits.items()}
    assert set(book.speeds) == set(limits.rates)
    assert len(book.never) == len(limits.forbidden)
