"""The upper confidence bound is botorch's, and the safe beta is the theorem's."""

import math

import numpy as np
import pytest
import torch
from botorch.acquisition import UpperConfidenceBound

from labctl_models.acquisition.confidence_bound import safe_beta, upper_confidence_bound
from labctl_models.surrogates.gp import GaussianProcess


@pytest.mark.parametrize("beta", [0.0, 0.5, 4.0])
def test_the_bound_is_botorchs(beta: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.random((20, 3))
    fitted = GaussianProcess().fit(X, X[:, 0] + 0.1 * rng.standard_normal(20), seed=0)
    query = rng.random((50, 3))
    belief = fitted.predict(query)
    with torch.no_grad():
        theirs = UpperConfidenceBound(fitted.to_botorch(), beta=beta)(torch.from_numpy(query)[:, None])
    np.testing.assert_allclose(
        upper_confidence_bound(belief.mean, belief.sd, beta=beta), theirs.numpy(), rtol=1e-7
    )


def test_the_safe_beta_bounds_every_response_of_a_pool_at_every_step() -> None:
    # 2 log(1000 · 25 · π² / 0.6), with log(25000) = 10.126631 and log(π² / 0.6) = 2.800286
    assert safe_beta(1000, 5, doubt=0.1) == pytest.approx(2 * (10.126631 + 2.800286), rel=1e-6)
    rng = np.random.default_rng(1)
    exceeded = 0
    for _ in range(400):
        draws = np.abs(rng.standard_normal((10, 50)))
        exceeded += any(
            (row > math.sqrt(safe_beta(50, t + 1, doubt=0.2))).any() for t, row in enumerate(draws)
        )
    assert exceeded / 400 < 0.2


@pytest.mark.parametrize("beta", [-1.0, math.nan])
def test_a_beta_that_is_none_is_refused(beta: float) -> None:
    with pytest.raises(ValueError, match="beta is"):
        upper_confidence_bound(np.zeros(1), np.ones(1), beta=beta)


@pytest.mark.parametrize(("recipes", "step", "doubt"), [(0, 1, 0.1), (1, 0, 0.1), (1, 1, 0.0), (1, 1, 1.0)])
def test_a_safe_beta_of_nothing_is_refused(recipes: int, step: int, doubt: float) -> None:
    with pytest.raises(ValueError, match="safe beta"):
        safe_beta(recipes, step, doubt=doubt)
