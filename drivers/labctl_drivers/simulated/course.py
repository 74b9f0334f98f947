"""The course of one simulated attempt: what recipe and fate make of the sample; a pure function of both."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from labctl_drivers.protocol import Bound, ExperimentFailed, FailureKind, Json, Reading, Recipe
from labctl_drivers.simulated import physics
from labctl_drivers.simulated.fate import Fate
from labctl_drivers.simulated.settings import BenchSettings

HARDNESS_UNIT = "HV"
"""A load in kilogram-force over the area of the indent in mm²."""

_USUAL_HUMIDITY = 45.0


@dataclass(frozen=True, slots=True)
class Treatment:
    """What the bench is asked to do, in its own units: °C and minutes."""

    temperature_c: float
    hold_min: float
    quench: str


@dataclass(frozen=True, slots=True)
class Course:
    """How the attempt goes, step by step; the devices play it and the bench's memory can finish it.

    Attributes:
        treatment: what was asked for.
        temperature_c: mean temperature the sample really had, °C.
        final_c: temperature at the end of the hold, °C.
        hold_min: time it really was there, minutes.
        humidity: in the room, %.
        broken_off: failure during the hold, and the share of the hold after which it comes.
        lost: how the sample was lost in the quench; None if it was not.
        indents: what the tester reads, HV; NaN for one that cannot be read.
        result: what the bench reports in the end.
    """

    treatment: Treatment
    temperature_c: float
    final_c: float
    hold_min: float
    humidity: float
    broken_off: tuple[float, ExperimentFailed] | None
    lost: ExperimentFailed | None
    indents: tuple[float, ...]
    result: Reading | ExperimentFailed


def follow(treatment: Treatment, fate: Fate, settings: BenchSettings, alloy: physics.Alloy) -> Course:
    """Work out the course of an attempt."""
    start_c = treatment.temperature_c + fate.overshoot_k
    mean_c, final_c = start_c + fate.drift_k / 2, start_c + fate.drift_k
    hold_min = treatment.hold_min * fate.hold_factor
    broken_off = _broken_off(fate)
    lost = _lost(max(start_c, final_c), final_c, treatment.quench, fate, alloy)
    indents = _indents(physics.hardness(alloy, mean_c, hold_min * 60, treatment.quench), fate, settings)
    actual: Recipe = {"temperature": mean_c, "hold_time": hold_min, "quench": treatment.quench}
    # An indent that cannot be read is null: raw data is JSON, which has no NaN.
    raw = {"indents": [None if math.isnan(one) else one for one in indents], "humidity": fate.humidity}
    result = broken_off[1] if broken_off else lost or _measured(indents, actual, raw, settings)
    if isinstance(result, Reading) and abs(mean_c - treatment.temperature_c) > settings.tolerance_k:
        off = mean_c - treatment.temperature_c
        message = f"the furnace was {off:+.1f} K off the {treatment.temperature_c:.1f} °C asked for"
        result = ExperimentFailed(FailureKind.OFF_RECIPE, message, stage="process", reading=result)
    return Course(treatment, mean_c, final_c, hold_min, fate.humidity, broken_off, lost, indents, result)


def _broken_off(fate: Fate) -> tuple[float, ExperimentFailed] | None:
    """The first of the two things that can break off a hold."""
    faults = []
    if fate.dropout_at is not None:
        message = "the thermocouple reads open circuit, and the furnace has switched itself off"
        failure = ExperimentFailed(FailureKind.INSTRUMENT_FAULT, message, stage="process")
        faults.append((fate.dropout_at, failure))
    if fate.door_at is not None:
        message = "the door was opened, and the interlock has switched the furnace off"
        faults.append((fate.door_at, ExperimentFailed(FailureKind.ABORTED, message, stage="process")))
    return min(faults, key=lambda fault: fault[0]) if faults else None


def _lost(
    hottest_c: float, final_c: float, quench: str, fate: Fate, alloy: physics.Alloy
) -> ExperimentFailed | None:
    if hottest_c > alloy.eutectic_c:
        message = f"the sample began to melt at {hottest_c:.0f} °C"
        return ExperimentFailed(FailureKind.INFEASIBLE, message, stage="process")
    if physics.thermal_stress(alloy, final_c, quench) > alloy.crack_stress * fate.toughness:
        message = f"the sample cracked in the quench from {final_c:.0f} °C into {quench}"
        return ExperimentFailed(FailureKind.INFEASIBLE, message, stage="process")
    return None


def _indents(hardness: float, fate: Fate, settings: BenchSettings) -> tuple[float, ...]:
    """What the tester shows for each indent: beyond its range, its end stop."""
    shown = hardness + settings.humidity_effect * (fate.humidity - _USUAL_HUMIDITY)
    return tuple(
        math.nan
        if place == fate.smeared
        else min(settings.highest_hv, max(settings.lowest_hv, shown * (1 + error)))
        for place, error in enumerate(fate.indent_errors)
    )


def _measured(
    indents: tuple[float, ...], actual: Recipe, raw: Mapping[str, Json], settings: BenchSettings
) -> Reading | ExperimentFailed:
    """Judge the indents as the bench's own software does."""
    mean = statistics.fmean(indents)
    reading = Reading({"hardness": mean}, {"hardness": HARDNESS_UNIT}, actual=actual, raw=raw)
    if math.isnan(mean):
        message = "an indent has no readable corners"
        return ExperimentFailed(FailureKind.BAD_READING, message, stage="measure", reading=reading)
    middle = statistics.median(indents)
    if middle <= settings.lowest_hv:
        return _censored(f"below {settings.lowest_hv:g}", Bound(high=settings.lowest_hv))
    if middle >= settings.highest_hv:
        return _censored(f"above {settings.highest_hv:g}", Bound(low=settings.highest_hv))
    if statistics.stdev(indents) > settings.spread_limit * mean:
        message = "the indents differ by more than the sample can"
        return ExperimentFailed(FailureKind.BAD_READING, message, stage="measure", reading=reading)
    return reading


def _censored(side: str, bound: Bound) -> ExperimentFailed:
    # Most indents are at the tester's end stop; the bound is all that was learnt.
    message = f"the hardness is {side} HV, beyond the tester's range"
    return ExperimentFailed(FailureKind.CENSORED, message, stage="measure", bounds={"hardness": bound})
