"""Log expected improvement equals high-precision arithmetic and botorch."""

import math
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.acquisition.improvement import (
    log_expected_improvement,
    log_expected_improvement_at,
    log_expected_improvement_slopes,
    log_expected_improvement_slopes_at,
    log_h,
    noisy_incumbent,
)
from labctl_models.surrogates.gp import GaussianProcess
from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess
from labctl_models.surrogates.protocol import Array, Prediction


def exact_log_h(z: float) -> float:
    """The logarithm of φ(z) + zΦ(z), with as many digits as its cancellation eats and 40 more."""
    with mpmath.workdps(60 + int(3 * math.log10(1 + abs(z)))):
        x = mpmath.mpf(z)
        # φ taken out in front, so that the tail does not underflow: φ (1 + z √(π/2) exp(z²/2) erfc(-z/√2)).
        ratio = mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(x * x / 2) * mpmath.erfc(-x / mpmath.sqrt(2))
        return float(-x * x / 2 - mpmath.log(2 * mpmath.pi) / 2 + mpmath.log(1 + x * ratio))


@pytest.mark.parametrize(
    "z",
    [
        *(-1e8, -1e5, -3000, -501, -50.0001, -50, -49.9999, -37.9, -20, -8.3, -5, -2, -1.0001, -1, -0.9999),
        *(-0.5, -1e-9, 0, 1e-9, 0.5, 1, 3, 8, 20, 37),
    ],
)
def test_log_h_equals_high_precision(z: float) -> None:
    assert log_h(np.array([z]))[0] == pytest.approx(exact_log_h(z), rel=1e-14, abs=2e-12)


@settings(max_examples=200, deadline=None)
@given(st.floats(-2000, 35))
def test_log_h_equals_high_precision_everywhere(z: float) -> None:
    assert log_h(np.array([z]))[0] == pytest.approx(exact_log_h(z), rel=1e-14, abs=2e-12)


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e150, 1e150), st.floats(1e-9, 1.0))
def test_log_h_never_falls(z: float, step: float) -> None:
    low, high = log_h(np.array([z, z + step * max(1.0, abs(z))]))
    assert low <= high


def test_equals_botorch_at_the_same_posterior() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((40, 3))
    fitted = GaussianProcess().fit(X, np.sin(5 * X[:, 0]) + 0.05 * rng.standard_normal(40), seed=0)
    pool = rng.random((500, 3))
    belief = fitted.predict(pool)
    incumbent = noisy_incumbent(fitted, X)
    ours = log_expected_improvement(belief.mean, belief.sd, incumbent)
    # As a tensor, because botorch would round a plain number to single precision.
    with torch.no_grad():
        theirs = LogExpectedImprovement(
            fitted.to_botorch(), best_f=torch.tensor(incumbent, dtype=torch.float64)
        )(torch.from_numpy(pool)[:, None])
    assert ours.min() < -30
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-8, atol=1e-8)


def test_a_value_by_hand() -> None:
    # mean = incumbent, sd 1: EI = 1/√(2π) = 0.3989...; sd scales it.
    value = log_expected_improvement(np.zeros(2), np.array([1.0, 3.0]), 0.0)
    np.testing.assert_allclose(np.exp(value), [0.3989422804014327, 3 * 0.3989422804014327], rtol=1e-14)


def test_equals_the_mean_of_sampled_improvements() -> None:
    f = 1.0 + 0.7 * np.random.default_rng(0).standard_normal(2_000_000)
    sampled = np.maximum(f - 1.5, 0).mean()
    assert math.exp(log_expected_improvement(np.array([1.0]), np.array([0.7]), 1.5)[0]) == pytest.approx(
        sampled, rel=0.01
    )


def test_without_doubt_the_improvement_is_certain_or_impossible() -> None:
    value = log_expected_improvement(np.array([3.0, 2.0, 1.0]), np.zeros(3), 2.0)
    assert value[0] == 0.0
    assert np.array_equal(value[1:], [-np.inf, -np.inf])
    assert np.array_equal(
        log_expected_improvement_slopes(np.array([3.0]), np.zeros(1), 2.0)[1:], [[0.0], [0.0]]
    )


@pytest.mark.parametrize("sd", [5e-324, 1e-300, 1e-30, 1e-12])
def test_vanishing_doubt_tends_to_certainty(sd: float) -> None:
    value = log_expected_improvement(np.array([3.0, 1.0]), np.full(2, sd), 2.0)
    assert value[0] == pytest.approx(0.0, abs=1e-12)
    assert value[1] < -1e20
    _, by_mean, by_sd = log_expected_improvement_slopes(np.array([3.0, 1.0]), np.full(2, sd), 2.0)
    assert not np.isnan(np.concatenate([by_mean, by_sd])).any()


@settings(max_examples=100, deadline=None)
@given(st.floats(-300, 20), st.floats(0.01, 100))
def test_slopes_are_the_derivatives(z: float, sd: float) -> None:
    mean = 1.0 + z * sd
    _, by_mean, by_sd = log_expected_improvement_slopes(np.array([mean]), np.array([sd]), 1.0)

    def value(mean: mpmath.mpf, sd: mpmath.mpf) -> Any:  # noqa: ANN401  mpmath has no types
        u = (mean - 1) / sd
        return mpmath.log(sd * (mpmath.npdf(u) + u * mpmath.ncdf(u)))

    with mpmath.workdps(80):
        numeric_mean = mpmath.diff(lambda m: value(m, mpmath.mpf(sd)), mpmath.mpf(mean))
        numeric_sd = mpmath.diff(lambda s: value(mpmath.mpf(mean), s), mpmath.mpf(sd))
    assert by_mean[0] == pytest.approx(float(numeric_mean), rel=1e-7)
    assert by_sd[0] == pytest.approx(float(numeric_sd), rel=1e-7)


def test_the_incumbent_is_not_the_luckiest_reading() -> None:
    rng = np.random.default_rng(3)
    X = rng.random((80, 2))
    truth = np.sin(3 * X[:, 0])
    y = truth + 0.5 * rng.standard_normal(80)
    incumbent = noisy_incumbent(GaussianProcess().fit(X, y, seed=0), X)
    assert y.max() > truth.max() + 0.5
    assert abs(incumbent - truth.max()) < 0.3


def test_an_incumbent_needs_a_recipe() -> None:
    fitted = GaussianProcess().fit(np.zeros((1, 2)), np.ones(1), seed=0)
    with pytest.raises(ValueError, match="at least one"):
        noisy_incumbent(fitted, np.empty((0, 2)))


def test_an_average_improves_as_draws_from_its_members_do() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((10, 2))
    y = np.sin(6 * X[:, 0]) + 0.1 * rng.standard_normal(10)
    fitted = AveragedGaussianProcess().fit(X, y, seed=0)
    query = rng.random((5, 2))
    each = fitted.components(query)
    drawn = each.mean + each.sd * rng.standard_normal((60_000, *each.mean.shape))
    gains = np.maximum(drawn - 0.5, 0.0)
    value = log_expected_improvement_at(fitted, query, 0.5)
    errors = gains.std(axis=(0, 1)) / math.sqrt(gains.shape[0] * gains.shape[1])
    assert (np.abs(np.exp(value) - gains.mean(axis=(0, 1))) < 5 * errors + 1e-9).all()
    again, slopes = log_expected_improvement_slopes_at(fitted, query, 0.5)
    np.testing.assert_allclose(again, value, rtol=1e-6)
    for column, step in enumerate(1e-5 * np.eye(2)):
        after, before = (log_expected_improvement_at(fitted, query + s, 0.5) for s in (step, -step))
        np.testing.assert_allclose(slopes[:, column], (after - before) / 2e-5, atol=1e-4)


def test_a_member_without_hope_leaves_the_average_to_the_others() -> None:
    @dataclass(frozen=True)
    class Two:
        def components(self, X: Array) -> Prediction:
            return Prediction(np.array([[0.0] * len(X), [3.0] * len(X)]), np.zeros((2, len(X))))

        def components_with_slopes(self, X: Array) -> tuple[Prediction, Array, Array]:
            return self.components(X), np.zeros((2, *X.shape)), np.zeros((2, *X.shape))

    X = np.zeros((1, 2))
    assert log_expected_improvement_at(Two(), X, 1.0)[0] == pytest.approx(math.log(1.0))  # type: ignore[arg-type]
    assert log_expected_improvement_at(Two(), X, 5.0)[0] == -np.inf  # type: ignore[arg-type]
    value, slopes = log_expected_improvement_slopes_at(Two(), X, 5.0)
    assert value[0] == -np.inf
    assert np.array_equal(slopes, np.zeros((1, 2)))
