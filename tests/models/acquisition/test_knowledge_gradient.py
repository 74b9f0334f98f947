"""The knowledge gradient equals quadrature, Monte Carlo and the known closed form for two recipes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from labctl_models.acquisition.knowledge_gradient import (
    log_expected_rise,
    log_knowledge_gradient,
    upper_envelope,
)
from labctl_models.surrogates.gp import GaussianProcess
from labctl_models.surrogates.protocol import Array

GRID = np.linspace(-10.0, 10.0, 400_001)


def by_quadrature(a: Array, b: Array) -> float:
    """E[max(a + bZ)] - max(a) by the trapezoidal rule."""
    highest = np.max(a[:, None] + b[:, None] * GRID, axis=0)
    return float(np.trapezoid((highest - a.max()) * norm.pdf(GRID), GRID))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.integers(1, 12), grid=st.booleans())
def test_the_expected_rise_equals_quadrature(seed: int, m: int, grid: bool) -> None:  # noqa: FBT001  drawn
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal(m), rng.standard_normal(m)
    if grid:  # with equal intercepts, parallel lines and twins
        a, b = np.round(a), np.round(b)
    assert math.exp(log_expected_rise(a, b)) == pytest.approx(by_quadrature(a, b), abs=1e-8)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.integers(1, 40))
def test_the_envelope_is_nowhere_below_a_line(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal(m), rng.standard_normal(m)
    lines, slopes, crossings = upper_envelope(a, b)
    z = GRID[::200]
    on_envelope = lines[np.searchsorted(crossings, z)]
    np.testing.assert_allclose(a[on_envelope] + b[on_envelope] * z, (a[:, None] + b[:, None] * z).max(axis=0))
    assert (np.diff(slopes) > 0).all()
    assert (np.diff(crossings) > 0).all()


def test_two_independent_recipes_have_frazers_closed_form() -> None:
    # Frazer, Powell and Dayanik (2008): s h(-|gap| / s) with s = variance / √(variance + noise)
    mean, variances, noise = np.array([1.0, 0.3]), np.array([0.5, 0.8]), 0.2
    gains = np.exp(log_knowledge_gradient(mean, np.diag(variances), noise))
    for gain, variance in zip(gains, variances, strict=True):
        s = variance / math.sqrt(variance + noise)
        u = -0.7 / s
        assert gain == pytest.approx(s * (norm.pdf(u) + u * norm.cdf(u)), rel=1e-12)


def test_it_is_the_mean_rise_of_the_best_prediction_once_the_reading_is_known() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((15, 2))
    fitted = GaussianProcess().fit(X, np.sin(5 * X[:, 0]) + 0.2 * rng.standard_normal(15), seed=0)
    among = rng.random((25, 2))
    belief = fitted.predict(among)
    gains = np.exp(
        log_knowledge_gradient(
            belief.mean, fitted.covariance(among), fitted.noise_sd**2, candidates=[4, 0, 17]
        )
    )
    for gain, row in zip(gains, (4, 0, 17), strict=True):
        spread = math.sqrt(belief.sd[row] ** 2 + fitted.noise_sd**2)
        # 400 equally probable readings instead of all.
        readings = belief.mean[row] + spread * norm.ppf((np.arange(400) + 0.5) / 400)
        rises = [
            fitted.condition_on(among[[row]], np.array([reading])).predict(among).mean.max()
            for reading in readings
        ]
        assert gain == pytest.approx(np.mean(rises) - belief.mean.max(), rel=0.02, abs=1e-6)


def test_a_reading_that_teaches_nothing_is_worth_nothing() -> None:
    sure = np.zeros((3, 3))
    assert log_knowledge_gradient(np.array([1.0, 2.0, 3.0]), sure, 0.0).tolist() == [-math.inf] * 3
    # Where all move together the best stays the best.
    assert log_knowledge_gradient(np.array([1.0, 2.0]), np.ones((2, 2)), 0.1).tolist() == [-math.inf] * 2


@pytest.mark.parametrize("gap", [10.0, 60.0, 1e4])
def test_a_gain_too_small_for_a_double_still_ranks(gap: float) -> None:
    # Of two recipes that lag by the gap, the one that is less sure is likelier to catch up. By Mills' ratio
    # h(-z) is φ(z) / z² far out, and b = variance / sd = sd without noise.
    mean, sd = np.array([gap, 0.0, 0.0]), np.array([0.0, 1.0, 2.0])
    logs = log_knowledge_gradient(mean, np.diag(sd**2), 0.0)
    assert logs[0] == -math.inf
    for log, s in zip(logs[1:], sd[1:], strict=True):
        z = gap / s
        far = math.log(s) - 0.5 * z * z - 0.5 * math.log(2.0 * math.pi) - 2.0 * math.log(z)
        assert log == pytest.approx(far, rel=1e-2)
    assert logs[2] > logs[1]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="2 x 2"):
        log_knowledge_gradient(np.zeros(2), np.eye(3), 0.1)
    with pytest.raises(ValueError, match="noise variance is -1"):
        log_knowledge_gradient(np.zeros(2), np.eye(2), -1.0)
