"""Weights by the chance of a sample: their values, slopes and floor, and what an ascent makes of them."""

import math

import numpy as np
import pytest

from labctl_models.acquisition.ascent import ascend
from labctl_models.acquisition.score import Improvement, Product
from labctl_models.acquisition.weighed import FLOOR, Feasible
from labctl_models.surrogates.feasibility import Feasibility
from labctl_models.surrogates.gp import GaussianProcess
from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess

RNG = np.random.default_rng(0)
X = RNG.random((60, 2))
MADE = X.sum(axis=1) < 1.3
Y = -((X - 0.8) ** 2).sum(axis=1)
CHANCE = Feasibility().fit(X, MADE)
WEIGHT = Feasible(CHANCE)
QUERY = RNG.random((40, 2))


def test_a_weight_lies_between_the_floor_and_one_and_keeps_the_order() -> None:
    p, weight = CHANCE.probability(QUERY), np.exp(WEIGHT.log(QUERY))
    np.testing.assert_allclose(weight, FLOOR + (1.0 - FLOOR) * p)
    assert np.array_equal(np.argsort(weight), np.argsort(p))
    assert weight.min() > FLOOR == 0.05
    assert weight.max() < 1.0
    np.testing.assert_allclose(np.exp(Feasible(CHANCE, floor=0.0).log(QUERY)), p)


def test_slopes_are_those_of_differences() -> None:
    value, slopes = WEIGHT.log_with_slopes(QUERY)
    np.testing.assert_allclose(value, WEIGHT.log(QUERY), rtol=1e-8)
    for k, h in enumerate(1e-5 * np.eye(2)):
        rise = (WEIGHT.log(QUERY + h) - WEIGHT.log(QUERY - h)) / 2e-5
        np.testing.assert_allclose(slopes[:, k], rise, atol=1e-5)


@pytest.mark.parametrize("surrogate", [GaussianProcess(), AveragedGaussianProcess()])
def test_the_ascent_climbs_the_product(surrogate: GaussianProcess | AveragedGaussianProcess) -> None:
    """It ends at the best of a fine grid of the weighed improvement, which is not that of the plain one."""
    fitted = surrogate.fit(X[MADE], Y[MADE], seed=0)
    incumbent = float(Y[MADE].max())
    plain = Improvement(fitted, incumbent)
    product = Product((plain, WEIGHT))
    axis = np.linspace(0.0, 1.0, 101)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    starts = np.random.default_rng(1).random((12, 2))
    found = ascend(product, starts, free=range(2), lower=np.zeros(2), upper=np.ones(2))
    np.testing.assert_allclose(found.value, plain.log(found.X) + WEIGHT.log(found.X), rtol=1e-9)
    assert found.value.max() >= product.log(grid).max() - 1e-6
    best = found.X[found.value.argmax()]
    assert best.sum() < grid[plain.log(grid).argmax()].sum() - 0.05


def test_a_hopeless_place_is_tried_again_once_it_promises_twenty_times_as_much() -> None:
    """One over the floor is the price of a place where nothing was ever made."""
    line = np.linspace(0.0, 1.0, 40)[:, None]
    chance = Feasibility().fit(line, line[:, 0] < 0.5)
    hopeless, sure = Feasible(chance).log(np.array([[0.95], [0.1]]))
    assert chance.probability(np.array([[0.95]]))[0] < 0.1
    assert math.log(5.0) < sure - hopeless < math.log(1.0 / FLOOR)
