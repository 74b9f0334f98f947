"""Ridge against its textbook formulas, and on the tables on which quick decompositions fail."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Library

from labctl_models.surrogates.ridge import Ridge


@pytest.mark.parametrize(("n", "d"), [(40, 5), (20, 60)])
def test_equals_scikit_learn_at_the_chosen_penalty(n: int, d: int) -> None:
    rng = np.random.default_rng(0)
    X, y, Q = rng.random((n, d)), rng.standard_normal(n), rng.random((6, d))
    fitted = Ridge().fit(X, y, seed=0)
    library = Library(alpha=fitted.alpha).fit(X, y)
    np.testing.assert_allclose(fitted.predict(Q).mean, library.predict(Q), atol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(30, 4), (15, 40)])
def test_sd_is_that_of_the_bayesian_linear_model(n: int, d: int) -> None:
    rng = np.random.default_rng(1)
    X, y, Q = rng.random((n, d)), rng.standard_normal(n), rng.random((6, d))
    fitted = Ridge(penalties=(0.7,)).fit(X, y, seed=0)
    x, q = X - X.mean(axis=0), Q - X.mean(axis=0)
    inverse = np.linalg.inv(x.T @ x + 0.7 * np.eye(d))
    expected = fitted.noise_sd * np.sqrt(1 / n + np.einsum("ij,jk,ik->i", q, inverse, q))
    np.testing.assert_allclose(fitted.predict(Q).sd, expected, rtol=1e-8)


def test_noise_is_the_leave_one_out_error() -> None:
    rng = np.random.default_rng(2)
    X, y = rng.random((25, 3)), rng.standard_normal(25)
    fitted = Ridge(penalties=(0.3,)).fit(X, y, seed=0)
    errors = []
    for i in range(25):
        rest = np.arange(25) != i
        errors.append(y[i] - Library(alpha=0.3).fit(X[rest], y[rest]).predict(X[i : i + 1])[0])
    assert fitted.noise_sd == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-6)


def test_the_penalty_follows_the_signal() -> None:
    rng = np.random.default_rng(3)
    X = rng.random((80, 10))
    strong = Ridge().fit(X, X @ np.arange(10.0) + 0.01 * rng.standard_normal(80), seed=0)
    none = Ridge().fit(X, rng.standard_normal(80), seed=0)
    assert strong.alpha < 1.0 < none.alpha


def test_features_that_repeat_each_other_are_no_obstacle() -> None:
    rng = np.random.default_rng(4)
    base = rng.random((60, 3)).round(1)
    X = np.hstack([base, base, base * 0.3, np.full((60, 80), 0.2)])
    y = base @ [1.0, 2.0, 3.0]
    np.testing.assert_allclose(Ridge().fit(X, y, seed=0).predict(X).mean, y, atol=0.05)
