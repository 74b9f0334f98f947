"""The alarm is valid at any time, sees narrow intervals, and scores follow their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from labctl_models.audit.prospective import ALARM, BETS, inflation, miss_evidence, skill, watch


def test_scores_by_definition() -> None:
    y, mean, sd = np.array([1.0, 2.0, 9.0]), np.array([1.0, 3.0, 4.0]), np.array([1.0, 0.5, 2.0])
    found = watch(y, mean, sd)
    np.testing.assert_allclose(found.z, [0, -2, 2.5])
    np.testing.assert_allclose(found.log_score, norm.logpdf(y, mean, sd))
    assert list(found.covered) == [True, False, False]
    assert found.coverage == pytest.approx(1 / 3)
    assert found.alarm_at is None
    assert found.inflation == 1.0


def test_evidence_is_the_mean_of_bets_played_one_by_one() -> None:
    missed = np.array([True, False, False, True, True])
    money = np.ones(len(BETS))
    for miss, evidence in zip(missed, miss_evidence(missed, 0.1), strict=True):
        money *= 1 + np.array(BETS) / 0.1 * (miss - 0.1)
        assert evidence == pytest.approx(money.mean())


def test_honest_intervals_raise_the_alarm_in_at_most_one_of_twenty_campaigns_at_any_time() -> None:
    rng = np.random.default_rng(0)
    campaigns, results = 4000, 400
    alarms = sum(
        bool(np.any(miss_evidence(missed, 0.1) >= ALARM)) for missed in rng.random((campaigns, results)) < 0.1
    )
    assert alarms / campaigns <= 0.05
    # And it is no empty promise: some campaigns do come close.
    assert alarms > 0


@pytest.mark.parametrize(("too_small", "within"), [(2.0, 60), (3.0, 25)])
def test_narrow_intervals_are_seen_soon(too_small: float, within: int) -> None:
    rng = np.random.default_rng(1)
    at = []
    for _ in range(200):
        y = too_small * rng.standard_normal(200)
        at.append(watch(y, np.zeros(200), np.ones(200)).alarm_at or 201)
    assert np.median(at) <= within


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), t=st.integers(0, 60), more=st.integers(1, 30))
def test_what_was_scored_stays_scored(seed: int, t: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    y, sd = 2 * rng.standard_normal(t + more), rng.random(t + more) + 0.5
    early, late = watch(y[:t], y[:t] * 0, sd[:t]), watch(y, y * 0, sd)
    np.testing.assert_allclose(late.evidence[:t], early.evidence, rtol=1e-12)
    if early.alarm_at is not None:
        assert late.alarm_at == early.alarm_at


def test_inflation_restores_the_coverage() -> None:
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(100):
        past, future = 2.5 * rng.standard_normal((2, 100))
        covered.append(np.mean(np.abs(future) <= 1.6448536 * inflation(past)))
    # Conformal: 90 % at the least, 90 % + 1/101 at the most, on average.
    assert 0.89 <= np.mean(covered) <= 0.925
    assert inflation(np.zeros(0)) == 1.0
    assert inflation(np.array([3.0, 4.0])) == pytest.approx(math.sqrt(12.5))
    assert inflation(0.1 * rng.standard_normal(50)) == 1.0


def test_long_campaigns_do_not_overflow() -> None:
    evidence = miss_evidence(np.ones(5000, bool), 0.1)
    assert not np.any(np.isnan(evidence))
    assert evidence[-1] >= 1e300
    assert miss_evidence(np.zeros(5000, bool), 0.1)[-1] < 1.0


def test_skill_is_a_paired_difference() -> None:
    gain, error = skill(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 2.0]))
    assert gain == pytest.approx(4 / 3)
    assert error == pytest.approx(np.std([1, 2, 1], ddof=1) / math.sqrt(3))
    assert math.isnan(skill(np.empty(0), np.empty(0))[0])


def test_no_results_yet() -> None:
    found = watch(np.empty(0), np.empty(0), np.empty(0))
    assert found.alarm_at is None
    assert math.isnan(found.coverage)
    assert found.interval == (0.0, 1.0)


@pytest.mark.parametrize(
    ("y", "sd", "coverage", "sentence"),
    [
        (np.ones(2), np.ones(3), 0.9, "as many"),
        (np.array([math.nan]), np.ones(1), 0.9, "leave failed experiments out"),
        (np.ones(1), np.zeros(1), 0.9, "sds positive"),
        (np.ones(1), np.ones(1), 1.0, "strictly between"),
    ],
)
def test_wrong_requests_are_refused(y: np.ndarray, sd: np.ndarray, coverage: float, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        watch(y, np.zeros(len(y)), sd, coverage=coverage)


def test_a_certainty_that_was_wrong_by_any_factor_is_a_miss_and_a_number() -> None:
    y, mean, sd = np.full(30, 1e20), np.full(30, 1e-300), np.full(30, 1e-300)
    found = watch(y, mean, sd)
    assert not found.covered.any()
    assert found.alarm_at is not None
    assert np.isfinite(found.z).all()
    assert np.isfinite(found.log_score).all()
    assert np.isfinite(found.inflation)
    # The score is that of the largest miss there is: 0.5 z² below the density's peak.
    assert found.log_score[0] == pytest.approx(-0.5 * found.z[0] ** 2)
