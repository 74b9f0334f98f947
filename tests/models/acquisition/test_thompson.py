"""Thompson's draws have the posterior's moments, and its choices the probability of being best."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from labctl_models.acquisition.pool import pool_scores
from labctl_models.acquisition.thompson import joint_draws, pathwise_draws, shortlist, thompson_rows
from labctl_models.surrogates.gp import FittedGP, GaussianProcess
from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess


def a_process(seed: int = 0) -> FittedGP:
    rng = np.random.default_rng(seed)
    X = rng.random((12, 2))
    return GaussianProcess().fit(X, np.sin(5 * X[:, 0]) + 0.1 * rng.standard_normal(12), seed=0)


def test_draws_have_the_mean_and_the_covariance_asked_for() -> None:
    fitted = a_process()
    X = np.random.default_rng(1).random((5, 2))
    X[4] = X[3]  # a covariance that is singular
    covariance = fitted.covariance(X)
    draws = joint_draws(fitted.predict(X).mean, covariance, 40_000, seed=2)
    np.testing.assert_allclose(draws.mean(axis=0), fitted.predict(X).mean, atol=0.02)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.02)
    np.testing.assert_allclose(draws[:, 3], draws[:, 4], atol=1e-6)


def test_of_two_recipes_each_is_chosen_as_often_as_it_is_the_better_one() -> None:
    fitted = a_process()
    pool = np.array([[0.2, 0.4], [0.5, 0.9]])
    belief, covariance = fitted.predict(pool), fitted.covariance(pool)
    apart = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    chance = float(ndtr((belief.mean[0] - belief.mean[1]) / apart))
    rows = thompson_rows(pool_scores(fitted, pool), 20_000, seed=3)
    # Four standard errors of a share of 20,000.
    assert (rows == 0).mean() == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / 20_000))


def test_an_average_is_drawn_member_by_member() -> None:
    rng = np.random.default_rng(4)
    X = rng.random((8, 2))
    fitted = AveragedGaussianProcess(samples=3).fit(X, X[:, 0] + 0.2 * rng.standard_normal(8), seed=0)
    pool = rng.random((6, 2))
    shares = np.zeros(6)
    for member in fitted.members:
        own = rng.multivariate_normal(member.predict(pool).mean, member.covariance(pool), 20_000)
        shares += np.bincount(own.argmax(axis=1), minlength=6) / 20_000 / 3
    rows = thompson_rows(pool_scores(fitted, pool), 20_000, seed=5)
    np.testing.assert_allclose(np.bincount(rows, minlength=6) / 20_000, shares, atol=0.02)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), doubt=st.sampled_from([1e-3, 0.05, 0.3]), most=st.sampled_from([5, 100]))
def test_the_best_recipe_is_missed_no_more_often_than_said(seed: int, doubt: float, most: int) -> None:
    rng = np.random.default_rng(seed)
    mean, axes = rng.standard_normal(30), 0.4 * rng.standard_normal((30, 4))
    short = shortlist(mean, np.sqrt((axes**2).sum(axis=1)), most=most, doubt=doubt)
    assert int(mean.argmax()) in short.rows
    assert len(short.rows) <= most
    if len(short.rows) < most:
        assert short.missed <= doubt
    winners = (mean + rng.standard_normal((2000, 4)) @ axes.T).argmax(axis=1)
    missed = 1.0 - np.isin(winners, short.rows).mean()
    assert missed <= short.missed + 4 * math.sqrt(0.25 / 2000)


def test_what_cannot_win_is_left_out_and_what_is_sure_stays() -> None:
    short = shortlist(np.array([1.0, 0.9, -50.0]), np.array([0.0, 0.2, 0.1]))
    assert short.rows.tolist() == [0, 1]
    assert short.missed < 1e-100
    # Without any doubt only the best is left, and its equals.
    assert shortlist(np.array([1.0, 1.0, 0.5]), np.zeros(3)).rows.tolist() == [0, 1]


def test_paths_have_the_posteriors_moments_whatever_their_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = a_process(3)
    X = np.vstack([np.random.default_rng(1).random((5, 2)), fitted.X[:2]])
    draws = pathwise_draws(fitted, X, 4000, seed=2, features=2048)
    belief = fitted.predict(X)
    assert (np.abs(draws.mean(axis=0) - belief.mean) < 5 * belief.sd / math.sqrt(4000)).all()
    # 2048 cosines have the prior's covariance to about 0.02 of the signal's variance, 4000 draws as well.
    np.testing.assert_allclose(np.cov(draws.T), fitted.covariance(X), atol=0.1 * fitted.scale**2)
    few = pathwise_draws(fitted, X, 3, seed=2)
    monkeypatch.setattr("labctl_models.acquisition.thompson.BLOCK_ENTRIES", 200)
    np.testing.assert_allclose(pathwise_draws(fitted, X, 3, seed=2), few, rtol=1e-9)


def test_where_too_many_may_win_paths_choose_about_as_often_as_exact_draws() -> None:
    fitted = a_process(4)
    scores = pool_scores(fitted, np.random.default_rng(2).random((12, 2)))
    exact = np.bincount(thompson_rows(scores, 20_000, seed=1), minlength=12) / 20_000
    paths = np.bincount(thompson_rows(scores, 20_000, seed=1, most=1), minlength=12) / 20_000
    assert exact.max() < 0.9
    np.testing.assert_allclose(paths, exact, atol=0.06)


def test_only_allowed_rows_are_chosen_and_the_seed_decides() -> None:
    pool = np.random.default_rng(6).random((40, 2))
    scores = pool_scores(a_process(), pool)
    allowed = np.arange(40) % 3 == 0
    rows = thompson_rows(scores, 200, seed=1, allowed=allowed)
    assert allowed[rows].all()
    assert np.array_equal(rows, thompson_rows(scores, 200, seed=1, allowed=allowed))
    assert not np.array_equal(rows, thompson_rows(scores, 200, seed=2, allowed=allowed))
    with pytest.raises(ValueError, match="at least one recipe"):
        thompson_rows(scores, 1, seed=1, allowed=np.zeros(40, dtype=bool))
