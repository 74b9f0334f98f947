"""The chance that an outcome keeps its limits."""

import numpy as np
import pytest
from scipy.stats import norm

from labctl_models.acquisition.limits import NEVER, log_chance_kept, log_chance_kept_slopes

MEAN, SD = np.array([0.0, 3.0, -8.0, 60.0]), np.array([1.0, 0.5, 2.0, 3.0])


@pytest.mark.parametrize(("low", "high"), [(-1.0, 2.0), (-np.inf, 2.0), (4.0, np.inf)])
def test_it_is_the_normal_chance(low: float, high: float) -> None:
    near = slice(0, 3)
    exact = norm.cdf(high, MEAN[near], SD[near]) - norm.cdf(low, MEAN[near], SD[near])
    np.testing.assert_allclose(np.exp(log_chance_kept(MEAN[near], SD[near], low, high)), exact, atol=1e-14)


def test_far_outside_it_still_ranks() -> None:
    # Of 60 ± 3 to lie below 2: the tail of 58/3 sd, whose logarithm scipy has.
    assert log_chance_kept(MEAN[3:], SD[3:], -np.inf, 2.0)[0] == pytest.approx(norm.logcdf(-58.0 / 3.0))
    worse, bad = log_chance_kept(np.array([80.0, 60.0]), np.array([1.0, 1.0]), -1.0, 2.0)
    assert NEVER < worse < bad < 0.0


@pytest.mark.parametrize(("low", "high"), [(-1.0, 2.0), (-np.inf, 2.0), (4.0, np.inf)])
def test_slopes_are_those_of_the_value(low: float, high: float) -> None:
    step = 1e-6
    _, by_mean, by_sd = log_chance_kept_slopes(MEAN, SD, low, high)
    for shift, slope in ((np.array([step, 0.0]), by_mean), (np.array([0.0, step]), by_sd)):
        up = log_chance_kept(MEAN + shift[0], SD + shift[1], low, high)
        down = log_chance_kept(MEAN - shift[0], SD - shift[1], low, high)
        np.testing.assert_allclose(slope, (up - down) / (2.0 * step), rtol=1e-5, atol=1e-8)


def test_what_is_known_exactly_keeps_them_or_does_not() -> None:
    found = log_chance_kept(np.array([1.0, 5.0]), np.zeros(2), 0.0, 2.0)
    np.testing.assert_array_equal(found, [0.0, NEVER])


def test_limits_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="leave no value"):
        log_chance_kept(MEAN, SD, 2.0, 2.0)
