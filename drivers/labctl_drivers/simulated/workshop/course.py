"""The course of one attempt in the workshop: what recipe and fate make of a casting, purely computed."""

import math
import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from labctl_drivers.protocol import Bound, ExperimentFailed, FailureKind, Json, Reading, Recipe
from labctl_drivers.simulated.course import HARDNESS_UNIT
from labctl_drivers.simulated.workshop import diffraction, physics
from labctl_drivers.simulated.workshop.fate import Fate, chance
from labctl_drivers.simulated.workshop.settings import WorkshopSettings

UNITS: Mapping[str, str] = {"hardness": HARDNESS_UNIT, "peak_width": diffraction.WIDTH_UNIT}
"""Unit of each quantity that the workshop measures."""

_UNTOUCHED = physics.Structure(crystalline=0.0, grain_nm=2.0, relaxed=0.0)
_COLDER_BY = 120.0
_MOSTLY = 0.5
_TEST_BLOCK_HV = 500.0
_ENDS_AN_ATTEMPT = ("stuck", "hung", "dropped")


@dataclass(frozen=True, slots=True)
class Order:
    """What the workshop is asked to make, in its own units.

    Attributes:
        alloy: composition, atomic percent.
        melt_c: temperature of the furnace, °C.
        cooling: rate of cooling in the mould, K/s.
        anneal_c: temperature of the oven, °C; room temperature leaves the casting as it is.
    """

    alloy: Mapping[str, float]
    melt_c: float
    cooling: float
    anneal_c: float


@dataclass(frozen=True, slots=True)
class Course:
    """How the attempt goes, device by device.

    Attributes:
        order: what was asked for.
        slot: the crucible's place in the rack.
        masses_mg: what the balance shows, by element.
        shown: the settings that the devices show, the alloy from the masses.
        humidity: of the air, %.
        dropped: the robot's failure; None if it drops nothing.
        unmelted: failure in the furnace; None if the melt is good.
        counts: what the diffractometer shows.
        peak: its main peak.
        label: what the casting is called.
        indents: what the tester shows, HV.
        shattered: failure under the indenter; None if the casting holds.
        faults: what the devices are fated with.
        result: what the workshop reports in the end.
    """

    order: Order
    slot: int
    masses_mg: Mapping[str, float]
    shown: Mapping[str, float]
    humidity: float
    dropped: ExperimentFailed | None
    unmelted: ExperimentFailed | None
    counts: tuple[int, ...]
    peak: diffraction.Peak
    label: diffraction.Label
    indents: tuple[float, ...]
    shattered: ExperimentFailed | None
    faults: Mapping[str, str]
    result: Reading | ExperimentFailed


def follow(
    order: Order,
    fate: Fate,
    settings: WorkshopSettings,
    alloy: physics.Alloy,
    *,
    crucible: Mapping[str, Json],
    lying: Collection[str] = (),
) -> Course:
    """Work out the course of an attempt.

    Args:
        order: what is asked for.
        fate: what chance does.
        settings: of the workshop.
        alloy: constants of the alloy system.
        crucible: which one it is, for the record.
        lying: devices that show what they are asked for, or what they are used to.
    """
    casting = _cast(order, fate, settings, alloy, lying)
    seen = _UNTOUCHED if "diffractometer" in lying else casting.structure
    counts = diffraction.pattern(
        seen,
        texture=fate.texture,
        brightness=fate.brightness,
        full_scale=int(settings.full_scale),
        draw=chance(fate.counting, "counting"),
    )
    peak = diffraction.fit(counts)
    label = diffraction.label(peak.width, thresholds(settings))
    hardness = physics.hardness(alloy, casting.made, casting.structure)
    indents = _indents(_TEST_BLOCK_HV if "tester" in lying else hardness, fate, settings)
    dropped, unmelted = _dropped(fate), _unmelted(alloy, casting, fate)
    shattered = _shattered(alloy, casting.structure, fate)
    logged = {
        "masses_mg": {"asked": dict(casting.asked_mg), "dispensed": dict(casting.shown_mg)},
        "humidity": fate.humidity,
        **crucible,
    }
    raw = {**_written(counts, peak, label, settings), "indents": list(indents), **logged}
    values = {"hardness": statistics.fmean(indents), "peak_width": peak.width}
    reading = Reading(values, UNITS, actual=casting.shown, raw=raw)
    result: Reading | ExperimentFailed
    lost = dropped or unmelted or _broken_down(fate)
    if lost is not None:
        # Nothing was measured; what the room and the balance showed is kept all the same.
        lost.reading = Reading({}, {}, raw=logged)
        result = lost
    else:
        bad = _unusable(reading, shattered, indents, counts, settings)
        result = bad or _off_recipe(order, reading, settings) or reading
    return Course(
        order=order,
        slot=int(crucible["slot"]),
        masses_mg=casting.shown_mg,
        shown=casting.shown,
        humidity=fate.humidity,
        dropped=dropped,
        unmelted=unmelted,
        counts=counts,
        peak=peak,
        label=label,
        indents=indents,
        shattered=shattered,
        faults=fate.faults,
        result=result,
    )


@dataclass(frozen=True, slots=True)
class _Casting:
    """What was made, and what the devices that made it show.

    Attributes:
        made: its real composition, atomic percent.
        melt_c: the melt's real temperature, °C.
        structure: what it consists of.
        asked_mg: masses that would have been right.
        shown_mg: masses that the balance shows.
        shown: settings that the devices show.
    """

    made: dict[str, float]
    melt_c: float
    structure: physics.Structure
    asked_mg: Mapping[str, float]
    shown_mg: Mapping[str, float]
    shown: Mapping[str, float]


def _cast(
    order: Order, fate: Fate, settings: WorkshopSettings, alloy: physics.Alloy, lying: Collection[str]
) -> _Casting:
    """Weigh in, melt, cast and anneal."""
    asked = physics.masses(dict(order.alloy), settings.batch_mg)
    given = _dispensed(asked, fate)
    made = physics.composition(given)
    melt_c = order.melt_c + fate.furnace_k - (_COLDER_BY if "furnace" in lying else 0.0)
    anneal_c = order.anneal_c + (fate.oven_k if order.anneal_c > physics.ROOM_C else 0.0)
    cooling = order.cooling * fate.rate_factor
    critical = physics.critical_rate(alloy, made, melt_c, fate.humidity, settings.humidity_effect)
    shown = {
        **(order.alloy if "balance" in lying else made),
        "melt_temperature": order.melt_c if "furnace" in lying else melt_c,
        "cooling_rate": cooling,
        "anneal_temperature": anneal_c,
    }
    structure = physics.anneal(alloy, physics.cast(critical, cooling), anneal_c)
    return _Casting(made, melt_c, structure, asked, asked if "balance" in lying else given, shown)


def _indents(hardness: float, fate: Fate, settings: WorkshopSettings) -> tuple[float, ...]:
    """What the tester shows for each indent: beyond its range, its end stop."""
    return tuple(
        min(settings.highest_hv, max(settings.lowest_hv, hardness * (1 + error)))
        for error in fate.indent_errors
    )


def thresholds(settings: WorkshopSettings) -> diffraction.Thresholds:
    """Where this workshop parts the labels."""
    return diffraction.Thresholds(settings.glass_width, settings.nano_width)


def _dispensed(asked: Mapping[str, float], fate: Fate) -> dict[str, float]:
    """What really lands in the crucible, mg; of an element that is not asked for, nothing."""
    given = {
        element: max(0.0, mass + fate.weigh_errors_mg[element]) if mass > 0 else 0.0
        for element, mass in asked.items()
    }
    if fate.spilt is not None:
        element, share = fate.spilt
        given[element] *= 1 - share
    return given


def _dropped(fate: Fate) -> ExperimentFailed | None:
    if not fate.dropped:
        return None
    message = "the robot dropped the crucible on its way to the balance; pick it up and home the robot"
    return ExperimentFailed(FailureKind.INSTRUMENT_FAULT, message, stage="process")


def _unmelted(alloy: physics.Alloy, casting: _Casting, fate: Fate) -> ExperimentFailed | None:
    if casting.melt_c < physics.liquidus(alloy, casting.made):
        message = f"the charge did not melt through at {casting.melt_c:.0f} °C"
        return ExperimentFailed(FailureKind.INFEASIBLE, message, stage="process")
    if casting.melt_c > alloy.attack_c * fate.strength:
        message = f"the melt ate through its crucible at {casting.melt_c:.0f} °C"
        return ExperimentFailed(FailureKind.INFEASIBLE, message, stage="process")
    return None


def _shattered(alloy: physics.Alloy, structure: physics.Structure, fate: Fate) -> ExperimentFailed | None:
    if structure.crystalline < _MOSTLY or structure.grain_nm < alloy.shattering_nm * fate.strength:
        return None
    return ExperimentFailed(
        FailureKind.INFEASIBLE, "the casting shattered under the indenter", stage="measure"
    )


def _broken_down(fate: Fate) -> ExperimentFailed | None:
    """What a fated fault makes of an attempt whose controller is gone: nobody mends the device."""
    for device, fault in fate.faults.items():
        if fault in _ENDS_AN_ATTEMPT:
            message = f"the {device} was {fault} and did not go on; mend it"
            return ExperimentFailed(FailureKind.INSTRUMENT_FAULT, message, stage="process")
    return None


def _written(
    counts: tuple[int, ...],
    peak: diffraction.Peak,
    label: diffraction.Label,
    settings: WorkshopSettings,
) -> dict[str, Json]:
    """Everything that the label rests on, so that a later person can put another in its place."""
    return {
        "pattern": {
            "first_q": diffraction.FIRST_Q,
            "step_q": diffraction.STEP_Q,
            "unit": diffraction.WIDTH_UNIT,
            "counts": list(counts),
        },
        "peak": {
            "position": peak.position,
            "width": _or_none(peak.width),
            "uncertainty": _or_none(peak.uncertainty),
            "height": _or_none(peak.height),
            "instrument_width": diffraction.INSTRUMENT_WIDTH,
            "scherrer_constant": diffraction.SCHERRER_K,
            "scherrer_size_nm": _or_none(diffraction.grain_size(peak.width)),
        },
        "label": None if math.isnan(peak.width) else str(label),
        "label_thresholds": {"glassy": settings.glass_width, "nanocrystalline": settings.nano_width},
    }


def _or_none(value: float) -> float | None:
    # Raw data is JSON, which has neither NaN nor infinity.
    return value if math.isfinite(value) else None


def _unusable(
    reading: Reading,
    shattered: ExperimentFailed | None,
    indents: tuple[float, ...],
    counts: tuple[int, ...],
    settings: WorkshopSettings,
) -> ExperimentFailed | None:
    """What the workshop's own software has against a measurement."""
    width = reading.values["peak_width"]
    only_width = Reading({"peak_width": width}, UNITS, actual=reading.actual, raw=reading.raw)
    if shattered is not None:
        return ExperimentFailed(shattered.kind, shattered.message, stage="measure", reading=only_width)
    if max(counts) >= settings.full_scale:
        message = "the detector was saturated, so that the width of the peak is not its own"
        return ExperimentFailed(FailureKind.BAD_READING, message, stage="measure", reading=reading)
    if math.isnan(width):
        message = "no peak could be fitted to the pattern"
        return ExperimentFailed(FailureKind.BAD_READING, message, stage="measure", reading=reading)
    middle = statistics.median(indents)
    for beyond, side, bound in (
        (middle <= settings.lowest_hv, f"below {settings.lowest_hv:g}", Bound(high=settings.lowest_hv)),
        (middle >= settings.highest_hv, f"above {settings.highest_hv:g}", Bound(low=settings.highest_hv)),
    ):
        if beyond:
            message = f"the hardness is {side} HV, beyond the tester's range"
            bounds = {"hardness": bound}
            return ExperimentFailed(
                FailureKind.CENSORED, message, stage="measure", reading=only_width, bounds=bounds
            )
    return None


def _off_recipe(order: Order, reading: Reading, settings: WorkshopSettings) -> ExperimentFailed | None:
    """Whether the balance shows another alloy than the one asked for."""
    actual: Recipe = reading.actual
    off = {element: float(actual[element]) - asked for element, asked in order.alloy.items()}
    worst = max(off, key=lambda element: abs(off[element]))
    if abs(off[worst]) <= settings.tolerance_percent:
        return None
    message = f"the alloy has {off[worst]:+.2f} % of {worst} over the {order.alloy[worst]:.2f} % asked for"
    return ExperimentFailed(FailureKind.OFF_RECIPE, message, stage="process", reading=reading)
