"""The search ends on a peak, uses what it is given, and never raises."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from labctl_models.surrogates.evidence import NOISE_PRIOR, NotPositiveDefiniteError, Problem
from labctl_models.surrogates.protocol import Array
from labctl_models.surrogates.search import Found, most_probable, usual_starts


def a_problem(n: int = 40, d: int = 3) -> Problem:
    rng = np.random.default_rng(1)
    X = rng.random((n, d))
    y = np.sin(8 * X[:, 0]) + 0.1 * rng.standard_normal(n)
    return Problem(X - X.mean(axis=0), (y - y.mean()) / y.std(ddof=1))


def height(problem: Problem, found: Found) -> float:
    return problem.evaluate(found.lengthscales, found.noise_variance).log_posterior


@dataclass(frozen=True)
class Hopeless(Problem):
    """A problem whose covariance can never be inverted."""

    def negative(self, theta: Array) -> tuple[float, Array]:
        raise NotPositiveDefiniteError(str(theta))


@dataclass(frozen=True)
class NotANumber(Problem):
    """A problem whose likelihood is never a number."""

    def negative(self, theta: Array) -> tuple[float, Array]:
        return float("nan"), np.full_like(theta, np.nan)


def test_the_slope_is_zero_where_the_search_ends() -> None:
    problem = a_problem()
    found = most_probable(problem, seed=0, start=None, starts=6)
    theta = np.log(np.append(found.lengthscales, found.noise_variance))
    assert np.abs(problem.negative(theta)[1]).max() < 0.02
    assert found.remarks == ()


def test_more_starts_never_end_lower() -> None:
    problem = a_problem()
    heights = [height(problem, most_probable(problem, seed=0, start=None, starts=s)) for s in (1, 2, 4, 6)]
    assert all(after >= before - 1e-9 for before, after in pairwise(heights))


def test_column_that_matters_gets_the_short_lengthscale() -> None:
    found = most_probable(a_problem(), seed=0, start=None, starts=6)
    assert found.lengthscales[0] < 0.3 * found.lengthscales[1:].min()


def test_an_earlier_fit_is_used_and_a_bad_one_is_left() -> None:
    problem = a_problem()
    best = most_probable(problem, seed=0, start=None, starts=6)
    warm = {"lengthscales": tuple(best.lengthscales), "noise_variance": best.noise_variance}
    again = most_probable(problem, seed=0, start=warm, starts=1)
    assert height(problem, again) >= height(problem, best) - 1e-6
    # Noise that explains everything, at lengthscales so long that no slope leads away.
    stuck = {"lengthscales": (1e3, 1e3, 1e3), "noise_variance": 100.0}
    rescued = most_probable(problem, seed=0, start=stuck, starts=1)
    fresh = most_probable(problem, seed=0, start=None, starts=1)
    assert height(problem, rescued) >= height(problem, fresh) - 1.0
    assert rescued.remarks == ()


@pytest.mark.parametrize(
    "start",
    [
        {},
        {"lengthscales": (1.0, 2.0), "noise_variance": 0.1},
        {"lengthscales": (1.0, 2.0, -3.0), "noise_variance": 0.1},
        {"lengthscales": (1.0, 2.0, float("nan")), "noise_variance": 0.1},
        {"lengthscales": "long", "noise_variance": 0.1},
        {"lengthscales": (1.0, 2.0, 3.0), "noise_variance": None},
    ],
)
def test_hyperparameters_of_another_problem_are_not_used_and_that_is_said(start: dict[str, object]) -> None:
    problem = a_problem()
    found = most_probable(problem, seed=0, start=start, starts=2)
    fresh = most_probable(problem, seed=0, start=None, starts=2)
    assert found.remarks == ("The earlier hyperparameters do not fit 3 columns and were not used.",)
    assert np.array_equal(found.lengthscales, fresh.lengthscales)


@pytest.mark.parametrize("kind", [Hopeless, NotANumber])
@pytest.mark.parametrize("starts", [1, 3])
def test_a_search_that_fails_everywhere_gives_the_priors_typical_values(
    kind: type[Problem], starts: int
) -> None:
    good = a_problem()
    problem = kind(good.X, good.z)
    warm = {"lengthscales": (1.0, 1.0, 1.0), "noise_variance": 0.1}
    found = most_probable(problem, seed=0, start=warm, starts=starts)
    np.testing.assert_allclose(found.lengthscales, problem.prior.median)
    assert found.noise_variance == pytest.approx(NOISE_PRIOR.median)
    assert "could not be computed anywhere" in found.remarks[0]


def test_starts_fall_with_the_number_of_rows() -> None:
    assert [usual_starts(n) for n in (1, 60, 150, 300, 450, 901, 5000)] == [6, 6, 6, 3, 2, 1, 1]


def test_more_columns_than_rows_take_two_starts_that_end_where_six_do() -> None:
    assert [usual_starts(n, 130) for n in (100, 130, 131, 1000)] == [2, 2, 6, 1]
    rng = np.random.default_rng(3)
    X = rng.random((30, 60))
    y = np.sin(6 * X[:, 0]) + X[:, 1] + 0.1 * rng.standard_normal(30)
    problem = Problem(X - 0.5, (y - y.mean()) / y.std(ddof=1))
    heights = []
    for starts in (2, 6):
        found = most_probable(problem, seed=0, start=None, starts=starts)
        heights.append(problem.evaluate(found.lengthscales, found.noise_variance).log_posterior)
    assert heights[0] == pytest.approx(heights[1], abs=1e-4)
