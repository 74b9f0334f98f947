"""Anomalies: leave-one-out z of the process, a rate that holds, and outliers that are found."""

import numpy as np
import pytest

from labctl_models.audit.anomalies import ADVICE, AnomalyCheck, anomalies, leave_one_out_z
from labctl_models.audit.finding import NotApplicableError
from labctl_models.audit.table import AuditTable
from labctl_models.surrogates.gp import GaussianProcess


def test_z_equals_predictions_without_the_row() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((25, 2))
    fitted = GaussianProcess().fit(X, 10 * np.sin(5 * X[:, 0]) + rng.standard_normal(25), seed=0)
    l, noise = fitted.lengthscales, fitted.noise_variance  # noqa: E741  its name in the literature

    def k(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        s = np.sqrt(5) * np.sqrt((((A[:, None] - B[None]) / l) ** 2).sum(axis=2))
        return np.asarray((1 + s + s * s / 3) * np.exp(-s))

    z = leave_one_out_z(fitted)
    u = (fitted.y - fitted.shift) / fitted.scale - fitted.mean
    for i in range(25):
        rest = np.delete(np.arange(25), i)
        inverse = np.linalg.inv(k(X[rest], X[rest]) + noise * np.eye(24))
        cross = k(X[[i]], X[rest])[0]
        sd = np.sqrt(1 - cross @ inverse @ cross + noise)
        assert z[i] == pytest.approx((u[i] - cross @ inverse @ u[rest]) / sd, rel=1e-6)


def test_the_rate_holds_and_outliers_are_first() -> None:
    rng = np.random.default_rng(1)
    assert np.mean([len(anomalies(rng.standard_normal(50)).rows) > 0 for _ in range(400)]) <= 0.145
    z = rng.standard_normal(100)
    z[[3, 40]] = [-6.0, 8.0]
    z[5] = np.nan
    found = anomalies(z)
    assert list(found.rows[:2]) == [40, 3]
    assert found.advice == ADVICE == "replicate first"
    assert np.isnan(found.p[5])
    assert np.isnan(found.q[5])


def test_false_discoveries_are_at_most_a_tenth() -> None:
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(200):
        z = rng.standard_normal(100)
        z[:10] += 5.0
        rows = anomalies(z).rows
        shares.append(np.mean(rows >= 10) if len(rows) else 0.0)
    assert np.mean(shares) <= 0.115


def test_the_check_finds_a_planted_fault() -> None:
    rng = np.random.default_rng(3)
    X = rng.random((60, 2))
    y = 5 * X[:, 0] + 0.1 * rng.standard_normal(60)
    y[17] += 4.0
    z = leave_one_out_z(GaussianProcess().fit(X, y, seed=0))
    (found,) = AnomalyCheck().run(AuditTable(X, y, z=z), seed=0)
    assert np.asarray(found.detail["rows"])[0] == 17
    assert found.detail["sure"] == 1
    assert "Replicate first" in found.remedy
    with pytest.raises(NotApplicableError, match="too few"):
        AnomalyCheck().run(AuditTable(X, y, z=np.full(60, np.nan)), seed=0)
