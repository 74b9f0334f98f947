"""Errors of stated uncertainty against simulated and derived numbers."""

import math

import numpy as np
import pytest

from labctl_models.validation.reliability import (
    area_null,
    bins_for,
    calibration,
    ence,
    ence_null,
    recalibration,
    rms_z,
)


@pytest.mark.parametrize(
    ("n", "mean", "upper"), [(50, 0.184, 0.296), (200, 0.129, 0.180), (1000, 0.057, 0.09)]
)
def test_ence_of_a_calibrated_model_is_not_zero(n: int, mean: float, upper: float) -> None:
    # Simulated independently: .184 (95 % .296) at 50 rows in 5 bins, .129 (.180) at 200 in 10, .057 at 1000.
    null = ence_null(np.random.default_rng(0).uniform(0.5, 2.0, n), draws=2000)
    assert null.mean == pytest.approx(mean, abs=0.015)
    assert null.mean == pytest.approx(math.sqrt(bins_for(n) / (math.pi * n)), abs=0.015)
    assert null.upper == pytest.approx(upper, abs=0.02)


@pytest.mark.parametrize(("n", "upper"), [(20, 0.130), (50, 0.085), (200, 0.041)])
def test_null_of_the_miscalibration_area(n: int, upper: float) -> None:
    assert area_null(n, draws=3000).upper == pytest.approx(upper, abs=0.006)


def test_ence_by_hand() -> None:
    # Two bins: sds 1 with errors 2, sds 2 with errors 2: |2 - 1| / 1 and |2 - 2| / 2.
    assert ence(np.full(4, 2.0), np.zeros(4), np.array([2.0, 1.0, 2.0, 1.0]), bins=2) == pytest.approx(0.5)


def test_interval_of_rms_z_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        value, low, high = rms_z(1.7 * rng.standard_normal(25), np.zeros(25), np.ones(25))
        assert low < value < high
        held += low <= 1.7 <= high
    assert 0.93 < held / 1000 < 0.97


def test_readings_that_count_once_widen_the_interval() -> None:
    y, zero, one = np.random.default_rng(0).standard_normal(90), np.zeros(90), np.ones(90)
    _, low, high = rms_z(y, zero, one)
    _, wide_low, wide_high = rms_z(y, zero, one, rows=10)
    assert wide_low < low < high < wide_high


@pytest.mark.parametrize(("a", "b"), [(2.0, 0.0), (0.5, 0.3), (0.0, 1.0), (1.0, 1.0)])
def test_recalibration_recovers_slope_and_offset(a: float, b: float) -> None:
    rng = np.random.default_rng(0)
    sd = 10.0 * rng.uniform(0.1, 3.0, 20_000)
    y = (a * sd + 10.0 * b) * rng.standard_normal(20_000)
    found = recalibration(y, np.zeros_like(y), sd)
    assert found == pytest.approx((a, 10.0 * b), abs=0.25)


def test_few_readings_get_one_factor() -> None:
    assert recalibration(np.full(5, 3.0), np.zeros(5), np.ones(5)) == pytest.approx((3.0, 0.0))


def test_all_at_once_tells_truth_from_half_the_sd() -> None:
    rng = np.random.default_rng(1)
    sd = rng.uniform(0.5, 2.0, 300)
    y = sd * rng.standard_normal(300)
    true = calibration(y, np.zeros(300), sd, half_width_90=1.0)
    small = calibration(y, np.zeros(300), sd / 2, half_width_90=1.0)
    assert true.scores.miscalibration_area < true.area_null.upper
    assert true.ence < 1.2 * true.ence_null.upper
    assert true.rms_z_low < 1.0 < true.rms_z_high
    assert small.scores.miscalibration_area > 3 * small.area_null.upper
    assert small.ence > 3 * small.ence_null.upper
    assert small.rms_z == pytest.approx(2 * true.rms_z)
