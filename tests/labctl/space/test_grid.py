"""Numbers that an instrument sets in steps: the decimals a person would write, to the last bit."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from labctl.space import Continuous, Space, sample


@settings(max_examples=150, deadline=None)
@given(st.integers(-500, 500), st.integers(1, 400), st.integers(2, 3000), st.integers(0, 6))
def test_every_number_is_the_decimal_that_a_person_would_write(
    low: int, step: int, n: int, digits: int
) -> None:
    unit = Decimal(1).scaleb(-digits)
    first, wide = low * unit, step * unit
    parameter = Continuous(
        unit="mm", low=float(first), high=float(first + n * wide + wide / 2), step=float(wide)
    )
    grid = parameter.grid
    assert grid is not None
    assert grid.last == n
    told = [float(str(first + k * wide)) for k in range(n + 1)]
    assert grid.values(np.arange(n + 1)).tolist() == told
    u = np.random.default_rng(0).random(50)
    decoded = parameter.decode(u[:, None])
    nearest = [
        min(told, key=lambda v: abs(v - (parameter.low + x * (parameter.high - parameter.low)))) for x in u
    ]
    assert decoded == pytest.approx(nearest, abs=float(wide))
    assert set(decoded) <= set(told)
    assert parameter.decode(parameter.encode(told)) == told


def test_steps_start_at_low_or_where_origin_says() -> None:
    plain = Continuous(unit="mm", low=0.05, high=1, step=0.3)
    assert plain.grid is not None
    assert plain.grid.values(np.arange(plain.grid.last + 1)).tolist() == [0.05, 0.35, 0.65, 0.95]
    shifted = Continuous(unit="mm", low=0.05, high=1, step=0.3, origin=0)
    assert shifted.grid is not None
    assert shifted.grid.values(np.arange(shifted.grid.last + 1)).tolist() == [0.3, 0.6, 0.9]


def test_numbers_between_two_steps_are_data_and_never_proposed() -> None:
    space = Space({"x": Continuous(unit="mm", low=0, high=10, step=0.5)})
    assert space.problems({"x": 3.14}) == ()
    assert space.canonical({"x": 3.14}) == {"x": 3.14}
    assert {float(r["x"]) % 0.5 for r in sample(space, 200, np.random.default_rng(0))} == {0.0}
    pooled = space.with_pool({"x": [3.0, 3.14, 3.5]}).pool
    assert pooled is not None
    assert pooled.columns == {"x": [3.0, 3.5]}


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"step": 0}, "must be above 0"),
        ({"step": -1}, "must be above 0"),
        ({"step": 20}, "leaves fewer than two values between 0 and 10"),
        ({"step": 1 / 3}, "too many digits"),
        ({"step": 1e-12}, "steps of this range"),
        ({"origin": 1}, "add step"),
    ],
)
def test_what_is_no_step_is_refused(told: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Continuous(unit="mm", low=0, high=10, **told)
