"""What is wanted of a quantity: a direction, a target, limits; and what contradicts itself."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from labctl.objective import Objective

numbers = st.floats(-1e9, 1e9, allow_nan=False)


def objective(goal: str, **told: float) -> Objective:
    return Objective.model_validate({"goal": goal, "unit": "mm", **told})


@pytest.mark.parametrize(
    ("goal", "told", "better", "worse"),
    [
        ("maximize", {}, 3.0, 2.0),
        ("minimize", {}, 2.0, 3.0),
        ("target", {"target": 5.0}, 5.5, 4.0),
        ("target", {"target": 5.0}, 4.5, 6.0),
    ],
)
def test_the_better_value_is_worth_more(
    goal: str, told: dict[str, float], better: float, worse: float
) -> None:
    wanted = objective(goal, **told)
    assert wanted.worth(better) > wanted.worth(worse)
    assert wanted.direction * wanted.judged(better) > wanted.direction * wanted.judged(worse)


@given(numbers, numbers)
def test_a_target_is_missed_alike_on_both_sides(target: float, miss: float) -> None:
    wanted = objective("target", target=target)
    assert wanted.judged(target) == 0
    assert wanted.judged(target + miss) == pytest.approx(wanted.judged(target - miss), abs=1e-6)
    assert wanted.worth(target + miss) <= wanted.worth(target)


def test_limits_count_their_ends_and_are_open_elsewhere() -> None:
    both = objective("observe", at_least=1.0, at_most=2.0)
    assert [both.keeps(v) for v in (0.99, 1.0, 1.5, 2.0, 2.01)] == [False, True, True, True, False]
    assert objective("maximize").limits == (-math.inf, math.inf)
    assert objective("maximize", at_most=2.0).limits == (-math.inf, 2.0)
    assert not objective("observe", at_least=0.0).keeps(math.nan)


def test_what_is_observed_is_needed_only_for_its_limits() -> None:
    plain, limited = objective("observe"), objective("observe", at_most=0.0)
    assert (plain.wanted, plain.limited, plain.needed) == (False, False, False)
    assert (limited.wanted, limited.limited, limited.needed) == (False, True, True)
    assert objective("maximize").needed


@pytest.mark.parametrize(
    ("goal", "told", "said"),
    [
        ("target", {}, "target: NUMBER belong together"),
        ("maximize", {"target": 3.0}, "target: NUMBER belong together"),
        ("observe", {"at_least": 2.0, "at_most": 1.0}, "at_least (2) must lie below at_most (1)"),
        ("observe", {"at_least": 1.0, "at_most": 1.0}, "at_least (1) must lie below at_most (1)"),
        ("target", {"target": 3.0, "at_most": 2.0}, "target (3) lies outside"),
        ("maximize", {"at_least": math.nan}, "nan"),
        ("maximise", {}, "goal"),
    ],
)
def test_what_contradicts_itself_is_refused(goal: str, told: dict[str, float], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        objective(goal, **told)
    assert said in str(refused.value)
