"""One lengthscale: its gradient, and that it equals the general process at the same hyperparameters."""

import numpy as np
import pytest

from labctl_models.surrogates.evidence import NOISE_PRIOR, Problem, lengthscale_prior
from labctl_models.surrogates.gp_isotropic import IsotropicGaussianProcess, _Search
from labctl_models.surrogates.kernel import scaled_distances


def test_slopes_are_those_of_the_log_posterior() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((25, 4))
    search = _Search(scaled_distances(X - X.mean(axis=0)), rng.standard_normal(25), lengthscale_prior(4))
    for theta in (np.array([0.1, -2.0]), np.array([-1.0, -5.0])):
        _, slopes = search.negative(theta)
        for i, step in enumerate(1e-5 * np.eye(2)):
            numeric = (search.negative(theta + step)[0] - search.negative(theta - step)[0]) / 2e-5
            assert slopes[i] == pytest.approx(numeric, rel=1e-4, abs=1e-5)


def test_the_card_states_the_height_with_one_lengthscale_prior() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.random((40, 5)), rng.standard_normal(40)
    card = IsotropicGaussianProcess().fit(X, y, seed=0).card
    lengths = np.array(card.hyperparameters["lengthscales"])
    noise = float(card.hyperparameters["noise_variance"])  # type: ignore[arg-type]  a single number
    z = (y - y.mean()) / y.std(ddof=1)
    likelihood = Problem(X - X.mean(axis=0), z).evaluate(lengths, noise).log_likelihood
    priors = lengthscale_prior(5).log_density(np.log(lengths[:1]))[0][0]
    priors += NOISE_PRIOR.log_density(np.log([noise]))[0][0]
    assert len(set(lengths)) == 1
    assert card.log_posterior == pytest.approx(likelihood + priors, abs=1e-6)


def test_no_point_of_a_grid_is_higher() -> None:
    rng = np.random.default_rng(2)
    X = rng.random((30, 2))
    y = np.sin(5 * X[:, 0]) + X[:, 1] + 0.1 * rng.standard_normal(30)
    card = IsotropicGaussianProcess().fit(X, y, seed=0).card
    z = (y - y.mean()) / y.std(ddof=1)
    search = _Search(scaled_distances(X - X.mean(axis=0)), z, lengthscale_prior(2))
    grid = [
        -search.negative(np.array([a, b]))[0] for a in np.linspace(-3, 4, 30) for b in np.linspace(-8, 2, 30)
    ]
    assert card.log_posterior >= max(grid) - 1e-6
