"""Pool scores equal those of a prediction from scratch, after any number of further measurements."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.acquisition.improvement import log_expected_improvement_at, noisy_incumbent
from labctl_models.acquisition.pool import PoolScores, pool_scores
from labctl_models.surrogates.evidence import Factor, NotPositiveDefiniteError, Problem
from labctl_models.surrogates.gp import FittedGP, GaussianProcess
from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess, FittedAverage
from labctl_models.surrogates.protocol import Array


def some_data(seed: int, n: int, d: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    X = rng.random((n, d))
    return X, 5.0 + 2.0 * np.sin(5.0 * X[:, 0]) + X[:, -1] + 0.2 * rng.standard_normal(n)


def with_data(fitted: FittedGP, X: Array, y: Array) -> FittedGP:
    """The same hyperparameters with all the data at once, factorised anew."""
    problem = Problem(X - X.mean(axis=0), (y - fitted.shift) / fitted.scale)
    factor = problem.evaluate(fitted.lengthscales, fitted.noise_variance).factor
    alpha = factor.solve(problem.z - fitted.mean)
    return replace(fitted, X=X, y=y, factor=factor, alpha=alpha)


def afresh(fitted: FittedGP | FittedAverage, X: Array, y: Array) -> FittedGP | FittedAverage:
    if isinstance(fitted, FittedAverage):
        return FittedAverage(tuple(with_data(m, X, y) for m in fitted.members), fitted.card)
    return with_data(fitted, X, y)


def arrivals(seed: int, d: int, known: Array, pool: Array) -> list[tuple[Array, Array]]:
    """Measurements in three lots: of the pool and new ones; replicates; and hardly different recipes."""
    rng = np.random.default_rng([seed, 1])
    lots = [
        np.vstack([pool[3:4], rng.random((1, d))]),
        np.vstack([known[:1], known[:1], pool[3:4]]),
        np.clip(known[:2] + 1e-9 * rng.standard_normal((min(2, len(known)), d)), 0.0, 1.0),
    ]
    return [(lot, 5.0 + 3.0 * rng.standard_normal(len(lot))) for lot in lots]


def same(scores: PoolScores, expected: FittedGP | FittedAverage, pool: Array) -> None:
    belief, told = scores.prediction, expected.predict(pool)
    size = float(np.std(expected.y))
    np.testing.assert_allclose(belief.mean, told.mean, rtol=0.0, atol=1e-8 * size)
    np.testing.assert_allclose(belief.sd**2, told.sd**2, rtol=0.0, atol=1e-8 * size**2)
    incumbent = noisy_incumbent(expected, expected.X)
    assert scores.incumbent == pytest.approx(incumbent, abs=1e-8 * size)
    # The logarithm magnifies what rounding leaves of a small sd, so it is compared where there is one.
    doubtful = told.sd > 1e-2 * size
    np.testing.assert_allclose(
        scores.log_expected_improvement(incumbent)[doubtful],
        log_expected_improvement_at(expected, pool, incumbent)[doubtful],
        rtol=1e-6,
        atol=1e-6,
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 30), d=st.integers(1, 6), kept=st.booleans())
def test_updates_equal_starting_afresh(seed: int, n: int, d: int, kept: bool) -> None:  # noqa: FBT001  drawn
    X, y = some_data(seed, n, d)
    fitted = GaussianProcess(starts=1).fit(X, y, seed=0)
    pool = np.vstack([np.random.default_rng(seed).random((40, d)), X[:3]])
    scores = pool_scores(fitted, pool, kept_bytes=2**20 if kept else 0)
    same(scores, fitted, pool)
    for X_new, y_new in arrivals(seed, d, X, pool):
        scores = scores.updated(X_new, y_new)
        X, y = np.vstack([X, X_new]), np.concatenate([y, y_new])
        same(scores, afresh(fitted, X, y), pool)
    assert all((belief.whitened is not None) == kept for belief in scores.beliefs)


@pytest.mark.parametrize("kept_members", [0, 2, 4])
def test_updates_of_an_average_equal_starting_afresh(kept_members: int) -> None:
    X, y = some_data(1, 25, 3)
    fitted = AveragedGaussianProcess(samples=4, scale_known=False).fit(X, y, seed=0)
    pool = np.random.default_rng(2).random((300, 3))
    scores = pool_scores(fitted, pool, kept_bytes=kept_members * 25 * 300 * 8)
    assert [belief.whitened is not None for belief in scores.beliefs].count(True) == kept_members
    same(scores, fitted, pool)
    for X_new, y_new in arrivals(3, 3, X, pool):
        scores = scores.updated(X_new, y_new)
        X, y = np.vstack([X, X_new]), np.concatenate([y, y_new])
    same(scores, afresh(fitted, X, y), pool)
    assert scores.components.mean.shape == (4, 300)


def test_an_update_leaves_the_earlier_scores_as_they_were() -> None:
    X, y = some_data(4, 20, 2)
    pool = np.random.default_rng(0).random((50, 2))
    first = pool_scores(GaussianProcess().fit(X, y, seed=0), pool)
    before = first.log_expected_improvement()
    second = first.updated(pool[:1], np.array([9.0]))
    assert np.array_equal(first.log_expected_improvement(), before)
    assert len(first.fitted.X) == 20
    assert len(second.fitted.X) == 21
    assert second.fitted.card.n == 21


def test_an_update_that_needs_a_new_factor_equals_starting_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = some_data(5, 20, 2)
    fitted = GaussianProcess().fit(X, y, seed=0)
    pool = np.random.default_rng(0).random((50, 2))

    def refuse(*_: object) -> Factor:
        raise NotPositiveDefiniteError

    monkeypatch.setattr(Factor, "extended", refuse)
    # A jitter from the earlier factor that the new one does without.
    jittered = replace(fitted, factor=Factor(fitted.factor.lower, 1e-8))
    for start in (fitted, jittered):
        updated = pool_scores(start, pool).updated(X[:1], y[:1] + 1.0)
        same(updated, with_data(fitted, np.vstack([X, X[:1]]), np.append(y, y[0] + 1.0)), pool)


@pytest.mark.parametrize(("n", "d"), [(30, 3), (60, 20), (25, 60)])
def test_scores_and_winner_are_botorchs_at_the_same_hyperparameters(n: int, d: int) -> None:
    X, y = some_data(n, n, d)
    fitted = GaussianProcess().fit(X, y, seed=0)
    pool = np.random.default_rng(1).random((2000, d))
    scores = pool_scores(fitted, pool).log_expected_improvement(float(y.max()))
    with torch.no_grad():
        theirs = LogExpectedImprovement(fitted.to_botorch(), best_f=float(y.max()))(
            torch.from_numpy(pool)[:, None]
        ).numpy()
    np.testing.assert_allclose(scores, theirs, rtol=1e-6, atol=1e-6)
    assert scores.argmax() == theirs.argmax()


def test_a_pool_costs_its_covariance_only_where_that_is_kept() -> None:
    X, y = some_data(6, 200, 5)
    fitted = GaussianProcess(starts=1).fit(X, y, seed=0)
    pool = np.random.default_rng(2).random((30_000, 5))
    peaks = []
    for kept_bytes in (0, 2**30):
        tracemalloc.start()
        scores = pool_scores(fitted, pool, kept_bytes=kept_bytes).updated(pool[:1], np.array([6.0]))
        scores.log_expected_improvement()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    covariance = 8 * 200 * 30_000
    assert peaks[0] < 0.4 * covariance
    assert covariance < peaks[1] < 1.4 * covariance


@pytest.mark.parametrize(
    ("pool", "match"), [(np.zeros((4, 3)), "fitted to 2 columns"), (np.full((4, 2), np.nan), "finite")]
)
def test_what_is_no_pool_is_refused(pool: Array, match: str) -> None:
    fitted = GaussianProcess(starts=1).fit(*some_data(7, 10, 2), seed=0)
    with pytest.raises(ValueError, match=match):
        pool_scores(fitted, pool)
    with pytest.raises(ValueError, match="shapes are"):
        pool_scores(fitted, np.zeros((2, 2))).updated(np.zeros((1, 2)), np.zeros(2))
