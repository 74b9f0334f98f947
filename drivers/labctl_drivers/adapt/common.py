"""The options that instruments of devices and of a plan share."""

from dataclasses import dataclass
from pathlib import Path

from labctl_drivers.adapt.kinds import kinds_of
from labctl_drivers.adapt.names import Named, find, folder_of_modules
from labctl_drivers.adapt.options import Options
from labctl_drivers.protocol import FailureKind, Surroundings

COMMON_KEYS = ("settings", "readings", "modules", "name", "connect_timeout", "failures", "needs")
LONG = "1 hour"
"""Longest that a device may take for one thing, unless the campaign file says otherwise."""


@dataclass(frozen=True, slots=True)
class Common:
    """What both kinds of instrument are told.

    Attributes:
        folder: where the lab's own modules lie.
        name: name of the instrument.
        connect_s: longest that one object may take to connect, s.
        kinds: kinds of failure by the name of an exception.
        needs: the shared things that one attempt takes.
    """

    folder: Path | None
    name: str
    connect_s: float
    kinds: dict[str, FailureKind]
    needs: dict[str, int]

    def find(self, options: Options, key: str) -> Named:
        """What the name at a key stands for."""
        return find(options.text(key), options.at(key), self.folder)


def common(options: Options, surroundings: Surroundings, *, name: str) -> Common:
    """Read the options that both kinds share.

    Raises:
        ValueError: names the option that is wrong.
    """
    needs = options.part("needs")
    return Common(
        folder=folder_of_modules(options.optional("modules"), surroundings.beside, options.at("modules")),
        name=options.text("name", name),
        connect_s=options.seconds("connect_timeout", "10 s"),
        kinds=kinds_of(options.part("failures")),
        needs={thing: needs.whole(thing, 1) for thing in needs.content},
    )


def sections(options: Options, key: str) -> dict[str, Options]:
    """A mapping of names to mappings that may not be empty.

    Raises:
        ValueError: it is missing or empty.
    """
    found = options.parts(key)
    if not found:
        raise ValueError(f"{options.at(key)}: is needed; it says where each one goes, or comes from")
    return found
