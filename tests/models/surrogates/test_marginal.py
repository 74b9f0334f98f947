"""The integrated likelihood equals the integrals, and its parts have the moments they promise."""

import math

import numpy as np
import pytest
from scipy.stats import invgamma, multivariate_normal, norm

from labctl_models.surrogates.kernel import matern52, scaled_distances
from labctl_models.surrogates.marginal import (
    SCALE_WORTH,
    Given,
    Marginal,
    normal_scores,
    signal_variance,
)


def a_marginal(n: int, d: int, seed: int = 0) -> Marginal:
    rng = np.random.default_rng(seed)
    X = rng.random((n, d))
    z = np.sin(5 * X[:, 0]) + 0.2 * rng.standard_normal(n)
    return Marginal(X - X.mean(axis=0), z - z.mean())


def integral(marginal: Marginal, theta: np.ndarray) -> float:
    """Log of the likelihood times both priors, summed over a fine grid of the mean and the log scale."""
    n = len(marginal.z)
    K, _ = matern52(scaled_distances(marginal.X / np.exp(theta[:-1])))
    K += math.exp(theta[-1]) * np.eye(n)
    centring = np.eye(n) - 1.0 / n
    seen = float(np.trace(centring @ K)) / (n - 1)
    prior = invgamma(SCALE_WORTH / 2, scale=SCALE_WORTH / (2 * seen))
    logs = np.linspace(-9, 12, 211)
    total = []
    for log_s2 in logs:
        s2 = math.exp(log_s2)
        means = np.linspace(-12, 12, 161) * math.sqrt(s2)
        offsets = marginal.z[None, :] - means[:, None]
        density = multivariate_normal(np.zeros(n), s2 * K).pdf(offsets)
        total.append(density.sum() * (means[1] - means[0]) * prior.pdf(s2) * s2)
    return math.log(np.sum(total) * (logs[1] - logs[0]))


def test_scale_and_mean_are_integrated() -> None:
    marginal = a_marginal(4, 2)
    places = [np.array([-1.0, 0.5, -3.0]), np.array([0.3, -0.4, -1.0]), np.array([1.5, 2.0, 0.5])]
    theirs = [integral(marginal, theta) for theta in places]
    ours = [marginal.log_likelihood(theta) for theta in places]
    # Both are known up to a constant.
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), atol=1e-4)


def test_with_a_known_scale_only_the_mean_is_integrated() -> None:
    open_scale = a_marginal(4, 2)
    marginal = Marginal(open_scale.X, open_scale.z, scale_known=True)
    ours, theirs = [], []
    for theta in (np.array([-1.0, 0.5, -3.0]), np.array([0.3, -0.4, -1.0])):
        K, _ = matern52(scaled_distances(marginal.X / np.exp(theta[:-1])))
        density = multivariate_normal(np.zeros(4), K + math.exp(theta[-1]) * np.eye(4))
        means = np.linspace(-14, 14, 4001)
        theirs.append(math.log(density.pdf(marginal.z - means[:, None]).sum()))
        ours.append(marginal.log_likelihood(theta))
    assert ours[1] - ours[0] == pytest.approx(theirs[1] - theirs[0], abs=1e-6)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("n", "d"), [(1, 2), (2, 1), (9, 3), (30, 5)])
def test_the_gradient_is_the_derivative(n: int, d: int, known: bool) -> None:  # noqa: FBT001
    X, z = a_marginal(n, d).X, a_marginal(n, d).z
    marginal = Marginal(X, z, known)
    theta = np.random.default_rng(n).uniform(-1.0, 1.0, d + 1)
    _, gradient = marginal.negative(theta)
    for column, step in enumerate(1e-5 * np.eye(d + 1)):
        rise = marginal.negative(theta + step)[0] - marginal.negative(theta - step)[0]
        assert gradient[column] == pytest.approx(rise / 2e-5, abs=1e-5)


def test_one_measurement_leaves_the_prior_as_it_is() -> None:
    marginal = Marginal(np.zeros((1, 2)), np.zeros(1))
    heights = [marginal.log_likelihood(np.array(t)) for t in ([0.0, 0.0, -4.0], [2.0, -1.0, 1.0])]
    assert heights[0] == pytest.approx(heights[1])


def test_slices_of_the_signal_variance_are_those_of_the_inverse_gamma() -> None:
    given = Given(a_marginal(3, 1).given(np.zeros(2)).factor, 0.0, 1.0, 2.5, 3.0, 1.0, 1.0)
    theirs = invgamma(2.5, scale=3.0)
    slices = [signal_variance(given, part, 8) for part in range(8)]
    assert np.mean(slices) == pytest.approx(theirs.mean())
    for part, ours in zip(range(7, -1, -1), slices, strict=True):
        low, high = theirs.ppf(part / 8), theirs.ppf((part + 1) / 8)
        assert ours == pytest.approx(8 * theirs.expect(lambda v: v, lb=low, ub=high), rel=1e-6)


@pytest.mark.parametrize("count", [2, 4, 12, 33])
def test_normal_scores_have_the_moments_of_a_normal(count: int) -> None:
    scores = normal_scores(count)
    assert scores.mean() == pytest.approx(0.0, abs=1e-12)
    assert (scores**2).mean() == pytest.approx(1.0)
    # Evenly spread in probability, but for the stretch that restores the variance.
    np.testing.assert_allclose(np.diff(norm.cdf(scores)), 1 / count, rtol=0.45)
    assert normal_scores(1) == np.zeros(1)
