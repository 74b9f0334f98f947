"""Rules that people write: what they mean, and that Python's own arithmetic agrees."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.law import read_rule
from labctl.space import Categorical, Continuous

PARAMETERS = {
    "x": Continuous(unit="mm", low=-10, high=10),
    "flow rate": Continuous(unit="mL/min", low=0, high=5),
    "k": Categorical(choices=("a", "b")),
}


@settings(max_examples=200, deadline=None)
@given(st.floats(-10, 10), st.floats(0, 5))
def test_a_rule_means_what_python_would_make_of_it(x: float, f: float) -> None:
    columns = {"x": np.array([x]), "flow rate": np.array([f])}
    for text, kept in (
        ("x * `flow rate` <= 7.5", x * f <= 7.5),
        ("x > 2 * `flow rate`", x > 2 * f),
        ("0 <= x <= 1 or `flow rate` < abs(x)", 0 <= x <= 1 or f < abs(x)),
        (
            "x < 3 and (x > -3 or `flow rate` >= 1) and `flow rate` < 4",
            x < 3 and (x > -3 or f >= 1) and f < 4,
        ),
        ("sqrt(`flow rate`) + x ** 2 >= 10", math.sqrt(f) + x**2 >= 10),
    ):
        rule = read_rule(text, PARAMETERS)
        assert rule.exact(columns).tolist() == [kept], text
        excess = float(rule.excess(columns)[0])
        assert excess <= 0 if kept else excess >= 0, text


def test_where_a_formula_is_undefined_the_rule_is_not_kept() -> None:
    rule = read_rule("sqrt(x) <= 5", PARAMETERS)
    columns = {"x": np.array([-1.0, 4.0])}
    assert rule.exact(columns).tolist() == [False, True]
    assert rule.excess(columns)[0] == np.inf


def test_it_names_its_parameters_once() -> None:
    assert read_rule("x * x <= `flow rate` * x", PARAMETERS).parameters == ("x", "flow rate")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("x", "compares nothing"),
        ("not x < 1", "compares nothing"),
        ("x = 1", "cannot be read as a formula"),
        ("x != 1", "has '!' in it"),
        ("x is 1", "compares with =="),
        ("x in x", "compares with =="),
        ("(x < 1) + 1 < 2", "'x < 1', which is not understood"),
        ("x < k", "uses k, which is no number"),
        ("x < y", "has y, which is neither a parameter nor a constant; a rule is about parameters"),
        ("x < 1" + " and x < 1" * 60, "characters, and a rule has 500 at most"),
        ("-" * 100 + "x < 1", "nested more than 30 deep"),
        ("x < 9 ** 9 ** 9 ** 9 ** x and x if x else x", "compares nothing"),
    ],
)
def test_what_is_no_rule_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError) as wrong:  # noqa: PT011 - the sentence is looked at
        read_rule(text, PARAMETERS)
    assert says in str(wrong.value)
    assert "\n" not in str(wrong.value)
