"""The Gaussian process equals botorch's and textbook algebra, on awkward data too."""

import math
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from gpytorch.mlls import ExactMarginalLogLikelihood
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.surrogates.evidence import NotPositiveDefiniteError, Problem
from labctl_models.surrogates.gp import FittedGP, GaussianProcess
from labctl_models.surrogates.protocol import Array, Differentiable


def some_data(seed: int, n: int, d: int, noise: float = 0.1) -> tuple[Array, Array]:
    """A response that bends in the first column and slopes in the last, with noise."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, d))
    return X, 50 + 7 * (np.sin(6 * X[:, 0]) + X[:, -1] + noise * rng.standard_normal(n))


def dense(fitted: FittedGP, X: Array) -> tuple[Array, Array]:
    """Posterior mean and covariance by textbook algebra with an inverse: slow, plain and independent."""

    def k(A: Array, B: Array) -> Array:
        s = np.sqrt((((A[:, None] - B[None]) / fitted.lengthscales) ** 2).sum(axis=2)) * math.sqrt(5)
        return np.asarray((1 + s + s * s / 3) * np.exp(-s))

    z = (fitted.y - fitted.shift) / fitted.scale
    inverse = np.linalg.inv(k(fitted.X, fitted.X) + fitted.noise_variance * np.eye(len(z)))
    mean = fitted.mean + k(X, fitted.X) @ inverse @ (z - fitted.mean)
    covariance = k(X, X) - k(X, fitted.X) @ inverse @ k(fitted.X, X)
    return mean * fitted.scale + fitted.shift, covariance * fitted.scale**2


@pytest.mark.parametrize(("n", "d"), [(1, 1), (2, 3), (3, 1), (20, 4), (60, 6), (40, 150)])
def test_posterior_equals_botorchs(n: int, d: int) -> None:
    X, y = some_data(n, n, d)
    fitted = GaussianProcess().fit(X, y, seed=0)
    query = np.random.default_rng(0).random((30, d))
    posterior = fitted.to_botorch().posterior(torch.from_numpy(query))
    belief = fitted.predict(query)
    np.testing.assert_allclose(belief.mean, posterior.mean.detach().numpy()[:, 0], rtol=1e-8)
    np.testing.assert_allclose(belief.sd, posterior.variance.detach().sqrt().numpy()[:, 0], rtol=1e-8)


@pytest.mark.parametrize(("n", "d"), [(1, 2), (25, 3), (60, 20)])
def test_card_states_botorchs_log_posterior(n: int, d: int) -> None:
    fitted = GaussianProcess().fit(*some_data(1, n, d), seed=0)
    twin = fitted.to_botorch().train()
    mll = ExactMarginalLogLikelihood(twin.likelihood, twin)
    with torch.no_grad():
        theirs = n * mll(twin(*twin.train_inputs), twin.train_targets).item()
    assert fitted.card.log_posterior == pytest.approx(theirs, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("seed", "n", "d"), [(0, 8, 2), (1, 20, 4), (2, 40, 10), (3, 60, 6), (4, 80, 1), (5, 200, 3)]
)
def test_the_fit_ends_no_lower_than_botorchs(seed: int, n: int, d: int) -> None:
    X, y = some_data(seed, n, d)
    covariance = get_covar_module_with_dim_scaled_prior(d, use_rbf_kernel=False)
    model = SingleTaskGP(torch.from_numpy(X), torch.from_numpy(y)[:, None], covar_module=covariance)
    mll = fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model)).train()
    with torch.no_grad():
        theirs = n * mll(model(*model.train_inputs), model.train_targets).item()
    ours = GaussianProcess().fit(X, y, seed=0).card.log_posterior
    assert ours > theirs - 1e-4


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 25), d=st.integers(1, 5))
def test_predictions_equal_textbook_algebra(seed: int, n: int, d: int) -> None:
    fitted = GaussianProcess(starts=1).fit(*some_data(seed, n, d), seed=seed)
    query = np.random.default_rng(seed).random((7, d))
    mean, covariance = dense(fitted, query)
    belief = fitted.predict(query)
    size = fitted.scale
    np.testing.assert_allclose(belief.mean, mean, rtol=1e-7)
    np.testing.assert_allclose(belief.sd**2, np.diagonal(covariance), atol=1e-7 * size**2)
    np.testing.assert_allclose(fitted.covariance(query), covariance, atol=1e-7 * size**2)


def test_slopes_are_the_derivatives_of_the_prediction() -> None:
    fitted = GaussianProcess().fit(*some_data(2, 40, 5), seed=0)
    X = np.random.default_rng(1).random((6, 5))
    belief, slope_mean, slope_sd = fitted.predict_with_slopes(X)
    np.testing.assert_allclose(belief.mean, fitted.predict(X).mean, rtol=1e-10)
    np.testing.assert_allclose(belief.sd, fitted.predict(X).sd, rtol=1e-7)
    h = 1e-5
    for column in range(5):
        shift = h * np.eye(5)[column]
        after, before = fitted.predict(X + shift), fitted.predict(X - shift)
        np.testing.assert_allclose(slope_mean[:, column], (after.mean - before.mean) / (2 * h), atol=1e-5)
        np.testing.assert_allclose(slope_sd[:, column], (after.sd - before.sd) / (2 * h), atol=1e-5)
    assert isinstance(fitted, Differentiable)


def test_leaving_one_out_equals_doing_it() -> None:
    X, y = some_data(3, 15, 2)
    X[4] = X[9]
    fitted = GaussianProcess().fit(X, y, seed=0)
    belief = fitted.leave_one_out()
    for i in range(15):
        others = np.arange(15) != i
        mean, covariance = dense(replace(fitted, X=X[others], y=y[others]), X[i : i + 1])
        assert belief.mean[i] == pytest.approx(mean[0], rel=1e-8)
        assert belief.sd[i] == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-6)


def test_conditioning_equals_having_had_the_data_and_says_so() -> None:
    X, y = some_data(4, 30, 3)
    fitted = GaussianProcess().fit(X[:25], y[:25], seed=0)
    more = fitted.condition_on(X[25:], y[25:])
    query = np.random.default_rng(0).random((9, 3))
    mean, covariance = dense(replace(fitted, X=X, y=y), query)
    np.testing.assert_allclose(more.predict(query).mean, mean, rtol=1e-9)
    np.testing.assert_allclose(more.predict(query).sd ** 2, np.diagonal(covariance), atol=1e-6)
    assert more.card.n == 30
    assert more.card.remarks == ("Conditioned on 5 further measurements without fitting again.",)
    assert more.card.hash() != fitted.card.hash()
    assert fitted.predict(X[25:]).sd.mean() > more.predict(X[25:]).sd.mean()


def test_a_believed_result_leaves_the_mean_and_lowers_the_doubt() -> None:
    # The kriging believer for pending experiments: adding the predicted mean changes no mean anywhere.
    fitted = GaussianProcess().fit(*some_data(5, 20, 2), seed=0)
    pending, query = np.array([[0.31, 0.77]]), np.random.default_rng(0).random((50, 2))
    believed = fitted.condition_on(pending, fitted.predict(pending).mean)
    np.testing.assert_allclose(believed.predict(query).mean, fitted.predict(query).mean, atol=1e-6)
    assert (believed.predict(query).sd <= fitted.predict(query).sd + 1e-9).all()


def test_learned_noise_and_relevance_are_those_that_made_the_data() -> None:
    rng = np.random.default_rng(7)
    X = rng.random((250, 3))
    fitted = GaussianProcess().fit(X, 10 * np.sin(5 * X[:, 1]) + 0.5 * rng.standard_normal(250), seed=0)
    assert fitted.noise_sd == pytest.approx(0.5, rel=0.15)
    assert fitted.lengthscales[1] < 0.3 * min(fitted.lengthscales[0], fitted.lengthscales[2])
    left_out = fitted.leave_one_out()
    z = (fitted.y - left_out.mean) / np.sqrt(left_out.sd**2 + fitted.noise_sd**2)
    # The rms of 250 standard normals lies in 0.91..1.09 with 95 %.
    assert 0.85 < math.sqrt((z**2).mean()) < 1.15


def test_same_arguments_same_card_to_the_last_bit() -> None:
    X, y = some_data(6, 50, 4)
    first, second = (GaussianProcess().fit(X, y, seed=3) for _ in range(2))
    assert first.card.hash() == second.card.hash()
    assert np.array_equal(first.predict(X).mean, second.predict(X).mean)


@settings(max_examples=10, deadline=None)
@given(power=st.integers(-80, 80), seed=st.integers(0, 100))
def test_the_units_of_y_do_not_matter(power: int, seed: int) -> None:
    # A power of two scales without rounding, so the fit must be the same to the last bit.
    X, y = some_data(seed, 12, 2)
    plain = GaussianProcess().fit(X, y, seed=0)
    scaled = GaussianProcess().fit(X, y * 2.0**power, seed=0)
    assert np.array_equal(scaled.lengthscales, plain.lengthscales)
    assert np.array_equal(scaled.predict(X).mean, plain.predict(X).mean * 2.0**power)
    assert scaled.noise_sd == plain.noise_sd * 2.0**power


def test_a_warm_start_ends_no_lower_with_one_start_only() -> None:
    X, y = some_data(8, 60, 6)
    earlier = GaussianProcess().fit(X[:55], y[:55], seed=0).card.hyperparameters
    cold = GaussianProcess().fit(X, y, seed=0)
    warm = GaussianProcess(starts=1).fit(X, y, seed=0, start=earlier)
    assert warm.card.log_posterior > cold.card.log_posterior - 0.01
    assert warm.card.remarks == ()


def test_warm_start_from_other_columns_is_said_in_the_card() -> None:
    X, y = some_data(9, 20, 3)
    earlier = GaussianProcess().fit(X[:, :2], y, seed=0).card.hyperparameters
    fitted = GaussianProcess().fit(X, y, seed=0, start=earlier)
    assert fitted.card.remarks == ("The earlier hyperparameters do not fit 3 columns and were not used.",)


rng = np.random.default_rng(0)
AWKWARD: dict[str, tuple[Array, Array]] = {
    "one row": (rng.random((1, 3)), np.array([4.2])),
    "one row of zero": (rng.random((1, 1)), np.array([0.0])),
    "two equal rows, two readings": (np.full((2, 2), 0.5), np.array([1.0, 2.0])),
    "constant y": (rng.random((10, 2)), np.full(10, 3e-9)),
    "constant y = 0": (rng.random((10, 2)), np.zeros(10)),
    "nearly constant y": (rng.random((10, 2)), 1e6 + 1e-9 * rng.random(10)),
    "all rows equal": (np.full((300, 2), 0.2), rng.standard_normal(300)),
    "replicates": (np.repeat(rng.random((5, 2)), 4, axis=0), rng.standard_normal(20)),
    "replicates without scatter": (np.repeat(rng.random((5, 2)), 4, axis=0), np.repeat(rng.random(5), 4)),
    "columns that never vary": (np.hstack([rng.random((20, 1)), np.zeros((20, 3))]), rng.random(20)),
    "150 columns": (rng.random((12, 150)), rng.random(12)),
    "huge": (rng.random((8, 2)), 1e308 * rng.uniform(-1, 1, 8)),
    "tiny": (rng.random((8, 2)), 1e-300 * rng.uniform(-1, 1, 8)),
    "subnormal": (rng.random((3, 2)), np.array([5e-324, 0.0, 1e-323])),
    "one outlier": (rng.random((30, 2)), np.append(rng.random(29), 1e9)),
    "a grid in binary": (np.indices((2, 2, 2)).reshape(3, -1).T.astype(float), np.arange(8.0)),
    "outside the cube": (rng.uniform(-50, 50, (10, 2)), rng.random(10)),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_data_fit_and_predict(name: str) -> None:
    X, y = AWKWARD[name]
    fitted = GaussianProcess().fit(X, y, seed=0)
    belief = fitted.predict(np.vstack([X, np.random.default_rng(1).random((20, X.shape[1]))]))
    left_out = fitted.leave_one_out()
    for values in (belief.mean, belief.sd, left_out.mean, left_out.sd, fitted.lengthscales):
        assert np.isfinite(values).all()
    assert (belief.sd >= 0).all()
    assert fitted.noise_sd > 0
    assert fitted.card.as_json()["log_posterior"] is not None
    assert len(fitted.card.hash()) == 64


def test_what_does_not_vary_is_said_and_has_the_scale_of_its_size() -> None:
    fitted = GaussianProcess().fit(*AWKWARD["constant y"], seed=0)
    assert fitted.card.remarks == ("The measurements do not vary, so the scale of y is taken as their size.",)
    np.testing.assert_allclose(fitted.predict(rng.random((5, 2))).mean, 3e-9, rtol=1e-8)
    assert (fitted.predict(rng.random((5, 2))).sd < 3e-9).all()


def test_a_likelihood_that_fails_falls_back_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Problem.evaluate

    def fails_below_a_noise_of_a_half(self: Problem, lengthscales: Array, noise_variance: float) -> Any:  # noqa: ANN401
        if noise_variance < 0.5:
            raise NotPositiveDefiniteError("on purpose")
        return whole(self, lengthscales, noise_variance)

    monkeypatch.setattr(Problem, "evaluate", fails_below_a_noise_of_a_half)
    fitted = GaussianProcess().fit(*some_data(0, 20, 2), seed=0)
    assert fitted.noise_variance == 1.0
    assert (
        fitted.card.remarks
        == ("The covariance could not be inverted; typical lengthscales, more noise follow.",) * 2
    )
    assert np.isfinite(fitted.predict(fitted.X).mean).all()


@pytest.mark.parametrize(
    ("X", "y", "match"),
    [
        (np.empty((0, 2)), np.empty(0), "at least 1 measurement"),
        (np.empty((2, 0)), np.zeros(2), "at least 1 column"),
        (np.zeros((3, 2)), np.zeros(2), r"\(3, 2\) and \(2,\)"),
        (np.zeros(3), np.zeros(3), "must be a matrix"),
        (np.array([[np.nan]]), np.zeros(1), "finite"),
        (np.zeros((1, 1)), np.array([np.inf]), "finite"),
    ],
)
def test_what_is_no_data_is_refused(X: Array, y: Array, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        GaussianProcess().fit(X, y, seed=0)


def test_queries_of_other_columns_are_refused_and_none_is_answered() -> None:
    fitted = GaussianProcess().fit(*some_data(0, 10, 2), seed=0)
    with pytest.raises(ValueError, match="fitted to 2 columns"):
        fitted.predict(np.zeros((4, 3)))
    assert fitted.predict(np.empty((0, 2))).mean.shape == (0,)


def test_the_callers_arrays_are_neither_changed_nor_kept() -> None:
    X, y = some_data(0, 10, 2)
    X_before, y_before = X.copy(), y.copy()
    fitted = GaussianProcess().fit(X, y, seed=0)
    before = fitted.predict(X_before).mean
    assert np.array_equal(X, X_before)
    assert np.array_equal(y, y_before)
    X[:], y[:] = 0.0, 0.0
    assert np.array_equal(fitted.predict(X_before).mean, before)


def test_a_large_pool_is_predicted_in_bounded_memory_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = some_data(1, 400, 10)
    fitted = GaussianProcess(starts=1).fit(X, y, seed=0)
    pool = np.random.default_rng(2).random((40_000, 10))
    tracemalloc.start()
    belief = fitted.predict(pool)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The whole covariance of pool and data alone would be 128 MB, and a dozen like it arise on the way.
    assert peak < 110e6
    monkeypatch.setattr("labctl_models.surrogates.gp.CHUNK_ENTRIES", 400 * 7)
    again = fitted.predict(pool[:100])
    np.testing.assert_allclose(again.mean, belief.mean[:100], rtol=1e-12)
    np.testing.assert_allclose(again.sd, belief.sd[:100], rtol=1e-9)
