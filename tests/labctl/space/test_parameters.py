"""What is no setting gets a sentence, whatever a program hands over, and never an error of Python's own."""

import math

import numpy as np
import pytest

from labctl.space import Categorical, Continuous, Formula, Integer, Ordinal, Parameter
from labctl.space.parameters import reached_problem

EVERY: list[Parameter] = [
    Continuous(unit="mm", low=0, high=5),
    Integer(unit="mm", low=0, high=5),
    Ordinal(unit="mm", levels=(1, 2)),
    Categorical(choices=("é", "b")),
    Formula(choices=("Fe", "Ni")),
]
NO_SETTING = [
    None,
    True,
    False,
    [1],
    {},
    10**400,
    10**5000,
    -(10**400),
    math.nan,
    math.inf,
    1j,
    b"b",
    object(),
]


@pytest.mark.parametrize("parameter", EVERY, ids=lambda p: p.kind)
@pytest.mark.parametrize("value", NO_SETTING, ids=lambda v: type(v).__name__)
def test_what_is_no_setting_is_said_in_one_short_sentence(parameter: Parameter, value: object) -> None:
    for problem in (parameter.problem(value), reached_problem(parameter, value)):  # type: ignore[arg-type] # the point
        assert problem is not None
        assert len(problem) < 200
        assert "\n" not in problem


def test_numbers_of_any_kind_are_numbers() -> None:
    number, whole, level = EVERY[:3]
    for value in (1, 1.0, np.float64(1), np.int64(1), np.float32(1)):
        assert number.problem(value) is None  # type: ignore[arg-type] # numpy's are taken too
        assert whole.problem(value) is None  # type: ignore[arg-type]
        assert level.problem(value) is None  # type: ignore[arg-type]
        assert reached_problem(number, value) is None  # type: ignore[arg-type]


def test_a_formula_of_an_unread_table_must_at_least_be_text() -> None:
    unread = Formula()
    assert reached_problem(unread, "Fe2O3") is None
    assert reached_problem(unread, 3) == "3 is no text"
