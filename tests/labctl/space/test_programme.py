"""A solver that gives up has not shown that the laws exclude each other."""

import numpy as np

from labctl.law import read_rule
from labctl.space import Continuous, Integer, Mixture, Space, sample


def test_as_many_are_drawn_as_wanted_where_the_solver_gives_up_now_and_then() -> None:
    """HiGHS ends some of these programmes with an error after it presolved them."""
    parameters = {
        "n": Integer(unit="gram", low=1, high=38),
        "t": Continuous(unit="gram", low=1.94, high=671.24, scale="log"),
        "a": Continuous(unit="gram", low=0, high=5),
        "b": Continuous(unit="gram", low=0, high=100, step=0.25, origin=0.125),
        "c": Continuous(unit="gram", low=0, high=5, step=2),
    }
    space = Space(
        parameters,
        {"m": Mixture(parts=("a", "b", "c"), total=93.615, unit="gram", max_parts=3)},
        rules=(read_rule("n * a <= 83.72008372", parameters), read_rule("n * b >= 2425.4975745", parameters)),
        fixed={"a": 2.99},
    )
    for seed in range(6):
        drawn = sample(space, 12, np.random.default_rng(seed))
        assert len(drawn) == 12
        assert all(space.problems(recipe) == () for recipe in drawn)
