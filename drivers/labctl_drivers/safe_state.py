"""The way into an instrument's safe state, and whether the instrument really went there."""

import time

from labctl_drivers.notes import Notes
from labctl_drivers.patience import Patience, within
from labctl_drivers.protocol import Instrument
from labctl_drivers.verdict import sentence

_TURN_S = 0.01


def stop(instrument: Instrument, patience: Patience) -> str | None:
    """Bring an instrument into its safe state; say in one sentence why that did not work."""
    try:
        within(patience.stop_s, "its stop", instrument.stop)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the instrument was not stopped
        return f"{instrument.name} could not be stopped: {sentence(error)}"
    return None


def still_busy(notes: Notes, patience: Patience) -> str | None:
    """Wait until every device has ended what the plan asked of it; name those that do not."""
    deadline = time.monotonic() + patience.end_s
    while busy := notes.busy():
        if time.monotonic() > deadline:
            return f"{', '.join(busy)} did not end within {patience.end_s:g} s of being stopped"
        time.sleep(_TURN_S)
    return None
