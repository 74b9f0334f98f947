"""Where rules bend, their tangents lead to the nearest recipe that keeps them."""

import numpy as np
import pytest

from labctl.law import read_rule
from labctl.space import Condition, Continuous, Forbidden, Integer, Linear, Mixture, Space, sample
from labctl.space.exact import Numbers
from labctl.space.tangents import along_tangents


def amount(step: float | None = None, low: float = 0.0, high: float = 10.0) -> Continuous:
    return Continuous(unit="gram", low=low, high=high, step=step)


def bound(*rules: str) -> Space:
    parameters = {"x": amount(), "y": amount()}
    return Space(parameters, rules=tuple(read_rule(rule, parameters) for rule in rules))


@pytest.mark.parametrize(
    ("rules", "wish", "nearest"),
    [
        # The sum of distances to a disc is least where the longer one is given up.
        (("x ** 2 + y ** 2 <= 25",), (9.0, 3.0), 5.0),
        (("x ** 2 + y ** 2 <= 25",), (9.0, 0.0), 4.0),
        # 4 · 4.5 = 18: y alone gives 1.5, and x alone 4 - 18 / 6 = 1.
        (("x * y <= 18",), (4.0, 6.0), 1.0),
        (("x * y >= 18",), (4.0, 3.0), 1.5),
        (("x * y >= 18", "x <= 5"), (4.0, 3.0), 1.5),
    ],
)
def test_it_is_the_nearest_that_can_be_told_by_hand(
    rules: tuple[str, ...], wish: tuple[float, float], nearest: float
) -> None:
    space = bound(*rules)
    start = {"x": wish[0], "y": wish[1]}
    found = along_tangents(space, Numbers(space), start, start)
    assert found is not None
    assert space.problems(found) == ()
    assert abs(float(found["x"]) - wish[0]) + abs(float(found["y"]) - wish[1]) == pytest.approx(
        nearest, rel=0.02
    )


def test_no_tangent_leads_out_of_what_is_not_defined() -> None:
    space = bound("sqrt(x - 20) <= y")
    start = {"x": 5.0, "y": 5.0}
    assert along_tangents(space, Numbers(space), start, start) is None


def test_drawing_follows_them_where_laws_leave_one_step_of_many() -> None:
    parameters = {
        "n": Integer(unit="gram", low=-1, high=3),
        "x": amount(low=4.37, high=9.43),
        "a": amount(0.3, high=20),
        "b": amount(0.3, high=20),
    }
    space = Space(
        parameters,
        {"m": Mixture(parts=("a", "b"), total=17.4, unit="gram")},
        constraints=(Linear(terms={"b": 2}, at_least=0.1, unit="gram"),),
        forbidden=(Forbidden(when={"b": Condition(above=0.3, unit="gram")}, because="it would spoil"),),
        rules=(read_rule("n * x <= -7.23", parameters),),
    )
    drawn = sample(space, 12, np.random.default_rng(2087))
    assert len(drawn) == 12
    assert all(space.problems(recipe) == () for recipe in drawn)
    assert {(recipe["n"], recipe["a"], recipe["b"]) for recipe in drawn} == {(-1, 17.1, 0.3)}
    assert len({recipe["x"] for recipe in drawn}) > 1
