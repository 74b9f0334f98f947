"""Settings of the simulated furnace bench; the defaults fail as often as a cared-for bench does."""

import math
from dataclasses import dataclass

from labctl_drivers.simulated.checks import number, switch, whole


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """How the bench behaves.

    Attributes:
        speed: simulated seconds that pass in one real second; 1 is real time, inf waits for nothing.
        ramp_k_per_min: how fast the furnace heats, K/min.
        tolerance_k: the recipe counts as met within this much of the temperature asked for, K.
        indents: hardness indents on each sample.
        indent_scatter: relative standard deviation of one indent.
        spread_limit: largest relative standard deviation of the indents that still counts as a reading.
        lowest_hv: below this the indent outgrows the tester's optics, HV.
        highest_hv: above this the indent is too small for them, HV.
        fault_rate: probability that the thermocouple fails during the hold.
        overshoot_rate: probability that the furnace overshoots by 8 to 25 K.
        smear_rate: probability that an indent cannot be read.
        door_rate: probability that somebody opens the door and trips the interlock.
        humidity_effect: what one percent of humidity above the usual 45 % adds to a reading, HV; no recipe
            sets it and no surrogate is told of it, so that a large one is a hidden variable to find.
        mute: after a crash of the controller, the bench cannot say what became of its sample.

    Raises:
        ValueError: a number is out of its range; the message names the setting.
    """

    speed: float = math.inf
    ramp_k_per_min: float = 10.0
    tolerance_k: float = 5.0
    indents: int = 5
    indent_scatter: float = 0.02
    spread_limit: float = 0.08
    lowest_hv: float = 50.0
    highest_hv: float = 160.0
    fault_rate: float = 0.02
    overshoot_rate: float = 0.03
    smear_rate: float = 0.02
    door_rate: float = 0.0
    humidity_effect: float = -0.05
    mute: bool = False

    def __post_init__(self) -> None:
        for name in ("speed", "ramp_k_per_min", "tolerance_k", "spread_limit"):
            number(name, getattr(self, name), above=0.0)
        for name in ("fault_rate", "overshoot_rate", "smear_rate", "door_rate"):
            number(name, getattr(self, name), above=-1e-300, most=1.0)
        number("indent_scatter", self.indent_scatter, above=-1e-300, most=0.5)
        number("lowest_hv", self.lowest_hv, above=0.0)
        number("highest_hv", self.highest_hv, above=self.lowest_hv)
        number("indents", self.indents, above=1, most=99)
        number("humidity_effect", self.humidity_effect, above=-10.0, most=10.0)
        whole("indents", self.indents)
        switch("mute", self.mute)
