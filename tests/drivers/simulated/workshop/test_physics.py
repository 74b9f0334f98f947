"""The casting follows the laws in its sources, checked against numbers worked out apart from the code."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.simulated.workshop import physics
from labctl_drivers.simulated.workshop.physics import ELEMENTS, Alloy, Structure

ALLOY = Alloy()
BEST = {"Zr": 48.0, "Cu": 45.0, "Al": 7.0}
BINARY = {"Zr": 50.0, "Cu": 50.0, "Al": 0.0}
COMPOSITIONS = st.tuples(st.floats(0.1, 99), st.floats(0.1, 99), st.floats(0.0, 99)).map(
    lambda parts: {e: 100 * part / sum(parts) for e, part in zip(ELEMENTS, parts, strict=True)}
)


def critical(made: dict[str, float], melt_c: float = 1100.0, humidity: float = 45.0) -> float:
    return physics.critical_rate(ALLOY, made, melt_c, humidity, 0.015)


@settings(deadline=None, max_examples=100)
@given(COMPOSITIONS, st.floats(1.0, 1e5))
def test_weighing_in_gives_back_the_composition(made: dict[str, float], total: float) -> None:
    masses = physics.masses(made, total)
    assert math.fsum(masses.values()) == pytest.approx(total)
    assert physics.composition(masses) == pytest.approx(made)


def test_masses_of_an_equiatomic_alloy_by_hand() -> None:
    # 91.224 / (91.224 + 63.546) of the mass is zirconium
    assert physics.masses(BINARY, 1000.0)["Zr"] == pytest.approx(589.416, abs=1e-3)


def test_critical_rates_have_the_published_size() -> None:
    # Lin and Johnson: 10 / R², with R in cm. Castings of 8 mm and of 2 mm diameter.
    assert critical(BEST) == pytest.approx(10 / 0.4**2, rel=0.1)
    assert critical(BINARY) == pytest.approx(10 / 0.1**2, rel=0.3)
    # A pure metal cannot be made glassy by any of the workshop's moulds.
    assert critical({"Zr": 100.0, "Cu": 0.0, "Al": 0.0}, 1850.0) > 1e6


def test_moist_air_costs_cooling_as_it_is_set_to() -> None:
    assert critical(BEST, humidity=65.0) / critical(BEST, humidity=45.0) == pytest.approx(10 ** (0.015 * 20))


def test_a_melt_needs_superheat_and_suffers_from_too_much() -> None:
    rates = [critical(BEST, melt_c) for melt_c in (892.0, 950.0, 1100.0, 1300.0)]
    assert rates[0] > rates[1] > rates[2] < rates[3]


def test_at_the_critical_rate_a_millionth_crystallises() -> None:
    assert physics.cast(100.0, 100.0).crystalline == pytest.approx(1e-6, rel=1e-5)
    # ten times slower, ten thousand times as much: 1 - exp(-0.01)
    assert physics.cast(1000.0, 100.0).crystalline == pytest.approx(0.00995017, rel=1e-5)
    assert physics.cast(1e10, 0.1).crystalline == 1.0


@settings(deadline=None, max_examples=100)
@given(st.floats(1e-3, 1e10), st.floats(0.1, 1e6), st.floats(20, 700))
def test_fractions_stay_fractions_and_crystals_do_not_vanish(
    rate: float, cooling: float, oven: float
) -> None:
    cast = physics.cast(rate, cooling)
    annealed = physics.anneal(ALLOY, cast, oven)
    assert 0.0 <= cast.crystalline <= annealed.crystalline <= 1.0
    assert 0.0 <= annealed.relaxed <= 1.0
    assert 2.0 <= annealed.grain_nm <= 300.0


def test_annealing_is_thermally_activated_and_half_done_where_it_says() -> None:
    glass = Structure(0.0, 2.0, 0.0)
    assert physics.anneal(ALLOY, glass, ALLOY.crystallising_c).crystalline == pytest.approx(0.5)
    # 20 K more at 733 K and 250 kJ/mol: exp(250000/8.314462618 (1/733.15 - 1/753.15)) = 2.9711 times faster,
    # to the power 2 in the exponent: 1 - 2^-8.827
    assert physics.anneal(ALLOY, glass, 480.0).crystalline == pytest.approx(1 - 2**-8.8273, rel=1e-4)
    assert physics.anneal(ALLOY, glass, 20.0).crystalline == pytest.approx(0.0, abs=1e-12)
    slow = replace(ALLOY, crystallising_energy=2 * ALLOY.crystallising_energy)
    assert physics.anneal(slow, glass, 440.0).crystalline < physics.anneal(ALLOY, glass, 440.0).crystalline


def test_grains_harden_by_hall_and_petch_down_to_where_that_ends() -> None:
    def hard(grain: float) -> float:
        return physics.hardness(ALLOY, BEST, Structure(1.0, grain, 0.0))

    # four times the grain: half of what the boundaries add
    assert hard(100.0) - ALLOY.crystal_hv == pytest.approx((hard(25.0) - ALLOY.crystal_hv) / 2)
    assert hard(3.0) == hard(12.0) > hard(13.0)


def test_a_relaxed_glass_is_harder_and_nanocrystals_are_hardest() -> None:
    glass, relaxed, nano, coarse = (
        physics.hardness(ALLOY, BEST, structure)
        for structure in (
            Structure(0.0, 2.0, 0.0),
            Structure(0.0, 2.0, 1.0),
            Structure(1.0, 12.0, 1.0),
            Structure(1.0, 200.0, 1.0),
        )
    )
    assert glass < relaxed < nano
    assert coarse < glass
