"""The options of an EPICS furnace in a campaign file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl_drivers.adapt.options import Options
from labctl_drivers.epics import names

_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,252}):(?P<port>[0-9]{1,5})")
_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,40}")
_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True)
class EpicsSettings:
    """Where the furnace is found, and how long to wait for it.

    Attributes:
        addresses: ``host:port`` of the controller, one for each lane, or one that all lanes share.
        prefix: what the names of its variables begin with.
        connect_s: longest that connecting may take, s.
        answer_s: longest that one put or one reading may take, s.
        silence_s: a controller that has said nothing for so long is taken for gone, s.
        reconnect_s: how long to wait for one that is gone to come back, s.
    """

    addresses: tuple[str, ...] = (f"{names.HOST}:{names.PORT}",)
    prefix: str = names.PREFIX
    connect_s: float = 10.0
    answer_s: float = 5.0
    silence_s: float = 5.0
    reconnect_s: float = 60.0

    def address(self, lane: int) -> str:
        """The controller of a lane, from 1."""
        return self.addresses[(lane - 1) % len(self.addresses)]


def settings_of(options: Mapping[str, Any]) -> EpicsSettings:
    """Read the options.

    Raises:
        ValueError: names the option that is wrong.
    """
    given = Options(options)
    given.allow("address", "prefix", "connect_timeout", "answer_timeout", "silence", "reconnect_timeout")
    usual = EpicsSettings()
    told = options.get("address", list(usual.addresses))
    addresses = tuple(told) if isinstance(told, list | tuple) else (told,)
    for address in addresses:
        found = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
        if found is None or int(found["port"]) not in _PORTS:
            raise ValueError(f"address: must be host:port, such as {usual.addresses[0]}, and is {address!r}")
    if not addresses:
        raise ValueError(f"address: must name a controller, such as {usual.addresses[0]}")
    prefix = given.text("prefix", usual.prefix)
    refuse_prefix(prefix)
    return EpicsSettings(
        addresses=addresses,
        prefix=prefix,
        connect_s=given.seconds("connect_timeout", f"{usual.connect_s:g} s"),
        answer_s=given.seconds("answer_timeout", f"{usual.answer_s:g} s"),
        silence_s=given.seconds("silence", f"{usual.silence_s:g} s"),
        reconnect_s=given.seconds("reconnect_timeout", f"{usual.reconnect_s:g} s"),
    )


def refuse_prefix(prefix: str) -> None:
    """See that EPICS names can begin like this.

    Raises:
        ValueError: they cannot.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"prefix: must be the beginning of EPICS names, such as furnace:, and is {prefix!r}")
