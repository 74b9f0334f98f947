"""Chance in the simulated bench: everything that happens to an attempt follows from the seed and its key."""

import hashlib
import math
import random
from dataclasses import dataclass

from labctl_drivers.simulated.settings import BenchSettings


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one attempt, whatever its recipe.

    Attributes:
        overshoot_k: mean furnace temperature over the setpoint at the start of the hold, K.
        drift_k: change of the furnace temperature during the hold, K.
        hold_factor: real hold time over the one asked for.
        humidity: in the room, %; nobody controls it, and it softens the reading a little.
        toughness: this sample's crack stress over the alloy's.
        dropout_at: share of the hold after which the thermocouple fails; None if it does not.
        door_at: share of the hold after which somebody opens the door; None if nobody does.
        indent_errors: relative error of each indent.
        smeared: the indent whose corners cannot be read; None if all can.
    """

    overshoot_k: float
    drift_k: float
    hold_factor: float
    humidity: float
    toughness: float
    dropout_at: float | None
    door_at: float | None
    indent_errors: tuple[float, ...]
    smeared: int | None


def drawn(seed: int, key: str, settings: BenchSettings) -> Fate:
    """Draw the fate of an attempt; a pure function of its arguments."""
    # Not for secrets: the same seed must give the same campaign on every machine.
    draw = random.Random(hashlib.sha256(repr((seed, key)).encode()).digest())  # noqa: S311 - see above
    # Every number is drawn in every case, so that one setting does not shift the others' chances.
    overshoot, jump = draw.gauss(0.0, 1.2), draw.uniform(8.0, 25.0)
    return Fate(
        overshoot_k=overshoot + (jump if draw.random() < settings.overshoot_rate else 0.0),
        drift_k=draw.gauss(0.0, 0.8),
        hold_factor=math.exp(draw.gauss(0.0, 0.002)),
        humidity=min(90.0, max(10.0, draw.gauss(45.0, 12.0))),
        toughness=math.exp(draw.gauss(0.0, 0.06)),
        dropout_at=_at(draw, settings.fault_rate),
        door_at=_at(draw, settings.door_rate),
        indent_errors=_indent_errors(draw, settings),
        smeared=_smeared(draw, settings),
    )


def _at(draw: random.Random, rate: float) -> float | None:
    share, happens = draw.uniform(0.05, 0.95), draw.random() < rate
    return share if happens else None


def _indent_errors(draw: random.Random, settings: BenchSettings) -> tuple[float, ...]:
    """The day's calibration error, a drift from indent to indent, and scatter."""
    day, drift = draw.gauss(0.0, 0.004), draw.gauss(0.0, 0.001)
    scatter = (draw.gauss(0.0, settings.indent_scatter) for _ in range(settings.indents))
    return tuple(day + drift * place + error for place, error in enumerate(scatter))


def _smeared(draw: random.Random, settings: BenchSettings) -> int | None:
    which, happens = draw.randrange(settings.indents), draw.random() < settings.smear_rate
    return which if happens else None
