"""The gate's rules, each alone, and what may never be claimed."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.validation.gate import Evidence, gate, gate_without_regions
from labctl_models.validation.pairing import Difference

GOOD = Evidence(
    name="ridge",
    shuffled=2.0,
    loco=4.0,
    mean_shuffled=10.0,
    mean_loco=10.0,
    nearest_shuffled=3.0,
    nearest_loco=9.0,
    over_nearest=Difference(5.0, 1.0, 10),
    over_mean=Difference(6.0, 1.0, 10),
    over_mean_shuffled=Difference(8.0, 1.0, 5),
    name_near="forest",
    error_near=1.8,
    near_over_mean=Difference(8.2, 1.0, 5),
)


def test_skill_beyond_the_data_is_trusted() -> None:
    verdict = gate(GOOD)
    assert (verdict.level, verdict.winner) == ("trusted", "ridge")
    assert verdict.evidence["skill_retained"] == pytest.approx(0.6 / 0.8)
    assert verdict.evidence["memorisation_share"] == pytest.approx(7 / 8)
    assert verdict.evidence["generalisation_gap"] == 2.0


def test_no_better_than_the_nearest_recipe_is_a_lookup_table() -> None:
    verdict = gate(replace(GOOD, over_nearest=Difference(1.9, 1.0, 10)))
    assert (verdict.level, verdict.winner) == ("lookup table", None)
    assert "nearest" in verdict.reason


def test_no_better_than_the_mean_outside_is_interpolation() -> None:
    verdict = gate(replace(GOOD, over_mean=Difference(1.9, 1.0, 10)))
    assert (verdict.level, verdict.winner) == ("interpolation only", "ridge")


def test_most_of_the_skill_lost_outside_is_interpolation() -> None:
    verdict = gate(replace(GOOD, loco=7.0))
    assert verdict.level == "interpolation only"
    assert "30%" in verdict.reason


def test_no_skill_even_inside_names_no_winner() -> None:
    none = Difference(1.0, 1.0, 5)
    verdict = gate(replace(GOOD, over_mean_shuffled=none, near_over_mean=none, error_near=9.1))
    assert (verdict.level, verdict.winner) == ("lookup table", None)
    assert "Nothing about the outcome" in verdict.reason
    assert "the best there, forest, errs 9.1 and the mean 10." in verdict.reason


def test_that_nothing_was_learnt_is_said_of_the_best_on_shuffled_folds_only() -> None:
    verdict = gate(replace(GOOD, over_mean_shuffled=Difference(1.0, 1.0, 5)))
    assert (verdict.level, verdict.winner) == ("lookup table", None)
    assert "Nothing" not in verdict.reason
    assert "luck" in verdict.reason
    behind = gate(
        replace(GOOD, over_mean_shuffled=Difference(1.0, 1.0, 5), over_nearest=Difference(-0.4, 1.0, 9))
    )
    assert "nearest measured recipe" in behind.reason


@pytest.mark.parametrize(("gain", "undecided"), [(1.9, True), (-1.9, False), (2.1, False)])
def test_a_gain_within_the_noise_is_undecided_and_tells_what_could_be_seen(
    gain: float,
    undecided: bool,  # noqa: FBT001 - a case of the table above
) -> None:
    verdict = gate(replace(GOOD, over_nearest=Difference(gain, 1.0, 10)))
    assert verdict.undecided is undecided
    assert ("With 10 clusters a gain below 2 cannot be told from chance." in verdict.reason) is undecided


def test_without_regions_nothing_is_trusted() -> None:
    verdict = gate_without_regions(GOOD, "The rows are spread evenly.")
    assert (verdict.level, verdict.winner) == ("interpolation only", "ridge")
    assert "spread evenly" in verdict.reason
    lookup = gate_without_regions(replace(GOOD, over_nearest=Difference(0.1, 1.0, 5)), "")
    assert lookup.level == "lookup table"
    assert "cluster" not in lookup.reason


@settings(max_examples=200, deadline=None)
@given(
    gains=st.tuples(*[st.floats(-3, 6)] * 3),
    errors=st.tuples(*[st.floats(0.1, 20)] * 6),
)
def test_what_is_trusted_has_beaten_everything(gains: tuple[float, ...], errors: tuple[float, ...]) -> None:
    differences = [Difference(gain, 1.0, 10) for gain in gains]
    shuffled, loco, mean_shuffled, mean_loco, nearest_shuffled, nearest_loco = errors
    verdict = gate(
        Evidence(
            name="x",
            shuffled=shuffled,
            loco=loco,
            mean_shuffled=mean_shuffled,
            mean_loco=mean_loco,
            nearest_shuffled=nearest_shuffled,
            nearest_loco=nearest_loco,
            over_nearest=differences[0],
            over_mean=differences[1],
            over_mean_shuffled=differences[2],
            name_near="x",
            error_near=shuffled,
            near_over_mean=differences[2],
        )
    )
    if verdict.level == "trusted":
        assert min(gains) > 2.0
    if verdict.winner is not None:
        assert gains[0] > 2.0
        assert gains[2] > 2.0
    assert verdict.reason.endswith(".")
