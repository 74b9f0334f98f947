"""Probabilities of intervals and their slopes against arithmetic of sixty digits, and their limits."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.surrogates.truncation import Inside, inside


def one(mean: float, variance: float, low: float, high: float) -> Inside:
    return inside(*(np.array([float(value)]) for value in (mean, variance, low, high)))


def exact(mean: float, variance: float, low: float, high: float) -> tuple[float, float, float]:
    """The same by differences of the normal distribution and numerical derivatives, with sixty digits."""
    with mpmath.workdps(60):
        sd = mpmath.sqrt(variance)

        def log_probability(at: mpmath.mpf) -> mpmath.mpf:
            a, b = (low - at) / sd, (high - at) / sd
            # From the side where the two are small, or their difference has no digits even at sixty.
            if a + b > 0:
                a, b = -b, -a
            return mpmath.log(mpmath.ncdf(b) - mpmath.ncdf(a))

        at = mpmath.mpf(mean)
        slope, bend = mpmath.diff(log_probability, at), mpmath.diff(log_probability, at, 2)
        return float(log_probability(at)), float(slope), -float(bend)


@pytest.mark.parametrize(
    ("mean", "variance", "low", "high"),
    [
        (0.0, 1.0, -1.0, 2.0),
        (0.3, 2.0, -0.5, math.inf),
        (0.3, 2.0, -math.inf, 0.1),
        (3.0, 0.25, -math.inf, -20.0),
        (0.0, 1.0, 5.0, 5.001),
        (0.0, 1.0, 1.0, 1.0 + 1e-7),
        (0.0, 1.0, -30.0, -29.5),
        (0.0, 4.0, 1e3, math.inf),
        (7.0, 9.0, -4.0, 3.0),
    ],
)
def test_as_sixty_digits_say(mean: float, variance: float, low: float, high: float) -> None:
    found, (log_probability, slope, curvature) = (
        one(mean, variance, low, high),
        exact(mean, variance, low, high),
    )
    assert found.log_probability[0] == pytest.approx(log_probability, rel=1e-11)
    assert found.slope[0] == pytest.approx(slope, rel=1e-11)
    assert found.curvature[0] == pytest.approx(curvature, rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(
    mean=st.floats(-50, 50),
    spread=st.floats(0.01, 20),
    low=st.floats(-60, 60),
    width=st.one_of(st.just(math.inf), st.floats(1e-6, 100)),
)
def test_laws_of_intervals(mean: float, spread: float, low: float, width: float) -> None:
    """Mirrored intervals mirror the slope; no interval says more than the number; wider is likelier."""
    v = spread**2
    found = one(mean, v, low, low + width)
    mirrored = one(-mean, v, -low - width, -low)
    assert mirrored.log_probability[0] == pytest.approx(found.log_probability[0], rel=1e-9, abs=1e-12)
    assert mirrored.slope[0] == pytest.approx(-found.slope[0], rel=1e-9, abs=1e-12)
    assert 0.0 <= found.curvature[0] <= 1.0 / v
    wider = one(mean, v, low - 0.1 * spread, low + width)
    assert wider.log_probability[0] >= found.log_probability[0] - 1e-9


def test_an_interval_without_ends_says_nothing() -> None:
    found = inside(np.zeros(2), np.ones(2), np.full(2, -math.inf), np.full(2, math.inf))
    for column in (found.log_probability, found.slope, found.curvature):
        assert np.array_equal(column, np.zeros(2))
