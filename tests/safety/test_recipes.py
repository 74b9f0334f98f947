"""No recipe that the lab does not allow reaches a device, whichever two of the three checks are out of order.

``LABCTL_RECIPES=10000`` draws that many; without it a part of them is drawn.
"""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl.proposal import Proposal
from labctl.review import Keeper, by_rule
from labctl_drivers.engine import Lane
from labctl_drivers.guard import Guard
from labctl_drivers.limits import Limits, load_limits
from labctl_drivers.protocol import FailureKind, Ramp

Asked: TypeAlias = Any
Furnace: TypeAlias = Any

RECIPES = int(os.environ.get("LABCTL_RECIPES", "1000"))
LOW_HIGH_UNIT = {
    "temperature": (20.0, 1200.0, "degC"),
    "hold_time": (0.0, 48.0, "hour"),
    "heating_rate": (0.1, 20.0, "K/min"),
}
NOT_FINITE = (math.nan, -math.nan, math.inf, -math.inf)
NO_NUMBER = (None, True, False, "450", "", "NaN", [450.0], {"value": 450.0}, 10**400, 1j, b"450")
OTHER_UNITS = ("kg", "", "delta_degC", "warm", "degC**2", "10**9*K", "mol", "V/min", "Å")
CONVERTED = {"degC": ("K", 1.0, 273.15), "hour": ("minute", 60.0, 0.0), "K/min": ("degC/s", 1 / 60, 0.0)}
Changed: TypeAlias = tuple[dict[str, Any], dict[str, str]]


@st.composite
def forbidden(draw: st.DrawFn, good: Mapping[str, Any], units: Mapping[str, str]) -> Changed:
    """A recipe with at least one thing that the lab does not allow."""
    recipe, in_units = dict(good), dict(units)
    for name in draw(
        st.lists(st.sampled_from([*LOW_HIGH_UNIT, "combination", "stranger"]), min_size=1, max_size=3)
    ):
        if name == "combination":
            recipe |= draw(
                st.sampled_from(
                    [
                        {"temperature": math.nextafter(500.0, math.inf), "atmosphere": "air"},
                        {"temperature": 1100, "atmosphere": " Air "},
                        {"atmosphere": "hydrogen", "quench": "air"},
                        {"atmosphere": "Methane", "quench": "AIR"},
                    ]
                )
            )
            in_units["temperature"] = "degC"
            if draw(st.booleans()) and recipe.get("quench") != "oil":
                recipe.pop("quench", None)
        elif name == "stranger":
            recipe["pressure"] = draw(st.floats(allow_nan=False))
            in_units["pressure"] = "bar"
        else:
            recipe[name], in_units[name] = draw(_wrong(name))
            if in_units[name] == "none":
                del in_units[name]
    return recipe, in_units


def _wrong(name: str) -> st.SearchStrategy[tuple[object, str]]:
    """A value of one parameter that the lab does not allow, and its unit."""
    low, high, unit = LOW_HIGH_UNIT[name]
    one_ulp = [math.nextafter(low, -math.inf), math.nextafter(high, math.inf)]
    above = st.floats(min_value=high, exclude_min=True, allow_infinity=False)
    below = st.floats(max_value=low, exclude_max=True, allow_infinity=False)
    other, factor, offset = CONVERTED[unit]
    margin = 1e-6 * (high - low)
    outside = [low - margin, high + margin]
    return st.one_of(
        st.tuples(st.sampled_from([*NOT_FINITE, *NO_NUMBER, *one_ulp, -0.0]), st.just(unit)),
        st.tuples(above | below, st.just(unit)),
        st.tuples(st.floats(low, high), st.sampled_from(["none", *OTHER_UNITS])),
        st.tuples(st.sampled_from([end * factor + offset for end in outside]), st.just(other)),
    )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, lab: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """The lab's limits, and two lanes on one furnace each: with the driver's own check, and without any."""
    path = tmp_path_factory.mktemp("lab") / "lab.yaml"
    path.write_text(lab.limits)
    furnace = lab.furnace()
    with Lane("guarded", guard=Guard(path)) as guarded:
        guarded.connect(furnace)
        yield SimpleNamespace(limits=load_limits(path), guard=Guard(path), lane=guarded, furnace=furnace)


def proposed(recipe: Mapping[str, Any], units: Mapping[str, str], limits: Limits) -> bool:
    return Keeper(limits, units).allows(recipe)


def dispatched(recipe: Mapping[str, Any], units: Mapping[str, str], limits: Limits) -> bool:
    """What the controller decides right before dispatch, in a space that has no objection of its own."""
    proposal = Proposal.model_construct(recipe=recipe)
    space: Any = SimpleNamespace(units=units, problems=lambda _: ())
    return by_rule(proposal, space, limits).verdict == "approved"


def test_the_recipe_that_all_are_made_from_reaches_the_furnace(
    bench: SimpleNamespace, lab: SimpleNamespace
) -> None:
    assert proposed(lab.good, lab.units, bench.limits)
    assert dispatched(lab.good, lab.units, bench.limits)
    assert bench.lane.run(bench.furnace, lab.attempt("good")).reading == lab.read
    assert bench.furnace.heater.told
    bench.furnace.started.clear()
    bench.furnace.heater.told.clear()


def test_none_reaches_a_device_past_any_one_of_the_three_checks(
    bench: SimpleNamespace, lab: SimpleNamespace
) -> None:
    tried = []

    @given(changed=forbidden(lab.good, lab.units))
    @settings(max_examples=RECIPES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def each(changed: Changed) -> None:
        recipe, units = changed
        tried.append(recipe)
        # Each of the three by itself, so that any two of them may be out of order.
        assert not proposed(recipe, units, bench.limits)
        assert not dispatched(recipe, units, bench.limits)
        finished = bench.lane.run(bench.furnace, lab.attempt(f"k{len(tried)}", recipe, units))
        assert finished.failure.kind is FailureKind.ABORTED
        assert finished.failure.stage == "guard"
        assert bench.furnace.started == []
        assert bench.furnace.heater.told == []

    each()
    assert len(tried) >= RECIPES
    assert bench.furnace.made_safe == []


@given(
    value=st.floats(20.0, 1200.0),
    hold=st.floats(0.0, 48.0).filter(lambda hold: math.copysign(1.0, hold) > 0),
    rate=st.floats(0.1, 20.0),
    atmosphere=st.sampled_from(["argon", "air", "hydrogen"]),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_lab_allows_passes_all_three(
    *, value: float, hold: float, rate: float, atmosphere: str, bench: SimpleNamespace, lab: SimpleNamespace
) -> None:
    recipe = {
        "temperature": value,
        "hold_time": hold,
        "heating_rate": rate,
        "atmosphere": atmosphere,
        "quench": "oil",
    }
    allowed = not (atmosphere == "air" and value > 500.0)
    assert proposed(recipe, lab.units, bench.limits) == allowed
    assert dispatched(recipe, lab.units, bench.limits) == allowed
    assert (bench.guard(recipe, lab.units) is None) == allowed


def test_a_lane_tells_its_guard_how_fast_the_instrument_moves(
    limits_file: Path, furnace: Furnace, lab: SimpleNamespace
) -> None:
    recipe = {name: value for name, value in lab.good.items() if name != "heating_rate"}
    with Lane("test", guard=Guard(limits_file)) as lane:
        lane.connect(furnace)
        assert lane.run(furnace, lab.attempt("slow", recipe)).reading == lab.read
        furnace.ramps = lambda _: {"temperature": Ramp(21.0, "K/min")}
        failure = lane.run(furnace, lab.attempt("fast", recipe)).failure
        assert failure.message == (
            "not started: temperature would change by 21 K/min, and at most 20 is allowed (lab.yaml)"
        )
        furnace.ramps = lambda _: {}
        failure = lane.run(furnace, lab.attempt("unknown", recipe)).failure
        assert failure.message.startswith("not started: nothing says how fast temperature changes")
        limits_file.unlink()
        failure = lane.run(furnace, lab.attempt("gone")).failure
        assert (failure.kind, failure.stage) == (FailureKind.ABORTED, "guard")
    assert [attempt.key for attempt in furnace.started] == ["slow"]


def test_what_the_guard_has_seen_is_what_the_instrument_gets(
    limits_file: Path, furnace: Furnace, lab: SimpleNamespace
) -> None:
    recipe = dict(lab.good)
    guard = Guard(limits_file)

    def slow(*asked: Asked) -> str | None:
        said = guard(*asked)
        recipe["temperature"] = 5000.0
        return said

    with Lane("test", guard=slow) as lane:
        lane.connect(furnace)
        assert lane.run(furnace, lab.attempt("k1", recipe)).reading == lab.read
    assert furnace.started[0].recipe == lab.good
