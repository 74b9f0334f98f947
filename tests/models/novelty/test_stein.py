"""Stein novelty equals the published sum, and its mean over normals equals draws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.novelty.stein import Scale, expected_stein_novelty, stein_novelty, usual_variance
from labctl_models.surrogates.protocol import Array


def published(point: Array, observed: Array, s: float) -> float:
    """The sum of Terayama et al. (2020), term by term."""
    n, d = len(observed), len(point)
    total = 0.0
    for y in observed:
        r2 = sum((a - b) ** 2 for a, b in zip(point, y, strict=True))
        total += (d / s - r2 / s**2) * math.exp(-r2 / (2 * s))
    return -2.0 * total / (n * (n + 1))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(1, 12), p=st.integers(1, 4), s=st.floats(0.1, 4.0))
def test_equals_the_published_sum(seed: int, n: int, p: int, s: float) -> None:
    rng = np.random.default_rng(seed)
    points, observed = rng.normal(size=(6, p)), rng.normal(size=(n, p))
    expected = [published(point, observed, s) for point in points]
    np.testing.assert_allclose(stein_novelty(points, observed, variance=s), expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(("p", "s"), [(1, 1.0), (2, 1.0), (2, 0.5), (3, 1.0)])
def test_one_outcome_is_most_novel_at_the_radius_that_calculus_gives(p: int, s: float) -> None:
    # d/dr of (r²/s² - p/s) exp(-r²/2s) is 0 at r² = s (p + 2).
    r = np.linspace(0.0, 6.0, 6001)
    novelty = stein_novelty(np.column_stack([r, *[np.zeros_like(r)] * (p - 1)]), np.zeros((1, p)), variance=s)
    assert r[novelty.argmax()] == pytest.approx(math.sqrt(s * (p + 2)), abs=1e-3)
    assert novelty[0] == pytest.approx(-p / s)
    assert abs(novelty[-1]) < 1e-5 * novelty.max() + 2e-6


@pytest.mark.parametrize("p", [1, 2])
def test_the_mean_over_a_normal_equals_many_draws(p: int) -> None:
    rng = np.random.default_rng(3)
    observed, mean, sd = rng.normal(size=(7, p)), rng.normal(size=p), rng.uniform(0.2, 1.5, size=p)
    drawn = stein_novelty(mean + sd * rng.standard_normal((400_000, p)), observed)
    found = float(expected_stein_novelty(mean[None], sd[None], observed)[0])
    assert found == pytest.approx(drawn.mean(), abs=5 * drawn.std() / math.sqrt(len(drawn)))
    assert abs(found - float(stein_novelty(mean[None], observed)[0])) > 20 * drawn.std() / math.sqrt(
        len(drawn)
    )


def test_a_gap_between_outcomes_is_novel_to_the_usual_kernel_and_not_to_a_fixed_one() -> None:
    # Two groups of outcomes, three widths apart; the gap is at 0.
    observed = np.concatenate([np.linspace(-2.0, -1.0, 30), np.linspace(1.0, 2.0, 30)])[:, None]
    found = stein_novelty(np.array([[0.0], [1.5]]), observed, variance=usual_variance(60, 1))
    assert found[0] > 0.0 > found[1]
    assert stein_novelty(np.zeros((1, 1)), observed)[0] < found[0]


def test_the_usual_variance_is_scott_s_rule() -> None:
    # Bandwidth n^(-1/(p + 4)) for data of unit sd.
    assert [usual_variance(n, p) for n, p in ((1, 1), (32, 1), (64, 2))] == pytest.approx([1.0, 0.25, 0.25])


def test_many_candidates_are_scored_in_blocks_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    mean, sd, observed = rng.normal(size=(50, 2)), rng.random((50, 2)), rng.normal(size=(9, 2))
    whole = expected_stein_novelty(mean, sd, observed)
    monkeypatch.setattr("labctl_models.novelty.stein.CHUNK_ENTRIES", 60)
    np.testing.assert_allclose(expected_stein_novelty(mean, sd, observed), whole, rtol=1e-13)


def test_nothing_observed_makes_nothing_novel_and_odd_requests_are_refused() -> None:
    assert np.array_equal(stein_novelty(np.zeros((2, 1)), np.empty((0, 1))), [0.0, 0.0])
    with pytest.raises(ValueError, match="must be above 0"):
        stein_novelty(np.zeros((1, 1)), np.zeros((1, 1)), variance=0.0)
    with pytest.raises(ValueError, match="as many columns"):
        stein_novelty(np.zeros((1, 2)), np.zeros((1, 1)))


def test_one_strange_reading_does_not_stretch_the_scale() -> None:
    steady = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0]])
    strange = np.vstack([steady, [[1e6]]])
    assert Scale.of(strange).width[0] < 2 * Scale.of(steady).width[0]
    assert strange.std() / steady.std() > 1e5


def test_the_scale_of_a_normal_sample_is_its_sd() -> None:
    sample = np.random.default_rng(1).normal(5.0, 3.0, size=(200_000, 1))
    found = Scale.of(sample)
    assert found.centre[0] == pytest.approx(5.0, abs=0.05)
    assert found.width[0] == pytest.approx(3.0, rel=0.02)


def test_few_or_equal_outcomes_have_a_width_and_noise_is_its_floor() -> None:
    assert Scale.of(np.array([[2.0], [2.0], [2.0]])).width[0] == 1.0
    mostly_equal = Scale.of(np.array([[2.0], [2.0], [2.0], [6.0]])).width[0]
    assert mostly_equal == pytest.approx(math.sqrt(math.pi / 2))
    assert Scale.of(np.array([[1.0], [1.1]]), np.array([4.0])).width[0] == 4.0
    with pytest.raises(ValueError, match="at least one observed outcome"):
        Scale.of(np.empty((0, 2)))


def of_very_different_size() -> list[Array]:
    """Outcomes as people have them who mix up units: most of them next to nothing, one of them huge."""
    tiny = np.arange(11) * 1e-300
    return [
        np.append(tiny, 1e149)[:, None],
        np.array([[1e-300]] * 8 + [[1e20]] * 4),
        np.column_stack([np.append(tiny, -1e149), np.linspace(0.0, 1.0, 12)]),
    ]


@pytest.mark.parametrize("outcomes", of_very_different_size(), ids=["one", "some", "two_goals"])
def test_outcomes_of_very_different_size_have_finite_novelties(outcomes: Array) -> None:
    scale = Scale.of(outcomes)
    known = scale.standardised(outcomes)
    assert np.isfinite(known).all()
    # Their order is kept, and beyond the farthest nothing is told apart.
    for column, given_as in zip(known.T, outcomes.T, strict=True):
        assert (np.diff(column[np.argsort(given_as, kind="stable")]) >= 0.0).all()
    novelty = expected_stein_novelty(known, scale.widths(np.abs(outcomes)), known, variance=0.4)
    assert np.isfinite(novelty).all()


def test_a_usual_outcome_is_not_moved_by_the_farthest() -> None:
    outcomes = np.random.default_rng(0).normal(5.0, 2.0, (30, 2))
    scale = Scale.of(outcomes)
    np.testing.assert_array_equal(scale.standardised(outcomes), (outcomes - scale.centre) / scale.width)
    np.testing.assert_array_equal(scale.widths(outcomes), outcomes / scale.width)
