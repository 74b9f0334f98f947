"""How far a response misses its target, as a surrogate."""

import numpy as np
import pytest

from labctl_models.acquisition.miss import Miss, folded
from labctl_models.surrogates.gp import GaussianProcess
from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(15, 2))
Y = np.sin(4 * X[:, 0]) + X[:, 1]


def test_moments_are_those_of_draws() -> None:
    mean, sd = np.array([0.0, 0.3, -2.0, 1.0]), np.array([1.0, 0.5, 0.2, 0.0])
    draws = np.abs(mean + sd * RNG.standard_normal((400_000, 4)))
    first, second = folded(mean, sd)
    np.testing.assert_allclose(first, draws.mean(axis=0), atol=5e-3)
    np.testing.assert_allclose(second, (draws**2).mean(axis=0), atol=1e-2)


@pytest.mark.parametrize("surrogate", [GaussianProcess(), AveragedGaussianProcess(samples=4)])
def test_far_from_the_target_it_is_the_distance(surrogate: GaussianProcess | AveragedGaussianProcess) -> None:
    fitted, places = surrogate.fit(X, Y, seed=0), RNG.uniform(size=(5, 2))
    far, belief = Miss(fitted, 100.0).predict(places), fitted.predict(places)
    np.testing.assert_allclose(far.mean, belief.mean - 100.0, rtol=1e-9)
    np.testing.assert_allclose(far.sd, belief.sd, rtol=1e-4)


def test_next_to_no_doubt_leaves_the_distance_itself() -> None:
    mean = np.array([1e20, -1e20, 1e-300, 0.0])
    first, second = folded(mean, np.full(4, 1e-310))
    np.testing.assert_allclose(first, np.abs(mean), atol=1e-309)
    np.testing.assert_allclose(second, mean**2)
