"""Popularity: published shares fire, even choice does not, and random trials tell whether it was deserved."""

import numpy as np
import pytest

from labctl_models.audit.popularity import (
    PopularityCheck,
    element_counts,
    popularity,
    popularity_and_success,
)
from labctl_models.audit.statistics import gini
from labctl_models.audit.table import AuditTable


def amines(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Choices as in Jia et al. 2019: 70 of 415 amines in 79 % of 5,000 compounds; and 548 even ones."""
    rng = np.random.default_rng(seed)
    p = np.r_[np.full(70, 0.79 / 70), np.full(345, 0.21 / 345)]
    return rng.choice(415, 5000, p=p), rng.integers(0, 415, 548)


def test_the_published_draw_fires_and_an_even_one_does_not() -> None:
    popular, even = amines(0)
    found = popularity(np.bincount(popular)[np.bincount(popular) > 0], seed=0)
    assert found.top_share == pytest.approx(0.79, abs=0.03)
    assert found.p < 0.005
    assert found.expected < 0.3
    assert popularity(np.bincount(even)[np.bincount(even) > 0], seed=0).p > 0.005


def test_even_choice_is_called_popular_no_oftener_than_stated() -> None:
    rng = np.random.default_rng(1)
    p = []
    for seed in range(200):
        counts = np.bincount(rng.integers(0, 40, 300))
        p.append(popularity(counts[counts > 0], seed=seed).p)
    # A valid p is below 0.05 in at most 5 %; 200 draws exceed 9 % once in 200 times.
    assert np.mean(np.array(p) <= 0.05) <= 0.09


def test_gini_by_hand() -> None:
    assert gini(np.array([5.0, 5.0, 5.0])) == pytest.approx(0.0)
    # One of four has everything: 1 - 1/4.
    assert gini(np.array([0.0, 0.0, 0.0, 8.0])) == pytest.approx(0.75)
    pairs = np.array([1.0, 2.0, 6.0])
    by_definition = np.abs(pairs[:, None] - pairs).mean() / (2 * pairs.mean())
    assert gini(pairs) == pytest.approx(by_definition)


def test_exponent_of_a_power_law_is_recovered() -> None:
    rng = np.random.default_rng(2)
    # The estimator is that of Clauset et al. 2009, which they call accurate for xmin of 6 and more; at 1 it
    # is a description of the counts, so that only its order is held to: steeper laws read steeper.
    read = [popularity(rng.zipf(a, 4000).astype(float), seed=0).exponent for a in (1.8, 2.5, 3.5)]
    assert read == sorted(read)


def test_popularity_against_success_on_random_trials() -> None:
    rng = np.random.default_rng(3)
    popular = rng.integers(0, 50, 300).astype(float)
    undeserved = (rng.random(300) < 0.3).astype(float)
    deserved = (rng.random(300) < popular / 50).astype(float)
    assert popularity_and_success(popular, undeserved, seed=0)[1] > 0.05
    rho, p = popularity_and_success(popular, deserved, seed=0)
    assert rho > 0.3
    assert p <= 0.005
    assert popularity_and_success(popular, np.ones(300), seed=0) == (0.0, 1.0)


def test_the_check_counts_outside_the_random_arm_and_says_what_it_found() -> None:
    popular, even = amines(4)
    names = np.array([f"amine {k}" for k in np.r_[popular, even]])
    rng = np.random.default_rng(5)
    n = len(names)
    table = AuditTable(
        rng.random((n, 2)),
        (rng.random(n) < 0.5).astype(float),
        outcome="classification",
        columns={"amine": names, "label": np.char.replace(names, "amine", "A"), "room": rng.random(n)},
        arms=np.repeat(["literature", "random"], [len(popular), len(even)]),
    )
    (found,) = PopularityCheck().run(table, seed=0)
    assert found.id == "selection.popularity:amine = label"
    assert found.level in {"high", "medium"}
    assert found.detail["random_arm_rows"] == 548
    assert "popularity had nothing to say" in found.meaning


def test_an_element_of_every_row_is_no_choice() -> None:
    rng = np.random.default_rng(6)
    others = ["Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge"]
    weights = np.array([60.0, *[1.0] * 10]) / 70
    formulas = np.array([f"Al{rng.choice(others, p=weights)}" for _ in range(300)])
    (found,) = [
        f
        for f in PopularityCheck().run(
            AuditTable(rng.random((300, 2)), rng.random(300), formulas=formulas), seed=0
        )
        if f.id == "selection.popularity:element"
    ]
    assert found.title.startswith("2 of 11 elements")
    assert "Ti alone is in" in found.title


def test_elements_are_counted_once_a_row() -> None:
    symbols, counts, unread = element_counts(np.array(["Fe2O3", "Fe", "FeFe", "no formula"]))
    assert dict(zip(symbols, counts, strict=True)) == {"O": 1.0, "Fe": 3.0}
    assert unread == 1
