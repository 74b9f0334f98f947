"""The covariance equals gpytorch's and its slope factor is the derivative."""

import math

import numpy as np
import pytest
import torch
from gpytorch.kernels import MaternKernel
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.surrogates.kernel import correlation, matern52, scaled_distances


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), a=st.integers(1, 8), b=st.integers(1, 8), d=st.integers(1, 20))
def test_correlation_equals_gpytorchs(seed: int, a: int, b: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    A, B, lengthscales = rng.random((a, d)), rng.random((b, d)), np.exp(rng.uniform(-3, 2, d))
    kernel = MaternKernel(nu=2.5, ard_num_dims=d).double()
    kernel.lengthscale = torch.from_numpy(lengthscales)
    theirs = kernel(torch.from_numpy(A), torch.from_numpy(B)).to_dense().detach().numpy()
    r = scaled_distances(A / lengthscales, B / lengthscales)
    np.testing.assert_allclose(matern52(r)[0], theirs, atol=1e-10)
    np.testing.assert_allclose(correlation(r.copy()), theirs, atol=1e-10)


def test_value_and_slope_at_known_distances() -> None:
    # √5 r = 1: k = (1 + 1 + 1/3)/e; r = 0: k = 1 and -k'/r = 5/3.
    k, factor = matern52(np.array([[0.0, 1 / math.sqrt(5)]]))
    assert k[0] == pytest.approx([1.0, (7 / 3) / math.e], rel=1e-14)
    assert factor[0] == pytest.approx([5 / 3, 5 / 3 * 2 / math.e], rel=1e-14)


def test_slope_factor_is_the_derivative() -> None:
    r = np.linspace(0.05, 6, 50)[None]
    h = 1e-6
    slope = (matern52(r + h)[0] - matern52(r - h)[0]) / (2 * h)
    np.testing.assert_allclose(-slope / r, matern52(r)[1], atol=1e-8)


def test_equal_rows_are_at_distance_zero_and_correlate_fully() -> None:
    A = np.full((4, 150), 0.3) / 0.025
    r = scaled_distances(A)
    assert np.array_equal(np.diagonal(r), np.zeros(4))
    np.testing.assert_allclose(matern52(r)[0], 1.0, atol=1e-9)
