"""Expected approach to a target value."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from labctl_models.acquisition.approach import log_expected_approach, log_expected_approach_slopes


@pytest.mark.parametrize("sd", [0.003, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("mean", [-2.0, 0.4, 1.0, 1.69, 3.0])
def test_it_is_the_integral_of_the_tent(mean: float, sd: float) -> None:
    target, miss = 1.0, 0.7
    near = np.clip(mean, target - miss, target + miss)
    exact, _ = quad(
        lambda f: max(miss - abs(f - target), 0.0) * norm.pdf(f, mean, sd),
        max(target - miss, near - 12 * sd),
        min(target + miss, near + 12 * sd),
        points=[target] if abs(near - target) < 12 * sd else None,
        epsabs=0.0,
        limit=200,
    )
    found = float(np.exp(log_expected_approach(np.array([mean]), np.array([sd]), target, miss)[0]))
    assert found == pytest.approx(exact, rel=2e-4, abs=1e-300)


def test_slopes_are_those_of_the_value() -> None:
    rng = np.random.default_rng(0)
    mean, sd, step = rng.normal(1.0, 2.0, 40), rng.uniform(0.05, 2.0, 40), 1e-6
    _, by_mean, by_sd = log_expected_approach_slopes(mean, sd, 1.0, 0.7)

    def value(m: float, s: float) -> np.ndarray:
        return log_expected_approach(mean + m, sd + s, 1.0, 0.7)

    np.testing.assert_allclose(by_mean, (value(step, 0) - value(-step, 0)) / (2 * step), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(by_sd, (value(0, step) - value(0, -step)) / (2 * step), rtol=1e-4, atol=1e-6)


def test_nothing_is_gained_where_nothing_is_open() -> None:
    mean = np.array([1.0, 1.2, 5.0])
    np.testing.assert_array_equal(log_expected_approach(mean, np.ones(3), 1.0, 0.0), [-np.inf] * 3)
    certain = log_expected_approach(mean, np.zeros(3), 1.0, 0.5)
    np.testing.assert_allclose(np.exp(certain), [0.5, 0.3, 0.0])


def test_far_away_it_still_ranks_the_nearer_one_higher() -> None:
    near, far = log_expected_approach(np.array([40.0, 60.0]), np.array([0.5, 0.5]), 1.0, 0.7)
    assert -np.inf < far < near < -1000.0


@pytest.mark.parametrize("sd", [0.0, 5e-324, 1e-300, 1.0, 1e150])
@pytest.mark.parametrize(("target", "miss"), [(1e149, 1e20), (0.0, 1e-300), (1e150, 2e150), (0.0, 0.0)])
def test_numbers_of_very_different_size_have_values_and_slopes(sd: float, target: float, miss: float) -> None:
    mean = np.array([1e20, 1e-300, 0.0, 1e150, -1e150])
    value, by_mean, by_sd = log_expected_approach_slopes(mean, np.full(5, sd), target, miss)
    assert not np.isnan(value).any()
    assert np.isfinite(by_mean).all()
    assert np.isfinite(by_sd).all()
    # Whoever is farther off than the best known recipe, and sure of it, cannot come nearer.
    if sd <= 1e-300:
        assert (value[np.abs(mean - target) > miss + 1e-290] == -np.inf).all()
