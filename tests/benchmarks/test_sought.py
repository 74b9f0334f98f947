"""What a search is judged by, and chance's expectation of it, counted out over every order there is."""

import importlib.util
import sys
from itertools import permutations
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def module() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "sought.py"
    spec = importlib.util.spec_from_file_location("sought", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up by name.
    sys.modules["sought"] = found
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def seven(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> object:
    """Seven recipes, of which one is the best and three are good, and a budget of five."""
    monkeypatch.setattr(module, "MOMENTS", (3, 5))
    best = {"best": frozenset({3}), "good": frozenset({0, 3, 6})}
    return module.Sought(np.array([5.0, 1.0, 2.0, 9.0, -3.0, 0.5, 7.0]), best, 5, "J")


@pytest.mark.parametrize("start", [(), (1, 5), (4, 6), (3, 2)])
def test_chance_is_the_mean_over_all_orders_of_the_rest(
    module: ModuleType, seven: object, start: tuple[int, ...]
) -> None:
    assert isinstance(seven, module.Sought)
    rest = [row for row in range(7) if row not in start]
    every = [seven.measure([*start, *order][:5]) for order in permutations(rest)]
    np.testing.assert_allclose(seven.chance(start), np.mean(every, axis=0), rtol=1e-12)


def test_measures_counted_by_hand(module: ModuleType, seven: object) -> None:
    assert isinstance(seven, module.Sought)
    # The best one is met fifth, a good one second; two of three good ones by then, and 9 - 5 is missing by 3.
    assert seven.measure([1, 0, 2, 4, 3]).tolist() == [5, 2, 1 / 3, 2 / 3, 4, 0]
    # Whoever never gets there counts as one experiment more than there were.
    assert seven.measure([1, 2, 4, 5, 6])[0] == 6


def test_the_greatest_of_a_few_drawn(module: ModuleType) -> None:
    # Of two drawn from four the greatest is second, third or fourth with chances of 1, 2 and 3 in 6.
    np.testing.assert_allclose(module.greatest_of(2, 4), [0, 1 / 6, 2 / 6, 3 / 6], rtol=1e-15)
