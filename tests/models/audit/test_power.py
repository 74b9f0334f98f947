"""Power of the screen against figures measured elsewhere, and against the screen itself."""

import math

import numpy as np
import pytest

from labctl_models.audit.hidden import screen
from labctl_models.audit.power import power, smallest_visible

# Measured with an independent programme on a few hundred draws each, hence to about 0.08.
MEASURED = [
    (20, 5, 1.0, 0.805),
    (20, 20, 1.0, 0.60),
    (40, 5, 1.0, 0.99),
    (20, 5, 0.5, 0.255),
    (20, 20, 0.5, 0.13),
    (40, 5, 0.5, 0.645),
]


@pytest.mark.parametrize(("n", "m", "effect", "expected"), MEASURED)
def test_power_is_what_was_measured(n: int, m: int, effect: float, expected: float) -> None:
    assert power(n, m, effect) == pytest.approx(expected, abs=0.08)


@pytest.mark.parametrize(("n", "m", "effect"), [(20, 5, 1.0), (40, 5, 0.5)])
def test_the_screen_finds_as_often_as_its_power_says(n: int, m: int, effect: float) -> None:
    rng = np.random.default_rng(n)
    draws, found = 150, 0
    for seed in range(draws):
        fields = {f"field {k}": rng.standard_normal(n) for k in range(m)}
        residuals = effect * fields["field 0"] + rng.standard_normal(n)
        found += "field 0" in screen(residuals, fields, seed=seed, count=299).found
    expected = power(n, m, effect)
    assert found / draws == pytest.approx(expected, abs=3.3 * math.sqrt(expected * (1 - expected) / draws))


@pytest.mark.parametrize(("n", "m", "effect"), [(20, 5, 1.0), (20, 20, 0.5), (40, 5, 0.5), (150, 10, 0.25)])
def test_power_is_that_of_drawn_ranks_and_drawn_thresholds(n: int, m: int, effect: float) -> None:
    rng = np.random.default_rng(n + m)
    x, noise = rng.standard_normal((2, 4000, n))

    def correlations(y: np.ndarray) -> np.ndarray:
        apart = x.argsort(axis=1).argsort(axis=1) - y.argsort(axis=1).argsort(axis=1)
        return np.abs(1 - 6 * (apart**2).sum(axis=1) / (n * (n * n - 1)))

    threshold = np.quantile(correlations(noise).reshape(-1, m).max(axis=1), 0.95)
    drawn = np.mean(correlations(effect * x + noise) >= threshold)
    # The drawn threshold itself scatters, most where few maxima were drawn.
    assert power(n, m, effect) == pytest.approx(drawn, abs=0.06)


def test_power_has_its_order_and_its_ends() -> None:
    assert power(30, 5, 0.0) == pytest.approx(0.01, abs=0.005)  # one of five fields at 5 % together
    assert power(20, 5, 1.0) > power(20, 50, 1.0)
    assert power(5000, 20, 0.3) > 0.999
    seen = smallest_visible(20, 5)
    assert power(20, 5, seen) >= 0.8 > power(20, 5, seen - 0.03)
    assert smallest_visible(4, 50) == math.inf
