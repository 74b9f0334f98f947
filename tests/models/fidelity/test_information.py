"""Information about the best response: against its exact value, brute force, and its laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from labctl_models.fidelity.information import best_responses, information
from labctl_models.fidelity.surrogate import FidelityProcess, FittedFidelities, Joint


def joint(mean: float, sd: float, correlation: float) -> Joint:
    return Joint(np.array([mean]), np.array([sd]), np.array([1.0]), np.array([correlation]))


def exact(gamma: float, rho: float) -> float:
    """Entropy of a standard normal reading, less that of one whose correlate is below gamma, by quadrature.

    The reading's density is φ(t) Φ((γ - ρt) / √(1 - ρ²)) / Φ(γ): Takeno et al., ICML 2020.
    """

    def density(t: float) -> float:
        return float(norm.pdf(t) * norm.cdf((gamma - rho * t) / np.sqrt(1 - rho**2)) / norm.cdf(gamma))

    def term(t: float) -> float:
        p = density(t)
        return -p * np.log(p) if p > 1e-300 else 0.0

    left = quad(term, -9, 9, limit=200)[0]
    return 0.5 * np.log(2 * np.pi * np.e) - float(left)


@pytest.mark.parametrize("gamma", [-2.0, -0.5, 0.0, 1.0, 2.5])
@pytest.mark.parametrize("rho", [-0.9, 0.3, 0.7, 0.95])
def test_closed_form_is_a_close_lower_bound_of_the_exact_information(gamma: float, rho: float) -> None:
    ours = float(information(joint(3.0, 2.0, rho), np.array([3.0 + 2.0 * gamma]))[0])
    truth = exact(gamma, rho)
    assert 0.0 < ours <= truth + 1e-9
    assert ours > 0.75 * truth


@settings(max_examples=50, deadline=None)
@given(
    mean=st.floats(-50, 50),
    sd=st.floats(0, 10),
    rho=st.floats(-1, 1),
    best=st.floats(-50, 50),
)
def test_information_is_finite_and_grows_with_correlation(
    mean: float, sd: float, rho: float, best: float
) -> None:
    some = information(joint(mean, sd, rho), np.array([best]))[0]
    more = information(joint(mean, sd, np.sign(rho) * min(1.0, abs(rho) + 0.05)), np.array([best]))[0]
    assert 0.0 <= some <= more + 1e-12
    assert np.isfinite(more)
    assert information(joint(mean, sd, 0.0), np.array([best]))[0] == 0.0
    assert information(joint(mean, 0.0, rho), np.array([best]))[0] == 0.0


def some_fit() -> FittedFidelities:
    rng = np.random.default_rng(0)
    X, source = rng.random((20, 2)), np.arange(20) % 2
    return FidelityProcess(2).fit(X, source, np.sin(5 * X[:, 0]) + X[:, 1] + source, seed=0)


def test_best_responses_are_those_of_joint_draws() -> None:
    fitted, X = some_fit(), np.random.default_rng(1).random((60, 2))
    draws = best_responses(fitted, X, seed=0, draws=4000)
    belief = fitted.predict(X, 1)
    rng = np.random.default_rng(2)
    brute = rng.multivariate_normal(belief.mean, fitted.covariance(X, 1), 4000, method="eigh").max(axis=1)
    assert draws.mean() == pytest.approx(brute.mean(), abs=4 * brute.std() / np.sqrt(2000))
    assert draws.std() == pytest.approx(brute.std(), rel=0.1)
    np.testing.assert_array_equal(best_responses(fitted, X, seed=0), best_responses(fitted, X, seed=0))


def test_the_shortlist_of_a_large_pool_hardly_changes_the_best() -> None:
    fitted, X = some_fit(), np.random.default_rng(1).random((900, 2))
    belief = fitted.predict(X, 1)
    short = best_responses(fitted, X, seed=0, draws=400)
    rng = np.random.default_rng(2)
    whole = rng.multivariate_normal(belief.mean, fitted.covariance(X, 1), 400, method="eigh").max(axis=1)
    assert short.mean() == pytest.approx(whole.mean(), abs=0.25 * whole.std())
