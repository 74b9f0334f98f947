"""Scores and their slopes, on surrogates of every kind."""

from collections.abc import Callable

import numpy as np
import pytest

from labctl_models.acquisition.hypervolume import boxes, pareto, reference_point
from labctl_models.acquisition.prior import FLOOR, Belief
from labctl_models.acquisition.score import Approach, Growth, Improvement, Kept, Product, Score
from labctl_models.surrogates.gp import GaussianProcess
from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess
from labctl_models.surrogates.protocol import Fitted
from labctl_models.surrogates.trees import Forest

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(25, 3))
Y = np.column_stack([np.sin(3 * X[:, 0]) + X[:, 1], np.cos(3 * X[:, 0]) - X[:, 2]])
PLACES = RNG.uniform(0.1, 0.9, (6, 3))


def fits(goal: int) -> list[Fitted]:
    return [
        GaussianProcess().fit(X, Y[:, goal], seed=0),
        AveragedGaussianProcess(samples=4).fit(X, Y[:, goal], seed=0),
    ]


def scores() -> list[Score]:
    free = boxes(pareto(Y), reference_point(Y))
    found: list[Score] = []
    for first, second in zip(fits(0), fits(1), strict=True):
        found += [
            Improvement(first, 1.0),
            Approach(first, 0.4, 0.1),
            Kept(first, 0.2, 1.1),
            Growth([first, second], free),
            Product((Improvement(first, 1.0), Kept(second, -np.inf, 0.5))),
        ]
    # An averaged surrogate beside one that is not.
    found.append(Growth([fits(0)[1], fits(1)[0]], free))
    choices = np.array([0.0, 0.0, -0.7])
    found.append(Belief(np.array([0.0, 1.0]), np.array([0.3, 0.6]), np.array([0.2, 0.1]), choices, fade=0.5))
    return found


@pytest.mark.parametrize("score", scores(), ids=lambda s: type(s).__name__)
def test_slopes_are_those_of_the_logarithm(score: Score) -> None:
    value, slopes = score.log_with_slopes(PLACES)
    np.testing.assert_allclose(value, score.log(PLACES), rtol=1e-9, atol=1e-9)
    step = 1e-6
    for column in range(3):
        shift = step * np.eye(3)[column]
        there = (score.log(PLACES + shift) - score.log(PLACES - shift)) / (2 * step)
        np.testing.assert_allclose(slopes[:, column], there, rtol=2e-3, atol=2e-3)


def test_a_product_is_the_sum_of_the_logarithms() -> None:
    gain, chance = Improvement(fits(0)[0], 1.0), Kept(fits(1)[0], -np.inf, 0.5)
    np.testing.assert_allclose(Product((gain, chance)).log(PLACES), gain.log(PLACES) + chance.log(PLACES))


@pytest.mark.parametrize(
    "of", [lambda f: Approach(f, 0.4, 0.1), lambda f: Kept(f, 0.2, 1.1), lambda f: Improvement(f, 1.0)]
)
def test_a_surrogate_without_slopes_serves_too(of: Callable[[Fitted], Score]) -> None:
    score = of(Forest(kind="extra-trees").fit(X, Y[:, 0], seed=0))
    value, slopes = score.log_with_slopes(PLACES[:2])
    assert value.shape == (2,)
    assert slopes.shape == (2, 3)


def test_a_belief_never_excludes_anything_and_fades() -> None:
    early = Belief(np.array([0.0]), np.array([0.3]), np.array([0.05]), np.zeros(3), fade=1.0)
    late = Belief(early.columns, early.centre, early.sd, early.linear, fade=0.01)
    far = np.array([[1.0, 0.5, 0.5]])
    assert early.log(far)[0] == pytest.approx(np.log(FLOOR), rel=1e-3)
    assert late.log(far)[0] == pytest.approx(0.01 * np.log(FLOOR), rel=1e-3)
    assert early.log(np.array([[0.3, 0.5, 0.5]]))[0] == pytest.approx(0.0)
