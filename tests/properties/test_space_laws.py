"""Laws of spaces: what is drawn is lawful, and what is encoded comes back."""

import resource

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.space import (
    Categorical,
    Continuous,
    Formula,
    Integer,
    Linear,
    Mixture,
    NoRecipeError,
    Ordinal,
    Parameter,
    Space,
    sample,
)

quick = settings(max_examples=40, deadline=None)
visible = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1).filter(str.strip)
numbers = st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def parameters(draw: st.DrawFn) -> Parameter:
    kind = draw(st.sampled_from(["linear", "log", "integer", "ordinal", "categorical", "formula"]))
    if kind == "linear":
        low = draw(numbers)
        return Continuous(unit="mm", low=low, high=low + draw(st.floats(1e-3, 1e6)))
    if kind == "log":
        low = draw(st.floats(1e-6, 1e3))
        return Continuous(unit="s", low=low, high=low * draw(st.floats(1.1, 1e6)), scale="log")
    if kind == "integer":
        low = draw(st.integers(-1000, 1000))
        return Integer(unit="dimensionless", low=low, high=low + draw(st.integers(1, 500)))
    if kind == "ordinal":
        levels = draw(st.lists(numbers, min_size=2, max_size=6, unique=True))
        if min(np.diff(sorted(levels))) < 1e-3:
            levels = [1.0, 2.5, 10.0]
        return Ordinal(unit="mm", levels=tuple(sorted(levels)))
    if kind == "categorical":
        return Categorical(
            choices=tuple(
                draw(st.lists(visible, min_size=2, max_size=5, unique_by=lambda t: " ".join(t.split())))
            )
        )
    return Formula(choices=("Fe2O3", "NaCl", "Al2O3", "SiO2"))


@quick
@given(st.lists(parameters(), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_what_is_drawn_is_lawful_canonical_and_comes_back_from_the_cube(
    kinds: list[Parameter], seed: int
) -> None:
    space = Space({f"p{i}": p for i, p in enumerate(kinds)})
    drawn = sample(space, 12, np.random.default_rng(seed))
    X = space.encode(drawn)
    assert X.shape == (12, space.width)
    assert ((X >= -1e-12) & (X <= 1 + 1e-12)).all()
    for recipe, back in zip(drawn, space.decode(X), strict=True):
        assert space.problems(recipe) == ()
        assert space.canonical(recipe) == recipe
        for name, parameter in space.parameters.items():
            if isinstance(parameter, Continuous):
                span = max(abs(parameter.low), abs(parameter.high))
                assert back[name] == pytest.approx(recipe[name], rel=1e-9, abs=1e-9 * span)
            else:
                assert back[name] == recipe[name]
    again = sample(space, 12, np.random.default_rng(seed))
    assert again == drawn


def part(low: float = 0.0, high: float = 1.0, unit: str = "dimensionless") -> Continuous:
    return Continuous(unit=unit, low=low, high=high)


@quick
@given(st.data())
def test_mixtures_with_few_parts_and_constraints_are_kept(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 6))
    most = data.draw(st.integers(1, n))
    total = data.draw(st.floats(0.1, 50.0))
    names = [f"x{i}" for i in range(n)]
    space = Space(
        {
            **{name: part(0.0, total) for name in names},
            "t": part(0, 10, "minute"),
            "k": Categorical(choices=("a", "b")),
        },
        {"m": Mixture(parts=tuple(names), total=total, unit="dimensionless", max_parts=most)},
        (Linear(terms={"x0": 1.0, "x1": -1.0}, at_least=0.0, unit="dimensionless"),),
    )
    for recipe in sample(space, 20, np.random.default_rng(data.draw(st.integers(0, 99)))):
        assert space.problems(recipe) == ()
        parts = [float(recipe[name]) for name in names]
        assert sum(parts) == pytest.approx(total, rel=1e-12)
        assert sum(p > 0 for p in parts) <= most
        assert parts[0] >= parts[1] - 1e-6 * max(1, total)


def test_units_are_converted_in_constraints() -> None:
    space = Space(
        {"a": part(0, 1, "mL"), "b": part(0, 1000, "µL"), "n": Integer(unit="mL", low=0, high=3)},
        constraints=(Linear(terms={"a": 1, "b": 1, "n": 0.1}, at_most=0.5, at_least=0.2, unit="mL"),),
    )
    for recipe in sample(space, 60, np.random.default_rng(1)):
        volume = float(recipe["a"]) + float(recipe["b"]) / 1000 + 0.1 * float(recipe["n"])
        assert 0.2 - 1e-6 <= volume <= 0.5 + 1e-6
    assert space.problems({"a": 0.3, "b": 300.0, "n": 0})
    assert not space.problems({"a": 0.2, "b": 200.0, "n": 1})


def test_a_mixture_is_drawn_uniformly() -> None:
    """Uniform over the simplex is Dirichlet(1, ..., 1): mean 1/n and variance (n - 1) / (n^2 (n + 1))."""
    n, draws = 4, 6000
    names = tuple(f"x{i}" for i in range(n))
    space = Space(dict.fromkeys(names, part()), {"m": Mixture(parts=names, total=1.0, unit="dimensionless")})
    drawn = sample(space, draws, np.random.default_rng(5))
    x = np.array([[float(r[name]) for name in names] for r in drawn])
    variance = (n - 1) / (n**2 * (n + 1))
    assert x.mean(axis=0) == pytest.approx(np.full(n, 1 / n), abs=5 * np.sqrt(variance / draws))
    assert x.var(axis=0) == pytest.approx(np.full(n, variance), rel=0.08)
    # The largest part of a flat Dirichlet has mean H_n / n (order statistics of exponential spacings).
    assert x.max(axis=1).mean() == pytest.approx(sum(1 / k for k in range(1, n + 1)) / n, abs=0.01)


def test_every_subset_of_parts_is_as_likely() -> None:
    names = ("a", "b", "c", "d")
    pairs = Mixture(parts=names, total=1.0, unit="dimensionless", max_parts=2)
    space = Space(dict.fromkeys(names, part()), {"m": pairs})
    used = [
        tuple(name for name in names if float(recipe[name]) > 0)
        for recipe in sample(space, 1200, np.random.default_rng(2))
    ]
    counts = [used.count(pair) for pair in sorted(set(used)) if len(pair) == 2]
    assert len(counts) == 6
    assert min(counts) > 200 - 5 * np.sqrt(200)


def test_laws_on_a_log_scale_are_kept_too() -> None:
    space = Space(
        {"t": Continuous(unit="minute", low=1, high=100, scale="log"), "u": part(0, 100, "minute")},
        constraints=(Linear(terms={"t": 1, "u": 1}, at_most=60, unit="minute"),),
    )
    for recipe in sample(space, 40, np.random.default_rng(0)):
        assert float(recipe["t"]) + float(recipe["u"]) <= 60 + 1e-4


def test_an_equality_is_met() -> None:
    space = Space(
        {"a": part(0, 10, "gram"), "b": part(0, 10, "gram")},
        constraints=(Linear(terms={"a": 1, "b": 2}, equals=12, unit="gram"),),
    )
    for recipe in sample(space, 30, np.random.default_rng(0)):
        assert float(recipe["a"]) + 2 * float(recipe["b"]) == pytest.approx(12, abs=1e-5)


@pytest.mark.parametrize(
    "broken",
    [
        Linear(terms={"a": 1}, at_least=11, unit="gram"),
        Linear(terms={"a": 1, "b": 1}, at_most=-1, unit="gram"),
        Linear(terms={"a": 1, "b": 1}, equals=25, unit="gram"),
    ],
)
def test_impossible_laws_say_so(broken: Linear) -> None:
    space = Space({"a": part(0, 10, "gram"), "b": part(0, 10, "gram")}, constraints=(broken,))
    with pytest.raises(NoRecipeError, match="loosen a constraint") as error:
        sample(space, 1, np.random.default_rng(0))
    assert error.value.exit_code == 2


def whole(low: int, high: int) -> Integer:
    return Integer(unit="gram", low=low, high=high)


def law(terms: dict[str, float], **sides: float) -> Linear:
    return Linear(terms=terms, unit="gram", **sides)


LOG = Continuous(unit="gram", low=1, high=10_000, scale="log")
NARROW = {
    "one point": Space(
        dict.fromkeys("xy", part(0, 10, "gram")),
        constraints=(law({"x": 1, "y": 1}, equals=3), law({"x": 1, "y": -1}, equals=1)),
    ),
    "one pair of whole numbers": Space(
        dict.fromkeys("xy", whole(0, 5)), constraints=(law({"x": 1, "y": 1}, at_least=9.5),)
    ),
    "a diagonal of whole numbers": Space(
        dict.fromkeys("xy", whole(0, 50_000)),
        constraints=(law({"x": 1, "y": -1}, at_least=-0.5, at_most=0.5),),
    ),
    "a lattice of whole numbers": Space(
        dict.fromkeys("xyz", whole(0, 1000)),
        constraints=(
            law({"x": 3, "y": 7, "z": -5}, at_least=-0.5, at_most=0.5),
            law({"x": 1, "y": -2, "z": 1}, at_least=-0.5, at_most=0.5),
        ),
    ),
    "a corner on a log scale": Space(
        dict.fromkeys("xy", LOG), constraints=(law({"x": 1, "y": 1}, at_least=19_999),)
    ),
    "numbers of every kind": Space(
        {"n": whole(0, 50_000), "x": part(0, 1, "gram"), "o": Ordinal(unit="gram", levels=(1, 2, 40))},
        constraints=(law({"n": 1, "x": 1, "o": 1}, at_least=100.5, at_most=100.6),),
    ),
    "one part": Space(
        dict.fromkeys("abc", part(0, 1, "gram")),
        {"m": Mixture(parts=tuple("abc"), total=1, unit="gram", max_parts=1)},
    ),
    "one pair of parts": Space(
        {**{f"p{i}": part(0, 0.3, "gram") for i in range(18)}, **dict.fromkeys("ab", part(0, 0.6, "gram"))},
        {"m": Mixture(parts=(*(f"p{i}" for i in range(18)), "a", "b"), total=1.15, unit="gram", max_parts=2)},
    ),
}


@pytest.mark.parametrize("name", NARROW)
def test_laws_that_leave_hardly_anything_are_met(name: str) -> None:
    space = NARROW[name]
    drawn = sample(space, 64, np.random.default_rng(0))
    assert drawn
    assert all(space.problems(recipe) == () for recipe in drawn)
    assert drawn == sample(space, 64, np.random.default_rng(0))


def test_a_diagonal_of_whole_numbers_is_drawn_over_its_length() -> None:
    drawn = sample(NARROW["a diagonal of whole numbers"], 400, np.random.default_rng(0))
    found = np.array([float(recipe["x"]) for recipe in drawn])
    assert len(set(found)) > 100
    assert np.quantile(found, 0.2) < 15_000
    assert np.quantile(found, 0.8) > 35_000


def test_laws_that_leave_a_sliver_are_met() -> None:
    space = Space(
        {f"x{i}": part() for i in range(6)},
        constraints=(Linear(terms={f"x{i}": 1.0 for i in range(6)}, at_least=5.999, unit="dimensionless"),),
    )
    for recipe in sample(space, 20, np.random.default_rng(0)):
        assert sum(map(float, recipe.values())) >= 5.999 - 1e-5


def test_a_space_of_many_categories_is_never_multiplied_out() -> None:
    choices = tuple(f"c{i}" for i in range(50))
    space = Space({f"p{i}": Categorical(choices=choices) for i in range(30)})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    drawn = sample(space, 200, np.random.default_rng(0))
    assert space.encode(drawn).shape == (200, 1500)
    assert len({tuple(r.values()) for r in drawn}) == 200
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 100_000


def test_a_pool_knows_its_rows_and_drops_repeats() -> None:
    space = Space({"x": part(0, 5, "mm"), "n": Integer(unit="mm", low=0, high=9)}).with_pool(
        {"x": [1, 2.0, 1.0, 3], "n": [1.0, 2, 1, 3]}
    )
    assert space.pool is not None
    assert len(space.pool) == 3
    assert [space.pool.row_of(space.pool.recipe(i)) for i in range(3)] == [0, 1, 2]
    assert space.pool.row_of({"x": 9.0, "n": 1}) is None
    assert space.pool.row_of({"x": 1.0}) is None
    assert space.problems({"x": 1, "n": 1}) == ()
    assert space.problems({"x": 1, "n": 2}) == ("this recipe is not among the candidates",)


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ({"x": 1.0}, "n is missing"),
        ({"x": 1.0, "n": 1, "z": 2}, "z is no parameter here"),
        ({"x": float("nan"), "n": 1}, "is not a finite number"),
        ({"x": "1", "n": 1}, "is not a finite number"),
        ({"x": True, "n": 1}, "is not a finite number"),
        ({"x": 6.0, "n": 1}, "lies outside 0 to 5 mm"),
        ({"x": 1.0, "n": 1.5}, "is not a whole number"),
    ],
)
def test_problems_name_the_parameter(recipe: dict[str, object], sentence: str) -> None:
    space = Space({"x": part(0, 5, "mm"), "n": Integer(unit="mm", low=0, high=9)})
    assert any(sentence in problem for problem in space.problems(recipe))  # type: ignore[arg-type] # wrong on purpose
