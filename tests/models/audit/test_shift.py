"""A rate of success planted in a pool is recovered, and no rate is named where scores cannot tell it."""

import numpy as np
import pytest

from labctl_models.audit.finding import NotApplicableError
from labctl_models.audit.selection import SuccessShareCheck
from labctl_models.audit.shift import Rate, shifted_rate, unseen_scores
from labctl_models.audit.table import AuditTable


def drawn(seed: int, *, rate: float, signal: float, n: int = 600, off: float = 0.0) -> AuditTable:
    """A table with 71 % successes and a pool with `rate`, whose successes lie `signal` widths aside."""
    rng = np.random.default_rng(seed)

    def recipes(count: int, share: float) -> tuple[np.ndarray, np.ndarray]:
        success = (rng.random(count) < share).astype(float)
        X = 0.5 + 0.12 * rng.standard_normal((count, 4))
        X[:, 0] += 0.12 * signal * success
        return X, success

    X, y = recipes(n, 0.71)
    pool, _ = recipes(1500, rate)
    return AuditTable(X, y, outcome="classification", pool=pool + off)


def estimated(table: AuditTable, seed: int) -> Rate:
    return shifted_rate(*unseen_scores(table, seed=seed), seed=seed, resamples=99)


@pytest.mark.parametrize("seed", range(4))
def test_five_percent_planted_in_a_pool_are_recovered_within_four(seed: int) -> None:
    found = estimated(drawn(seed, rate=0.05, signal=2.5), seed)
    assert found.value == pytest.approx(0.05, abs=0.04)
    assert found.low <= 0.05 <= found.high
    assert found.high < 0.2
    assert found.p <= 0.02


def test_the_interval_holds_the_rate_also_where_classes_overlap() -> None:
    held = []
    for seed in range(8):
        found = estimated(drawn(seed, rate=0.3, signal=1.5, n=300), seed)
        held.append(found.low <= 0.3 <= found.high)
    # At 95 % fewer than 6 of 8 would happen once in 170 times.
    assert sum(held) >= 6


def test_the_tables_own_rate_is_told_from_no_other() -> None:
    found = [estimated(drawn(seed, rate=0.71, signal=2.0), seed).p for seed in range(5)]
    assert min(found) > 0.02


@pytest.mark.parametrize("seed", range(4))
def test_without_signal_there_is_no_estimate(seed: int) -> None:
    table = drawn(seed, rate=0.05, signal=0.0)
    with pytest.raises(NotApplicableError, match=r"cannot tell successes from failures|no estimate"):
        estimated(table, seed)
    with pytest.raises(NotApplicableError):
        SuccessShareCheck().run(table, seed=seed)


def test_candidates_of_another_kind_are_no_matter_of_rates() -> None:
    with pytest.raises(NotApplicableError, match="differ in more than how often"):
        estimated(drawn(0, rate=0.5, signal=2.0, off=-0.4), 0)


def test_scores_that_are_far_too_sure_are_calibrated_first() -> None:
    rng = np.random.default_rng(1)

    def scores(n: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
        y = (rng.random(n) < rate).astype(float)
        # The true log-odds at equal rates are 2x - 2; these scores say five times as much.
        return 1.0 / (1.0 + np.exp(-5.0 * (2.0 * (rng.standard_normal(n) + 2.0 * y) - 2.0))), y

    known, y = scores(800, 0.5)
    pool, _ = scores(1500, 0.1)
    found = shifted_rate(pool, known, y, seed=0, resamples=99)
    assert found.value == pytest.approx(0.1, abs=0.04)


def test_too_few_of_a_kind_are_said() -> None:
    table = drawn(0, rate=0.5, signal=2.0, n=20)
    with pytest.raises(NotApplicableError, match="10 rows of either kind"):
        unseen_scores(table, seed=0)
