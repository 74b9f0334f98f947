"""Sums and differences of numbers known by their logarithms."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labctl_models.acquisition.logs import log_difference, log_sum

LOGS = st.floats(-700.0, 700.0)


@given(LOGS, st.floats(1e-12, 50.0))
def test_a_difference_keeps_its_digits_however_near_the_two_are(low: float, gap: float) -> None:
    found = float(log_difference(np.array([low + gap]), np.array([low]))[0])
    gap = (low + gap) - low  # as the two doubles have it
    assert found == low or np.isclose(found, low + np.log(np.expm1(gap)), rtol=1e-12, atol=1e-9)


def test_nothing_is_left_of_equals_and_of_a_smaller_number() -> None:
    found = log_difference(np.array([1.0, 0.0, -np.inf, 2.0]), np.array([1.0, 3.0, -np.inf, -np.inf]))
    np.testing.assert_array_equal(found, [-np.inf, -np.inf, -np.inf, 2.0])


def test_a_sum_needs_no_number_that_a_double_can_hold() -> None:
    terms = np.array([[-2000.0, 0.0, -np.inf], [-2000.0, np.log(3.0), -np.inf]])
    np.testing.assert_allclose(log_sum(terms), [-2000.0 + np.log(2.0), np.log(4.0), -np.inf])
