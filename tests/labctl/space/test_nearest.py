"""The lawful recipe nearest to a wish: the wish itself where it is lawful, else the closest there is."""

import itertools

import numpy as np
import pytest

from labctl.law import read_rule
from labctl.space import (
    Categorical,
    Condition,
    Continuous,
    Forbidden,
    Integer,
    Linear,
    Mixture,
    Space,
    Sparse,
    sample,
)


def amount(step: float | None = None, high: float = 10.0) -> Continuous:
    return Continuous(unit="gram", low=0, high=high, step=step)


def test_a_lawful_wish_is_granted_as_it_is() -> None:
    space = Space(
        {"a": amount(), "b": amount(), "k": Categorical(choices=("x", "y"))},
        {"m": Mixture(parts=("a", "b"), total=10, unit="gram")},
    )
    wish = {"a": 2.5, "b": 7.5, "k": "y"}
    assert space.nearest_lawful(space.encode([wish])[0]) == wish


@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_nearest_of_all_where_all_can_be_listed(seed: int) -> None:
    """Sum of distances in each number's own range, as the projection promises; listed one by one."""
    space = Space(
        {"a": amount(1.0), "b": amount(2.0), "n": Integer(unit="gram", low=0, high=6)},
        constraints=(
            Linear(terms={"a": 1, "b": 1, "n": -1}, at_most=5, unit="gram"),
            Linear(terms={"a": 1, "n": 1}, at_least=9.5, unit="gram"),
        ),
        forbidden=(
            Forbidden(
                when={"n": Condition(at_least=4, unit="gram"), "b": Condition(above=3, unit="gram")},
                because="it clots",
            ),
        ),
    )
    row = np.random.default_rng(seed).random(3)
    lawful = [
        {"a": float(a), "b": float(b), "n": n}
        for a, b, n in itertools.product(range(11), range(0, 11, 2), range(7))
        if a + b - n <= 5 and a + n >= 9.5 and not (n >= 4 and b > 3)
    ]
    found = space.nearest_lawful(row)
    assert found in lawful
    wish = space.encode([space.decode(row[None])[0]])[0]
    apart = [np.abs(space.encode([r])[0] - wish).sum() for r in lawful]
    assert np.abs(space.encode([found])[0] - wish).sum() == pytest.approx(min(apart), abs=1e-9)


def test_a_choice_is_given_up_only_where_it_must_be() -> None:
    water = Forbidden(when={"s": Condition(choices=("water",))}, because="it rusts")
    space = Space({"x": amount(), "s": Categorical(choices=("water", "oil", "air"))}, forbidden=(water,))
    held = space.nearest_lawful(space.encode([{"x": 3.0, "s": "air"}])[0])
    assert held == {"x": 3.0, "s": "air"}
    given_up = space.nearest_lawful(space.encode([{"x": 3.0, "s": "water"}])[0])
    assert given_up is not None
    assert given_up["x"] == pytest.approx(3.0, abs=1e-9)
    assert given_up["s"] != "water"


def test_under_a_rule_it_lies_close_by() -> None:
    parameters = {"x": amount(), "y": amount()}
    space = Space(parameters, rules=(read_rule("x * y <= 20", parameters),))
    found = space.nearest_lawful(space.encode([{"x": 5.0, "y": 4.5}])[0])
    assert found is not None
    x, y = float(found["x"]), float(found["y"])
    assert x * y <= 20
    # The nearest point of the hyperbola is about 0.38 g away.
    assert np.hypot(x - 5, y - 4.5) < 0.8


def crowded() -> Space:
    """A mixture of one smooth part, held by an equality, and three in steps, of which a rule binds one."""
    parameters = {
        "heat": Continuous(unit="gram", low=12.39, high=62.91),
        "smooth": amount(high=20),
        "fine": amount(0.05, high=100),
        "finer": amount(0.05, high=5),
        "coarse": Continuous(unit="gram", low=0, high=100, step=1, origin=0.5),
    }
    return Space(
        parameters,
        {"m": Mixture(parts=("smooth", "fine", "finer", "coarse"), total=125.69, unit="gram", max_parts=4)},
        constraints=(Linear(terms={"smooth": 1}, equals=5.14, unit="gram"),),
        sparse=(Sparse(parameters=("coarse", "smooth"), least=4.626, unit="gram"),),
        rules=(read_rule("heat * finer <= 40.5", parameters),),
    )


def test_it_is_found_where_a_step_aside_breaks_a_sum() -> None:
    """To keep the rule, one part in steps must give to another, which no part can do by itself."""
    space = crowded()
    drawn = space.encode(sample(space, 40, np.random.default_rng(7)))
    for wish in np.random.default_rng(1).random((8, space.width)):
        found = space.nearest_lawful(wish)
        assert found is not None
        assert space.problems(found) == ()
        assert space.askable([found]).all()
        # By the sum of distances, which the programme makes small, it is nearer than what drawing finds.
        assert np.abs(space.encode([found])[0] - wish).sum() < np.abs(drawn - wish).sum(axis=1).min()


def test_it_is_found_where_only_drawing_finds_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way from a drawn recipe to the wish is gone as far as the laws let it."""
    monkeypatch.setattr("labctl.space.nearest._projected", lambda *_: None)
    space = crowded()
    wish = np.full(space.width, 0.9)
    found = space.nearest_lawful(wish)
    assert found is not None
    assert space.problems(found) == ()
    known = np.linalg.norm(space.encode(space.landmarks) - wish, axis=1)
    assert np.linalg.norm(space.encode([found])[0] - wish) <= known.min()


def test_a_single_lawful_recipe_is_met_to_the_last_digit() -> None:
    """Two sums leave one point, which a solver misses by its tolerance, and a proposal may not."""
    only = {"t": 2.3902301144450506, "a": 0.5, "b": 0.0, "c": 3.8}
    space = Space(
        {
            "t": Continuous(unit="gram", low=1.38, high=4.14, scale="log"),
            "a": Continuous(unit="gram", low=0, high=5, step=1, origin=0.5),
            "b": amount(high=5),
            "c": amount(0.1, high=20),
        },
        {"m": Mixture(parts=("a", "b", "c"), total=4.3, unit="gram")},
        constraints=(
            Linear(terms={"t": 0.5, "a": 0.5, "b": 1}, at_most=1.4451150572225253, unit="gram"),
            Linear(terms={"t": -1, "a": 1, "b": 0.5}, at_most=-1.8902301144450506, unit="gram"),
        ),
    )
    for wish in np.random.default_rng(0).random((5, space.width)):
        found = space.nearest_lawful(wish)
        assert found == pytest.approx(only, rel=1e-12)
    assert sample(space, 2, np.random.default_rng(0)) == [found, found]


def test_none_where_nothing_is_lawful() -> None:
    parameters = {"x": amount(), "y": amount()}
    apart = Linear(terms={"x": 1, "y": 1}, at_least=21, unit="gram")
    assert Space(parameters, constraints=(apart,)).nearest_lawful(np.array([0.5, 0.5])) is None
    never = Space(parameters, rules=(read_rule("x * y > 101", parameters),))
    assert never.nearest_lawful(np.array([0.5, 0.5])) is None


def test_of_a_pool_it_is_the_nearest_row() -> None:
    space = Space({"x": amount(), "y": amount()}).with_pool({"x": [1, 9, 5], "y": [1, 9, 5]})
    assert space.nearest_lawful(np.array([0.8, 1.0])) == {"x": 9.0, "y": 9.0}


def test_the_same_wish_gets_the_same_answer() -> None:
    parameters = {"x": amount(), "y": amount()}
    space = Space(parameters, rules=(read_rule("x ** 2 + y ** 2 <= 4", parameters),))
    row = np.array([0.9, 0.2])
    assert space.nearest_lawful(row) == space.nearest_lawful(row)
