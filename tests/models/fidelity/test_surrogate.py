"""The process over sources equals textbook algebra, learns across sources, and bears awkward data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from labctl_models.fidelity.surrogate import FidelityProcess, FittedFidelities
from labctl_models.surrogates.protocol import Array, Differentiable


def forrester(x: Array) -> tuple[Array, Array]:
    """Cheap and full response of Forrester, Sóbester and Keane, Proc. R. Soc. A 463, 3251 (2007)."""
    full = (6 * x - 2) ** 2 * np.sin(12 * x - 4)
    return 0.5 * full + 10 * (x - 0.5) - 5, full


def some_fit(seed: int = 0, n: int = 25, d: int = 3, m: int = 3) -> FittedFidelities:
    rng = np.random.default_rng(seed)
    X, source = rng.random((n, d)), rng.integers(0, m, n)
    source[:m] = np.arange(m)
    f = np.sin(5 * X[:, 0]) + X[:, -1]
    y = (source + 1) * f + 100 * source + 0.05 * rng.standard_normal(n)
    return FidelityProcess(m, starts=2).fit(X, source, y, seed=0)


def dense(fitted: FittedFidelities, X: Array, source: int) -> tuple[Array, Array]:
    """Posterior mean and covariance with an inverse: slow, plain and independent."""
    at = np.full(len(X), source)

    def k(A: Array, a: Array, B: Array, b: Array) -> Array:
        r = np.sqrt(5.0) * cdist(A / fitted.unknowns.lengthscales, B / fitted.unknowns.lengthscales)
        same = a[:, None] == b[None]
        return np.asarray(fitted.unknowns.B[a][:, b] * (1 + r + r * r / 3) * np.exp(-r) + same)

    z = (fitted.y - fitted.shift[fitted.source]) / fitted.scale[fitted.source]
    noise = np.diag(fitted.unknowns.noise[fitted.source])
    inverse = np.linalg.inv(k(fitted.X, fitted.source, fitted.X, fitted.source) + noise)
    cross = k(X, at, fitted.X, fitted.source)
    covariance = k(X, at, X, at) - cross @ inverse @ cross.T
    scale = fitted.scale[source]
    return cross @ inverse @ z * scale + fitted.shift[source], covariance * scale**2


@pytest.mark.parametrize("source", [0, 1, 2])
def test_posterior_is_that_of_textbook_algebra(source: int) -> None:
    fitted, X = some_fit(), np.random.default_rng(1).random((20, 3))
    mean, covariance = dense(fitted, X, source)
    belief = fitted.predict(X, source)
    np.testing.assert_allclose(belief.mean, mean, rtol=1e-8)
    np.testing.assert_allclose(belief.sd, np.sqrt(np.diagonal(covariance)), rtol=1e-6)
    np.testing.assert_allclose(fitted.covariance(X, source), covariance, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("source", [0, 2])
def test_joint_belief_is_the_covariance_between_source_and_target(source: int) -> None:
    fitted, X = some_fit(), np.random.default_rng(2).random((6, 3))
    joint = fitted.joint(X, source)
    for row in range(len(X)):
        C = fitted.covariance(X[[row, row]], np.array([source, 2]))
        reading = C[0, 0] + fitted.noise_sd(source) ** 2
        assert joint.sd[row] == pytest.approx(np.sqrt(C[1, 1]), rel=1e-6)
        assert joint.reading_sd[row] == pytest.approx(np.sqrt(reading), rel=1e-6)
        assert joint.correlation[row] == pytest.approx(C[0, 1] / np.sqrt(reading * C[1, 1]), rel=1e-5)
    np.testing.assert_allclose(joint.mean, fitted.predict(X, 2).mean)


def test_leaving_one_out_is_conditioning_on_the_others() -> None:
    fitted = some_fit()
    left_out = fitted.leave_one_out()
    for row in (0, 7, 24):
        others = fitted.with_rows(np.setdiff1d(np.arange(25), row))
        belief = others.predict(fitted.X[[row]], fitted.source[[row]])
        assert left_out.mean[row] == pytest.approx(belief.mean[0], rel=1e-8)
        assert left_out.sd[row] == pytest.approx(belief.sd[0], rel=1e-6)


def test_conditioning_gives_back_what_was_taken_away() -> None:
    fitted = some_fit()
    back = fitted.with_rows(np.arange(20)).condition_on(fitted.X[20:], fitted.source[20:], fitted.y[20:])
    X = np.random.default_rng(4).random((5, 3))
    np.testing.assert_allclose(back.predict(X, 2).mean, fitted.predict(X, 2).mean, rtol=1e-10)
    assert back.card.n == 25


def test_slopes_are_those_of_finite_differences() -> None:
    target, X = some_fit().at_target(), np.random.default_rng(3).random((4, 3))
    assert isinstance(target, Differentiable)
    _, slope_mean, slope_sd = target.predict_with_slopes(X)
    for column, e in enumerate(1e-5 * np.eye(3)):
        up, down = target.predict(X + e), target.predict(X - e)
        np.testing.assert_allclose(slope_mean[:, column], (up.mean - down.mean) / 2e-5, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(slope_sd[:, column], (up.sd - down.sd) / 2e-5, rtol=1e-4, atol=1e-5)


def test_cheap_readings_in_other_units_sharpen_the_target() -> None:
    x = np.linspace(0, 1, 21)
    cheap, full = forrester(x)
    at = np.array([0, 6, 10, 14, 20])
    X = np.concatenate([x, x[at]])[:, None]
    source = np.concatenate([np.zeros(21), np.ones(5)])
    both = FidelityProcess(2).fit(X, source, np.concatenate([1000 * cheap + 5, full[at]]), seed=0)
    alone = FidelityProcess(1).fit(x[at][:, None], np.zeros(5), full[at], seed=0)
    error = [np.sqrt(((f.at_target().predict(x[:, None]).mean - full) ** 2).mean()) for f in (both, alone)]
    assert error[0] < 0.6 * error[1]


def test_two_target_readings_do_not_make_the_sources_one() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((30, 2))
    f = np.sin(5 * X[:, 0]) + X[:, 1]
    # The two recipes that have both readings agree exactly, as any two points do with some line.
    both = FidelityProcess(2).fit(
        np.vstack([X, X[:2]]), np.repeat([0, 1], [30, 2]), np.concatenate([f, f[:2]]), seed=0
    )
    assert 0.2 < both.correlations[0] < 0.97


def test_noise_is_learned_for_each_source() -> None:
    rng = np.random.default_rng(5)
    X = rng.random((120, 1))
    source = np.arange(120) % 2
    y = np.sin(5 * X[:, 0]) + np.where(source == 0, 0.3, 0.02) * rng.standard_normal(120)
    fitted = FidelityProcess(2).fit(X, source, y, seed=0)
    assert fitted.noise_sd(0) == pytest.approx(0.3, rel=0.3)
    assert fitted.at_target().noise_sd == pytest.approx(0.02, rel=0.5)


def test_an_earlier_card_starts_the_fit_and_a_foreign_one_is_remarked() -> None:
    first = some_fit(n=40)
    again = FidelityProcess(3, starts=1).fit(
        first.X, first.source, first.y, seed=1, start=first.card.hyperparameters
    )
    assert again.card.log_posterior > first.card.log_posterior - 1e-3
    other = FidelityProcess(3, starts=1).fit(
        first.X[:, :2], first.source, first.y, seed=1, start=first.card.hyperparameters
    )
    assert "do not fit 2 columns" in " ".join(other.card.remarks)
    assert len(first.card.hash()) == 64


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 12),
    d=st.integers(1, 3),
    m=st.integers(1, 3),
    levels=st.integers(1, 3),
)
def test_awkward_data_never_raise(seed: int, n: int, d: int, m: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, levels, (n, d)) / max(1, levels - 1)
    source, y = rng.integers(0, m, n), 1e6 * rng.integers(0, levels, n).astype(float)
    fitted = FidelityProcess(m, starts=1).fit(X, source, y, seed=seed)
    for s in range(m):
        belief = fitted.predict(rng.random((5, d)), s)
        assert np.isfinite(belief.mean).all()
        assert (belief.sd >= 0.0).all()
    more = fitted.condition_on(X[:1], source[:1], y[:1])
    assert more.card.n == n + 1


def test_bad_input_is_named() -> None:
    process = FidelityProcess(2)
    with pytest.raises(ValueError, match="whole numbers from 0 to 1"):
        process.fit(np.zeros((2, 1)), [0, 2], [1.0, 2.0], seed=0)
    with pytest.raises(ValueError, match="leave failed experiments out"):
        process.fit(np.zeros((2, 1)), [0, 1], [1.0, np.nan], seed=0)
    fitted = process.fit(np.zeros((2, 1)), [0, 1], [1.0, 2.0], seed=0)
    with pytest.raises(ValueError, match="from 0 to 1"):
        fitted.predict(np.zeros((1, 1)), 2)
    with pytest.raises(ValueError, match="fitted to 1 columns"):
        fitted.predict(np.zeros((1, 2)), 1)
