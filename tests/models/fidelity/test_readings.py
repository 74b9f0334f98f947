"""Readings are checked once, and parted by source without losing any."""

import numpy as np
import pytest

from labctl_models.fidelity.readings import Readings

SOME = Readings(np.arange(8.0).reshape(4, 2), np.array([2, 0, 2, 1]), np.arange(4.0), 3)


def test_parts_keep_their_rows() -> None:
    assert SOME.target == 2
    assert [SOME.count(source) for source in range(3)] == [1, 1, 2]
    np.testing.assert_array_equal(SOME.of(2)[1], [0.0, 2.0])
    pair = SOME.pair(1)
    assert (pair.m, pair.source.tolist(), pair.y.tolist()) == (2, [1, 1, 0], [0.0, 2.0, 3.0])
    assert SOME.among([0, 2]).source.tolist() == [2, 0, 2]
    assert (SOME.alone().m, SOME.alone().y.tolist()) == (1, [0.0, 2.0])


@pytest.mark.parametrize(
    ("source", "y", "words"),
    [
        ([0, 3], [1.0, 2.0], "whole numbers from 0 to 2"),
        ([0, 1], [1.0, np.inf], "must be finite"),
        ([0, 1], [1.0], "their shapes are"),
        ([0], [1.0, 2.0], "shapes"),
    ],
)
def test_parts_that_do_not_go_together_are_named(source: list[int], y: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Readings(np.zeros((2, 1)), np.array(source), np.array(y), 3)
