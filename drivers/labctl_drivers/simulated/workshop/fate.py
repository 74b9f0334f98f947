"""Chance in the simulated workshop: all that happens to an attempt follows from seed, key and turn."""

import hashlib
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from labctl_drivers.simulated.workshop.physics import ELEMENTS
from labctl_drivers.simulated.workshop.settings import WorkshopSettings


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one attempt, whatever its recipe.

    Attributes:
        dropped: whether the robot drops the crucible.
        weigh_errors_mg: what the balance dispenses over what it shows, by element, mg.
        spilt: the element of which some is spilt, and the share that is; None if all arrives.
        furnace_k: furnace over its setpoint, K.
        oven_k: oven over its setpoint, K.
        rate_factor: real cooling rate over the one asked for.
        humidity: of the air, %; nobody controls it.
        strength: this crucible's and this casting's strength over the usual.
        texture: intensity of the first line over that of a powder.
        brightness: of the X-ray source over that of a new one.
        indent_errors: relative error of each indent.
        faults: what the attempt is fated with, by device as on the panel.
        counting: seed of the counting statistics.
    """

    dropped: bool
    weigh_errors_mg: Mapping[str, float]
    spilt: tuple[str, float] | None
    furnace_k: float
    oven_k: float
    rate_factor: float
    humidity: float
    strength: float
    texture: float
    brightness: float
    indent_errors: tuple[float, ...]
    faults: Mapping[str, str]
    counting: int


def drawn(seed: int, key: str, *, slot: int, number: int, settings: WorkshopSettings) -> Fate:
    """Draw the fate of an attempt; a pure function of its arguments.

    Args:
        seed: of the campaign.
        key: of the attempt.
        slot: how many crucibles of this rack are used, with this one; the balance drifts with it.
        number: how many crucibles were used at all, with this one; the schedule of faults counts them.
        settings: of the workshop.
    """
    draw = chance(seed, key)
    # Every number is drawn in every case, so that one setting does not shift the others' chances.
    drift = settings.weigh_drift_mg * (slot - 1)
    errors = {element: drift + draw.gauss(0.0, settings.weigh_error_mg) for element in ELEMENTS}
    element, share, spills = draw.choice(ELEMENTS), draw.uniform(0.04, 0.15), draw.random()
    day = draw.gauss(0.0, 0.004)
    return Fate(
        dropped=draw.random() < settings.fault_rate,
        weigh_errors_mg=errors,
        spilt=(element, share) if spills < settings.spill_rate else None,
        furnace_k=draw.gauss(0.0, 4.0),
        oven_k=draw.gauss(0.0, 1.2),
        rate_factor=math.exp(draw.gauss(0.0, 0.03)),
        humidity=min(90.0, max(10.0, draw.gauss(45.0, 12.0))),
        strength=math.exp(draw.gauss(0.0, 0.02)),
        texture=math.exp(draw.gauss(0.0, 0.35)),
        # The tube loses some of its brightness with every rack.
        brightness=math.exp(draw.gauss(0.0, 0.01)) * max(0.5, 1.0 - 0.0005 * number),
        counting=draw.getrandbits(64),
        faults=_faults(chance(seed, key, "faults"), number, settings),
        indent_errors=tuple(
            day + draw.gauss(0.0, settings.indent_scatter) for _ in range(int(settings.indents))
        ),
    )


def chance(*about: int | str) -> random.Random:
    """Where chance comes from: the same arguments give the same draws on every machine."""
    return random.Random(hashlib.sha256(repr(about).encode()).digest())  # noqa: S311 - nothing here is a secret


def _faults(draw: random.Random, number: int, settings: WorkshopSettings) -> dict[str, str]:
    """Faults by rate, and over them those by schedule."""
    met = {
        device: fault
        for device, faults in sorted(settings.fault_rates.items())
        for fault, rate in sorted(faults.items())
        if draw.random() < rate
    }
    return met | {
        str(entry["device"]): str(entry["fault"])
        for entry in settings.fault_schedule
        if entry["crucible"] == number
    }
