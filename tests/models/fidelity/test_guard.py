"""The guard trusts a source that tells of the target, and neither chance nor a source that misleads."""

import math

import numpy as np
import pytest

from labctl_models.fidelity.guard import FEWEST, judge
from labctl_models.fidelity.readings import Readings
from labctl_models.surrogates.protocol import Array


def bowl(X: Array) -> Array:
    """Branin on the unit square, turned over."""
    a, b = 15 * X[:, 0] - 5, 15 * X[:, 1]
    hill = (b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6) ** 2
    return -np.asarray(hill + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10)


def readings(cheap: str, *, seed: int = 0, n: int = 12) -> Readings:
    """Recipes (n) with target and cheap reading each; the cheap one is near the truth, or another's."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, 2))
    full = bowl(X)
    other = {
        "good": 3 + 0.1 * full + 0.2 * rng.standard_normal(n),
        "opposite": -full + 2 * rng.standard_normal(n),
        "permuted": rng.permutation(full),
    }[cheap]
    return Readings(np.vstack([X, X]), np.repeat([0, 1], n), np.concatenate([other, full]), 2)


@pytest.mark.parametrize("cheap", ["good", "opposite"])
def test_a_source_that_tells_of_the_target_is_used(cheap: str) -> None:
    judged = judge(readings(cheap), seed=0)
    (judgement,) = judged.judgements
    assert judged.used == (0,)
    assert judgement.standing == "helps"
    assert judgement.low > 0.0
    assert judgement.correlation * (1 if cheap == "good" else -1) > 0.5
    assert "predicts the target better" in judgement.because
    assert judged.together is not None
    assert judged.together.card.n == 24


def test_chance_is_hardly_ever_trusted_and_said_to_be_dropped() -> None:
    standings = [judge(readings("permuted", seed=seed), seed=0).judgements[0] for seed in range(10)]
    assert sum(judgement.used for judgement in standings) <= 1
    assert sum(judgement.standing == "dropped" for judgement in standings) >= 9
    said = next(judgement for judgement in standings if judgement.standing == "dropped")
    assert "does not help" in said.because or "misleads" in said.because


def test_too_few_readings_are_not_judged() -> None:
    for n in range(1, FEWEST):
        judged = judge(readings("good", n=n), seed=0)
        assert judged.used == ()
        assert judged.judgements[0].standing == "unproven"
        assert math.isnan(judged.judgements[0].gain)
        assert f"from {FEWEST} readings on" in judged.judgements[0].because


def test_a_dropped_source_comes_back_when_the_evidence_changes() -> None:
    # An instrument that was mis-set is read anew after a repair, and its first readings are withdrawn.
    wrong, right = readings("permuted", seed=1), readings("good", seed=1)
    first = judge(wrong, seed=0)
    assert first.judgements[0].standing == "dropped"
    assert judge(right, seed=0, before=first).used == (0,)


def test_of_two_sources_only_the_helpful_one_is_used() -> None:
    good, bad = readings("good"), readings("permuted")
    three = Readings(
        np.vstack([bad.X[:12], good.X]),
        np.repeat([0, 1, 2], 12),
        np.concatenate([bad.y[:12], good.y]),
        3,
    )
    judged = judge(three, seed=0)
    assert judged.used == (1,)
    assert [judgement.source for judgement in judged.judgements] == [0, 1]
    assert judged.together is not None
    assert set(judged.together.source.tolist()) == {1, 2}


def test_the_same_readings_give_the_same_judgement() -> None:
    assert judge(readings("good"), seed=3).judgements == judge(readings("good"), seed=3).judgements
