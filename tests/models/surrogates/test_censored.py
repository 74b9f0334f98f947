"""Bounds as probabilities: against integration by hand, in their limits, and beyond a detector's end."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from labctl_models.surrogates.censored import CensoredGP, with_bounds
from labctl_models.surrogates.gp import FittedGP, GaussianProcess
from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess, FittedAverage
from labctl_models.surrogates.protocol import Array, Averaged, Differentiable

OPEN = math.inf


def measured(n: int = 8) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    X = rng.random((n, 1)) * 0.6
    return X, 20 + 5 * (np.sin(5 * X[:, 0]) + 0.1 * rng.standard_normal(n))


PLAIN = GaussianProcess().fit(*measured(), seed=0)
MIRRORED = GaussianProcess().fit(measured()[0], -measured()[1], seed=0)
AVERAGE = AveragedGaussianProcess().fit(*measured(), seed=0)
QUERY = np.linspace(0.0, 1.0, 9)[:, None]


def integrated(fitted: FittedGP, X: Array, low: Array, high: Array) -> tuple[float, Array, Array]:
    """Log probability of two bounds, and moments at the query, by a grid over the two responses there."""
    both = np.vstack([X, QUERY])
    mean, covariance = fitted.predict(both).mean, fitted.covariance(both)
    axes = [mean[i] + np.linspace(-8, 8, 601) * math.sqrt(covariance[i, i]) for i in range(2)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2) - mean[:2]
    inverse = np.linalg.inv(covariance[:2, :2])
    density = np.exp(-0.5 * np.einsum("ga,ab,gb->g", grid, inverse, grid))
    prior = density / density.sum()
    likelihood = np.ones(len(grid))
    for i in range(2):
        f = grid[:, i] + mean[i]
        likelihood *= ndtr((high[i] - f) / fitted.noise_sd) - ndtr((low[i] - f) / fitted.noise_sd)
    weights = prior * likelihood / float(prior @ likelihood)
    gain = covariance[2:, :2] @ inverse
    each = mean[2:] + grid @ gain.T
    first = weights @ each
    rest = np.diagonal(covariance[2:, 2:] - gain @ covariance[:2, 2:])
    return math.log(float(prior @ likelihood)), first, np.sqrt(weights @ (each - first) ** 2 + rest)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ([26.0, 22.0], [OPEN, OPEN]),
        ([-OPEN, 21.0], [18.0, OPEN]),
        ([21.0, 19.0], [23.0, 20.0]),
        ([-OPEN, -OPEN], [15.0, 12.0]),
    ],
)
def test_bounds_as_the_integral_says(low: list[float], high: list[float]) -> None:
    X, ends = np.array([[0.8], [0.95]]), (np.array(low), np.array(high))
    evidence, mean, sd = integrated(PLAIN, X, *ends)
    told = with_bounds(PLAIN, X, *ends)
    belief = told.predict(QUERY)
    scale = float(PLAIN.predict(QUERY).sd.max())
    np.testing.assert_allclose(belief.mean, mean, atol=0.02 * scale)
    np.testing.assert_allclose(belief.sd, sd, rtol=0.03)
    assert told.card.hyperparameters["bounds_log_probability"] == pytest.approx(evidence, abs=0.02)


@pytest.mark.parametrize("fitted", [PLAIN, AVERAGE])
def test_bounds_far_away_change_nothing(fitted: FittedGP | FittedAverage) -> None:
    X = np.array([[0.2], [0.9], [0.5]])
    told = with_bounds(fitted, X, np.array([-1e4, -OPEN, -OPEN]), np.array([OPEN, 1e4, OPEN]))
    np.testing.assert_allclose(told.predict(QUERY).mean, fitted.predict(QUERY).mean, rtol=1e-9)
    np.testing.assert_allclose(told.predict(QUERY).sd, fitted.predict(QUERY).sd, rtol=1e-7)
    assert with_bounds(fitted, X, np.full(3, -OPEN), np.full(3, OPEN)) is fitted
    assert told.noise_sd == pytest.approx(fitted.noise_sd)


@pytest.mark.parametrize("width", [0.0, 1e-4])
def test_bounds_that_meet_are_a_measurement(width: float) -> None:
    X, y = np.array([[0.9], [0.1]]), np.array([14.0, 23.5])
    told = with_bounds(PLAIN, X, y - width / 2, y + width / 2).predict(QUERY)
    read = PLAIN.condition_on(X, y).predict(QUERY)
    np.testing.assert_allclose(told.mean, read.mean, atol=1e-3)
    np.testing.assert_allclose(told.sd, read.sd, rtol=1e-3)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.integers(1, 6))
def test_laws_of_bounds(seed: int, m: int) -> None:
    """A bound from above never raises the mean at its own recipe; mirrored bounds mirror the belief."""
    rng = np.random.default_rng(seed)
    X = rng.random((m, 1))
    high = PLAIN.predict(X).mean + rng.normal(0.0, 3.0, m)
    told = with_bounds(PLAIN, X, np.full(m, -OPEN), high)
    other = with_bounds(MIRRORED, X, -high, np.full(m, OPEN))
    np.testing.assert_allclose(other.predict(QUERY).mean, -told.predict(QUERY).mean, rtol=1e-4)
    np.testing.assert_allclose(other.predict(QUERY).sd, told.predict(QUERY).sd, rtol=1e-3)
    # Among responses that go up and down together, more bounds from above lower the mean still more; where
    # they go against each other nothing of the kind holds, so that only single bounds are asked.
    if m == 1:
        assert told.predict(X).mean[0] <= PLAIN.predict(X).mean[0] + 1e-6
        assert told.predict(X).sd[0] <= PLAIN.predict(X).sd[0] + 1e-6


def test_a_saturated_detector_is_neither_a_plateau_nor_left_out() -> None:
    """Readings above 1.5 are only known to be: taken for 1.5 they hide the top, left out they lower it."""
    ratios = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.random((40, 1))
        truth = 2.0 * np.sin(math.pi * X[:, 0])
        y = truth + 0.03 * rng.standard_normal(40)
        seen = y < 1.5
        beyond = X[~seen]
        exact = AveragedGaussianProcess().fit(X[seen], y[seen], seed=0)
        told = with_bounds(exact, beyond, np.full(len(beyond), 1.5), np.full(len(beyond), OPEN))
        clipped = AveragedGaussianProcess().fit(X, np.minimum(y, 1.5), seed=0)
        off = [np.abs(m.predict(beyond).mean - truth[~seen]).mean() for m in (told, exact, clipped)]
        ratios.append([off[0] / off[1], off[0] / off[2]])
        z = (told.predict(beyond).mean - truth[~seen]) / told.predict(beyond).sd
        assert np.abs(z).max() < 4.0
        assert told.predict(beyond).mean.min() > 1.5 - 3 * told.noise_sd
    assert np.median(ratios, axis=0).max() < 0.8


def test_members_are_drawn_again_by_how_well_they_foresaw_the_bounds() -> None:
    """The same moments as weighing every member's own posterior by its probability of the bounds."""
    many = AveragedGaussianProcess(samples=300).fit(*measured(), seed=0)
    X, low, high = np.array([[0.9], [0.75]]), np.array([-OPEN, -OPEN]), np.array([14.0, 16.0])
    told = with_bounds(many, X, low, high)
    each = [with_bounds(member, X, low, high) for member in many.members]
    heights = np.array([float(m.card.hyperparameters["bounds_log_probability"]) for m in each])
    weights = np.exp(heights - heights.max())
    mean = weights @ np.array([m.predict(QUERY).mean for m in each]) / weights.sum()
    np.testing.assert_allclose(told.predict(QUERY).mean, mean, atol=0.05 * many.predict(QUERY).sd.max())
    assert isinstance(told, FittedAverage)
    assert len(told.members) == 300


@pytest.mark.parametrize("fitted", [PLAIN, AVERAGE])
def test_it_is_a_surrogate_like_any_other(fitted: FittedGP | FittedAverage) -> None:
    X = np.array([[0.8], [0.95]])
    told = with_bounds(fitted, X, np.array([-OPEN, 20.0]), np.array([17.0, 21.0]))
    assert isinstance(told, Differentiable)
    assert isinstance(told, Averaged) == isinstance(fitted, Averaged)
    assert (told.card.n, told.card.kind) == (10, f"{fitted.card.kind}-censored")
    assert "2 censored readings" in told.card.remarks[len(fitted.card.remarks)]
    belief, slope_mean, slope_sd = told.predict_with_slopes(QUERY)
    step = 1e-5
    up, down = told.predict(QUERY + step), told.predict(QUERY - step)
    np.testing.assert_allclose(belief.mean, told.predict(QUERY).mean, rtol=1e-8)
    np.testing.assert_allclose(slope_mean[:, 0], (up.mean - down.mean) / (2 * step), atol=1e-2)
    np.testing.assert_allclose(slope_sd[:, 0], (up.sd - down.sd) / (2 * step), atol=1e-2)
    np.testing.assert_allclose(np.sqrt(np.diagonal(told.covariance(QUERY))), belief.sd, rtol=1e-5)
    again = told.condition_on(QUERY[-1:], np.array([19.0]))
    assert again.predict(QUERY[-1:]).sd[0] < belief.sd[-1]
    kept = again.predict(X[:1]).mean[0]
    assert kept < fitted.predict(X[:1]).mean[0] + 1e-9


def test_leaving_a_row_out_is_fitting_without_it() -> None:
    X = np.array([[0.8], [0.95]])
    told = with_bounds(PLAIN, X, np.array([-OPEN, 20.0]), np.array([17.0, 21.0]))
    assert isinstance(told, CensoredGP)
    found = told.leave_one_out()
    for i in range(len(told.y)):
        rest = np.arange(len(told.y)) != i
        z = (told.y - told.shift) / told.scale
        gaps = np.abs(told.X - told.X.T) / told.lengthscales[0]
        K = (1 + math.sqrt(5) * gaps + 5 * gaps**2 / 3) * np.exp(-math.sqrt(5) * gaps)
        inverse = np.linalg.inv(K[np.ix_(rest, rest)] + np.diag(told.row_noise[rest]))
        mean = told.mean + K[i, rest] @ inverse @ (z[rest] - told.mean)
        variance = 1.0 - K[i, rest] @ inverse @ K[rest, i]
        assert found.mean[i] == pytest.approx(mean * told.scale + told.shift, rel=1e-6)
        assert found.sd[i] == pytest.approx(math.sqrt(variance) * told.scale, rel=1e-5)
    with pytest.raises(ValueError, match="no botorch twin"):
        told.to_botorch()


def refused(low: list[float], high: list[float], X: Array) -> Callable[[], object]:
    return lambda: with_bounds(PLAIN, X, np.array(low), np.array(high))


@pytest.mark.parametrize(
    "call",
    [
        refused([2.0], [1.0], np.array([[0.5]])),
        refused([1.0, 1.0], [2.0, 2.0], np.array([[0.5]])),
        refused([math.nan], [1.0], np.array([[0.5]])),
        refused([1.0], [2.0], np.array([[0.5, 0.5]])),
        refused([1.0], [2.0], np.array([[math.nan]])),
    ],
)
def test_what_is_no_bound_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"bound needs|columns|finite"):
        call()


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e140])
def test_a_bound_says_the_same_in_any_unit(unit: float) -> None:
    X, y = measured()
    place, low, high = np.array([[0.9]]), np.array([27.0]), np.array([OPEN])
    usual = with_bounds(GaussianProcess().fit(X, y, seed=0), place, low, high).predict(QUERY)
    own = with_bounds(GaussianProcess().fit(X, y * unit, seed=0), place, low * unit, high).predict(QUERY)
    np.testing.assert_allclose(own.mean / unit, usual.mean, rtol=1e-4)
    np.testing.assert_allclose(own.sd / unit, usual.sd, rtol=1e-3)


@pytest.mark.parametrize(("low", "high"), [(1e149, OPEN), (-OPEN, -1e149), (1e148, 1e149), (-1.0, 1.0)])
def test_a_bound_far_beyond_all_that_was_measured_leaves_numbers(low: float, high: float) -> None:
    X, y = measured()
    for unit in (1.0, 1e-300):
        fitted = GaussianProcess().fit(X, y * unit, seed=0)
        told = with_bounds(fitted, QUERY[7:8], np.array([low]), np.array([high])).predict(QUERY)
        assert np.isfinite(told.mean).all()
        assert np.isfinite(told.sd).all()
