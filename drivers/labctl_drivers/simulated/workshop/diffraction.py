"""The diffractometer: pattern of a casting, width of its main peak, and the label that follows from it.

In the scattering vector Q = 4π sin θ / λ, Scherrer's equation says that crystals of size D broaden a peak to
a full width at half maximum of 2π K / D, whatever the wavelength; for that width, K is about 0.9 (Patterson,
Phys. Rev. 56 (1939) 978; Langford and Wilson, J. Appl. Cryst. 11 (1978) 102). A glass has one broad hump, as
wide as its order is short: some 0.4 to 0.5 Å⁻¹ for such alloys at Q = 2.65 Å⁻¹.

Where "glassy" begins is a convention: Ren et al. (Science Advances 4 (2018) eaaq1566) took the width of
amorphous silica, 0.57 Å⁻¹, and others take other widths. So nothing but the pattern is a measurement, and the
width and the thresholds are kept beside the label, for whoever wants to label anew.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import curve_fit

from labctl_drivers.protocol import Json
from labctl_drivers.simulated.workshop.physics import Structure

Curve: TypeAlias = npt.NDArray[np.float64]

SCHERRER_K = 0.9
WIDTH_UNIT = "1/angstrom"
FIRST_Q, STEP_Q, POINTS = 1.8, 0.005, 361
INSTRUMENT_WIDTH = 0.012
"""What a perfect crystal shows, Å⁻¹: 0.2° in 2θ with copper radiation near 38°."""
_HUMP_Q = 2.65
_LINES = ((2.65, 0.6), (2.30, 0.15), (3.05, 0.25))
_AREA = 190.0
_BACKGROUND = 60.0
_SIGMA = 2 * math.sqrt(2 * math.log(2))


class Label(StrEnum):
    """What a casting is called."""

    GLASSY = "glassy"
    NANOCRYSTALLINE = "nanocrystalline"
    CRYSTALLINE = "crystalline"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the labels part, as widths of the main peak with the instrument's own, Å⁻¹.

    Attributes:
        glassy: at least so wide is a glass.
        nanocrystalline: narrower than a glass and at least so wide is nanocrystalline.
    """

    glassy: float = 0.40
    nanocrystalline: float = 0.03


@dataclass(frozen=True, slots=True)
class Peak:
    """The main peak of a pattern, as fitted.

    Attributes:
        position: Å⁻¹.
        width: full width at half maximum, Å⁻¹; NaN if no peak could be fitted.
        uncertainty: standard error of the width, Å⁻¹.
        height: above the background, counts.
    """

    position: float
    width: float
    uncertainty: float
    height: float


def scherrer_width(grain_nm: float) -> float:
    """Broadening by crystals of a size, Å⁻¹."""
    return 2 * math.pi * SCHERRER_K / (10.0 * grain_nm)


def grain_size(width: float) -> float:
    """Size of the crystals that show a width, nm, the instrument's own taken off; inf if nothing is left."""
    own = width**2 - INSTRUMENT_WIDTH**2
    return 2 * math.pi * SCHERRER_K / (10.0 * math.sqrt(own)) if own > 0 else math.inf


def label(width: float, thresholds: Thresholds) -> Label:
    """The label of a width."""
    if width >= thresholds.glassy:
        return Label.GLASSY
    return Label.NANOCRYSTALLINE if width >= thresholds.nanocrystalline else Label.CRYSTALLINE


def pattern(
    structure: Structure, *, texture: float, brightness: float, full_scale: int, draw: random.Random
) -> tuple[int, ...]:
    """Counts at each Q: hump and lines by their volumes, with the statistics of counting.

    Args:
        structure: of the casting.
        texture: intensity of its first line over that of a powder.
        brightness: of the source, over that of a new one.
        full_scale: most that the detector can count; it shows no more.
        draw: where chance comes from.
    """
    q: Curve = FIRST_Q + STEP_Q * np.arange(POINTS, dtype=np.float64)
    hump = 0.47 - 0.02 * structure.relaxed
    counts: Curve = _BACKGROUND + _peak(q, _HUMP_Q, hump, (1 - structure.crystalline) * _AREA)
    width = math.hypot(scherrer_width(structure.grain_nm), INSTRUMENT_WIDTH)
    for number, (place, share) in enumerate(_LINES):
        share_shown = share * (texture if number == 0 else 1.0)
        counts = counts + _peak(q, place, width, structure.crystalline * _AREA * share_shown)
    mean = [float(one) * brightness for one in counts]
    # The normal approximation, which is good from some ten counts on and draws alike on every machine.
    return tuple(min(full_scale, max(0, round(draw.gauss(one, math.sqrt(one))))) for one in mean)


def fit(counts: Sequence[int]) -> Peak:
    """Fit a Gaussian on a flat background to the highest peak of a pattern."""
    q: Curve = FIRST_Q + STEP_Q * np.arange(len(counts), dtype=np.float64)
    seen = np.asarray(counts, dtype=np.float64)
    place, rough = _rough(seen)
    near = np.abs(q - q[place]) <= max(1.2 * rough, 0.05)
    floor = float(np.percentile(seen, 5))
    start = (q[place], rough, max(1.0, seen[place] - floor), floor)
    bounds = ((q[0], STEP_Q / 2, 0.0, 0.0), (q[-1], 2.0, np.inf, np.inf))
    try:
        found, spread = curve_fit(
            _gaussian, q[near], seen[near], p0=start, sigma=np.sqrt(seen[near] + 1.0), bounds=bounds
        )
    except (RuntimeError, ValueError):
        return Peak(float(q[place]), math.nan, math.nan, math.nan)
    return Peak(float(found[0]), float(found[1]), float(math.sqrt(spread[1, 1])), float(found[2]))


def relabel(raw: Mapping[str, Json], thresholds: Thresholds) -> tuple[float, Label]:
    """Width in Å⁻¹ and label of a pattern as it was kept in ``Reading.raw``, by thresholds of one's own."""
    width = fit(raw["pattern"]["counts"]).width
    return width, label(width, thresholds)


def _peak(q: Curve, place: float, width: float, area: float) -> Curve:
    height = area / (width * math.sqrt(math.pi / (4 * math.log(2))))
    return _gaussian(q, place, width, height, 0.0)


def _gaussian(q: Curve, place: float, width: float, height: float, floor: float) -> Curve:
    return floor + height * np.exp(-0.5 * ((q - place) * _SIGMA / width) ** 2)


def _rough(seen: Curve) -> tuple[int, float]:
    """Place of the highest point, and the full width at half of its height above the background, Å⁻¹."""
    smooth = np.convolve(np.pad(seen, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    place = int(np.argmax(smooth))
    half = (smooth[place] + np.percentile(smooth, 5)) / 2
    below = np.flatnonzero(smooth < half)
    left, right = below[below < place], below[below > place]
    begin = left[-1] if left.size else 0
    end = right[0] if right.size else seen.size - 1
    return place, max(STEP_Q, float(end - begin - 1) * STEP_Q)
