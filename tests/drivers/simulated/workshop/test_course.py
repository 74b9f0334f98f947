"""What recipe and fate make of a casting: every ending, and that nothing else decides it."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.protocol import Bound, ExperimentFailed, FailureKind, Reading
from labctl_drivers.simulated.workshop import diffraction
from labctl_drivers.simulated.workshop.course import Course, Order, follow
from labctl_drivers.simulated.workshop.fate import Fate, drawn
from labctl_drivers.simulated.workshop.physics import Alloy
from labctl_drivers.simulated.workshop.settings import WorkshopSettings

CALM: dict[str, Any] = {"spill_rate": 0.0, "fault_rate": 0.0}
BEST = {"Zr": 48.0, "Cu": 45.0, "Al": 7.0}
K = FailureKind


def order(cooling: float = 3000.0, melt_c: float = 1100.0, anneal_c: float = 20.0, **alloy: float) -> Order:
    return Order(alloy or BEST, melt_c, cooling, anneal_c)


def fate(key: str = "k1", seed: int = 0, slot: int = 1, **changed: object) -> Fate:
    return drawn(seed, key, slot=slot, number=slot, settings=WorkshopSettings(**{**CALM, **changed}))


def course(asked: Order, lying: tuple[str, ...] = (), key: str = "k1", **changed: object) -> Course:
    made = WorkshopSettings(**{**CALM, **changed})
    drew = drawn(0, key, slot=1, number=1, settings=made)
    return follow(asked, drew, made, Alloy(), crucible={"rack": 1, "slot": 1}, lying=lying)


def failed(asked: Order, **changed: object) -> ExperimentFailed:
    result = course(asked, **changed).result
    assert isinstance(result, ExperimentFailed)
    return result


def read(asked: Order, lying: tuple[str, ...] = (), **changed: object) -> Reading:
    result = course(asked, lying, **changed).result
    assert isinstance(result, Reading), result
    return result


def test_a_good_casting_is_a_glass_with_all_that_its_label_rests_on() -> None:
    reading = read(order())
    assert reading.raw["label"] == "glassy"
    assert reading.raw["label_thresholds"] == {"glassy": 0.40, "nanocrystalline": 0.03}
    assert reading.raw["peak"]["width"] == reading.values["peak_width"] > 0.4
    assert reading.units == {"hardness": "HV", "peak_width": "1/angstrom"}
    assert set(reading.actual) == {
        "Zr", "Cu", "Al", "melt_temperature", "cooling_rate", "anneal_temperature"
    }  # fmt: skip
    assert math.fsum(reading.actual[element] for element in BEST) == pytest.approx(100.0)
    assert 10 <= reading.raw["humidity"] <= 90
    # JSON keeps it as it is, and whoever comes later finds the same width and label in it.
    kept = json.loads(json.dumps(dict(reading.raw), allow_nan=False))
    again = diffraction.relabel(kept, diffraction.Thresholds())
    assert again == (reading.values["peak_width"], reading.raw["label"])


@pytest.mark.parametrize(
    ("asked", "label"),
    [
        (order(), "glassy"),
        (order(anneal_c=490.0), "nanocrystalline"),
        (order(anneal_c=560.0), "crystalline"),
        (order(cooling=2.0), "crystalline"),
    ],
)
def test_annealing_and_slow_cooling_make_crystals(asked: Order, label: str) -> None:
    raw = read(asked).raw
    assert raw["label"] == label
    # The usual reading of the labels: a glass is ordered over some atoms, nanocrystals over up to 20 nm.
    size = raw["peak"]["scherrer_size_nm"]
    assert {"glassy": size < 2, "nanocrystalline": 2 < size < 21, "crystalline": size > 20}[label]


@pytest.mark.parametrize(
    ("asked", "changed", "kind", "says"),
    [
        (order(melt_c=850.0), {}, K.INFEASIBLE, "did not melt through at 8"),
        (order(melt_c=1445.0), {}, K.INFEASIBLE, "ate through its crucible"),
        (order(cooling=0.1), {}, K.INFEASIBLE, "shattered under the indenter"),
        (order(), {"highest_hv": 450.0}, K.CENSORED, "above 450 HV"),
        (order(), {"lowest_hv": 700.0}, K.CENSORED, "below 700 HV"),
        (order(anneal_c=560.0), {"full_scale": 1000}, K.BAD_READING, "saturated"),
        (order(), {"spill_rate": 1.0}, K.OFF_RECIPE, "% of"),
        (order(), {"fault_rate": 1.0}, K.INSTRUMENT_FAULT, "robot dropped"),
        (order(), {"fault_rates": {"oven": {"stuck": 1.0}}}, K.INSTRUMENT_FAULT, "oven was stuck"),
    ],
)
def test_each_ending(asked: Order, changed: dict[str, Any], kind: FailureKind, says: str) -> None:
    failure = failed(asked, **changed)
    assert failure.kind is kind
    assert says in failure.message
    assert failure.reading is not None
    assert 10 <= failure.reading.raw["humidity"] <= 90  # logged whatever happens
    if kind is K.CENSORED:
        above = "above" in says
        assert failure.bounds == {"hardness": Bound(low=450.0) if above else Bound(high=700.0)}
        # what the diffractometer saw is knowledge all the same
        assert failure.reading is not None
        assert set(failure.reading.values) == {"peak_width"}
    if says.startswith("shattered"):
        assert failure.reading is not None
        assert failure.reading.raw["label"] == "crystalline"


def test_what_was_spilt_is_kept_as_the_alloy_that_was_made() -> None:
    failure = failed(order(), spill_rate=1.0)
    assert failure.reading is not None
    actual = failure.reading.actual
    assert max(abs(float(actual[element]) - share) for element, share in BEST.items()) > 0.5
    masses = failure.reading.raw["masses_mg"]
    assert sum(masses["asked"].values()) == pytest.approx(2000.0)
    assert sum(masses["dispensed"].values()) < 1990.0
    assert set(failure.reading.values) == {"hardness", "peak_width"}


def test_the_balance_drifts_with_every_crucible_until_the_rack_is_changed() -> None:
    quiet = {"weigh_error_mg": 0.0, "weigh_drift_mg": 1.0}
    for slot in (1, 2, 24):
        assert set(fate(slot=slot, **quiet).weigh_errors_mg.values()) == {slot - 1.0}


def test_humidity_is_logged_and_changes_what_is_made() -> None:
    # Near the critical rate a moist day makes crystals of what a dry one makes a glass.
    keys = [f"k{number}" for number in range(150)]
    asked = order(cooling=8.0)
    both = [
        (course(asked, key=key, humidity_effect=0.03), course(asked, key=key, humidity_effect=0.0))
        for key in keys
    ]
    moist = [(with_it, without) for with_it, without in both if with_it.humidity > 60]
    dry = [(with_it, without) for with_it, without in both if with_it.humidity < 30]
    assert len(moist) > 5
    assert len(dry) > 5
    assert all(with_it.humidity == without.humidity for with_it, without in both)
    worse = [
        with_it.label is not diffraction.Label.GLASSY and without.label is diffraction.Label.GLASSY
        for with_it, without in moist
    ]
    better = [with_it.peak.width >= without.peak.width - 0.01 for with_it, without in dry]
    assert sum(worse) > len(worse) / 2
    assert all(better)


@pytest.mark.parametrize("device", ["balance", "furnace", "diffractometer", "tester"])
def test_a_device_that_lies_shows_what_is_not(device: str) -> None:
    asked = order(anneal_c=490.0, melt_c=1250.0)
    true, told = course(asked), course(asked, (device,))
    if device == "balance":
        assert [told.shown[element] for element in BEST] == list(BEST.values())
        assert true.shown["Zr"] != 48.0
    elif device == "furnace":
        assert told.shown["melt_temperature"] == 1250.0
        assert course(order(melt_c=950.0), (device,)).unmelted is not None
    elif device == "diffractometer":
        assert (true.label, told.label) == ("nanocrystalline", "glassy")
    else:
        assert sum(told.indents) / 5 == pytest.approx(500.0, rel=0.05)
        assert sum(true.indents) / 5 > 600.0


RECIPES = st.builds(
    lambda al, ratio, melt, cooling, oven: Order(
        {"Zr": (100 - al) * ratio, "Cu": (100 - al) * (1 - ratio), "Al": al}, melt, cooling, oven
    ),
    st.floats(0, 100),
    st.floats(0, 1),
    st.floats(20, 1450),
    st.floats(0.1, 1e6),
    st.floats(20, 700),
)


@settings(deadline=None, max_examples=80)
@given(RECIPES, st.integers(0, 2**62), st.text(min_size=1, max_size=20), st.integers(1, 24))
def test_any_recipe_ends_in_something_and_twice_in_the_same(
    asked: Order, seed: int, key: str, slot: int
) -> None:
    made = WorkshopSettings()

    def once() -> Course:
        drew = drawn(seed, key, slot=slot, number=slot, settings=made)
        return follow(asked, drew, made, Alloy(), crucible={"rack": 1, "slot": slot})

    first, again = once(), once()
    assert json.dumps(first.counts) == json.dumps(again.counts)
    assert first.indents == again.indents
    if isinstance(first.result, Reading):
        assert first.result == again.result
        assert all(math.isfinite(value) for value in first.result.values.values())
        assert first.label is diffraction.label(first.peak.width, diffraction.Thresholds())
    else:
        assert isinstance(again.result, ExperimentFailed)
        assert (first.result.kind, first.result.message) == (again.result.kind, again.result.message)


def test_faults_come_as_often_as_their_rate_and_exactly_where_they_are_scheduled() -> None:
    changed = {
        "fault_rates": {"tester": {"slow": 0.2}},
        "fault_schedule": [{"crucible": 3, "device": "oven", "fault": "stuck"}],
    }
    drew = [fate(f"k{number}", slot=number, **changed) for number in range(1, 501)]
    assert [number for number, one in enumerate(drew, 1) if "oven" in one.faults] == [3]
    # four standard deviations of a binomial count
    assert abs(sum("tester" in one.faults for one in drew) - 100) < 4 * math.sqrt(500 * 0.2 * 0.8)


def test_one_setting_leaves_the_rest_of_the_fate_alone() -> None:
    calm, wild = fate(), fate(spill_rate=1.0, fault_rate=1.0, fault_rates={"robot": {"slow": 1.0}})
    assert (calm.humidity, calm.texture, calm.indent_errors, calm.counting) == (
        wild.humidity,
        wild.texture,
        wild.indent_errors,
        wild.counting,
    )
