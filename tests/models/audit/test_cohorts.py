"""Cohort effects against the components of variance they were drawn from."""

import numpy as np
import pytest

from labctl_models.audit.cohorts import (
    CohortEffectCheck,
    CohortPredictableCheck,
    cohort_effect,
    cohort_predictability,
)
from labctl_models.audit.finding import NotApplicableError
from labctl_models.audit.table import AuditTable


def test_the_share_of_variance_between_cohorts_is_recovered() -> None:
    rng = np.random.default_rng(0)
    found = []
    for seed in range(40):
        codes = rng.integers(0, 30, 600)
        residuals = rng.standard_normal(30)[codes] + np.sqrt(3) * rng.standard_normal(600)
        found.append(cohort_effect(residuals, codes, seed=seed, count=19)[0])
    # 1 / (1 + 3); one estimate scatters by about 0.06, the mean of forty by 0.01.
    assert np.mean(found) == pytest.approx(0.25, abs=0.03)


def test_by_hand() -> None:
    # Means 0 and 2, within-mean-square 2 (deviations ±1 twice each), between 4·1 = 4, n_0 = 2.
    icc, _ = cohort_effect(np.array([-1.0, 1.0, 1.0, 3.0]), np.array([0, 0, 1, 1]), seed=0)
    assert icc == pytest.approx(1.0 / 3.0)


def test_p_is_even_without_effect() -> None:
    rng = np.random.default_rng(1)
    drawn = [(rng.standard_normal(60), rng.integers(0, 6, 60)) for _ in range(200)]
    p = [cohort_effect(residuals, codes, seed=s, count=199)[1] for s, (residuals, codes) in enumerate(drawn)]
    assert np.mean(np.array(p) <= 0.05) <= 0.1
    assert np.mean(p) == pytest.approx(0.5, abs=0.07)


def test_one_cohort_or_no_variance_says_nothing() -> None:
    assert cohort_effect(np.arange(5.0), np.zeros(5, np.intp), seed=0) == (0.0, 1.0)
    assert cohort_effect(np.ones(6), np.array([0, 0, 0, 1, 1, 1]), seed=0) == (0.0, 1.0)


def test_cohorts_with_their_own_recipes_are_told() -> None:
    rng = np.random.default_rng(2)
    codes = np.repeat([0, 1, 2], 50)
    X = rng.random((150, 3))
    recipes = np.arange(150)
    found, chance, p = cohort_predictability(X, codes, recipes, seed=0)
    assert chance == pytest.approx(1 / 3)
    assert p > 0.01
    found, _, p = cohort_predictability(X + 0.5 * codes[:, None], codes, recipes, seed=0)
    assert found > 0.8
    assert p <= 0.005


def test_twins_do_not_give_their_cohort_away() -> None:
    rng = np.random.default_rng(3)
    # Every recipe was measured six times in one batch: only memory would tell the batch.
    X = np.repeat(rng.random((40, 2)), 6, axis=0)
    recipes = np.repeat(np.arange(40), 6)
    codes = np.repeat(rng.integers(0, 4, 40), 6)
    found, chance, _ = cohort_predictability(X, codes, recipes, seed=0)
    assert found < chance + 0.2


def test_checks_name_the_column() -> None:
    rng = np.random.default_rng(4)
    lab = rng.integers(0, 4, 200)
    X = rng.random((200, 2))
    residuals = lab + 0.5 * rng.standard_normal(200)
    table = AuditTable(
        X,
        X[:, 0],
        columns={"lab": lab, "shift": rng.integers(0, 3, 200)},
        cohorts=("lab", "shift"),
        residuals=residuals,
    )
    (found,) = CohortEffectCheck().run(table, seed=0)
    assert found.id == "metadata.cohort_effect:lab"
    assert found.level == "high"
    np.testing.assert_allclose(found.detail["mean_residual"], [0, 1, 2, 3], atol=0.3)  # type: ignore[arg-type]  # a list
    assert CohortPredictableCheck().run(table, seed=0) == []
    with pytest.raises(NotApplicableError):
        CohortEffectCheck().run(AuditTable(X, X[:, 0], residuals=residuals), seed=0)
