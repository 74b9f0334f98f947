"""Casting and annealing a zirconium-copper-aluminium glass: what fraction crystallises, and how hard it is.

Constants have the size of published ones and describe no real alloy exactly:

- Zr48Cu45Al7 forms glass in castings of several millimetres, a little aluminium being what makes the
  difference to the binary Cu-Zr alloys (Yang et al., Intermetallics 34 (2013) 106); rods of Zr50Cu42Al8 are
  glassy at 3 mm (Xia et al., J. Phys. D 41 (2008) 225410). With the estimate of Lin and Johnson (J. Appl.
  Phys. 78 (1995) 6514), cooling rate in K/s = 10 / (thickness in cm)², 8 mm of diameter, taken by its
  radius, stands for some 60 K/s, and the 2 mm that a binary alloy may reach for 1000 K/s.
- A critical cooling rate is one at which a millionth of the volume crystallises, the least that can be
  detected (Uhlmann, J. Non-Cryst. Solids 7 (1972) 337); that volume grows with the fourth power of the time.
- Dissolved oxygen shifts the onset of crystallisation in such alloys to shorter times, by up to two orders of
  magnitude (Lin, Wang and Johnson, Mater. Trans. JIM 38 (1997) 473); here it comes from moisture in the air.
- In annealing, crystals form as Johnson, Mehl, Avrami and Kolmogorov say, thermally activated.
- Grains harden by Hall and Petch, down to about 12 nm, where that is known to end.
"""

import math
from dataclasses import dataclass

GAS_CONSTANT = 8.314462618
"""J/(mol K)"""
KELVIN = 273.15
ROOM_C = 20.0
USUAL_HUMIDITY = 45.0
DETECTABLE = 1e-6
"""Crystallised volume fraction by which critical cooling rates are defined (Uhlmann)."""

ATOMIC_MASS = {"Zr": 91.224, "Cu": 63.546, "Al": 26.982}
"""Standard atomic weights (IUPAC 2021), g/mol."""
ELEMENTS = tuple(ATOMIC_MASS)


@dataclass(frozen=True, slots=True)
class Alloy:
    """Constants of the alloy system; compositions are in atomic percent.

    Attributes:
        best_cu_minus_zr: half the difference of copper and zirconium at the best glass former.
        best_al: aluminium there.
        best_decades: log10 of the critical cooling rate there, in K/s.
        ratio_scale: change of that half difference which costs one decade, the cost being quadratic.
        al_scale: change of aluminium which costs one decade.
        eutectic_c: liquidus at the best glass former, °C.
        attack_c: temperature above which the melt eats the crucible, °C.
        glass_transition_c: °C.
        crystallising_c: temperature at which half of the glass crystallises in one hold, °C.
        crystallising_energy: J/mol.
        avrami_exponent: of crystallisation in annealing.
        glass_hv: hardness of the best glass former as cast, HV.
        crystal_hv: hardness of very large grains, HV.
        petch_hv: slope of Hall and Petch, HV √nm.
        finest_nm: grain size below which grains harden no further, nm.
        shattering_nm: grain size above which a mostly crystalline casting shatters under an indenter, nm.
    """

    best_cu_minus_zr: float = -1.5
    best_al: float = 7.0
    best_decades: float = 1.8
    ratio_scale: float = 11.0
    al_scale: float = 6.4
    eutectic_c: float = 890.0
    attack_c: float = 1320.0
    glass_transition_c: float = 415.0
    crystallising_c: float = 460.0
    crystallising_energy: float = 250e3
    avrami_exponent: float = 2.0
    glass_hv: float = 510.0
    crystal_hv: float = 400.0
    petch_hv: float = 1100.0
    finest_nm: float = 12.0
    shattering_nm: float = 150.0


@dataclass(frozen=True, slots=True)
class Structure:
    """What a casting consists of.

    Attributes:
        crystalline: volume fraction of crystals, 0 to 1.
        grain_nm: their mean size, nm.
        relaxed: how far the remaining glass has relaxed, 0 as cast to 1.
    """

    crystalline: float
    grain_nm: float
    relaxed: float


def masses(composition: dict[str, float], total_mg: float) -> dict[str, float]:
    """Mass of each element in mg that makes up a composition in atomic percent."""
    weights = {element: share * ATOMIC_MASS[element] for element, share in composition.items()}
    whole = math.fsum(weights.values())
    return {element: total_mg * weight / whole for element, weight in weights.items()}


def composition(masses_mg: dict[str, float]) -> dict[str, float]:
    """Composition in atomic percent of what was weighed in, in mg."""
    moles = {element: mass / ATOMIC_MASS[element] for element, mass in masses_mg.items()}
    whole = math.fsum(moles.values())
    return {element: 100.0 * amount / whole for element, amount in moles.items()}


def _offset(alloy: Alloy, made: dict[str, float]) -> tuple[float, float]:
    return (made["Cu"] - made["Zr"]) / 2 - alloy.best_cu_minus_zr, made["Al"] - alloy.best_al


def liquidus(alloy: Alloy, made: dict[str, float]) -> float:
    """Temperature above which an alloy is all melt, °C: a valley around the best glass former."""
    ratio, aluminium = _offset(alloy, made)
    return min(1850.0, alloy.eutectic_c + 0.25 * ratio**2 + 1.0 * aluminium**2)


def critical_rate(
    alloy: Alloy, made: dict[str, float], melt_c: float, humidity: float, humidity_effect: float
) -> float:
    """Cooling rate in K/s at which a just detectable part crystallises.

    Nuclei survive in a melt that is hardly superheated, and far above its liquidus it takes up oxygen.

    Args:
        alloy: the system.
        made: composition in atomic percent.
        melt_c: temperature it was cast from, °C.
        humidity: of the air, %.
        humidity_effect: decades of the critical rate for each percent of humidity above the usual.
    """
    ratio, aluminium = _offset(alloy, made)
    decades = alloy.best_decades + (ratio / alloy.ratio_scale) ** 2 + (aluminium / alloy.al_scale) ** 2
    superheat = max(0.0, melt_c - liquidus(alloy, made))
    decades += math.exp(-superheat / 40.0) + 0.002 * max(0.0, superheat - 250.0)
    decades += humidity_effect * (humidity - USUAL_HUMIDITY)
    return float(10.0 ** min(10.0, decades))


def cast(critical: float, rate: float) -> Structure:
    """What casting at a cooling rate makes, both in K/s: X = 1 − exp(−10⁻⁶ (critical / rate)⁴).

    Grains grow for as long as the cooling leaves them, from 2 nm at the critical rate.
    """
    slower = critical / rate
    return Structure(
        -math.expm1(-DETECTABLE * min(slower, 1e3) ** 4), min(200.0, max(2.0, 2.0 * slower)), 0.0
    )


def anneal(alloy: Alloy, before: Structure, temperature_c: float) -> Structure:
    """What one hold at a temperature makes of a casting; at room temperature, nothing."""
    kelvin, half = temperature_c + KELVIN, alloy.crystallising_c + KELVIN
    speed = math.exp(alloy.crystallising_energy / GAS_CONSTANT * (1 / half - 1 / kelvin))
    new = (1 - before.crystalline) * -math.expm1(-math.log(2) * speed**alloy.avrami_exponent)
    crystalline = before.crystalline + new
    above = temperature_c - alloy.crystallising_c
    fresh_nm = min(300.0, max(4.0, 8.0 * math.exp(above / 70.0)))
    # Volumes mix; what was large already stays so.
    grain = (before.crystalline * max(before.grain_nm, fresh_nm) + new * fresh_nm) / max(crystalline, 1e-300)
    relaxed = 1 / (1 + math.exp(-(temperature_c - (alloy.glass_transition_c - 60.0)) / 20.0))
    return Structure(min(1.0, crystalline), grain if crystalline > 0 else before.grain_nm, relaxed)


def hardness(alloy: Alloy, made: dict[str, float], structure: Structure) -> float:
    """Vickers hardness, HV: glass and crystals by their volumes, crystals by Hall and Petch."""
    chemistry = 3.5 * (made["Cu"] - 45.0) + 4.0 * (made["Al"] - alloy.best_al)
    glass = (alloy.glass_hv + chemistry) * (1 + 0.06 * structure.relaxed)
    grains = max(structure.grain_nm, alloy.finest_nm)
    crystal = alloy.crystal_hv + alloy.petch_hv / math.sqrt(grains) + chemistry
    return max(50.0, (1 - structure.crystalline) * glass + structure.crystalline * crystal)
