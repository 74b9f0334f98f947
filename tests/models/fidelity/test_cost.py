"""Costs are learned: from the stated one to the measured ones, with intervals that hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.fidelity.cost import CostModel


def test_before_any_measurement_the_stated_cost_is_typical() -> None:
    cost = CostModel(10.0).predict(np.zeros((3, 2)))
    assert (cost.low < 10.0).all()
    assert (cost.high > 10.0).all()
    assert np.sqrt(cost.low[0] * cost.high[0]) == pytest.approx(10.0)


def test_one_measurement_moves_the_typical_cost_a_third_of_the_way() -> None:
    # Two pseudo-measurements of log 1 and one of log 8 have the mean log 2.
    cost = CostModel(1.0, np.zeros((1, 1)), np.array([8.0])).predict(np.zeros((1, 1)))
    assert np.sqrt(cost.low[0] * cost.high[0]) == pytest.approx(2.0)


def test_many_measurements_outweigh_a_wrong_statement() -> None:
    rng = np.random.default_rng(0)
    measured = rng.lognormal(np.log(30.0), 0.4, 400)
    model = CostModel(1.0, rng.random((400, 2)), measured)
    cost = model.predict(np.array([[0.5, 0.5]]))
    # The mean of a log-normal: exp(location + variance / 2).
    assert cost.mean[0] == pytest.approx(30.0 * np.exp(0.08), rel=0.1)


def test_intervals_hold_the_next_cost_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        costs = rng.lognormal(np.log(5.0) + 0.3 * rng.standard_normal(), 0.5, 9)
        cost = CostModel(5.0, np.zeros((8, 1)), costs[:8]).predict(np.zeros((1, 1)), level=0.8)
        held += cost.low[0] <= costs[8] <= cost.high[0]
    assert 0.75 < held / 1000 < 0.87


def test_a_cost_that_rises_with_a_setting_is_found_and_chance_mostly_not() -> None:
    rng = np.random.default_rng(2)
    X = rng.random((60, 3))
    rising = CostModel(10.0, X, 10.0 * np.exp(2.0 * X[:, 1] + 0.2 * rng.standard_normal(60)))
    assert rising.depends_on_recipe
    low, high = rising.predict(np.array([[0.5, 0.0, 0.5], [0.5, 1.0, 0.5]])).mean
    assert high / low == pytest.approx(np.exp(2.0), rel=0.25)
    by_chance = [
        CostModel(10.0, X, rng.lognormal(np.log(10.0), 0.3, 60)).depends_on_recipe for _ in range(50)
    ]
    assert sum(by_chance) < 15


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(0, 40), d=st.integers(1, 4))
def test_any_positive_costs_give_an_ordered_interval(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    model = CostModel(2.0, rng.integers(0, 2, (n, d)).astype(float), np.exp(3 * rng.standard_normal(n)))
    cost = model.predict(rng.random((4, d)))
    assert (cost.low < cost.high).all()
    assert (cost.mean > cost.low).all()
    assert np.isfinite(cost.mean).all()


def test_bad_costs_are_named() -> None:
    with pytest.raises(ValueError, match="stated cost is 0"):
        CostModel(0.0)
    with pytest.raises(ValueError, match="measured cost must be"):
        CostModel(1.0, np.zeros((1, 1)), np.array([-1.0]))
    with pytest.raises(ValueError, match="shapes"):
        CostModel(1.0, np.zeros((2, 1)), np.array([1.0]))
