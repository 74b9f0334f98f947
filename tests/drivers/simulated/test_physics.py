"""The alloy behaves as the laws in its sources say, checked against numbers derived apart from the code."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

from labctl_drivers.simulated import physics
from labctl_drivers.simulated.physics import Alloy

ALLOY = Alloy()
HOUR = 3600.0


def peak_seconds(hardness: Callable[[float, float], float], temperature_c: float) -> float:
    found = minimize_scalar(
        lambda log_s: -hardness(temperature_c, math.exp(log_s)),
        bounds=(math.log(1.0), math.log(1e9)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return math.exp(found.x)


def precipitates(temperature_c: float, seconds: float) -> float:
    return physics.precipitate_hardness(ALLOY, temperature_c, seconds)


def slope(function: Callable[[float], float], at: float, factor: float = 1.01) -> float:
    return (math.log(function(at * factor)) - math.log(function(at / factor))) / (2 * math.log(factor))


def test_the_peak_shifts_with_temperature_as_arrhenius_says() -> None:
    # 136 kJ/mol, 170 and 190 °C: (443.15/463.15) exp(136000/8.314462618 (1/443.15 - 1/463.15)) = 4.711
    ratio = peak_seconds(precipitates, 170.0) / peak_seconds(precipitates, 190.0)
    assert ratio == pytest.approx(4.711, rel=2e-3)


def test_the_hardness_peaks_where_the_docstring_says() -> None:
    seconds = peak_seconds(lambda t, s: physics.hardness(ALLOY, t, s, "water"), 190.0)
    assert 8 * HOUR < seconds < 16 * HOUR
    assert physics.hardness(ALLOY, 190.0, seconds, "water") == pytest.approx(130.0, abs=5.0)


def test_what_has_formed_follows_avrami() -> None:
    # at the time constant 1 - 1/e has formed, whatever the exponent; slope of ln(-ln(1-X)) over ln t is it
    tau = ALLOY.formed_share * ALLOY.equal_s
    assert physics.formed_share(ALLOY, 190.0, tau) == pytest.approx(0.6321205588, rel=1e-9)
    logs = slope(lambda s: -math.log1p(-physics.formed_share(ALLOY, 190.0, s)), tau)
    assert logs == pytest.approx(1.5, rel=1e-6)


def test_radii_grow_with_the_cube_root_of_time() -> None:
    small, large = (physics.relative_radius(ALLOY, 250.0, hours * HOUR) for hours in (3.0, 24.0))
    assert large / small == pytest.approx(2.0, rel=1e-12)


def test_far_overaged_strength_falls_as_one_over_the_radius() -> None:
    assert slope(lambda s: precipitates(300.0, s), 1e12) == pytest.approx(-1 / 3, abs=1e-3)


def test_first_strength_rises_with_the_roots_of_amount_and_radius() -> None:
    # amount ∝ t^(3/2) gives t^(3/4), radius ∝ t^(1/3) gives t^(1/6)
    assert slope(lambda s: precipitates(150.0, s), 1.0) == pytest.approx(3 / 4 + 1 / 6, abs=1e-2)


def test_nothing_is_stable_above_the_solvus_and_less_towards_it() -> None:
    shares = [physics.equilibrium_share(ALLOY, t) for t in np.linspace(100.0, 507.0, 50)]
    assert all(colder > warmer for colder, warmer in pairwise(shares))
    assert physics.equilibrium_share(ALLOY, 507.1) == 0.0
    assert precipitates(520.0, 10 * HOUR) == 0.0


def test_no_ageing_is_the_quenched_alloy() -> None:
    assert physics.hardness(ALLOY, 200.0, 0.0, "air") == pytest.approx(ALLOY.base_hv + ALLOY.solute_hv)


@pytest.mark.parametrize("medium", physics.HEAT_TRANSFER)
def test_cooling_is_the_solution_of_its_equation(medium: str) -> None:
    rate = physics.HEAT_TRANSFER[medium] / (ALLOY.heat_capacity * ALLOY.half_thickness)
    seconds = physics.cooling_seconds(ALLOY, 400.0, 290.0, medium)
    cooled = solve_ivp(lambda _, t: -rate * (t - 20.0), (0.0, seconds), [400.0], rtol=1e-10, atol=1e-9)
    assert cooled.y[0, -1] == pytest.approx(290.0, abs=1e-5)
    assert physics.cooling_seconds(ALLOY, 250.0, 290.0, medium) == 0.0


def test_a_faster_quench_keeps_more_copper_and_costs_more_stress() -> None:
    kept = [physics.retained_share(ALLOY, 500.0, medium) for medium in ("water", "oil", "air")]
    stress = [physics.thermal_stress(ALLOY, 500.0, medium) for medium in ("water", "oil", "air")]
    assert kept == sorted(kept, reverse=True)
    assert stress == sorted(stress, reverse=True)
    assert physics.retained_share(ALLOY, 250.0, "air") == 1.0


def test_stress_at_both_ends_of_the_biot_number() -> None:
    # a thick plate is fully constrained: E α ΔT / (1 − ν)
    thick = replace(ALLOY, half_thickness=1e4)
    assert physics.thermal_stress(thick, 120.0, "water") == pytest.approx(2.455e8, rel=1e-4)
    # a thin one has a parabolic profile, whose surface stress is Bi / 3 of that; the fit is 8 % below
    thin = replace(ALLOY, half_thickness=1e-6)
    parabola = 4000.0 * 1e-6 / 150.0 / 3 * 2.455e8
    assert physics.thermal_stress(thin, 120.0, "water") == pytest.approx(parabola, rel=0.1)


def test_water_cracks_near_the_solvus_and_oil_never() -> None:
    assert physics.thermal_stress(ALLOY, 300.0, "water") < 0.7 * ALLOY.crack_stress
    assert physics.thermal_stress(ALLOY, 540.0, "water") > ALLOY.crack_stress
    assert physics.thermal_stress(ALLOY, 540.0, "oil") < 0.5 * ALLOY.crack_stress
