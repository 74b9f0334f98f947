"""Calibration scores against the values of uncertainty-toolbox and its own published tests."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.validation.calibration import (
    PROPORTIONS,
    calibration_scores,
    interval_curve,
    quantile_curve,
)

MEAN, SD, Y = np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.5, 1.0]), np.array([1.5, 3.0, 2.0])


def test_golden_values_of_uncertainty_toolbox() -> None:
    found = calibration_scores(Y, MEAN, SD)
    assert found.sharpness == pytest.approx(0.648074069840786, abs=1e-9)
    assert found.rmsce == pytest.approx(0.4165757476562379, abs=1e-9)
    assert found.mace == pytest.approx(0.3733333333333335, abs=1e-9)
    assert found.nll == pytest.approx(4.920361108686675, abs=1e-9)
    assert found.crps == pytest.approx(0.59080610693, abs=1e-9)
    assert found.check == pytest.approx(0.29801437323836477, abs=1e-9)
    assert found.interval == pytest.approx(3.20755700861995, abs=1e-9)


def test_golden_values_of_the_quantile_curve() -> None:
    # That library takes prediction less truth, so its curve is that of -z.
    gap = quantile_curve(-(Y - MEAN) / SD) - PROPORTIONS
    assert math.sqrt(np.mean(gap**2)) == pytest.approx(0.30362567774902066, abs=1e-9)
    assert np.mean(np.abs(gap)) == pytest.approx(0.23757575757575758, abs=1e-9)


@pytest.mark.parametrize("wrong", [0.5, 1.0, 2.0])
def test_all_scores_equal_uncertainty_toolbox(wrong: float) -> None:
    library = pytest.importorskip("uncertainty_toolbox", reason="uncertainty-toolbox is not installed")
    rng = np.random.default_rng(3)
    mean, sd = rng.normal(5, 3, 80), rng.uniform(0.2, 2.0, 80)
    y = mean + wrong * sd * rng.standard_normal(80)
    theirs = library.get_all_metrics(mean, sd, y, verbose=False)
    ours = calibration_scores(y, mean, sd)
    assert ours.rmsce == pytest.approx(theirs["avg_calibration"]["rms_cal"], abs=1e-9)
    assert ours.mace == pytest.approx(theirs["avg_calibration"]["ma_cal"], abs=1e-9)
    assert ours.miscalibration_area == pytest.approx(theirs["avg_calibration"]["miscal_area"], abs=1e-9)
    assert ours.sharpness == pytest.approx(theirs["sharpness"]["sharp"], abs=1e-9)
    rules = theirs["scoring_rule"]
    assert (ours.nll, ours.crps, ours.check, ours.interval) == pytest.approx(
        (rules["nll"], rules["crps"], rules["check"], rules["interval"]), abs=1e-9
    )


def test_a_wrong_sd_has_the_area_that_theory_gives() -> None:
    # sd twice or half of the truth: area 0.205; 1.25 or 0.8: 0.071 (large n).
    z = np.random.default_rng(0).standard_normal(200_000)
    for factor, area in ((2.0, 0.205), (0.5, 0.205), (1.25, 0.071), (0.8, 0.071)):
        found = calibration_scores(factor * z, np.zeros_like(z), np.ones_like(z))
        assert found.miscalibration_area == pytest.approx(area, abs=0.004)


def test_crps_is_the_integral_that_defines_it() -> None:
    from scipy.integrate import quad  # noqa: PLC0415  used here only
    from scipy.stats import norm  # noqa: PLC0415  used here only

    value, _ = quad(lambda x: (norm.cdf(x, 2.0, 0.5) - (x >= 3.0)) ** 2, -5, 10, points=[3.0])
    found = calibration_scores(np.array([3.0]), np.array([2.0]), np.array([0.5]))
    assert found.crps == pytest.approx(value, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 30), scale=st.floats(0.01, 100))
def test_units_do_not_matter_to_the_curve_and_scale_the_rest(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    mean, sd, y = rng.normal(size=n), rng.uniform(0.1, 2, n), rng.normal(size=n)
    one, other = calibration_scores(y, mean, sd), calibration_scores(scale * y, scale * mean, scale * sd)
    np.testing.assert_allclose(one.observed, other.observed, atol=1.0 / n + 1e-12)
    assert (other.crps, other.sharpness, other.interval) == pytest.approx(
        (scale * one.crps, scale * one.sharpness, scale * one.interval), rel=1e-6
    )
    assert other.nll == pytest.approx(one.nll + math.log(scale), abs=1e-6)


def test_curves_of_several_draws_are_those_of_each() -> None:
    z = np.random.default_rng(1).standard_normal((4, 17))
    np.testing.assert_array_equal(interval_curve(z), np.stack([interval_curve(row) for row in z]))


@pytest.mark.parametrize(
    ("y", "sd", "words"),
    [
        ([1.0, 2.0], [1.0], "shapes"),
        ([1.0], [0.0], "never certain"),
        ([np.nan], [1.0], "finite"),
        ([], [], "n each"),
    ],
)
def test_what_is_no_prediction_is_refused(y: list[float], sd: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        calibration_scores(np.array(y), np.zeros(len(y)), np.array(sd))
