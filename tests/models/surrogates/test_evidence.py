"""The log posterior and its gradient equal gpytorch's by autograd."""

import math
from typing import Any

import gpytorch
import numpy as np
import pytest
import torch
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import (
    get_covar_module_with_dim_scaled_prior,
    get_gaussian_likelihood_with_lognormal_prior,
)
from gpytorch.mlls import ExactMarginalLogLikelihood
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import lognorm, multivariate_normal

from labctl_models.surrogates.evidence import (
    NOISE_PRIOR,
    LogNormal,
    NotPositiveDefiniteError,
    Problem,
    factorise,
    lengthscale_prior,
)


def a_problem(seed: int, n: int, d: int) -> tuple[Problem, np.ndarray[Any, np.dtype[np.float64]]]:
    rng = np.random.default_rng(seed)
    theta = np.append(rng.uniform(-2, 1.5, d), rng.uniform(-6, 0))
    return Problem(rng.random((n, d)), rng.standard_normal(n)), theta


def botorchs(
    problem: Problem, theta: np.ndarray[Any, np.dtype[np.float64]]
) -> tuple[float, np.ndarray[Any, np.dtype[np.float64]]]:
    """The log posterior by gpytorch at the best constant mean; its gradient by autograd, in log units."""
    n, d = problem.X.shape
    model = SingleTaskGP(
        torch.from_numpy(problem.X),
        torch.from_numpy(problem.z)[:, None],
        covar_module=get_covar_module_with_dim_scaled_prior(d, use_rbf_kernel=False),
        outcome_transform=None,
    )
    model.covar_module.lengthscale = torch.from_numpy(np.exp(theta[:d]))
    mean = problem.evaluate(np.exp(theta[:d]), math.exp(theta[d])).mean
    model.likelihood.noise = torch.tensor(math.exp(theta[d]), dtype=torch.float64)
    model.mean_module.constant = torch.tensor(mean, dtype=torch.float64)
    mll = ExactMarginalLogLikelihood(model.likelihood, model).train()
    with gpytorch.settings.fast_computations(covar_root_decomposition=False, log_prob=False, solves=False):
        value = mll(model(*model.train_inputs), model.train_targets) * n
        value.backward()
    assert model.mean_module.raw_constant.grad.abs() < 1e-6 * n
    lengths = model.covar_module.raw_lengthscale.grad.numpy().ravel() * np.exp(theta[:d])
    noise = model.likelihood.noise_covar.raw_noise.grad.numpy().ravel() * math.exp(theta[d])
    return value.item(), np.append(lengths, noise)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 40), d=st.integers(1, 12))
def test_value_and_gradient_equal_gpytorchs(seed: int, n: int, d: int) -> None:
    problem, theta = a_problem(seed, n, d)
    value, gradient = problem.negative(theta)
    theirs, their_gradient = botorchs(problem, theta)
    assert -value == pytest.approx(theirs, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(-gradient, their_gradient, rtol=1e-5, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 30), d=st.integers(1, 5))
def test_the_accurate_and_the_quick_evaluation_agree_and_the_likelihood_is_the_normal_density(
    seed: int, n: int, d: int
) -> None:
    problem, theta = a_problem(seed, n, d)
    evidence = problem.evaluate(np.exp(theta[:d]), math.exp(theta[d]))
    assert evidence.log_posterior == pytest.approx(-problem.negative(theta)[0], rel=1e-9, abs=1e-9)
    L = evidence.factor.lower
    density = multivariate_normal(np.full(n, evidence.mean), L @ L.T).logpdf(problem.z)
    assert evidence.log_likelihood == pytest.approx(density, rel=1e-8, abs=1e-8)


def test_the_mean_is_the_best_constant() -> None:
    problem, theta = a_problem(3, 20, 2)
    evidence = problem.evaluate(np.exp(theta[:2]), math.exp(theta[2]))
    K = evidence.factor.lower @ evidence.factor.lower.T
    best = evidence.log_likelihood
    for shifted in (evidence.mean - 0.01, evidence.mean + 0.01):
        assert multivariate_normal(np.full(20, shifted), K).logpdf(problem.z) < best


def test_prior_is_scipys_log_normal() -> None:
    prior = LogNormal(0.7, 1.3)
    x = np.array([0.01, 0.5, 1.0, 30.0])
    value, slope = prior.log_density(np.log(x))
    np.testing.assert_allclose(value, lognorm(s=1.3, scale=math.exp(0.7)).logpdf(x), rtol=1e-12)
    h = 1e-6
    numeric = (prior.log_density(np.log(x) + h)[0] - prior.log_density(np.log(x) - h)[0]) / (2 * h)
    np.testing.assert_allclose(slope, numeric, atol=1e-8)
    assert prior.mode == pytest.approx(math.exp(0.7 - 1.69))
    assert prior.median == pytest.approx(math.exp(0.7))


@pytest.mark.parametrize("d", [1, 6, 150])
def test_priors_are_botorchs(d: int) -> None:
    theirs = get_covar_module_with_dim_scaled_prior(d, use_rbf_kernel=False).lengthscale_prior
    assert lengthscale_prior(d).mode == pytest.approx(float(theirs.mode), rel=1e-6)
    noise = get_gaussian_likelihood_with_lognormal_prior().noise_covar.noise_prior
    assert NOISE_PRIOR.mode == pytest.approx(float(noise.mode), rel=1e-6)


def test_a_singular_matrix_gets_the_smallest_jitter_that_helps() -> None:
    assert factorise(np.eye(3)).jitter == 0.0
    K = np.ones((3, 3))
    factor = factorise(K)
    assert 0.0 < factor.jitter <= 1e-6
    np.testing.assert_allclose(factor.lower @ factor.lower.T, K + factor.jitter * np.eye(3), atol=1e-12)


@pytest.mark.parametrize("K", [-np.eye(3), np.full((2, 2), np.nan)])
def test_a_matrix_beyond_help_is_named(K: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    with pytest.raises(NotPositiveDefiniteError, match="could not be inverted"):
        factorise(K)


def test_factor_solves_and_inverts() -> None:
    rng = np.random.default_rng(0)
    A, b = rng.random((6, 6)), rng.random(6)
    K = A @ A.T + np.eye(6)
    factor = factorise(K)
    np.testing.assert_allclose(factor.solve(b), np.linalg.solve(K, b))
    upper = np.triu_indices(6)
    np.testing.assert_allclose(factor.upper_inverse()[upper], np.linalg.inv(K)[upper])
    assert factor.log_determinant() == pytest.approx(np.linalg.slogdet(K)[1])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 200), m=st.integers(1, 4))
def test_a_factor_extended_or_inverted_is_that_of_the_whole(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n + m, n + m + 3))
    K = A @ A.T / (n + m) + 0.1 * np.eye(n + m)
    part = factorise(K[:n, :n])
    whole = part.extended(K[n:, :n], K[n:, n:])
    np.testing.assert_allclose(whole.lower @ whole.lower.T, K, atol=1e-12)
    assert np.array_equal(whole.lower[:n, :n], part.lower)
    np.testing.assert_allclose(whole.inverse_lower() @ whole.lower, np.eye(n + m), atol=1e-10)
    upper = np.triu_indices(n + m)
    np.testing.assert_allclose(whole.upper_inverse()[upper], np.linalg.inv(K)[upper], atol=1e-9)


def test_a_row_that_is_another_is_not_added_to_a_factor() -> None:
    K = np.eye(3) + 0.5
    part = factorise(K)
    with pytest.raises(NotPositiveDefiniteError, match="1 further measurements could not be added to 3"):
        part.extended(K[:1], K[:1, :1])
