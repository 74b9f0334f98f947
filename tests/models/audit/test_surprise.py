"""Faults planted among many rows are found, and sound rows stay unremarked."""

import numpy as np
import pytest

from labctl_models.audit.anomalies import AnomalyCheck, anomalies
from labctl_models.audit.residuals import with_residuals
from labctl_models.audit.surprise import class_z, regression_z
from labctl_models.audit.table import AuditTable


def smooth(seed: int, n: int, noise: float | np.ndarray = 0.1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.random((n, 4))
    return X, np.sin(4 * X[:, 0]) + X[:, 1] * X[:, 2] + noise * rng.standard_normal(n)


def test_one_wrong_value_among_two_thousand_is_found() -> None:
    X, y = smooth(0, 2000)
    y[1234] += 1.5
    table = with_residuals(AuditTable(X, y), seed=0)
    (found,) = AnomalyCheck().run(table, seed=0)
    assert np.asarray(found.detail["rows"])[0] == 1234
    assert found.value <= 2


def test_sound_tables_are_silent() -> None:
    loud = 0
    for seed in range(6):
        X, y = smooth(seed, 700)
        z = with_residuals(AuditTable(X, y), seed=seed).z
        assert z is not None
        loud += len(anomalies(z).rows) > 0
    # A rate of a tenth gives three of six in 1.6 % of cases.
    assert loud <= 2


def test_a_noisy_region_is_no_region_of_faults() -> None:
    rng = np.random.default_rng(3)
    X = rng.random((1500, 2))
    size = np.where(X[:, 0] > 0.8, 5.0, 0.2)
    y = size * rng.standard_normal(1500)
    z = regression_z(X, np.zeros(1500), y, seed=0)
    noisy = X[:, 0] > 0.85
    # With one scale for all, half of these rows would lie beyond 3.
    assert np.mean(np.abs(z[noisy]) > 3) < 0.03
    assert np.std(z[noisy]) == pytest.approx(np.std(z[X[:, 0] < 0.75]), rel=0.5)


def test_deviates_are_as_rare_as_they_say_with_heavy_tails() -> None:
    rng = np.random.default_rng(4)
    X = rng.random((4000, 2))
    z = regression_z(X, np.zeros(4000), rng.standard_t(4, 4000), seed=0)
    # 4000 normal deviates have 10.8 beyond 3 in either direction; the largest is rarely above 4.5.
    assert np.count_nonzero(np.abs(z) > 3) <= 25
    assert np.abs(z).max() < 5.0


def test_a_wrong_class_is_found_where_the_scores_are_sure() -> None:
    rng = np.random.default_rng(5)
    odds = 8.0 * rng.standard_normal(2000)
    score = 1.0 / (1.0 + np.exp(-odds))
    y = (rng.random(2000) < score).astype(float)
    clean = anomalies(class_z(score, y)).rows
    sure = int(np.argsort(odds)[40])
    y[sure] = 1.0 - y[sure]
    z = class_z(score, y)
    assert sure in anomalies(z).rows
    assert z[sure] > 0
    assert len(clean) <= 1


def test_classes_that_are_drawn_by_chance_accuse_nobody() -> None:
    rng = np.random.default_rng(6)
    score = rng.uniform(0.1, 0.9, 2000)
    loud = 0
    for _ in range(10):
        y = (rng.random(2000) < score).astype(float)
        loud += len(anomalies(class_z(score, y)).rows) > 0
    assert loud <= 3
