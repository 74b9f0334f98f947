"""Prior shift against published algebra, expectation maximisation against drawn rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.audit.finding import NotApplicableError
from labctl_models.audit.residuals import with_residuals
from labctl_models.audit.selection import (
    FailuresMissingCheck,
    SuccessShareCheck,
    corrected,
    precision,
    score_needed,
)
from labctl_models.audit.shift import estimated_rate
from labctl_models.audit.table import AuditTable
from labctl_models.surrogates.protocol import Array

RATES = st.floats(0.01, 0.99)


def drawn_scores(rng: np.random.Generator, n: int, rate: float, trained: float, apart: float) -> Array:
    """Calibrated scores at the trained rate of two normals `apart`, for candidates of another rate."""
    success = rng.random(n) < rate
    x = rng.standard_normal(n) + apart * success
    odds = trained / (1 - trained) * np.exp(apart * x - apart**2 / 2)
    return np.asarray(odds / (1 + odds))


def test_prior_shift_of_the_glass_formers() -> None:
    found = corrected(np.array([0.5, 0.9, 0.95]), trained_rate=0.71, true_rate=0.05)
    np.testing.assert_allclose(found, [0.021, 0.162, 0.290], atol=5e-4)
    assert score_needed(0.5, trained_rate=0.71, true_rate=0.05) == pytest.approx(0.979, abs=5e-4)
    assert precision(sensitivity=0.9, specificity=0.9, rate=0.71) == pytest.approx(0.957, abs=5e-4)
    assert precision(sensitivity=0.9, specificity=0.9, rate=0.05) == pytest.approx(0.321, abs=5e-4)


@settings(max_examples=50, deadline=None)
@given(score=st.floats(0, 1), trained=RATES, true=RATES)
def test_correction_is_bayes_and_can_be_undone(score: float, trained: float, true: float) -> None:
    there = corrected(score, trained_rate=trained, true_rate=true)
    assert float(corrected(there, trained_rate=true, true_rate=trained)) == pytest.approx(score, abs=1e-9)
    # The likelihood ratio of the score is what both places share.
    if 0.001 < score < 0.999:
        ratio = score / (1 - score) * (1 - trained) / trained
        assert float(there) == pytest.approx(ratio * true / (ratio * true + 1 - true), rel=1e-9)


def test_the_same_rate_changes_nothing() -> None:
    scores = np.linspace(0, 1, 11)
    np.testing.assert_allclose(corrected(scores, trained_rate=0.3, true_rate=0.3), scores, atol=1e-12)


@pytest.mark.parametrize(("apart", "within"), [(1.0, 0.04), (2.0, 0.02)])
def test_expectation_maximisation_recovers_a_rate_of_five_percent(apart: float, within: float) -> None:
    rng = np.random.default_rng(0)
    found = [
        estimated_rate(drawn_scores(rng, 400, 0.05, 0.71, apart), trained_rate=0.71, seed=0, resamples=0)
        for _ in range(60)
    ]
    values = np.array([rate.value for rate in found])
    assert abs(values.mean() - 0.05) < 0.012
    assert np.sqrt(np.mean((values - 0.05) ** 2)) < within


def test_the_bootstrap_interval_holds_the_rate() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(40):
        rate = estimated_rate(drawn_scores(rng, 300, 0.3, 0.6, 2.0), trained_rate=0.6, seed=seed)
        hits += rate.low <= 0.3 <= rate.high
    assert hits >= 33  # 95 % of 40 are 38; fewer than 33 would happen once in 500 times


def table(success: Array, **more: object) -> AuditTable:
    X = np.random.default_rng(0).random((len(success), 2))
    return AuditTable(X, success, outcome="classification", **more)  # type: ignore[arg-type]  # checked inside


def test_a_stated_rate_is_compared_with_the_table() -> None:
    y = np.r_[np.ones(712), np.zeros(288)]
    (found,) = SuccessShareCheck().run(table(y, true_rate=0.05), seed=0)
    assert found.level == "high"
    assert found.value == pytest.approx(0.712)
    assert found.expected == 0.05
    assert "0.9 means 0.16" in found.meaning
    assert "0.979" in found.meaning
    assert SuccessShareCheck().run(table(y, true_rate=0.7), seed=0) == []


def test_a_random_arm_knows_the_rate() -> None:
    arms = np.repeat(["literature", "random"], [200, 50])
    y = np.r_[np.ones(150), np.zeros(50), np.ones(3), np.zeros(47)]
    (found,) = SuccessShareCheck().run(table(y, arms=arms), seed=0)
    assert found.expected == pytest.approx(0.06)
    assert "random arm, 3 of 50" in found.title
    fair = np.r_[np.ones(100), np.zeros(100), np.ones(24), np.zeros(26)]
    assert SuccessShareCheck().run(table(fair, arms=arms), seed=0) == []


def test_scores_of_the_pool_know_the_rate() -> None:
    y = np.r_[np.ones(71), np.zeros(29)]
    scores = drawn_scores(np.random.default_rng(3), 500, 0.05, 0.71, 2.0)
    (found,) = SuccessShareCheck().run(table(y, pool_scores=scores), seed=0)
    assert found.expected == pytest.approx(0.05, abs=0.04)
    assert "estimated from the scores" in found.title


def test_a_table_without_failures_is_a_finding() -> None:
    X = np.random.default_rng(0).random((30, 2))
    (found,) = FailuresMissingCheck().run(AuditTable(X, X[:, 0], failed=np.zeros(30, bool)), seed=0)
    assert found.level == "medium"
    # With no failure in 30 rows the rate of failure may still be 11 % (Wilson).
    assert found.detail["highest_rate_of_failure"] == pytest.approx(0.1135, abs=1e-3)
    assert "nobody wrote down" in FailuresMissingCheck().run(AuditTable(X, X[:, 0]), seed=0)[0].title
    assert FailuresMissingCheck().run(AuditTable(X, X[:, 0], failed=np.arange(30) < 1), seed=0) == []
    assert FailuresMissingCheck().run(table(np.r_[np.ones(28), 0.0, 0.0]), seed=0) == []
    with pytest.raises(NotApplicableError, match="only successes"):
        SuccessShareCheck().run(table(np.ones(30), true_rate=0.5), seed=0)


@pytest.mark.parametrize(
    ("success", "said"),
    [
        (np.ones(60), "None of the 60 rows failed"),
        (np.r_[np.ones(59), 0.0], "Only one of the 60 rows failed"),
        (np.zeros(60), "None of the 60 rows succeeded"),
        (np.r_[np.zeros(59), 1.0], "Only one of the 60 rows succeeded"),
    ],
)
def test_classes_of_one_kind_are_not_to_be_relied_on(success: Array, said: str) -> None:
    (found,) = FailuresMissingCheck().run(table(success), seed=0)
    assert found.level == "high"
    assert found.title == said
    # Nothing was learned of the rarer class, so nothing is said of residuals.
    assert with_residuals(table(success), seed=0).residuals is None


def test_a_failed_row_is_no_success_whatever_its_class() -> None:
    failed = np.array([True, False, False, False])
    assert np.array_equal(
        table(np.array([1.0, 1.0, 0.0, np.nan]), failed=failed).success, [0, 1, 0, np.nan], equal_nan=True
    )


def test_impossible_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        corrected(0.5, trained_rate=1.0, true_rate=0.1)
