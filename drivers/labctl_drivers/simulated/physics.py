"""Hardness of an aged aluminium-copper-like alloy, and what quenching does to it; pure arithmetic.

The model is that of Shercliff and Ashby, Acta Metall. Mater. 38 (1990) 1789: precipitates that form
(Johnson-Mehl-Avrami-Kolmogorov), coarsen (Lifshitz-Slyozov-Wagner, radius cubed grows with the
temperature-corrected time), are cut while small and looped when large, so that strength goes through a peak.
The constants have the size of those of Al-4Cu (activation energy of copper diffusing in aluminium,
136 kJ/mol; eutectic at 548 °C; peak near 130 HV after half a day at 190 °C) and describe no real heat of it.
"""

import math
from dataclasses import dataclass

GAS_CONSTANT = 8.314462618
"""J/(mol K)"""
KELVIN = 273.15
ROOM_C = 20.0


@dataclass(frozen=True, slots=True)
class Alloy:
    """Constants of the alloy and of the sample, a plate.

    Attributes:
        base_hv: hardness of the matrix without copper, HV.
        solute_hv: what all copper in solution adds once it has aged at room temperature, HV.
        precipitate_hv: strength parameter of the precipitates, HV.
        growth_energy: activation energy of growth and coarsening, J/mol.
        solvus_energy: sets how the precipitates' equilibrium amount falls towards the solvus, J/mol.
        solvus_c: temperature above which no precipitate is stable, °C.
        eutectic_c: temperature above which the alloy begins to melt, °C.
        equal_s: time at 190 °C after which cutting and looping are equally hard, s.
        avrami_exponent: 3/2 for precipitates that grow from what is there at the start.
        formed_share: time of the formation of precipitates, as a share of the time ``equal_s`` scales.
        half_thickness: half the thickness of the plate, m.
        conductivity: W/(m K).
        heat_capacity: by volume, J/(m³ K).
        stress_per_kelvin: E α / (1 − ν), Pa/K.
        crack_stress: thermal stress at which half of the samples crack, Pa.
        loss_s: time between 400 and 290 °C in which 1/e of the solute stays in solution, s.
    """

    base_hv: float = 25.0
    solute_hv: float = 65.0
    precipitate_hv: float = 87.0
    growth_energy: float = 136e3
    solvus_energy: float = 30e3
    solvus_c: float = 507.0
    eutectic_c: float = 548.0
    equal_s: float = 60 * 3600.0
    avrami_exponent: float = 1.5
    formed_share: float = 0.15
    half_thickness: float = 8e-3
    conductivity: float = 150.0
    heat_capacity: float = 2.43e6
    stress_per_kelvin: float = 2.455e6
    crack_stress: float = 70e6
    loss_s: float = 60.0


HEAT_TRANSFER = {"water": 4000.0, "oil": 1000.0, "air": 60.0}
"""Mean coefficient of heat transfer of each medium, W/(m² K): stirred water, oil, fan."""

_REFERENCE_K = 190.0 + KELVIN
_SENSITIVE_C = (400.0, 290.0)


def equilibrium_share(alloy: Alloy, temperature_c: float) -> float:
    """Share of the copper that is precipitated at equilibrium, 0 above the solvus (Shercliff and Ashby)."""
    below = 1 / (temperature_c + KELVIN) - 1 / (alloy.solvus_c + KELVIN)
    return max(0.0, -math.expm1(-alloy.solvus_energy / GAS_CONSTANT * below)) if below > 0 else 0.0


def relative_time(alloy: Alloy, temperature_c: float, seconds: float) -> float:
    """Temperature-corrected time (t/T) exp(−Q/RT), divided by its value when cutting equals looping."""
    kelvin = temperature_c + KELVIN
    shift = alloy.growth_energy / GAS_CONSTANT * (1 / _REFERENCE_K - 1 / kelvin)
    return (seconds / alloy.equal_s) * (_REFERENCE_K / kelvin) * math.exp(shift)


def formed_share(alloy: Alloy, temperature_c: float, seconds: float) -> float:
    """Share of the precipitates' equilibrium amount that has formed (Johnson-Mehl-Avrami-Kolmogorov)."""
    scaled = relative_time(alloy, temperature_c, seconds) / alloy.formed_share
    return -math.expm1(-(scaled**alloy.avrami_exponent))


def relative_radius(alloy: Alloy, temperature_c: float, seconds: float) -> float:
    """Mean radius of the precipitates over that at which cutting equals looping (Lifshitz-Slyozov-Wagner)."""
    return math.cbrt(relative_time(alloy, temperature_c, seconds))


def precipitate_hardness(alloy: Alloy, temperature_c: float, seconds: float) -> float:
    """What precipitates add, HV: the harmonic mean of cutting (∝ √(f r)) and looping (∝ √f / r)."""
    if seconds <= 0:
        return 0.0
    amount = equilibrium_share(alloy, temperature_c) * formed_share(alloy, temperature_c, seconds)
    radius = relative_radius(alloy, temperature_c, seconds)
    return 2 * alloy.precipitate_hv * math.sqrt(amount) * math.sqrt(radius) / (1 + math.sqrt(radius**3))


def hardness(alloy: Alloy, temperature_c: float, seconds: float, medium: str) -> float:
    """Hardness after ageing and quenching, HV; ``medium`` is a key of HEAT_TRANSFER."""
    formed = formed_share(alloy, temperature_c, seconds) if seconds > 0 else 0.0
    dissolved = 1 - equilibrium_share(alloy, temperature_c) * formed
    kept = dissolved * retained_share(alloy, temperature_c, medium)
    precipitates = precipitate_hardness(alloy, temperature_c, seconds)
    return alloy.base_hv + alloy.solute_hv * math.pow(kept, 2 / 3) + precipitates


def cooling_seconds(alloy: Alloy, from_c: float, to_c: float, medium: str) -> float:
    """Time to cool from one temperature to a lower one above room temperature, s (lumped heat capacity)."""
    if from_c <= to_c:
        return 0.0
    scale = alloy.heat_capacity * alloy.half_thickness / HEAT_TRANSFER[medium]
    return scale * math.log((from_c - ROOM_C) / (to_c - ROOM_C))


def retained_share(alloy: Alloy, temperature_c: float, medium: str) -> float:
    """Share of the dissolved copper that is still in solution after the quench.

    The quench-factor idea of Evancho and Staley, Metall. Trans. 5 (1974) 43, with one constant: what is
    lost depends on the time spent in the range where precipitation is fastest, 400 to 290 °C.
    """
    hot, cold = _SENSITIVE_C
    seconds = cooling_seconds(alloy, min(temperature_c, hot), cold, medium)
    return math.exp(-seconds / alloy.loss_s)


def thermal_stress(alloy: Alloy, temperature_c: float, medium: str) -> float:
    """Largest stress at the surface of the quenched plate, Pa.

    With Manson's fit (NACA TN 2933, 1953) of the plate's solution in the Biot number h L / k.
    """
    biot = HEAT_TRANSFER[medium] * alloy.half_thickness / alloy.conductivity
    share = 1 / (1.5 + 3.25 / biot - 0.5 * math.exp(-16 / biot))
    return alloy.stress_per_kelvin * max(0.0, temperature_c - ROOM_C) * share
