"""The surrogate about a law: constants and posterior by dense algebra, and the Hall-Petch figures."""

import math

import numpy as np
import pytest

from labctl_models.surrogates.basis import BasisProblem, Law, least_squares
from labctl_models.surrogates.kernel import matern52, scaled_distances
from labctl_models.surrogates.mechanistic import FittedMechanistic, MechanisticGaussianProcess
from labctl_models.surrogates.protocol import Array

# Decades of grain size brought to the unit cube: d = 10^(4.5 u - 2.5) µm.
HALL_PETCH = Law(
    ("s0", "k", "c"),
    lambda U: np.column_stack([np.ones(len(U)), size(U) ** -0.5, 1.0 / size(U)]),
)


def size(U: Array) -> Array:
    return np.asarray(10.0 ** (4.5 * U[:, 0] - 2.5), dtype=np.float64)


def hall_petch(seed: int, n: int = 50) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    U = rng.random((n, 1))
    d = size(U)
    return U, 30 + 250 / np.sqrt(d) - 12.5 / d + 70 * rng.standard_normal(n)


def dense(fitted: FittedMechanistic, y: Array, Q: Array) -> tuple[Array, Array, Array, Array]:
    """Mean and variance, constants and their covariance, with the law's prior in the covariance matrix."""
    X, scale = fitted.X, fitted.scale
    H, Hq = fitted.law.values(X) * fitted.column, fitted.law.values(Q) * fitted.column
    wide = 1e6  # the vague prior sd of 1,000 of the scaled constants, squared

    def k(A: Array, B: Array) -> Array:
        return matern52(scaled_distances(A / fitted.lengthscales, B / fitted.lengthscales))[0]

    K = k(X, X) + fitted.noise_variance * np.eye(len(X)) + wide * H @ H.T
    cross = k(Q, X) + wide * Hq @ H.T
    mean = cross @ np.linalg.solve(K, y / scale)
    variance = 1.0 + wide * np.sum(Hq * Hq, axis=1) - np.sum(cross * np.linalg.solve(K, cross.T).T, axis=1)
    constants = wide * H.T @ np.linalg.solve(K, y / scale)
    covariance = wide * np.eye(3) - wide**2 * H.T @ np.linalg.solve(K, H)
    back = fitted.column * scale
    return mean * scale, variance * scale**2, constants * back, covariance * np.outer(back, back)


def test_posterior_is_that_of_the_joint_normal() -> None:
    U, y = hall_petch(0, 30)
    fitted = MechanisticGaussianProcess(HALL_PETCH, starts=1).fit(U, y, seed=0)
    Q = np.linspace(0, 1, 9)[:, None]
    mean, variance, constants, covariance = dense(fitted, y, Q)
    belief = fitted.predict(Q)
    np.testing.assert_allclose(belief.mean, mean, rtol=1e-4, atol=0.1)
    np.testing.assert_allclose(belief.sd**2, variance, rtol=1e-2, atol=1.0)
    np.testing.assert_allclose(fitted.constants.mean, constants, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(fitted.constants.covariance, covariance, rtol=2e-2, atol=1e-1)


def test_evidence_is_the_normal_density_and_its_slopes_are_its_slopes() -> None:
    rng = np.random.default_rng(0)
    X, z = rng.random((12, 2)), rng.standard_normal(12)
    H, b0, precision = np.column_stack([np.ones(12), X[:, 0]]), np.array([0.3, -1.0]), np.array([4.0, 0.25])
    problem = BasisProblem(X - X.mean(axis=0), z, H, b0, precision)
    lengths, noise = np.array([0.4, 1.3]), 0.2
    K = matern52(scaled_distances(X / lengths))[0] + noise * np.eye(12) + H @ np.diag(1 / precision) @ H.T
    r = z - H @ b0
    density = -0.5 * (r @ np.linalg.solve(K, r) + np.linalg.slogdet(K)[1] + 12 * math.log(2 * math.pi))
    assert problem.evidence(lengths, noise).log_likelihood == pytest.approx(density)
    theta = np.log([0.4, 1.3, 0.2])
    _, slopes = problem.negative(theta)
    for i, step in enumerate(1e-5 * np.eye(3)):
        numeric = (problem.negative(theta + step)[0] - problem.negative(theta - step)[0]) / 2e-5
        assert slopes[i] == pytest.approx(numeric, rel=1e-4, abs=1e-5)


def test_least_squares_on_hall_petch_has_the_known_spread() -> None:
    # Over 200 seeds: s0 = 30.1 ± 16.2, k = 249.2 ± 8.3, c = -12.45 ± 0.63 MPa and its units.
    found = []
    for seed in range(200):
        U, y = hall_petch(seed)
        found.append(least_squares(HALL_PETCH, HALL_PETCH.values(U), y).mean)
    assert (np.abs(np.mean(found, axis=0) - [30.0, 250.0, -12.5]) < [4.0, 2.5, 0.2]).all()
    np.testing.assert_allclose(np.std(found, axis=0), [16.2, 8.3, 0.63], rtol=0.25)


def test_stated_sds_of_the_constants_hold_the_truth() -> None:
    truth, z = np.array([30.0, 250.0, -12.5]), []
    for seed in range(25):
        U, y = hall_petch(seed)
        fitted = MechanisticGaussianProcess(HALL_PETCH, starts=1).fit(U, y, seed=0)
        z.append((fitted.constants.mean - truth) / fitted.constants.sd)
        assert (fitted.constants.sd >= 0.8 * fitted.constants_alone.sd).all()
    assert np.sqrt(np.mean(np.square(z))) < 1.3


def test_a_prior_on_a_constant_is_obeyed() -> None:
    U, y = hall_petch(0)
    sure = Law(("s0", "k", "c"), HALL_PETCH.basis, (100.0, 250.0, -12.5), (1e-3, math.inf, math.inf))
    fitted = MechanisticGaussianProcess(sure, starts=1).fit(U, y, seed=0)
    assert fitted.constants.mean[0] == pytest.approx(100.0, abs=0.01)
    assert fitted.constants.sd[0] < 2e-3


def test_what_the_law_misses_is_seen_in_its_discrepancy() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((60, 1))
    y = 3 + 2 * X[:, 0] + np.sin(12 * X[:, 0]) + 0.05 * rng.standard_normal(60)
    law = Law(("a", "b"), lambda Z: np.column_stack([np.ones(len(Z)), Z[:, 0]]))
    fitted = MechanisticGaussianProcess(law).fit(X, y, seed=0)
    Q = np.linspace(0.05, 0.95, 20)[:, None]
    np.testing.assert_allclose(fitted.predict(Q).mean, 3 + 2 * Q[:, 0] + np.sin(12 * Q[:, 0]), atol=0.15)
    assert (fitted.constants.sd > 3 * fitted.constants_alone.sd).any() or fitted.noise_sd < 0.1


def test_laws_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="name of its own"):
        Law(("a", "a"), lambda X: X)
    with pytest.raises(ValueError, match="2 constants but 1 prior"):
        Law(("a", "b"), lambda X: X, (1.0,))
    with pytest.raises(ValueError, match="must be positive"):
        Law(("a",), lambda X: X, (1.0,), (0.0,))
    with pytest.raises(ValueError, match="no finite value at row 1"):
        HALL_PETCH.values(np.full((1, 1), -np.inf))
    with pytest.raises(ValueError, match="shape"):
        Law(("a", "b"), lambda X: X).values(np.ones((3, 1)))
