"""The checks that labctl adds: zeros a card knows, rates nobody stated, and predictions made before."""

import numpy as np
import pytest

from labctl.audit.extra import CalibrationCheck, KnownZerosCheck, UnstatedRateCheck
from labctl_models.audit.finding import NotApplicableError
from labctl_models.audit.table import AuditTable


def table(**more: object) -> AuditTable:
    rng = np.random.default_rng(0)
    n = 60
    given = {"X": rng.random((n, 2)), "y": rng.random(n) + 1.0, **more}
    return AuditTable(**given)  # type: ignore[arg-type]


def test_zeros_that_failed_are_counted_and_others_are_not() -> None:
    y = np.arange(60.0)
    y[:4] = 0.0
    failed = np.zeros(60, dtype=bool)
    failed[:3] = True
    kinds = np.where(failed, "censored", "")
    found = KnownZerosCheck().run(table(y=y, failed=failed, failure_kinds=kinds), seed=0)
    assert [f.value for f in found] == [3.0]
    assert found[0].level == "low"
    assert KnownZerosCheck().run(table(failed=failed), seed=0) == []
    with pytest.raises(NotApplicableError, match="nobody wrote down"):
        KnownZerosCheck().run(table(), seed=0)


def test_mostly_successes_without_a_rate_is_said_and_a_stated_rate_ends_it() -> None:
    y = (np.arange(60) % 5 > 0).astype(float)
    found = UnstatedRateCheck().run(table(y=y, outcome="classification"), seed=0)
    assert found[0].value == pytest.approx(0.8)
    assert found[0].expected is None
    with pytest.raises(NotApplicableError):
        UnstatedRateCheck().run(table(y=y, outcome="classification", true_rate=0.1), seed=0)
    assert UnstatedRateCheck().run(table(y=1 - y, outcome="classification"), seed=0) == []


def test_an_alarm_is_a_finding_and_honest_predictions_are_none() -> None:
    rng = np.random.default_rng(1)
    z = rng.standard_normal(60)
    honest = np.column_stack([z, np.zeros(60), np.ones(60)])
    assert list(CalibrationCheck(honest).run(table(), seed=0)) == []
    sure = np.column_stack([4 * z, np.zeros(60), np.ones(60)])
    found = CalibrationCheck(sure).run(table(), seed=0)
    assert found[0].level == "high"
    assert found[0].value < 0.9
    with pytest.raises(NotApplicableError, match="8 are needed"):
        CalibrationCheck(honest[:5]).run(table(), seed=0)
