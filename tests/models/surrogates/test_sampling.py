"""Draws have the distribution that a grid of the same density has."""

import numpy as np
import pytest

from labctl_models.surrogates.marginal import Marginal
from labctl_models.surrogates.sampling import draws
from labctl_models.surrogates.search import bounds, most_probable


def a_marginal(n: int, noise: float) -> Marginal:
    rng = np.random.default_rng(n)
    X = rng.random((n, 1))
    z = np.sin(6 * X[:, 0]) + noise * rng.standard_normal(n)
    return Marginal(X - X.mean(axis=0), (z - z.mean()) / z.std(ddof=1))


@pytest.mark.parametrize(("n", "noise"), [(4, 0.0), (12, 0.5), (40, 0.1)])
def test_draws_have_the_moments_of_the_density(n: int, noise: float) -> None:
    marginal = a_marginal(n, noise)
    lower, upper = bounds(1)
    first, second = (np.linspace(low, high, 141) for low, high in zip(lower, upper, strict=True))
    heights = np.array([[-marginal.negative(np.array([a, b]))[0] for b in second] for a in first])
    weights = np.exp(heights - heights.max())
    weights /= weights.sum()
    found = most_probable(marginal, seed=0, start=None, starts=3)
    mode = np.log([found.lengthscales[0], found.noise_variance])
    drawn = draws(marginal, mode, 1500, seed=1)
    for column, (grid, axis) in enumerate(((first, 1), (second, 0))):
        mass = weights.sum(axis=axis)
        mean = float(mass @ grid)
        sd = float(np.sqrt(mass @ (grid - mean) ** 2))
        # A chain of 1500 draws is worth several hundred independent ones.
        assert drawn[:, column].mean() == pytest.approx(mean, abs=0.2 * sd)
        assert drawn[:, column].std() == pytest.approx(sd, rel=0.15)
        middle = float(grid[np.searchsorted(np.cumsum(mass), 0.5)])
        assert np.mean(drawn[:, column] < middle) == pytest.approx(0.5, abs=0.08)


def test_the_same_seed_draws_the_same_and_another_seed_others() -> None:
    marginal, mode = a_marginal(10, 0.1), np.array([0.0, -3.0])
    assert np.array_equal(draws(marginal, mode, 5, seed=3), draws(marginal, mode, 5, seed=3))
    assert not np.array_equal(draws(marginal, mode, 5, seed=3), draws(marginal, mode, 5, seed=4))


def test_draws_stay_within_the_bounds_of_the_search() -> None:
    lower, upper = bounds(1)
    drawn = draws(a_marginal(3, 0.0), np.array([0.0, -3.0]), 300, seed=0)
    assert ((drawn >= lower) & (drawn <= upper)).all()
