"""What is drawn from a narrowed space lies in it, is a recipe of the whole one, and leaves nothing out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.space import (
    Categorical,
    Continuous,
    Forbidden,
    Integer,
    Linear,
    Mixture,
    Ordinal,
    Space,
    sample,
)
from labctl.space.forbidden import Ban
from labctl.space.narrowed import Room, inside, narrowed, nearest_lawful, reached

MIXED = Space(
    {
        "x": Continuous(unit="mm", low=0, high=1),
        "t": Continuous(unit="s", low=1, high=1000, scale="log"),
        "step": Continuous(unit="mm", low=0, high=2, step=0.25, origin=0.1),
        "n": Integer(unit="mm", low=0, high=9),
        "o": Ordinal(unit="mm", levels=(1, 2, 5, 10)),
        "k": Categorical(choices=("a", "b")),
    }
)
RANGES = {"x": (0, 1), "t": (1, 1000), "step": (0, 2), "n": (0, 9), "o": (1, 10)}


def forbidden(**when: object) -> Forbidden:
    return Forbidden.model_validate({"when": when, "because": "no"})


def mm(**ends: float) -> dict[str, object]:
    return {**ends, "unit": "mm"}


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_draws_keep_the_ends_and_reach_all_between_them(data: st.DataObject) -> None:
    ends = {}
    for name, (low, high) in RANGES.items():
        a, b = (data.draw(st.floats(low - 0.1, high + 0.1)) for _ in range(2))
        ends[name] = (min(a, b), max(a, b))
    room = narrowed(MIXED, ends)
    possible = {
        "step": [0.1, 0.35, 0.6, 0.85, 1.1, 1.35, 1.6, 1.85],
        "n": list(range(10)),
        "o": [1, 2, 5, 10],
    }
    left = {n: {v for v in values if ends[n][0] <= v <= ends[n][1]} for n, values in possible.items()}
    if room is None:
        empty = [n for n in ("x", "t") if max(ends[n][0], RANGES[n][0]) > min(ends[n][1], RANGES[n][1])]
        assert empty or not all(left.values())
        return
    drawn = sample(room, 300, np.random.default_rng(0))
    for recipe in drawn:
        assert MIXED.problems(recipe) == ()
        assert all(low <= float(recipe[name]) <= high for name, (low, high) in ends.items())
    for name, values in left.items():
        assert {recipe[name] for recipe in drawn} == values
    lower, upper = reached(MIXED, room)
    rows = MIXED.encode(drawn)
    assert (rows >= lower - 1e-12).all()
    assert (rows <= upper + 1e-12).all()


def test_a_space_that_nothing_narrows_stays_the_very_same() -> None:
    assert narrowed(MIXED, {name: (low - 1.0, high + 1.0) for name, (low, high) in RANGES.items()}) is MIXED
    assert narrowed(MIXED, {}) is MIXED
    assert Room(MIXED).without(()).strict is MIXED
    lower, upper = reached(MIXED, MIXED)
    assert (lower == 0.0).all()
    assert (upper == 1.0).all()


def test_one_value_that_is_left_is_fixed_and_none_is_proved() -> None:
    room = narrowed(MIXED, {"x": (0.5, 0.5), "n": (2.5, 3.2), "step": (0.3, 0.4)})
    assert room is not None
    assert dict(room.fixed) == {"x": 0.5, "n": 3, "step": 0.35}
    assert {r["n"] for r in sample(room, 9, np.random.default_rng(0))} == {3}
    assert narrowed(MIXED, {"n": (2.2, 2.8)}) is None
    assert narrowed(MIXED, {"step": (0.2, 0.3)}) is None
    assert narrowed(MIXED, {"x": (1.1, 2.0)}) is None


def test_a_mixture_is_drawn_between_ends_where_chance_would_hardly_hit() -> None:
    parts = {name: Continuous(unit="mm", low=0, high=1) for name in ("x", "z", "v")}
    space = Space(parts, mixtures={"m": Mixture(parts=("x", "z", "v"), total=1, unit="mm")})
    room = narrowed(space, {"x": (0, 0.2), "z": (0, 0.2), "v": (0, 0.61)})
    assert room is not None
    drawn = sample(room, 200, np.random.default_rng(1))
    assert all(space.problems(recipe) == () for recipe in drawn)
    assert max(float(r["v"]) for r in drawn) <= 0.61
    # Of a total of 1, x and z are 0.39 at least between them.
    assert min(float(r["x"]) for r in drawn) >= 0.19 - 1e-9


def test_a_sum_holds_between_narrow_ends() -> None:
    parts = {name: Continuous(unit="mm", low=0, high=1) for name in ("x", "z")}
    law = Linear(terms={"x": 1, "z": 1}, at_least=0.019, unit="mm")
    room = narrowed(Space(parts, constraints=(law,)), {"x": (0, 0.01), "z": (0, 0.01)})
    assert room is not None
    for recipe in sample(room, 100, np.random.default_rng(1)):
        assert 0.019 <= float(recipe["x"]) + float(recipe["z"]) <= 0.02 + 1e-12


ONE = Space({"x": Continuous(unit="mm", low=0, high=1), "z": Continuous(unit="mm", low=0, high=1)})


@pytest.mark.parametrize(
    ("vetoes", "ends"),
    [
        ([mm(above=0.03)], (0.0, 0.03)),
        ([mm(at_least=0.03)], (0.0, math.nextafter(0.03, 0))),
        ([mm(below=0.5), mm(above=0.5)], (0.5, 0.5)),
        # The second covers an end only after the first was cut off.
        ([mm(above=0.2, below=0.6), mm(at_least=0.6)], (0.0, 0.2)),
        ([{"above": 30, "unit": "um"}], (0.0, 0.03)),
    ],
)
def test_what_is_forbidden_at_an_end_moves_it(
    vetoes: list[dict[str, object]], ends: tuple[float, float]
) -> None:
    room = Room(ONE).without([forbidden(x=veto) for veto in vetoes])
    assert room.forbidden == ()
    assert room.box is not None
    drawn = [float(r["x"]) for r in sample(room.box, 400, np.random.default_rng(0))]
    assert min(drawn) >= ends[0]
    assert max(drawn) <= ends[1]
    assert max(drawn) - min(drawn) >= 0.9 * (ends[1] - ends[0])


def test_what_covers_all_of_it_is_proved_and_what_ends_cannot_say_is_kept() -> None:
    assert Room(ONE).without([forbidden(x=mm(below=0.5)), forbidden(x=mm(at_least=0.5))]).box is None
    corner = forbidden(x=mm(above=0.1), z=mm(above=0.2))
    room = Room(ONE).without([corner])
    assert room.box is ONE
    assert room.forbidden == (corner,)
    # Where z is above 0.2 anyway, the corner is an end of x.
    cut = Room(ONE).without([corner, forbidden(z=mm(at_most=0.2))])
    assert cut.forbidden == ()
    assert cut.box is not None
    assert max(float(r["x"]) for r in sample(cut.box, 99, np.random.default_rng(0))) <= 0.1
    with_choice = Room(MIXED).without([forbidden(k="a", x=mm(above=0.2)), forbidden(k="b", x=mm(above=0.2))])
    assert with_choice.box is MIXED
    assert len(with_choice.forbidden) == 2
    assert with_choice.strict is not None
    drawn = sample(with_choice.strict, 200, np.random.default_rng(0))
    assert max(float(r["x"]) for r in drawn) <= 0.2
    assert {r["k"] for r in drawn} == {"a", "b"}


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_cutting_off_ends_never_loses_what_is_not_forbidden(data: st.DataObject) -> None:
    vetoes = []
    for _ in range(data.draw(st.integers(1, 4))):
        when = {}
        for name in data.draw(st.sampled_from([("x",), ("n",), ("x", "n"), ("n", "o")])):
            low, high = RANGES[name]
            a, b = sorted(data.draw(st.integers(low * 4, high * 4)) / 4 for _ in range(2))
            keys = data.draw(
                st.sampled_from([("above", "at_most"), ("at_least", "below"), ("at_least", "at_most")])
            )
            ends = {keys[0]: a, keys[1]: b} if a < b else {data.draw(st.sampled_from(["above", "below"])): a}
            when[name] = mm(**ends)
        vetoes.append(forbidden(**when))
    bans = [Ban(veto, MIXED.parameters) for veto in vetoes]
    room = Room(MIXED).without(vetoes)
    for recipe in sample(MIXED, 300, np.random.default_rng(0)):
        if any(ban.meets(recipe) for ban in bans):
            continue
        assert room.box is not None
        lower, upper = reached(MIXED, room.box)
        row = MIXED.encode([recipe])[0]
        assert (row >= lower - 1e-12).all()
        assert (row <= upper + 1e-12).all()


def test_the_numbers_of_a_forbidden_combination_are_a_room_too() -> None:
    tiny = Ban(forbidden(x=mm(above=0.9999), z=mm(below=0.001)), ONE.parameters)
    part = inside(ONE, tiny)
    assert part is not None
    assert all(tiny.meets(recipe) for recipe in sample(part, 50, np.random.default_rng(0)))
    assert inside(ONE, Ban(forbidden(x=mm(above=3)), ONE.parameters)) is None


def test_the_nearest_recipe_of_a_room_is_found_by_a_row_of_the_whole_cube() -> None:
    room = narrowed(MIXED, {"x": (0.2, 0.4), "n": (0, 3)})
    assert room is not None
    row = MIXED.encode([{"x": 0.9, "t": 10.0, "step": 0.6, "n": 7, "o": 5.0, "k": "b"}])[0]
    found = nearest_lawful(MIXED, room, row)
    assert found is not None
    assert (found["x"], found["n"], found["o"], found["k"]) == (pytest.approx(0.4), 3, 5.0, "b")
    assert found["t"] == pytest.approx(10.0)
