"""Zeros and rounded digits are found where planted, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.audit.digits import exact_zeros, last_digits, resolution
from labctl_models.audit.finding import SIGNIFICANT, NotApplicableError


@pytest.mark.parametrize(
    ("values", "unit"),
    [([1.25, 3.5, 7.75], 0.01), ([1200, 1350, 900], 10.0), ([3, 4, 500], 1.0), ([0.1 + 0.2, 0.7], 0.1)],
)
def test_resolution_is_the_decimal_place_in_use(values: list[float], unit: float) -> None:
    found = resolution(np.array(values))
    assert found == pytest.approx(unit)


def test_numbers_that_were_computed_have_no_resolution() -> None:
    values = np.random.default_rng(0).random(100)
    assert resolution(values) is None
    with pytest.raises(NotApplicableError, match="computed, not read"):
        last_digits(values)


def test_zero_that_stands_for_nothing_found() -> None:
    rng = np.random.default_rng(1)
    values = np.r_[np.zeros(30), np.round(rng.lognormal(3, 1, 170), 2)]
    found = exact_zeros(values)
    assert found.count == 30
    assert found.p < SIGNIFICANT


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), places=st.integers(0, 3))
def test_rounded_readings_about_zero_are_ordinary(seed: int, places: int) -> None:
    values = np.round(np.random.default_rng(seed).standard_normal(300), places)
    # Of one value against the commonest of many others, hence careful: no alarm in practice.
    assert exact_zeros(values).p > SIGNIFICANT


def test_counts_have_honest_zeros() -> None:
    rng = np.random.default_rng(2)
    for mean in (0.2, 1.2, 4.0):
        assert all(exact_zeros(rng.poisson(mean, 300).astype(float)).p > SIGNIFICANT for _ in range(20))


@pytest.mark.parametrize("shape", ["normal", "lognormal", "uniform", "two hills"])
def test_false_alarms_of_last_digits_are_rare_for_any_smooth_shape(shape: str) -> None:
    rng = np.random.default_rng(3)
    draw = {
        "normal": lambda: rng.normal(50, 1, 300),
        "lognormal": lambda: rng.lognormal(2, 0.8, 300),
        "uniform": lambda: rng.uniform(3, 9, 300),
        "two hills": lambda: rng.normal(0, 1, 300) + 20 * (rng.random(300) < 0.5),
    }[shape]
    p = np.array([last_digits(np.round(draw(), 2)).p for _ in range(300)])
    assert np.mean(p <= 0.05) <= 0.085  # 5 % of 300, and three standard errors
    assert np.mean(p <= SIGNIFICANT) <= 0.02


@pytest.mark.parametrize("share", [0.25, 0.6, 1.0])
def test_rounding_by_hand_is_found_and_measured(share: float) -> None:
    rng = np.random.default_rng(4)
    values = np.round(rng.normal(500, 60, 800))
    by_hand = rng.random(800) < share
    values[by_hand] = np.round(values[by_hand] / 5) * 5
    found = last_digits(values)
    assert found.p <= SIGNIFICANT
    assert found.rounded == pytest.approx(share, abs=0.07)
    assert found.unit == 1.0


def test_too_few_or_too_narrow_says_so() -> None:
    with pytest.raises(NotApplicableError, match="too few"):
        last_digits(np.arange(10.0))
    with pytest.raises(NotApplicableError, match="few units"):
        last_digits(np.round(np.random.default_rng(5).normal(0, 2, 200)))


@pytest.mark.parametrize("size", [1.0, 130.0, 1e6])
def test_numbers_of_full_precision_were_computed_and_not_read(size: float) -> None:
    values = size * np.random.default_rng(4).uniform(0.5, 1.5, 80)
    with pytest.raises(NotApplicableError):
        last_digits(values)
