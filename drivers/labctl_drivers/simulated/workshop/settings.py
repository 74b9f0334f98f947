"""Settings of the simulated workshop; the defaults fail as often as a cared-for one does."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labctl_drivers.simulated.checks import number, switch, whole
from labctl_drivers.simulated.panel import PANELS

NEVER_ASKED = ("memory", "door", "red-button")
"""What stands on the panel and is no device, so that no attempt can be fated with it."""


@dataclass(frozen=True, slots=True)
class WorkshopSettings:
    """How the workshop behaves.

    Attributes:
        speed: simulated seconds that pass in one real second; 1 is real time, inf waits for nothing.
        ramp_k_per_min: how fast furnace and oven heat, K/min.
        slots: crucibles in a full rack.
        batch_mg: mass of one casting, mg.
        weigh_error_mg: standard deviation of the balance, mg.
        weigh_drift_mg: how far the balance drifts with every crucible since the rack was filled, mg.
        spill_rate: probability that some of an element is spilt, so that the alloy is not the one asked for.
        tolerance_percent: the alloy counts as met within this much of every element, atomic percent.
        glass_width: width of the main peak from which a casting is called glassy, 1/angstrom.
        nano_width: width from which it is called nanocrystalline, 1/angstrom.
        full_scale: most counts that the diffractometer's detector can show.
        indents: hardness indents on each casting.
        indent_scatter: relative standard deviation of one indent.
        lowest_hv: below this the tester cannot read, HV.
        highest_hv: above this the tester cannot read, HV.
        fault_rate: probability that the robot drops the crucible.
        humidity_effect: decades by which each percent of humidity above the usual 45 % raises the critical
            cooling rate; no recipe sets the humidity, and no surrogate is told of it.
        fault_rates: by device and fault, as on the panel, the probability that an attempt meets it.
        fault_schedule: what goes wrong with which crucible, counted from 1, such as
            ``{"crucible": 3, "device": "oven", "fault": "stuck"}``.
        mute: after a crash of the controller, the workshop cannot say what became of its sample.

    Raises:
        ValueError: a setting is out of its range; the message names it.
    """

    speed: float = math.inf
    ramp_k_per_min: float = 200.0
    slots: int = 24
    batch_mg: float = 2000.0
    weigh_error_mg: float = 1.0
    weigh_drift_mg: float = 0.05
    spill_rate: float = 0.03
    tolerance_percent: float = 0.5
    glass_width: float = 0.40
    nano_width: float = 0.03
    full_scale: int = 12_000
    indents: int = 5
    indent_scatter: float = 0.02
    lowest_hv: float = 300.0
    highest_hv: float = 800.0
    fault_rate: float = 0.01
    humidity_effect: float = 0.015
    fault_rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    fault_schedule: Sequence[Mapping[str, Any]] = ()
    mute: bool = False

    def __post_init__(self) -> None:
        for name in ("speed", "ramp_k_per_min", "batch_mg", "tolerance_percent", "nano_width", "lowest_hv"):
            number(name, getattr(self, name), above=0.0)
        for name in ("spill_rate", "fault_rate"):
            number(name, getattr(self, name), above=-1e-300, most=1.0)
        for name in ("weigh_error_mg", "weigh_drift_mg"):
            number(name, getattr(self, name), above=-1e-300, most=self.batch_mg / 20)
        number("indent_scatter", self.indent_scatter, above=-1e-300, most=0.5)
        number("glass_width", self.glass_width, above=self.nano_width)
        number("highest_hv", self.highest_hv, above=self.lowest_hv)
        number("humidity_effect", self.humidity_effect, above=-1.5, most=1.5)
        for name, most in (("slots", 10_000), ("indents", 99), ("full_scale", 10**9)):
            number(name, getattr(self, name), above=0.0, most=most)
            whole(name, getattr(self, name))
        switch("mute", self.mute)
        _check_rates(self.fault_rates)
        _check_schedule(self.fault_schedule)


def _check_rates(rates: object) -> None:
    if not isinstance(rates, Mapping):
        raise ValueError(f"fault_rates must give each device its faults, and is {rates!r}")  # noqa: TRY004 - one kind of error for all settings
    for device, faults in rates.items():
        if not isinstance(faults, Mapping):
            raise ValueError(f"fault_rates.{device} must give each fault its rate, and is {faults!r}")  # noqa: TRY004 - see above
        for fault, rate in faults.items():
            _check_fault("fault_rates", device, fault)
            number(f"fault_rates.{device}.{fault}", rate, above=-1e-300, most=1.0)


def _check_schedule(schedule: object) -> None:
    if isinstance(schedule, str) or not isinstance(schedule, Sequence):
        raise ValueError(f"fault_schedule must be a list, and is {schedule!r}")  # noqa: TRY004 - see above
    for entry in schedule:
        if not isinstance(entry, Mapping) or set(entry) != {"crucible", "device", "fault"}:
            raise ValueError(f"fault_schedule: {entry!r} must have crucible, device and fault")
        number("fault_schedule: crucible", entry["crucible"], above=0.0)
        whole("fault_schedule: crucible", entry["crucible"])
        _check_fault("fault_schedule", entry["device"], entry["fault"])


def _check_fault(where: str, device: object, fault: object) -> None:
    devices = {name: faults for name, faults in PANELS["workshop"].items() if name not in NEVER_ASKED}
    if device not in devices:
        raise ValueError(f"{where}: there is no device {device!r}; there are {', '.join(devices)}")
    faults = [name for name in devices[str(device)] if name != "too-hot"]
    if fault not in faults:
        raise ValueError(f"{where}: {device} has no fault {fault!r}; it has {', '.join(faults)}")
