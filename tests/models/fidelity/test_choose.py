"""What is measured next: within the shares of doubted sources, where it is allowed, where it tells most."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_models.acquisition.improvement import log_expected_improvement, noisy_incumbent
from labctl_models.fidelity.choose import Options, best_target, decide, most_informative
from labctl_models.fidelity.guard import judge
from labctl_models.fidelity.readings import Readings
from labctl_models.surrogates.gp import GaussianProcess
from labctl_models.surrogates.protocol import Array

COST = np.array([1.0, 10.0])


def hill(X: Array) -> Array:
    return np.asarray(np.sin(9 * X[:, 0]) + np.cos(7 * X[:, 1]))


def campaign(seed: int, *, permuted: bool, n: int = 8, pairs: int = 8) -> tuple[Readings, Array]:
    """Target readings at the first n of 40 recipes, cheap ones at the first `pairs`; and the pool."""
    rng = np.random.default_rng(seed)
    pool = rng.random((40, 2))
    cheap = hill(pool[:pairs])
    cheap = rng.permutation(cheap) if permuted else cheap + 0.02 * rng.standard_normal(pairs)
    y = np.concatenate([cheap, hill(pool[:n])])
    return Readings(np.vstack([pool[:pairs], pool[:n]]), np.repeat([0, 1], [pairs, n]), y, 2), pool


def open_for(pool: Array, *, target: int, cheap: int) -> Options:
    """All of the pool but the first rows, which were measured."""
    allowed = np.ones((len(pool), 2), dtype=bool)
    allowed[:cheap, 0] = False
    allowed[:target, 1] = False
    return Options(pool, allowed, COST)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 1000), permuted=st.booleans())
def test_doubted_sources_never_cost_more_than_their_share(seed: int, permuted: bool) -> None:  # noqa: FBT001  drawn
    readings, pool = campaign(seed, permuted=permuted, n=5, pairs=1)
    spent = np.array([1.0, 50.0])
    allowed = open_for(pool, target=5, cheap=1).allowed.copy()
    for _ in range(5):
        judged = judge(readings, seed=0)
        pick = decide(readings, judged, Options(pool, allowed, COST), spent, seed=0)
        assert allowed[pick.row, pick.source]
        if not judged.used:
            assert pick.role in {"trial", "target"}
            paid = spent[0] + (COST[0] if pick.source == 0 else 0.0)
            assert paid <= max(spent[0], 0.1 * spent[1] + 1e-9)
        if pick.role == "trial":
            assert (pool[pick.row] == readings.of(1)[0]).all(axis=1).any()
        spent[pick.source] += COST[pick.source]
        allowed[pick.row, pick.source] = False
        value = hill(pool[[pick.row]])
        readings = Readings(
            np.vstack([readings.X, pool[[pick.row]]]),
            np.append(readings.source, pick.source),
            np.append(readings.y, value),
            2,
        )


def test_without_help_the_target_is_chosen_by_the_surrogate_given() -> None:
    readings, pool = campaign(2, permuted=True)
    judged = judge(readings, seed=0)
    assert not judged.used
    options = open_for(pool, target=8, cheap=8)
    X, y = readings.of(1)
    alone = GaussianProcess().fit(X, y, seed=0)
    pick = decide(readings, judged, options, [8.0, 80.0], seed=0, alone=alone)
    belief = alone.predict(pool[8:])
    score = log_expected_improvement(belief.mean, belief.sd, noisy_incumbent(alone, X))
    assert (pick.role, pick.row) == ("target", 8 + int(score.argmax()))


def test_a_cheap_source_that_helps_is_read_first_until_it_has_told_all() -> None:
    readings, pool = campaign(0, permuted=False)
    judged = judge(readings, seed=0)
    assert judged.used == (0,)
    options = open_for(pool, target=8, cheap=8)
    pick = decide(readings, judged, options, [8.0, 80.0], seed=0)
    assert (pick.role, pick.source) == ("inform", 0)
    assert "nats" in pick.because
    exhausted = open_for(pool, target=8, cheap=40)
    assert decide(readings, judged, exhausted, [40.0, 80.0], seed=0).role == "target"


def test_a_cheap_source_that_costs_as_much_is_not_asked() -> None:
    readings, pool = campaign(0, permuted=False)
    judged = judge(readings, seed=0)
    allowed = open_for(pool, target=8, cheap=8).allowed
    assert judged.together is not None
    picks = [
        most_informative(judged.together, Options(pool, allowed, np.array([cost, 10.0])), judged.used, seed=0)
        for cost in (0.1, 10.0)
    ]
    assert [pick.source for pick in picks if pick is not None] == [0, 1]


def test_a_recipe_that_costs_more_is_chosen_less() -> None:
    readings, pool = campaign(0, permuted=False)
    judged = judge(readings, seed=0)
    assert judged.together is not None
    options = open_for(pool, target=8, cheap=8)
    first = most_informative(judged.together, options, judged.used, seed=0)
    assert first is not None
    dear = options.cost.copy()
    dear[first.row, first.source] *= 1000.0
    second = most_informative(judged.together, Options(pool, options.allowed, dear), judged.used, seed=0)
    assert second is not None
    assert (second.row, second.source) != (first.row, first.source)


def test_the_target_is_measured_only_where_it_can_be() -> None:
    readings, pool = campaign(0, permuted=False)
    judged = judge(readings, seed=0)
    allowed = np.zeros((40, 2), dtype=bool)
    allowed[[20, 31], 1] = True
    assert decide(readings, judged, Options(pool, allowed, COST), [8.0, 80.0], seed=0).row in {20, 31}


def test_bad_options_are_named() -> None:
    pool = np.zeros((3, 2))
    with pytest.raises(ValueError, match="positive number"):
        Options(pool, np.ones((3, 2), dtype=bool), np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="no source may measure"):
        Options(pool, np.zeros((3, 2), dtype=bool), COST)
    with pytest.raises(ValueError, match="must be 3 x m"):
        Options(pool, np.ones((2, 2), dtype=bool), COST)
    readings, pool = campaign(0, permuted=False, n=2, pairs=2)
    only_cheap = np.zeros((40, 2), dtype=bool)
    only_cheap[:, 0] = True
    with pytest.raises(ValueError, match="too few readings"):
        decide(readings, judge(readings, seed=0), Options(pool, only_cheap, COST), [5.0, 20.0], seed=0)
    alone = GaussianProcess().fit(*readings.of(1), seed=0)
    with pytest.raises(ValueError, match="none of the recipes"):
        best_target(alone, readings, Options(pool, only_cheap, COST))
