"""Residuals are of rows that the model had not seen, in the units of the outcome."""

import math

import numpy as np
import pytest

from labctl_models.audit import residuals as module
from labctl_models.audit.residuals import with_residuals
from labctl_models.audit.table import AuditTable
from labctl_models.surrogates.gp import GaussianProcess


def test_few_rows_get_the_process_and_its_z() -> None:
    rng = np.random.default_rng(0)
    X = 100 * rng.random((40, 2))
    failed = np.arange(40) % 10 == 0
    y = np.where(failed, math.nan, X[:, 0] + rng.standard_normal(40))
    table = with_residuals(AuditTable(X, y, failed=failed), seed=0)
    assert table.residuals is not None
    assert table.z is not None
    assert np.array_equal(np.isnan(table.residuals), failed)
    kept = X[~failed]
    unit = (kept - kept.min(axis=0)) / np.ptp(kept, axis=0)
    fitted = GaussianProcess().fit(unit, y[~failed], seed=0)
    np.testing.assert_allclose(table.residuals[~failed], y[~failed] - fitted.leave_one_out().mean)


def test_many_rows_get_a_forest_that_had_not_seen_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FOR_A_PROCESS", 50)
    rng = np.random.default_rng(1)
    X, noise = rng.random((300, 2)), rng.standard_normal(300)
    table = with_residuals(AuditTable(X, 10 * X[:, 0] + noise), seed=0)
    assert table.residuals is not None
    assert table.z is not None
    assert 0.8 < table.z.std() < 1.2
    # A forest that had seen the rows would have swallowed most of the noise.
    assert np.corrcoef(table.residuals, noise)[0, 1] > 0.9
    assert 0.9 < table.residuals.std() < 1.3


def test_what_is_there_already_or_cannot_be_had_stays() -> None:
    X = np.random.default_rng(2).random((30, 2))
    given = AuditTable(X, X[:, 0], residuals=X[:, 1])
    assert with_residuals(given, seed=0) is given
    constant = AuditTable(X, np.ones(30))
    assert with_residuals(constant, seed=0).residuals is None
    assert with_residuals(AuditTable(X[:9], X[:9, 0]), seed=0).residuals is None
