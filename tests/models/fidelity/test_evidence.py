"""The evidence of several sources is that of a normal distribution, and its gradient is exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal

from labctl_models.fidelity.evidence import FidelityProblem
from labctl_models.surrogates.evidence import factorise
from labctl_models.surrogates.protocol import Array


def some_problem(seed: int, n: int, d: int, m: int) -> tuple[FidelityProblem, Array]:
    rng = np.random.default_rng(seed)
    X = rng.random((n, d))
    problem = FidelityProblem(X - X.mean(axis=0), rng.integers(0, m, n), rng.standard_normal(n), m)
    parts = [rng.normal(0.0, 0.5, d), rng.normal(-3.0, 0.5, m), rng.normal(0.0, 0.6, problem.coregion.size)]
    return problem, np.concatenate(parts)


def test_likelihood_is_that_of_a_normal_with_the_written_covariance() -> None:
    problem, theta = some_problem(3, 15, 2, 3)
    unknowns = problem.unknowns(theta)
    r = np.sqrt(5.0) * cdist(problem.X / unknowns.lengthscales, problem.X / unknowns.lengthscales)
    kernel = (1 + r + r * r / 3) * np.exp(-r)
    K = np.empty((15, 15))
    for i, s in enumerate(problem.source):
        for j, t in enumerate(problem.source):
            K[i, j] = unknowns.B[s, t] * kernel[i, j] + (s == t) + (i == j) * unknowns.noise[s]
    factor = factorise(problem.covariance(unknowns))
    ours = problem.log_likelihood(factor, factor.solve(problem.z))
    assert ours == pytest.approx(multivariate_normal(np.zeros(15), K).logpdf(problem.z), rel=1e-9)
    prior, _ = problem.log_prior(theta)
    assert -problem.negative(theta)[0] == pytest.approx(ours + prior, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 25), d=st.integers(1, 4), m=st.integers(1, 4))
def test_gradient_is_that_of_finite_differences(seed: int, n: int, d: int, m: int) -> None:
    problem, theta = some_problem(seed, n, d, m)
    step = 1e-5
    expected = [
        (problem.negative(theta + e)[0] - problem.negative(theta - e)[0]) / (2 * step)
        for e in step * np.eye(len(theta))
    ]
    np.testing.assert_allclose(problem.negative(theta)[1], expected, rtol=1e-5, atol=1e-5)
