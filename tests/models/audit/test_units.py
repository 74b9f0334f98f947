"""Planted units are found; skew, heavy-tailed and broad quantities raise nothing."""

import math

import numpy as np
import pytest

from labctl_models.audit.table import AuditTable
from labctl_models.audit.units import FACTORS, UnitsCheck, unit_outliers
from labctl_models.surrogates.protocol import Array


def strengths(seed: int, n: int = 300) -> tuple[Array, Array]:
    """Yield strengths about a known expectation, to a tenth."""
    rng = np.random.default_rng(seed)
    expected = 400 + 600 * rng.random(n)
    return expected * np.exp(0.08 * rng.standard_normal(n)), expected


@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("large", [True, False])
def test_every_factor_is_recognised(name: str, large: bool) -> None:  # noqa: FBT001  a parameter of the test
    values, expected = strengths(1)
    values[[5, 50, 200]] *= FACTORS[name] if large else 1 / FACTORS[name]
    found = unit_outliers(values, expected)
    assert list(found.rows) == [5, 50, 200]
    # 9.8 and 10 cannot be told apart at a scatter of 8 %, and both are named.
    assert name in found.reason
    assert found.reason.count(" or ") == (name[:2] in {"10", "9."} and name[:3] != "100")
    assert found.direction is large
    assert math.exp(8 * 0.06) < found.visible < math.exp(8 * 0.1)


def test_kelvin_among_celsius() -> None:
    rng = np.random.default_rng(2)
    # Temperatures below zero degrees leave the factor out and the offset in.
    values = 5 + 4 * rng.standard_normal(200)
    values[[3, 4]] += 273.15
    found = unit_outliers(values, np.full(200, 5.0), temperatures=True)
    assert list(found.rows) == [3, 4]
    assert "273.15" in found.reason
    # What is no temperature has no zero of the kelvin scale.
    assert len(unit_outliers(values, np.full(200, 5.0)).rows) == 0


def test_ordinary_quantities_raise_nothing() -> None:
    rng = np.random.default_rng(3)
    shapes = {
        "normal": lambda: rng.normal(10, 1, 300),
        "wide": lambda: rng.lognormal(0, 2, 300),
        "skew": lambda: rng.gamma(2, 1, 300),
        "heavy": lambda: np.exp(0.2 * rng.standard_t(3, 300)),
        "two clusters": lambda: rng.normal(1, 0.02, 300) * np.where(rng.random(300) < 0.03, 8.5, 1),
        "left tail": lambda: rng.normal(10, 0.5, 300) * rng.beta(30, 1, 300) ** 3,
    }
    for name, draw in shapes.items():
        alarms = sum(
            len(unit_outliers(v, np.full(300, np.median(v))).rows) > 0 for v in (draw() for _ in range(60))
        )
        assert alarms <= 1, name


def test_values_that_do_not_vary_raise_nothing() -> None:
    assert len(unit_outliers(np.full(50, 3.0), np.full(50, 3.0)).rows) == 0


def test_the_check_looks_at_outcome_and_readings() -> None:
    rng = np.random.default_rng(4)
    X = rng.random((200, 3))
    y = 500 + 200 * X[:, 0] + 10 * rng.standard_normal(200)
    y[7] /= 6.894757
    furnace = 900 + 20 * rng.standard_normal(200)
    furnace[[1, 2, 3]] += 273.15
    table = AuditTable(
        X,
        y,
        columns={"furnace": furnace, "dose": furnace**2},
        readings=("furnace",),
        temperatures=("furnace",),
    )
    found = {finding.id: finding for finding in UnitsCheck().run(table, seed=0)}
    assert set(found) == {"labels.units:outcome", "labels.units:furnace"}
    assert list(np.asarray(found["labels.units:outcome"].detail["rows"])) == [7]
    assert "ksi" in found["labels.units:outcome"].title
    assert found["labels.units:furnace"].value == 3
    # One wrong unit may be taken for the best recipe.
    assert "1 value is too small" in found["labels.units:outcome"].title
    assert found["labels.units:outcome"].level == "medium"
