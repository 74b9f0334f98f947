"""A sweep over many recipes equals textbook algebra, whatever the size of its blocks."""

import numpy as np
import pytest

from labctl_models.surrogates.evidence import factorise
from labctl_models.surrogates.kernel import matern52, scaled_distances
from labctl_models.surrogates.sweep import correlations, sweep


@pytest.mark.parametrize(("q", "n", "d"), [(1, 1, 1), (3, 40, 2), (700, 40, 3), (50, 90, 130)])
@pytest.mark.parametrize("entries", [7, 500, 131_072])
def test_a_sweep_equals_textbook_algebra(q: int, n: int, d: int, entries: int) -> None:
    rng = np.random.default_rng(q)
    X, data, lengths = rng.random((q, d)), rng.random((n, d)), rng.uniform(0.3, 2.0, d)
    X[0] = data[0]  # at a measured recipe rounding could make a square negative
    alpha = rng.standard_normal(n)

    def k(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        s = np.sqrt(5.0 * (((A[:, None] - B[None]) / lengths) ** 2).sum(axis=2))
        return np.asarray((1.0 + s + s * s / 3.0) * np.exp(-s))

    K = k(data, data) + 0.01 * np.eye(n)
    factor = factorise(K)
    swept = sweep(X, data, lengths, factor, alpha, keep=True, entries=entries)
    np.testing.assert_allclose(swept.mean, k(X, data) @ alpha, atol=1e-11)
    explained = np.einsum("ij,ij->i", k(X, data) @ np.linalg.inv(K), k(X, data))
    np.testing.assert_allclose(swept.explained, explained, atol=1e-10)
    V = np.linalg.solve(np.linalg.cholesky(K), k(data, X))
    for rows, part in swept.whitened:
        np.testing.assert_allclose(part, V[:, rows], atol=1e-10)
    assert sum(part.shape[1] for _, part in swept.whitened) == q
    assert sweep(X, data, lengths, factor, alpha).whitened == ()


def test_its_correlation_is_the_kernels() -> None:
    rng = np.random.default_rng(0)
    X, data, lengths = rng.random((300, 4)), rng.random((20, 4)), rng.uniform(0.1, 3.0, 4)
    expected, _ = matern52(scaled_distances(data / lengths, X / lengths))
    for rows, k in correlations(X, data, lengths, entries=900):
        np.testing.assert_allclose(k, expected[:, rows], atol=1e-13)


def test_no_recipes_have_no_beliefs() -> None:
    factor = factorise(np.array([[1.1]]))
    swept = sweep(np.empty((0, 2)), np.zeros((1, 2)), np.ones(2), factor, np.ones(1), keep=True)
    assert swept.mean.shape == swept.explained.shape == (0,)
    assert swept.whitened == ()
