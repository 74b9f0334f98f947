"""The chance of a sample: against the full integral, on known regions, and its slopes and habits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr

from labctl_models.surrogates import feasibility
from labctl_models.surrogates.evidence import NOISE_PRIOR, lengthscale_prior
from labctl_models.surrogates.feasibility import (
    AMPLITUDE_PRIOR,
    BASE_SCORE,
    BASE_SPREAD,
    Feasibility,
    _Problem,
)
from labctl_models.surrogates.kernel import matern52, scaled_distances
from labctl_models.surrogates.protocol import Array


def a_disc(seed: int, n: int, d: int = 2) -> tuple[Array, NDArray[np.bool_]]:
    """Recipes of which those within 0.3 of the middle of the first two columns make no sample."""
    X = np.random.default_rng(seed).random((n, d))
    return X, ((X[:, :2] - 0.5) ** 2).sum(axis=1) > 0.09


def test_probabilities_are_those_of_the_integral_over_all_responses() -> None:
    """Importance sampling of the latent process at the fitted hyperparameters: no sites, no expansion."""
    rng = np.random.default_rng(0)
    X = rng.random((9, 1))
    made = np.abs(X[:, 0] - 0.5) > 0.2
    fitted = Feasibility().fit(X, made)
    query = np.linspace(0.0, 1.0, 7)[:, None]
    both = np.vstack([X, query])
    length, size = fitted.latent.lengthscales, fitted.latent.scale
    K = size**2 * matern52(scaled_distances(both / length))[0] + 1e-9 * np.eye(len(both))
    f = fitted.latent.mean * size + rng.standard_normal((400_000, len(both))) @ np.linalg.cholesky(K).T
    weights = np.prod(ndtr(np.where(made, 1.0, -1.0) * f[:, :9]), axis=1)
    assert weights.sum() ** 2 / (weights**2).sum() > 5_000
    exact = weights @ ndtr(f[:, 9:]) / weights.sum()
    np.testing.assert_allclose(fitted.probability(query), exact, atol=0.01)
    assert fitted.card.log_marginal_likelihood == pytest.approx(math.log(weights.mean()), abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_of_the_search_is_that_of_differences(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The search stops before the sites have settled altogether; slopes are those of where they do.
    monkeypatch.setattr(feasibility, "CLOSE", 1e-9)
    rng = np.random.default_rng(seed)
    X = rng.random((15, 3))
    problem = _Problem.of(X, X[:, 0] + 0.3 * rng.standard_normal(15) > 0.3)
    theta = np.append(rng.uniform(-1.5, 1.0, 3), [rng.uniform(-1, 2), rng.uniform(0, 1.5)])
    _, gradient = problem.negative(theta)
    differences = [
        (problem.height(theta + h)[0] - problem.height(theta - h)[0]) / 2e-4 for h in 1e-4 * np.eye(5)
    ]
    np.testing.assert_allclose(gradient, differences, atol=1e-4)


@pytest.mark.parametrize("d", [2, 4])
def test_a_region_that_fails_is_found(d: int) -> None:
    X, made = a_disc(99, 2000, d)
    base = float(np.mean((made - made.mean()) ** 2))
    scores = []
    for seed in range(8):
        fitted = Feasibility().fit(*a_disc(seed, 80, d))
        p = fitted.probability(X)
        scores.append(float(np.mean((p - made) ** 2)) / base)
        if d == 4:
            lengths = fitted.latent.lengthscales
            assert lengths[2:].min() > 2.0 * lengths[:2].max()
    assert np.median(scores) < 0.3


def test_chances_come_true_over_draws_from_the_prior() -> None:
    """Of the recipes given a chance of 20 to 80 % that share works, and so for the hopeless and the sure."""
    promised, kept = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        X = rng.random((40, 2))
        prior = lengthscale_prior(2)
        length = np.exp(prior.location + prior.scale * rng.standard_normal(2))
        signal = math.exp(AMPLITUDE_PRIOR.location + AMPLITUDE_PRIOR.scale * rng.standard_normal())
        score = BASE_SCORE + BASE_SPREAD * rng.standard_normal()
        K = signal * matern52(scaled_distances(X / length))[0] + 1e-9 * np.eye(40)
        f = score * math.sqrt(1.0 + signal) + np.linalg.cholesky(K) @ rng.standard_normal(40)
        made = f + rng.standard_normal(40) > 0
        promised.extend(Feasibility().fit(X[:25], made[:25]).probability(X[25:]))
        kept.extend(made[25:])
    p, made = np.array(promised), np.array(kept)
    for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 1.0)):
        some = (p >= low) & (p < high)
        assert made[some].mean() == pytest.approx(p[some].mean(), abs=0.08)


def test_one_failure_closes_nothing_and_most_recipes_are_trusted() -> None:
    nothing_failed = Feasibility().fit(np.random.default_rng(0).random((10, 2)), np.ones(10, dtype=bool))
    assert nothing_failed.probability(np.random.default_rng(1).random((200, 2))).min() > 0.8
    X = np.array([[0.2, 0.2], [0.8, 0.3], [0.5, 0.5], [0.1, 0.9], [0.9, 0.9]])
    fitted = Feasibility().fit(X, [True, True, False, True, True])
    p = fitted.probability(X)
    assert 0.15 < p[2] < 0.75
    assert p[[0, 1, 3, 4]].min() > 0.75
    assert p[2] == p.min()


def test_a_single_recipe_moves_the_belief_its_way() -> None:
    x = np.array([[0.5, 0.5]])
    failed, made = (Feasibility().fit(x, [label]).probability(x)[0] for label in (False, True))
    assert 0.2 < failed < 0.8 < made < 0.99


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 30), d=st.integers(1, 5), rate=st.floats(0, 1))
def test_whatever_the_labels_are(seed: int, n: int, d: int, rate: float) -> None:
    """Chances are chances, the order of rows does not matter, and slopes are those of differences."""
    rng = np.random.default_rng(seed)
    X, made = rng.random((n, d)), rng.random(n) < rate
    X[n // 2 :] = X[: n - n // 2]  # repeats, of which some disagree
    fitted = Feasibility().fit(X, made)
    query = rng.random((5, d))
    p, slopes = fitted.probability_with_slopes(query)
    assert ((p > 0) & (p < 1)).all()
    np.testing.assert_allclose(fitted.probability(query), p, rtol=1e-8)
    for k, h in enumerate(1e-5 * np.eye(d)):
        rise = (fitted.probability(query + h) - fitted.probability(query - h)) / 2e-5
        np.testing.assert_allclose(slopes[:, k], rise, atol=1e-5 * max(1.0, float(np.abs(slopes).max())))


def test_the_same_rows_give_the_same_model() -> None:
    X, made = a_disc(3, 40)
    one, two = Feasibility().fit(X, made), Feasibility().fit(X, made)
    assert one.card.hash() == two.card.hash()
    assert one.card.kind == "feasibility-gp-probit"
    assert one.card.n == 40
    # The prior of the lengthscales is that of the regression; the noise of labels has a unit of its own.
    assert lengthscale_prior(2).median > 1.0 > NOISE_PRIOR.median


def test_what_is_no_label_is_refused() -> None:
    with pytest.raises(ValueError, match="whole numbers from 0 to 1"):
        Feasibility().fit(np.zeros((2, 1)), [0.0, 0.5])
    with pytest.raises(ValueError, match="no rows"):
        Feasibility().fit(np.empty((0, 2)), [])
