"""The controller of a self-driving materials lab: the names that scripts and notebooks use."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.campaign import Campaign
    from labctl.config import CampaignConfig, load_config
    from labctl.errors import BusyError, LabctlError, RefusedError, RequestError
    from labctl.ledger import Event, Ledger
    from labctl.proposal import Decision, Outcome, Predicted, Proposal
    from labctl.state import CampaignState, Experiment
    from labctl.summary import Summary
    from labctl_drivers.protocol import FailureKind, Recipe

    __version__: str

__all__ = [
    "BusyError",
    "Campaign",
    "CampaignConfig",
    "CampaignState",
    "Decision",
    "Event",
    "Experiment",
    "FailureKind",
    "LabctlError",
    "Ledger",
    "Outcome",
    "Predicted",
    "Proposal",
    "Recipe",
    "RefusedError",
    "RequestError",
    "Summary",
    "__version__",
    "load_config",
]

_HOMES = {
    "labctl.campaign": ("Campaign",),
    "labctl.config": ("CampaignConfig", "load_config"),
    "labctl.errors": ("BusyError", "LabctlError", "RefusedError", "RequestError"),
    "labctl.ledger": ("Event", "Ledger"),
    "labctl.proposal": ("Decision", "Outcome", "Predicted", "Proposal"),
    "labctl.state": ("CampaignState", "Experiment"),
    "labctl.summary": ("Summary",),
    "labctl_drivers.protocol": ("FailureKind", "Recipe"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker reads the imports above, and so finds a misspelt name

    def __getattr__(name: str) -> object:
        # A name is imported when it is first asked for: `import labctl` loads neither numpy nor Bluesky.
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415 - takes longer than all the rest

            value: object = version("labctl-sdl")
        elif name in _HOME_OF:
            value = getattr(import_module(_HOME_OF[name]), name)
        else:
            raise AttributeError(f"module 'labctl' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
