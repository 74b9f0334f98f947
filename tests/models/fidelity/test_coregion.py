"""The covariance of sources is always valid, and its slopes are those of finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.fidelity.coregion import Coregion


@settings(max_examples=40, deadline=None)
@given(m=st.integers(1, 5), seed=st.integers(0, 10_000))
def test_any_phi_gives_a_covariance(m: int, seed: int) -> None:
    coregion = Coregion(m)
    phi = coregion.location + 1.5 * coregion.scale * np.random.default_rng(seed).standard_normal(
        coregion.size
    )
    B = coregion.matrix(phi)
    np.testing.assert_allclose(B, B.T, rtol=1e-12)
    assert np.linalg.eigvalsh(B).min() > 0.0
    np.testing.assert_allclose(np.diagonal(B), np.exp(2 * phi[:m]), rtol=1e-12)


def test_first_partial_correlation_is_the_plain_one_with_the_target() -> None:
    coregion = Coregion(3)
    # Rows of L are the target, source 0 and source 1; their partials are z10, z20, z21.
    phi = np.array([0.3, -0.2, 0.1, np.arctanh(0.8), np.arctanh(-0.4), np.arctanh(0.5)])
    B = coregion.matrix(phi)
    sd = np.sqrt(np.diagonal(B))
    correlation = B / np.outer(sd, sd)
    assert correlation[0, 2] == pytest.approx(0.8)
    assert correlation[1, 2] == pytest.approx(-0.4)
    # The textbook formula of a partial correlation, solved for the plain one.
    assert correlation[0, 1] == pytest.approx(0.5 * np.sqrt((1 - 0.64) * (1 - 0.16)) - 0.8 * 0.4)


@settings(max_examples=25, deadline=None)
@given(m=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_slopes_are_those_of_finite_differences(m: int, seed: int) -> None:
    coregion, rng = Coregion(m), np.random.default_rng(seed)
    phi = rng.normal(0.0, 0.7, coregion.size)
    weights = rng.standard_normal((m, m))
    weights = weights + weights.T
    step = 1e-6
    expected = [
        ((coregion.matrix(phi + e) - coregion.matrix(phi - e)) * weights).sum() / (2 * step)
        for e in step * np.eye(coregion.size)
    ]
    np.testing.assert_allclose(coregion.pull_back(phi, weights), expected, rtol=1e-6, atol=1e-7)


def test_prior_neither_shuts_out_nor_presumes_agreement_with_the_target() -> None:
    coregion = Coregion(2)
    low, high = np.tanh(coregion.location[-1] + 1.96 * coregion.scale[-1] * np.array([-1.0, 1.0]))
    assert low < 0.0
    assert 0.9 < high < 0.99
