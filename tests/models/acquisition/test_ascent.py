"""The ascent finds the top and never leaves what is feasible."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.acquisition.ascent import Linear, ascend
from labctl_models.acquisition.improvement import (
    log_expected_improvement,
    log_expected_improvement_at,
    noisy_incumbent,
)
from labctl_models.acquisition.score import Improvement
from labctl_models.card import Card
from labctl_models.surrogates.gp import FittedGP, GaussianProcess
from labctl_models.surrogates.gp_averaged import AveragedGaussianProcess
from labctl_models.surrogates.protocol import Array, Differentiable, Prediction


def a_surrogate(d: int, n: int = 30) -> FittedGP:
    rng = np.random.default_rng(d)
    X = rng.random((n, d))
    y = np.sin(4 * X[:, 0]) - (X[:, -1] - 0.4) ** 2 + 0.05 * rng.standard_normal(n)
    return GaussianProcess().fit(X, y, seed=0)


SURROGATES = {d: a_surrogate(d) for d in (2, 4, 6)}


def value_at(fitted: FittedGP, X: Array) -> Array:
    belief = fitted.predict(X)
    return log_expected_improvement(belief.mean, belief.sd, noisy_incumbent(fitted, fitted.X))


def climb(
    fitted: FittedGP, starts: Array, free: list[int] | None = None, constraints: tuple[Linear, ...] = ()
) -> tuple[Array, Array]:
    d = starts.shape[1]
    found = ascend(
        Improvement(fitted, noisy_incumbent(fitted, fitted.X)),
        starts,
        free=range(d) if free is None else free,
        lower=np.zeros(d),
        upper=np.ones(d),
        constraints=constraints,
    )
    np.testing.assert_allclose(found.value, value_at(fitted, found.X), rtol=1e-9)
    return found.X, found.value


def test_reaches_what_a_dense_grid_finds() -> None:
    fitted = SURROGATES[2]
    axis = np.linspace(0, 1, 201)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    _, value = climb(fitted, np.random.default_rng(0).random((10, 2)))
    assert value.max() >= value_at(fitted, grid).max() - 1e-9


def test_reaches_the_best_of_a_dense_simplex() -> None:
    fitted = SURROGATES[4]
    mixtures = np.random.default_rng(0).dirichlet(np.ones(4), 20_000)
    whole = Linear((0, 1, 2, 3), (1.0, 1.0, 1.0, 1.0), 1.0, equality=True)
    _, value = climb(fitted, mixtures[:10], constraints=(whole,))
    assert value.max() >= value_at(fitted, mixtures).max() - 1e-6


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), d=st.sampled_from([2, 4, 6]), data=st.data())
def test_never_worse_never_outside_and_never_over_a_constraint(
    seed: int, d: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    starts = rng.random((3, d))
    free = sorted(data.draw(st.sets(st.integers(0, d - 1))))
    coefficients = tuple(rng.normal(size=d))
    # Constraints that all starts keep: one exactly at its edge, one equality by moving the starts onto it.
    least = float((starts @ coefficients).min())
    constraints = [Linear(tuple(range(d)), coefficients, least)]
    if data.draw(st.booleans()):
        starts[:, 1] = starts[:, 0]
        constraints = [Linear((0, 1), (1.0, -1.0), 0.0, equality=True), Linear((0,), (-1.0,), -1.0)]
    before = value_at(SURROGATES[d], starts)
    X, value = climb(SURROGATES[d], starts, free, tuple(constraints))
    assert (value >= before - 1e-12).all()
    assert ((X >= 0) & (X <= 1)).all()
    held = [column for column in range(d) if column not in free]
    assert np.array_equal(X[:, held], starts[:, held])
    for c in constraints:
        total = X[:, list(c.columns)] @ np.array(c.coefficients)
        assert np.abs(total - c.rhs).max() < 1e-9 if c.equality else (total >= c.rhs - 1e-9).all()


def test_starts_are_left_alone_without_free_columns_and_never_overwritten() -> None:
    fitted = SURROGATES[4]
    starts = np.random.default_rng(0).random((2, 4))
    kept = starts.copy()
    X, _ = climb(fitted, starts, free=[])
    assert np.array_equal(X, kept)
    climb(fitted, starts)
    assert np.array_equal(starts, kept)
    X, value = climb(fitted, np.empty((0, 4)))
    assert X.shape == (0, 4)
    assert value.shape == (0,)


def test_narrow_bounds_hold() -> None:
    fitted = SURROGATES[4]
    lower, upper = np.full(4, 0.3), np.full(4, 0.35)
    found = ascend(Improvement(fitted, 0.0), np.full((1, 4), 0.32), free=range(4), lower=lower, upper=upper)
    assert ((lower <= found.X) & (upper >= found.X)).all()
    # A single value left per column is a point from which nothing moves.
    found = ascend(Improvement(fitted, 0.0), np.full((1, 4), 0.3), free=range(4), lower=lower, upper=lower)
    assert np.array_equal(found.X, np.full((1, 4), 0.3))


@dataclass(frozen=True)
class WithoutSlopes:
    """A surrogate that can only predict, as a forest can."""

    inner: FittedGP

    @property
    def noise_sd(self) -> float:
        return self.inner.noise_sd

    @property
    def card(self) -> Card:
        return self.inner.card

    def predict(self, X: Array) -> Prediction:
        return self.inner.predict(X)


def test_a_surrogate_without_slopes_is_climbed_by_differences() -> None:
    plain = WithoutSlopes(SURROGATES[2])
    assert not isinstance(plain, Differentiable)
    starts = np.random.default_rng(1).random((5, 2))
    arguments: dict[str, Any] = {"free": range(2), "lower": np.zeros(2), "upper": np.ones(2)}
    incumbent = noisy_incumbent(plain, plain.inner.X)
    by_slopes = ascend(Improvement(plain.inner, incumbent), starts, **arguments)
    by_differences = ascend(Improvement(plain, incumbent), starts, **arguments)
    np.testing.assert_allclose(by_differences.value.max(), by_slopes.value.max(), atol=1e-4)


def test_an_average_is_climbed_by_its_members_slopes() -> None:
    inner = SURROGATES[2]
    fitted = AveragedGaussianProcess().fit(inner.X, inner.y, seed=0)
    starts = np.random.default_rng(1).random((4, 2))
    incumbent = noisy_incumbent(fitted, inner.X)
    found = ascend(Improvement(fitted, incumbent), starts, free=range(2), lower=np.zeros(2), upper=np.ones(2))
    before = log_expected_improvement_at(fitted, starts, incumbent)
    assert (found.value >= before).all()
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 31)] * 2), axis=-1).reshape(-1, 2)
    best = log_expected_improvement_at(fitted, grid, incumbent).max()
    assert found.value.max() > best - 0.05


def test_a_surrogate_without_doubt_stays_where_it_is() -> None:
    @dataclass(frozen=True)
    class Certain(WithoutSlopes):
        def predict(self, X: Array) -> Prediction:
            return Prediction(np.zeros(len(X)), np.zeros(len(X)))

    starts = np.full((1, 2), 0.5)
    found = ascend(
        Improvement(Certain(SURROGATES[2]), 1.0), starts, free=[0, 1], lower=np.zeros(2), upper=np.ones(2)
    )
    assert np.array_equal(found.X, starts)
    assert found.value[0] == -np.inf


@pytest.mark.parametrize(
    ("start", "constraints"),
    [
        ([1.2, 0.5], ()),
        ([0.2, 0.5], (Linear((0,), (1.0,), 0.3),)),
        ([0.2, 0.5], (Linear((0, 1), (1.0, 1.0), 1.0, equality=True),)),
    ],
)
def test_infeasible_starts_are_refused(start: list[float], constraints: tuple[Linear, ...]) -> None:
    with pytest.raises(ValueError, match="within the bounds and keep the constraints"):
        climb(SURROGATES[2], np.array([start]), constraints=constraints)


def test_a_constraint_needs_a_coefficient_for_each_column() -> None:
    with pytest.raises(ValueError, match="one coefficient for each"):
        Linear((0, 1), (1.0,), 0.0)
    with pytest.raises(ValueError, match="one coefficient for each"):
        Linear((), (), 0.0)
