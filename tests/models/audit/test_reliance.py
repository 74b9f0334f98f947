"""Reliance equals predictions made again with a row left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.audit.reliance import fragility, reliance
from labctl_models.surrogates.gp import FittedGP, GaussianProcess


def fitted_to(seed: int, n: int, d: int) -> FittedGP:
    rng = np.random.default_rng(seed)
    X = rng.random((n, d))
    return GaussianProcess().fit(X, 30 + 5 * np.sin(6 * X[:, 0]) + rng.standard_normal(n), seed=0)


def covariance(fitted: FittedGP, A: np.ndarray, B: np.ndarray) -> np.ndarray:
    s = np.sqrt(5) * np.sqrt((((A[:, None] - B[None]) / fitted.lengthscales) ** 2).sum(axis=2))
    return np.asarray((1 + s + s * s / 3) * np.exp(-s))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 100), n=st.integers(3, 25), d=st.integers(1, 4))
def test_influence_is_what_leaving_out_a_row_changes(seed: int, n: int, d: int) -> None:
    fitted = fitted_to(seed, n, d)
    query = np.random.default_rng(seed + 1).random((4, d))
    found = reliance(fitted, query)
    mean = fitted.mean * fitted.scale + fitted.shift
    full = fitted.predict(query).mean
    np.testing.assert_allclose(mean + found.weights @ (fitted.y - mean), full, rtol=1e-9)
    for i in range(n):
        rest = np.delete(np.arange(n), i)
        K = covariance(fitted, fitted.X[rest], fitted.X[rest]) + fitted.noise_variance * np.eye(n - 1)
        k = covariance(fitted, query, fitted.X[rest])
        without = mean + k @ np.linalg.solve(K, fitted.y[rest] - mean)
        np.testing.assert_allclose(found.influence[:, i], full - without, atol=1e-6)


def test_effective_number_of_measurements() -> None:
    fitted = fitted_to(0, 30, 2)
    found = reliance(fitted, fitted.X)
    assert np.all((found.n_eff >= 1 - 1e-9) & (found.n_eff <= 30 + 1e-9))
    far = reliance(fitted, np.full((1, 2), 1e6))
    assert far.n_eff[0] == 0.0
    assert np.all(far.influence == 0.0)


def test_fragility_counts_rows_that_decide() -> None:
    mean = np.array([1.0, 0.9])
    # Without row 0 the first candidate would fall to 0.5, behind the other; row 1 moves both alike.
    influence = np.array([[0.5, 0.1, 0.0], [0.0, 0.1, 0.0]])
    assert fragility(mean, influence) == pytest.approx(1 / 3)
    assert fragility(np.array([5.0, 0.0]), influence) == 0.0
