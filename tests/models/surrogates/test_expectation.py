"""Expectation propagation against integrals on a grid, and the limits in which it is exact."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import multivariate_normal, norm

from labctl_models.surrogates.expectation import Sites, propagate

Floats = NDArray[np.float64]


def posterior(mean: Floats, covariance: Floats, sites: Sites) -> tuple[Floats, Floats]:
    """Moments of the responses when each site is a reading: the textbook's conditional normal."""
    gain = covariance @ np.linalg.inv(covariance + np.diag(1.0 / sites.precision))
    return mean + gain @ (sites.location - mean), covariance - gain @ covariance


def on_a_grid(
    mean: Floats, covariance: Floats, noise: float, low: Floats, high: Floats
) -> tuple[float, Floats, Floats]:
    """Evidence and moments of two responses by summing over a fine grid."""
    axes = [
        m + np.linspace(-8, 8, 801) * math.sqrt(v) for m, v in zip(mean, np.diag(covariance), strict=True)
    ]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    density = multivariate_normal(mean, covariance).pdf(grid)
    for i in range(2):
        density *= ndtr((high[i] - grid[..., i]) / noise**0.5) - ndtr((low[i] - grid[..., i]) / noise**0.5)
    cell = float(np.prod([axis[1] - axis[0] for axis in axes]))
    evidence = float(density.sum() * cell)
    weights = density / density.sum()
    first = np.einsum("ab,abk->k", weights, grid)
    apart = grid - first
    return math.log(evidence), first, np.einsum("ab,abk,abl->kl", weights, apart, apart)


@pytest.mark.parametrize(
    ("correlation", "low", "high"),
    [
        (0.6, [0.5, -math.inf], [math.inf, 0.0]),
        (-0.4, [1.0, 0.2], [math.inf, math.inf]),
        (0.8, [-0.3, 0.8], [0.4, 1.5]),
        (0.0, [-math.inf, 2.0], [-1.0, 3.0]),
    ],
)
def test_two_intervals_as_the_grid_says(correlation: float, low: list[float], high: list[float]) -> None:
    mean, noise = np.array([0.1, -0.2]), 0.3
    covariance = np.array([[1.0, correlation], [correlation, 1.2]])
    bounds = np.array(low), np.array(high)
    sites = propagate(mean, covariance, noise, *bounds)
    evidence, first, second = on_a_grid(mean, covariance, noise, *bounds)
    found_first, found_second = posterior(mean, covariance, sites)
    assert sites.log_evidence == pytest.approx(evidence, abs=0.01)
    np.testing.assert_allclose(found_first, first, atol=0.01)
    np.testing.assert_allclose(found_second, second, atol=0.015)


def test_one_interval_is_exact() -> None:
    """A single response: probability and moments of a truncated normal, by its closed form."""
    mean, variance, noise, low = np.array([0.4]), np.array([[1.5]]), 0.5, 1.1
    sites = propagate(mean, variance, noise, np.array([low]), np.array([math.inf]))
    a = (low - 0.4) / math.sqrt(2.0)
    mills = norm.pdf(a) / norm.sf(a)
    first, second = posterior(mean, variance, sites)
    assert sites.log_evidence == pytest.approx(norm.logsf(a), abs=1e-9)
    assert first[0] == pytest.approx(0.4 + 1.5 / math.sqrt(2.0) * mills, abs=1e-6)
    assert second[0, 0] == pytest.approx(1.5 - 1.5**2 / 2.0 * mills * (mills - a), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.integers(1, 12))
def test_narrow_intervals_are_readings_and_far_ones_are_nothing(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((m, m))
    covariance, mean = half @ half.T / m + 0.1 * np.eye(m), rng.standard_normal(m)
    noise = float(rng.uniform(0.05, 1.0))
    y = mean + rng.standard_normal(m)
    width = 1e-4
    sites = propagate(mean, covariance, noise, y - width / 2, y + width / 2)
    np.testing.assert_allclose(sites.location, y, atol=1e-4)
    np.testing.assert_allclose(1.0 / sites.precision, noise, rtol=1e-4)
    density = multivariate_normal(mean, covariance + noise * np.eye(m)).logpdf(y)
    assert sites.log_evidence == pytest.approx(density + m * math.log(width), abs=1e-3)
    far = propagate(mean, covariance, noise, mean - 60.0, np.full(m, math.inf))
    assert not far.informative.any()
    assert far.log_evidence == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.integers(2, 40))
def test_where_it_settles_every_site_matches_its_moments(seed: int, m: int) -> None:
    """The fixed point: given all others, each site has the effect of its interval on mean and variance."""
    rng = np.random.default_rng(seed)
    X = rng.random((m, 2))
    covariance = 4.0 * np.exp(-((X[:, None] - X[None]) ** 2).sum(axis=2) / 0.1)
    up = rng.random(m) < 0.7
    low, high = np.where(up, 0.0, -math.inf), np.where(up, math.inf, 0.0)
    sites = propagate(np.full(m, 1.0), covariance, 1.0, low, high)
    first, second = posterior(np.full(m, 1.0), covariance, sites)
    variance = 1.0 / (1.0 / np.diag(second) - sites.precision)
    without = variance * (first / np.diag(second) - sites.precision * sites.location)
    z = np.where(up, 1.0, -1.0) * without / np.sqrt(1.0 + variance)
    mills = norm.pdf(z) / norm.cdf(z)
    matched = without + np.where(up, 1.0, -1.0) * variance * mills / np.sqrt(1.0 + variance)
    narrowed = variance - variance**2 * mills * (z + mills) / (1.0 + variance)
    np.testing.assert_allclose(first, matched, atol=1e-4)
    np.testing.assert_allclose(np.diag(second), narrowed, rtol=1e-3)
    inverse = np.linalg.inv(covariance + np.diag(1.0 / sites.precision))
    np.testing.assert_allclose(sites.inverse(), inverse, atol=1e-8)


def test_the_start_does_not_change_the_answer() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((30, 1))
    covariance = np.exp(-((X - X.T) ** 2) / 0.05)
    low = np.where(X[:, 0] > 0.5, 0.0, -math.inf)
    high = np.where(X[:, 0] > 0.5, math.inf, 0.0)
    cold = propagate(np.zeros(30), covariance, 1.0, low, high)
    other = propagate(np.ones(30), 3.0 * covariance, 1.0, low, high)
    warm = propagate(np.zeros(30), covariance, 1.0, low, high, start=other)
    assert warm.log_evidence == pytest.approx(cold.log_evidence, abs=1e-5)
    np.testing.assert_allclose(warm.pull, cold.pull, atol=1e-4)
