"""Conformal intervals against brute force, MAPIE, and the coverage they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.validation.conformal import cv_plus, upper_quantile, weighted_quantile


@pytest.mark.parametrize(
    ("n", "coverage", "place"), [(9, 0.9, 9), (19, 0.95, 19), (6, 0.5, 4), (6, 0.8, 6), (99, 0.9, 90)]
)
def test_the_quantile_counts_the_new_reading_too(n: int, coverage: float, place: int) -> None:
    scores = np.arange(1.0, n + 1.0)[np.random.default_rng(0).permutation(n)]
    assert upper_quantile(scores, coverage) == place


@pytest.mark.parametrize(("n", "coverage"), [(8, 0.9), (18, 0.95), (6, 0.9)])
def test_too_few_scores_give_no_finite_interval(n: int, coverage: float) -> None:
    assert upper_quantile(np.arange(float(n)), coverage) == math.inf
    low, high = cv_plus(np.zeros((2, 1)), np.arange(float(n)), np.zeros(n, dtype=np.intp), coverage)
    assert np.isneginf(low).all()
    assert np.isposinf(high).all()


def by_definition(
    means: np.ndarray, residuals: np.ndarray, fold: np.ndarray, coverage: float
) -> tuple[float, float]:
    """Barber et al. (2021), equation 7, one recipe, by sorting; alpha as a whole number of (n + 1)ths."""
    n = len(residuals)
    alpha = 1.0 - coverage
    ups = sorted(means[f] + r for f, r in zip(fold, residuals, strict=True))
    downs = sorted(means[f] - r for f, r in zip(fold, residuals, strict=True))
    return downs[math.floor(round(alpha * (n + 1), 9)) - 1], ups[
        math.ceil(round((1 - alpha) * (n + 1), 9)) - 1
    ]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(6, 15),
    folds=st.integers(1, 4),
    coverage=st.sampled_from([0.5, 0.7, 0.8]),
)
def test_cv_plus_is_its_definition(seed: int, n: int, folds: int, coverage: float) -> None:
    rng = np.random.default_rng(seed)
    means, residuals = rng.normal(size=(3, folds)), np.abs(rng.normal(size=n))
    fold = rng.integers(0, folds, n)
    low, high = cv_plus(means, residuals, fold, coverage)
    for row in range(3):
        assert (low[row], high[row]) == pytest.approx(by_definition(means[row], residuals, fold, coverage))


def test_cv_plus_equals_mapie_at_six_rows() -> None:
    regression = pytest.importorskip("mapie.regression", reason="MAPIE is not installed")
    from sklearn.linear_model import LinearRegression  # noqa: PLC0415  takes a second to load
    from sklearn.model_selection import KFold  # noqa: PLC0415  the same

    rng = np.random.default_rng(0)
    X, query = rng.random((6, 1)), rng.random((4, 1))
    y = 3 * X[:, 0] + rng.normal(size=6)
    folds = list(KFold(3).split(X))
    theirs = regression.CrossConformalRegressor(
        LinearRegression(), confidence_level=0.7, method="plus", cv=KFold(3)
    )
    _, bounds = theirs.fit_conformalize(X, y).predict_interval(query)
    models = [LinearRegression().fit(X[train], y[train]) for train, _ in folds]
    fold, residuals = np.empty(6, dtype=np.intp), np.empty(6)
    for number, (_, test) in enumerate(folds):
        fold[test], residuals[test] = number, np.abs(y[test] - models[number].predict(X[test]))
    means = np.column_stack([model.predict(query) for model in models])
    low, high = cv_plus(means, residuals, fold, 0.7)
    np.testing.assert_allclose(low, bounds[:, 0, 0])
    np.testing.assert_allclose(high, bounds[:, 1, 0])


def test_coverage_is_kept_on_exchangeable_readings() -> None:
    rng = np.random.default_rng(0)
    draws = np.abs(rng.standard_normal((4000, 20)))
    held = [row[-1] <= upper_quantile(row[:-1], 0.9) for row in draws]
    assert 0.88 < np.mean(held) < 0.92  # exactly 18 / 20 in expectation


def test_equal_weights_are_no_weights() -> None:
    scores = np.random.default_rng(0).random(40)
    found = weighted_quantile(scores, np.ones(40), np.ones(2), 0.9)
    np.testing.assert_allclose(found, upper_quantile(scores, 0.9))


def test_a_recipe_unlike_all_others_gets_no_finite_width() -> None:
    scores = np.random.default_rng(0).random(40)
    assert weighted_quantile(scores, np.ones(40), np.array([10.0]), 0.9)[0] == np.inf


def test_weighted_coverage_under_a_known_shift() -> None:
    # Data from N(0, 1), errors that grow with x, recipes from N(0.5, 1): the ratio is exp(x / 2 - 1 / 8).
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        x, new = rng.standard_normal(100), rng.standard_normal() + 0.5
        scores = np.abs(rng.standard_normal(100)) * np.exp(x)
        width = weighted_quantile(scores, np.exp(x / 2 - 0.125), np.exp([new / 2 - 0.125]), 0.8)[0]
        held.append(abs(rng.standard_normal()) * np.exp(new) <= width)
    assert 0.77 < np.mean(held) < 0.87


def test_bad_coverage_shapes_and_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        upper_quantile(np.ones(5), 1.0)
    with pytest.raises(ValueError, match="q x folds"):
        cv_plus(np.ones((2, 1)), np.ones(3), np.array([0, 1, 0]))
    with pytest.raises(ValueError, match="effective scores"):
        weighted_quantile(np.ones(100), np.eye(100)[0] + 1e-6, np.ones(1))
    with pytest.raises(ValueError, match="not negative"):
        weighted_quantile(np.ones(30), -np.ones(30), np.ones(1))
