"""Twins and their leak equal counting by hand and random splits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.audit import duplicates as module
from labctl_models.audit.duplicates import DuplicatesCheck, leak, twins
from labctl_models.audit.table import AuditTable


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 40), d=st.integers(1, 4))
def test_near_twins_equal_loops(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (n, d)) / 10 + rng.choice([0, 4e-4, 9e-4, 2e-3], (n, d))
    recipes = rng.integers(0, n, n)
    found = twins(X, recipes)
    close = np.abs(X[:, None] - X[None]).max(axis=2) <= 1e-3 * (1 + 1e-9)
    same = recipes[:, None] == recipes[None]
    assert np.array_equal(found.near, (close | same).sum(axis=1) - 1)
    assert np.array_equal(found.exact, same.sum(axis=1) - 1)
    assert np.all(found.groups[:, None][np.nonzero(close)[0], 0] == found.groups[np.nonzero(close)[1]])


def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X = np.round(rng.random((200, 3)), 1)
    recipes = np.arange(200)
    whole = twins(X, recipes)
    monkeypatch.setattr(module, "CHUNK_ENTRIES", 50)
    assert np.array_equal(twins(X, recipes).near, whole.near)


def test_leak_is_that_of_random_splits() -> None:
    rng = np.random.default_rng(1)
    recipes = np.r_[np.repeat(np.arange(10), 2), np.repeat(10, 5), np.arange(11, 26)]
    n = len(recipes)
    shares = []
    for _ in range(4000):
        order = rng.permutation(n)
        train, test = order[: round(0.8 * n)], order[round(0.8 * n) :]
        shares.append(np.isin(recipes[test], recipes[train]).mean())
    assert leak(np.bincount(recipes)[recipes] - 1, n) == pytest.approx(np.mean(shares), abs=0.008)


def test_extremes() -> None:
    assert leak(np.zeros(50, np.intp), 50) == pytest.approx(0.0)
    assert leak(np.full(50, 49), 50) == pytest.approx(1.0)
    same = twins(np.zeros((10, 2)), np.arange(10))
    assert same.redundant == pytest.approx(0.9)
    assert np.array_equal(same.near, np.full(10, 9))
    assert np.array_equal(same.exact, np.zeros(10))


def test_distinct_recipes_raise_nothing_and_repeated_ones_do() -> None:
    X = np.random.default_rng(2).random((60, 4))
    assert DuplicatesCheck().run(AuditTable(X, X[:, 0]), seed=0) == []
    (found,) = DuplicatesCheck().run(AuditTable(np.repeat(X, 3, axis=0), np.arange(180.0)), seed=0)
    assert found.level == "high"
    assert found.detail["repeated_recipes"] == 60
    assert found.detail["redundant"] == pytest.approx(2 / 3)
