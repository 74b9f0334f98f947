"""The domain of applicability: what lies inside, and what is nearest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from labctl_models.validation.domain import Domain

GRID = np.array([[x, y] for x in range(5) for y in range(5)], dtype=float)


def test_between_the_recipes_is_inside_and_far_is_outside() -> None:
    place = Domain.of(GRID).place(np.array([[2.2, 2.1], [5.5, 2.0], [40.0, 2.0]]))
    assert place.stamp == ("inside", "edge", "outside")
    assert place.nearest[:, 0].tolist()[0] == 12
    assert place.percentile[2] == 1.0
    assert (place.percentile[:2] <= [0.0, 1.0]).all()


def test_units_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    X, Q = rng.random((40, 3)), rng.random((100, 3)) * 1.5
    unit = np.array([1e-3, 1.0, 1e4])
    one, other = Domain.of(X).place(Q), Domain.of(X * unit + 5).place(Q * unit + 5)
    assert one.stamp == other.stamp
    np.testing.assert_allclose(one.distance, other.distance, rtol=1e-6)


def test_a_column_that_never_varied_takes_a_recipe_out_of_the_domain() -> None:
    X = np.column_stack([np.random.default_rng(0).random((30, 2)), np.full(30, 7.0)])
    inside = X[:1].copy()
    changed = np.add(inside, [0.0, 0.0, 50.0])
    assert Domain.of(X).place(np.vstack([inside, changed])).stamp == ("inside", "outside")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 40), k=st.integers(1, 3))
def test_nearest_rows_are_those_of_brute_force(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    X, Q = rng.random((n, 3)), rng.random((7, 3))
    place = Domain.of(X).place(Q, k=k)
    D = cdist(Q / X.std(axis=0), X / X.std(axis=0))
    np.testing.assert_array_equal(place.nearest, np.argsort(D, axis=1)[:, : min(k, n)])
    np.testing.assert_allclose(place.distance, D.min(axis=1))


def test_nearest_success_and_failure() -> None:
    rng = np.random.default_rng(0)
    X, success = rng.random((30, 2)), np.arange(30) % 3 == 0
    domain = Domain.of(X)
    for kind in (success, ~success):
        assert kind[domain.place(rng.random((5, 2)), k=2, among=kind).nearest].all()
    with pytest.raises(ValueError, match="no known recipe of that kind"):
        domain.place(X, among=np.zeros(30, dtype=bool))


def test_about_one_in_twenty_known_recipes_lies_beyond_the_inside() -> None:
    X = np.random.default_rng(0).standard_normal((400, 3))
    domain = Domain.of(X)
    assert (domain.own > domain.inside).mean() == pytest.approx(0.05, abs=0.005)


def test_one_recipe_has_no_domain() -> None:
    with pytest.raises(ValueError, match="at least 2 recipes"):
        Domain.of(np.ones((1, 2)))
