"""Space-filling designs fill the space, and lists are thinned by the farthest row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.design import maximin_subset, sobol


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 100])
def test_sobol_has_n_points_in_the_cube_and_begins_as_the_longer_one(n: int) -> None:
    points = sobol(n, 3, seed=5)
    assert points.shape == (n, 3)
    assert ((points >= 0) & (points < 1)).all()
    # The same seed scrambles alike, so a design can be continued.
    assert np.array_equal(points, sobol(128, 3, seed=5)[:n])


def test_sobol_differs_by_seed() -> None:
    assert not np.array_equal(sobol(8, 2, 0), sobol(8, 2, 1))


@settings(max_examples=20, deadline=None)
@given(m=st.integers(1, 7), d=st.integers(1, 10), seed=st.integers(0, 1000))
def test_sobol_of_a_power_of_two_fills_every_slice_of_every_column_once(m: int, d: int, seed: int) -> None:
    points = sobol(2**m, d, seed)
    for column in points.T:
        assert sorted(np.floor(column * 2**m).astype(int)) == list(range(2**m))


def test_sobol_refuses_a_negative_number() -> None:
    with pytest.raises(ValueError, match="n is -1"):
        sobol(-1, 2, 0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 40), d=st.integers(1, 4), data=st.data())
def test_each_choice_is_the_farthest_from_all_before_it(
    seed: int, size: int, d: int, data: st.DataObject
) -> None:
    pool = np.random.default_rng(seed).random((size, d))
    n = data.draw(st.integers(1, size))
    chosen = maximin_subset(pool, n, seed)
    assert len(set(chosen.tolist())) == n
    for step in range(1, n):
        gaps = np.linalg.norm(pool[:, None] - pool[chosen[:step]][None], axis=2).min(axis=1)
        assert gaps[chosen[step]] == pytest.approx(gaps.max())


def test_corners_come_first() -> None:
    pool = np.array([[0.5, 0.5], [0, 0], [0.4, 0.5], [1, 1], [0, 1], [1, 0]])
    assert set(maximin_subset(pool, 4, seed=0, known=pool[:1]).tolist()) == {1, 3, 4, 5}


def test_known_recipes_are_kept_away_from_and_ties_go_to_the_lower_row() -> None:
    pool = np.array([[0.0], [0.25], [0.5], [1.0]])
    assert maximin_subset(pool, 2, seed=3, known=np.array([[0.5]])).tolist() == [0, 3]
    # Nothing known: an empty array is as good as none.
    assert maximin_subset(pool, 1, 3, known=np.empty((0, 1))).tolist() == maximin_subset(pool, 1, 3).tolist()


def test_the_first_choice_is_the_seeds() -> None:
    pool = np.linspace(0, 1, 50)[:, None]
    firsts = {int(maximin_subset(pool, 1, seed)[0]) for seed in range(20)}
    assert len(firsts) > 5
    assert np.array_equal(maximin_subset(pool, 9, 4), maximin_subset(pool, 9, 4))


def test_equal_rows_are_taken_last_and_never_twice() -> None:
    pool = np.array([[0.0], [0.0], [1.0], [1.0]])
    chosen = maximin_subset(pool, 4, seed=0)
    assert sorted(chosen.tolist()) == [0, 1, 2, 3]
    assert {pool[i, 0] for i in chosen[:2]} == {0.0, 1.0}


def test_the_pool_is_cut_into_blocks_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = np.random.default_rng(0).random((1000, 3))
    whole = maximin_subset(pool, 20, seed=1)
    monkeypatch.setattr("labctl_models.design.CHUNK_ROWS", 7)
    assert np.array_equal(maximin_subset(pool, 20, seed=1), whole)


def test_more_rows_than_the_pool_has_are_refused() -> None:
    with pytest.raises(ValueError, match="5 rows were asked of a pool of 4"):
        maximin_subset(np.zeros((4, 2)), 5, seed=0)
    assert maximin_subset(np.zeros((0, 2)), 0, seed=0).shape == (0,)
