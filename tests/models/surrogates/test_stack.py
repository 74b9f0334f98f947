"""Simplex weights against a general solver, and the stack against its members."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from labctl_models.surrogates.mean import TrainingMean
from labctl_models.surrogates.ridge import Ridge
from labctl_models.surrogates.stack import Stack, mixture, simplex_weights


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(3, 40), m=st.integers(1, 7))
def test_no_other_point_of_the_simplex_is_better(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.standard_normal(n)
    F = y[:, None] * rng.uniform(-0.2, 1.2, m) + rng.standard_normal((n, m)) * rng.uniform(0.1, 2, m)
    r = rng.uniform(0.1, 1, n)

    def error(w: np.ndarray) -> float:
        return float(np.sum(r * (y - F @ w) ** 2))

    w = simplex_weights(F, y, r)
    assert w.min() >= 0
    assert w.sum() == pytest.approx(1.0)
    found = minimize(
        error,
        np.full(m, 1 / m),
        bounds=[(0, 1)] * m,
        constraints={"type": "eq", "fun": lambda v: v.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert error(w) <= found.fun * (1 + 1e-6) + 1e-9


def test_equal_members_share_their_weight() -> None:
    rng = np.random.default_rng(0)
    y, error = rng.standard_normal(30), rng.standard_normal(30)
    F = np.column_stack([y + error, y + error, y - 50.0])
    w = simplex_weights(F, y)
    assert w[0] == pytest.approx(w[1], abs=1e-3)
    np.testing.assert_array_equal(simplex_weights(np.column_stack([y, y]), y), [0.5, 0.5])


def test_the_mixture_holds_disagreement() -> None:
    mean, variance = mixture(np.array([0.25, 0.75]), np.array([[0.0, 4.0]]), np.array([[1.0, 2.0]]))
    assert mean[0] == 3.0
    assert variance[0] == pytest.approx(0.25 * (1 + 9) + 0.75 * (2 + 1))


def test_the_member_that_extrapolates_gets_the_weight() -> None:
    rng = np.random.default_rng(1)
    X = np.clip(np.repeat(rng.random((4, 2)), 12, axis=0) + 0.03 * rng.standard_normal((48, 2)), 0, 1)
    y = X @ [3.0, 5.0] + 0.05 * rng.standard_normal(48)
    fitted = Stack((("mean", TrainingMean()), ("ridge", Ridge()))).fit(X, y, seed=0)
    assert fitted.card.hyperparameters["ridge"] > 0.9  # type: ignore[operator]  a single number


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="n x m"):
        simplex_weights(np.ones((3, 2)), np.ones(4))
    with pytest.raises(ValueError, match="finite"):
        simplex_weights(np.full((3, 2), np.nan), np.ones(3))
    with pytest.raises(ValueError, match="at least one member"):
        Stack(()).fit(np.ones((3, 1)), np.arange(3.0), seed=0)
