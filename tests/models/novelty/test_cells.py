"""Cells against counts by hand, and laws that hold for any cells."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from labctl_models.novelty.cells import Grid, Tessellation, coverage, elites, qd_score


def test_a_grid_by_hand() -> None:
    grid = Grid(np.array([0.0, 10.0]), np.array([1.0, 20.0]), (2, 5))
    found = grid.cell(np.array([[0.0, 10.0], [0.49, 11.9], [0.5, 12.0], [1.0, 20.0], [9.0, -5.0]]))
    assert found.tolist() == [0, 0, 6, 9, 5]


def test_the_best_of_each_cell_coverage_and_score_by_hand() -> None:
    cells, values = np.array([3, 1, 3, 1, 3]), np.array([2.0, 5.0, 7.0, 5.0, 7.0])
    kept = elites(cells, values)
    assert kept.cell.tolist() == [1, 3]
    assert kept.row.tolist() == [1, 2]  # the first of equals
    assert kept.value.tolist() == [5.0, 7.0]
    assert qd_score(kept, 2.0) == 8.0
    assert coverage(cells, np.array([0, 1, 2, 3, 3])) == 0.5
    # A cell that nothing reaches does not raise the coverage.
    assert coverage(np.array([9]), np.array([0, 1])) == 0.0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(1, 30), count=st.integers(1, 12), d=st.integers(1, 5))
def test_cells_part_the_space_and_results_only_ever_add(seed: int, n: int, count: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    reachable, done, worth = rng.random((60, d)), rng.random((n, d)), rng.normal(size=n)
    parts = Tessellation.over(reachable, count, seed)
    assert len(parts.centres) == min(count, 60)
    cells = parts.cell(done)
    np.testing.assert_array_equal(cells, cdist(done, parts.centres).argmin(axis=1))
    shares = [coverage(cells[: i + 1], parts.cell(reachable)) for i in range(n)]
    assert shares == sorted(shares)
    scores = [qd_score(elites(cells[: i + 1], worth[: i + 1]), worth.min()) for i in range(n)]
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(scores))
    again = Tessellation.over(reachable, count, seed)
    np.testing.assert_array_equal(parts.centres, again.centres)


def test_all_that_is_reachable_covers_everything() -> None:
    X = np.random.default_rng(0).random((300, 3))
    for parts in (Grid.over(X, 4), Tessellation.over(X, 20, 0)):
        assert coverage(parts.cell(X), parts.cell(X)) == 1.0


def test_cells_of_a_uniform_square_have_about_equal_content() -> None:
    X = np.random.default_rng(0).random((20_000, 2))
    parts = Tessellation.over(X, 25, seed=1)
    content = np.bincount(parts.cell(X), minlength=25) / len(X)
    assert content.min() > 0.5 / 25
    assert content.max() < 2.0 / 25


def test_fewer_distinct_recipes_than_cells_are_a_cell_each() -> None:
    X = np.array([[0.0], [0.5], [0.5], [1.0]])
    assert Tessellation.over(X, 32, 0).centres.ravel().tolist() == [0.0, 0.5, 1.0]


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(ValueError, match="use a tessellation"):
        Grid.over(np.random.default_rng(0).random((4, 40)), 10)
    with pytest.raises(ValueError, match="do not fit"):
        Grid.over(np.zeros((3, 2)), (4,))
    with pytest.raises(ValueError, match="cannot be parted"):
        Tessellation.over(np.empty((0, 2)), 4, 0)
    with pytest.raises(ValueError, match="no cell is reachable"):
        coverage(np.array([1]), np.array([], dtype=int))
    with pytest.raises(ValueError, match="finite values"):
        elites(np.array([1]), np.array([np.nan]))
