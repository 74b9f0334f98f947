"""What an instrument says, in the campaign's units, and typed if it failed."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from labctl.config import CampaignConfig, load_config
from labctl.dispatch import answered, outcome
from labctl.proposal import Outcome, canonical_json
from labctl_drivers.protocol import Answer, Bound, ExperimentFailed, FailureKind, Reading


@pytest.fixture
def config(furnace_campaign: Callable[..., Path]) -> CampaignConfig:
    objectives = {
        "hardness": {"goal": "maximize", "unit": "MPa"},
        "mass": {"goal": "observe", "unit": "gram"},
    }
    return load_config(furnace_campaign(objectives=objectives))


def test_values_come_in_the_campaigns_unit(config: CampaignConfig) -> None:
    reading = Reading({"hardness": 100.0, "mass": 2.0, "stray": 1.0}, {"hardness": "HV", "mass": "kg"})
    told = outcome(reading, config, source="furnace", run="r1", seconds=1.23456789)
    # ISO 6507-1: one HV is one kilogram-force per square millimetre, which is 9.80665 MPa.
    assert told.values == {"hardness": pytest.approx(980.665, rel=1e-12), "mass": pytest.approx(2000.0)}
    assert (told.status, told.kind, told.run, told.seconds, told.source) == (
        "measured",
        None,
        "r1",
        1.2346,
        "furnace",
    )


def test_an_offset_unit_is_converted_as_a_point_on_its_scale(furnace_campaign: Callable[..., Path]) -> None:
    config = load_config(furnace_campaign(objectives={"onset": {"goal": "maximize", "unit": "K"}}))
    told = outcome(Reading({"onset": 25.0}, {"onset": "degC"}), config, source="x")
    assert told.values == {"onset": pytest.approx(298.15)}
    beyond = ExperimentFailed(FailureKind.CENSORED, "hot", stage="read", bounds={"onset": Bound(low=1e3)})
    told = outcome(beyond, config, source="x", quantities={"onset": "degC"})
    assert told.bounds["onset"].low == pytest.approx(1273.15)
    assert told.bounds["onset"].high is None
    assert outcome(Reading({"onset": 25.0}, {"onset": "mm"}), config, source="x").kind == "bad_reading"


def test_a_quantity_without_a_unit_is_in_the_campaigns(config: CampaignConfig) -> None:
    assert outcome(Reading({"hardness": 5.0}, {}), config, source="x").values == {"hardness": 5.0}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_bad_reading_and_kept_raw(config: CampaignConfig, value: float) -> None:
    told = outcome(
        Reading({"hardness": cast("Any", value), "mass": 1.0}, {"hardness": "HV"}), config, source="x"
    )
    assert (told.status, told.kind, told.stage) == ("failed", FailureKind.BAD_READING, "measure")
    assert told.values == {"mass": 1.0}
    assert told.raw == {"hardness": str(value)}
    assert "hardness is" in told.message


def test_what_is_only_observed_may_be_missing_or_unusable(config: CampaignConfig) -> None:
    for reading in (
        Reading({"hardness": 1.0}, {}),
        Reading({"hardness": 1.0, "mass": math.nan}, {}),
        Reading({"hardness": 1.0, "mass": 3.0}, {"mass": "minute"}),
    ):
        told = outcome(reading, config, source="x")
        assert (told.status, told.values) == ("measured", {"hardness": 1.0})


def test_a_missing_goal_or_a_wrong_unit_is_a_bad_reading(config: CampaignConfig) -> None:
    missing = outcome(Reading({"mass": 1.0}, {}), config, source="x")
    assert (missing.kind, missing.message) == (FailureKind.BAD_READING, "the instrument gave no hardness")
    wrong = outcome(Reading({"hardness": 1.0}, {"hardness": "minute"}), config, source="x")
    assert (wrong.kind, wrong.message) == (
        FailureKind.BAD_READING,
        "hardness came in minute, which is no MPa",
    )
    assert wrong.raw == {"hardness": 1.0}


@pytest.mark.parametrize("with_reading", [True, False])
def test_bounds_are_converted_also_without_a_reading(config: CampaignConfig, with_reading: bool) -> None:  # noqa: FBT001 - a parameter
    reading = Reading({}, {"hardness": "HV"}) if with_reading else None
    failure = ExperimentFailed(
        FailureKind.CENSORED,
        "too hard",
        stage="measure",
        reading=reading,
        bounds={"hardness": Bound(low=160.0, high=math.inf)},
    )
    told = outcome(failure, config, source="furnace", quantities={"hardness": "HV"})
    assert told.kind == FailureKind.CENSORED
    assert told.bounds["hardness"].low == pytest.approx(160 * 9.80665)
    assert told.bounds["hardness"].high is None
    assert told.values == {}


def test_what_was_measured_all_the_same_is_kept(config: CampaignConfig) -> None:
    reading = Reading({"hardness": 100.0}, {"hardness": "MPa"}, actual={"temperature": 211.0})
    failure = ExperimentFailed(FailureKind.OFF_RECIPE, "too hot", stage="process", reading=reading)
    told = outcome(failure, config, source="furnace")
    assert (told.kind, told.values, told.actual) == (
        FailureKind.OFF_RECIPE,
        {"hardness": 100.0},
        {"temperature": 211.0},
    )


def test_settings_that_are_none_never_reach_the_models(config: CampaignConfig) -> None:
    actual = {"temperature": math.nan, "hold_time": 60.0, "quench": "mud", "stray": 1.0}
    told = outcome(Reading({"hardness": 1.0}, {}, actual=actual), config, source="x")
    assert told.actual == {"hold_time": 60.0}


def test_raw_data_is_made_json(config: CampaignConfig) -> None:
    import numpy as np  # noqa: PLC0415 - as an instrument would

    raw = {"trace": np.array([1.0, math.nan]), "at": {1: (np.int64(3), b"x")}, "none": None}
    told = outcome(Reading({"hardness": 1.0}, {}, raw=raw), config, source="x")
    assert told.raw == {"trace": [1.0, "nan"], "at": {"1": [3, "b'x'"]}, "none": None}


def test_answers_after_a_crash(config: CampaignConfig) -> None:
    reading = Reading({"hardness": 3.0}, {})
    failure = ExperimentFailed(FailureKind.INFEASIBLE, "it cracked", stage="process")
    done = answered(Answer("done", reading=reading), config, source="x")
    failed = answered(Answer("failed", failure=failure), config, source="x")
    unknown = answered(Answer("unknown"), config, source="x")
    assert done is not None
    assert failed is not None
    assert unknown is not None
    assert done.values == {"hardness": 3.0}
    assert (failed.kind, failed.message) == (FailureKind.INFEASIBLE, "it cracked")
    assert (unknown.kind, unknown.stage) == (FailureKind.UNKNOWN, "recover")
    assert answered(Answer("never"), config, source="x") is None
    assert answered(Answer("running"), config, source="x") is None
    # A driver that says it is done and shows nothing cannot tell either.
    hollow = answered(Answer("done"), config, source="x")
    assert hollow is not None
    assert hollow.kind == FailureKind.UNKNOWN


@pytest.mark.parametrize("value", [1e151, -1.7e308])
def test_a_number_beyond_any_reading_is_a_bad_reading(config: CampaignConfig, value: float) -> None:
    found = outcome(Reading(values={"hardness": value}, units={"hardness": "HV"}), config, source="bench")
    assert (found.status, found.kind, found.values) == ("failed", FailureKind.BAD_READING, {})
    assert found.raw["hardness"] == value


def test_a_setting_reached_on_another_planet_is_none(config: CampaignConfig) -> None:
    reached = {"temperature": 1e9, "hold_time": 12.0}
    reading = Reading(values={"hardness": 90.0}, units={"hardness": "HV"}, actual=reached)
    assert outcome(reading, config, source="bench").actual == {"hold_time": 12.0}


def test_text_that_no_file_can_hold_is_mended(config: CampaignConfig) -> None:
    failure = ExperimentFailed(FailureKind.INSTRUMENT_FAULT, "door \ud800 open", stage="set")
    assert outcome(failure, config, source="bench").message == "door ? open"


@pytest.fixture
def two(hand_campaign: Callable[..., Path]) -> CampaignConfig:
    """Two goals, a quantity with a limit, and one that is only observed."""
    objectives = {
        "hardness": {"goal": "maximize", "unit": "MPa"},
        "roughness": {"goal": "minimize", "unit": "nm"},
        "width": {"goal": "observe", "unit": "um", "at_most": 20},
        "mass": {"goal": "observe", "unit": "gram"},
    }
    return load_config(hand_campaign(objectives=objectives))


def test_one_of_two_goals_is_a_result_that_says_what_it_lacks(two: CampaignConfig) -> None:
    told = outcome(Reading({"hardness": 3.0, "roughness": math.nan, "width": 9.0}, {}), two, source="x")
    assert (told.status, told.kind, told.values) == ("measured", None, {"hardness": 3.0, "width": 9.0})
    assert told.message == "roughness is nan"
    # What could not be believed is kept as it came.
    assert told.raw == {"roughness": "nan"}
    limited = outcome(Reading({"hardness": 3.0, "roughness": 1.0}, {}), two, source="x")
    assert (limited.status, limited.message) == ("measured", "the instrument gave no width")
    whole = outcome(Reading({"hardness": 3.0, "roughness": 1.0, "width": 9.0}, {}), two, source="x")
    assert (whole.status, whole.message, whole.raw) == ("measured", "", {})


def test_without_any_goal_it_is_a_bad_reading_that_names_them_all(two: CampaignConfig) -> None:
    told = outcome(Reading({"width": 9.0, "roughness": math.inf}, {}), two, source="x")
    assert (told.status, told.kind) == ("failed", FailureKind.BAD_READING)
    assert told.message == "the instrument gave no hardness; roughness is inf"
    assert told.values == {"width": 9.0}


READS = {"hardness": "quick_hv", "roughness": "hardness"}


def test_a_stand_in_is_heard_under_its_own_names(two: CampaignConfig) -> None:
    # Its "hardness" is our roughness; its "roughness" is nobody's.
    reading = Reading(
        {"quick_hv": 100.0, "hardness": 2.0, "roughness": 77.0, "mass": 1.0},
        {"quick_hv": "HV", "hardness": "um", "roughness": "minute"},
    )
    told = outcome(reading, two, source="x", reads=READS)
    assert told.values == {
        "hardness": pytest.approx(980.665),
        "roughness": pytest.approx(2000.0),
        "mass": 1.0,
    }


def test_bounds_of_a_stand_in_are_renamed_too(two: CampaignConfig) -> None:
    failure = ExperimentFailed(
        FailureKind.CENSORED,
        "too hard",
        stage="measure",
        reading=Reading({"quick_hv": 160.0}, {"quick_hv": "HV"}),
        bounds={"quick_hv": Bound(low=160.0), "roughness": Bound(high=1.0)},
    )
    told = outcome(failure, two, source="x", reads=READS)
    assert told.bounds.keys() == {"hardness"}
    assert told.bounds["hardness"].low == pytest.approx(160 * 9.80665)
    assert told.values == {"hardness": pytest.approx(160 * 9.80665)}
    late = answered(Answer("failed", failure=failure), two, source="x", reads=READS)
    assert late is not None
    assert late.bounds == told.bounds


class Unspeakable:
    """An object of a lab's own that cannot even be looked at."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def circle() -> list[Any]:
    around: list[Any] = [1.0]
    around.append(around)
    return around


ODD = [
    "OVERLOAD",
    None,
    [1.0],
    np.arange(5.0),
    1 + 2j,
    10**400,
    10**5000,
    True,
    object(),
    Unspeakable(),
    circle(),
    {"a": 1},
]


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_whatever_is_read_instead_of_a_number_is_a_bad_reading(config: CampaignConfig, value: object) -> None:
    reading = Reading({"hardness": cast("Any", value), "mass": 1.0}, {"hardness": "HV"}, raw={"note": value})
    told = outcome(reading, config, source="x", run="r1")
    assert (told.kind, told.values, told.run) == (FailureKind.BAD_READING, {"mass": 1.0}, "r1")
    assert "hardness is" in told.message
    Outcome.model_validate_json(canonical_json(told.body()))
    good = Reading(
        {"hardness": 5.0}, {"hardness": "MPa"}, actual={"temperature": cast("Any", value)}, raw={"n": value}
    )
    told = outcome(good, config, source="x")
    assert (told.status, told.values) == ("measured", {"hardness": 5.0})
    Outcome.model_validate_json(canonical_json(told.body()))


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_a_failure_keeps_its_kind_whatever_odd_thing_it_brings(config: CampaignConfig, value: object) -> None:
    odd = cast("Any", value)
    reading = Reading({"hardness": odd}, {"hardness": odd})
    bounds = {"hardness": Bound(low=odd, high=3.0), "mass": odd}
    failure = ExperimentFailed(FailureKind.OFF_RECIPE, odd, stage="measure", reading=reading, bounds=bounds)
    for told in (
        outcome(failure, config, source="x"),
        answered(Answer("failed", failure=failure), config, source="x"),
    ):
        assert told is not None
        assert (told.kind, told.stage) == (FailureKind.OFF_RECIPE, "measure")
        Outcome.model_validate_json(canonical_json(told.body()))


@pytest.mark.parametrize("parts", [(None, None, None, None), ([1], "a", 3, [2]), ({"hardness": 1}, 0, 0, 0)])
def test_a_reading_whose_parts_are_none_is_a_failure_or_kept(
    config: CampaignConfig, parts: tuple[object, ...]
) -> None:
    told = outcome(Reading(*cast("Any", parts)), config, source="x")
    assert told.kind == (None if parts[0] == {"hardness": 1} else FailureKind.BAD_READING)
    for what in (parts[1], parts):
        told = outcome(cast("Any", what), config, source="x")
        assert (told.kind, told.message.split(" ")[:3]) == ("bad_reading", ["the", "instrument", "gave"])
    odd = answered(Answer("done", reading=cast("Any", parts)), config, source="x")
    assert odd is not None
    assert odd.kind == "bad_reading"


def test_a_kind_of_failure_that_is_none_ends_as_a_bad_reading(config: CampaignConfig) -> None:
    told = outcome(ExperimentFailed("melted", "it ran away", stage="set"), config, source="x")  # type: ignore[arg-type]
    assert told.kind is FailureKind.BAD_READING
    assert "it ran away" in told.message
