"""The fault panel: a small file in the instruments' folder by which a person plays tricks on simulations."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from labctl_drivers.protocol import Surroundings

FILE = "panel.json"

_DEVICE = MappingProxyType(
    {
        "slow": "takes ten times as long, and a second more",
        "stuck": "stands still until it is mended or stopped",
        "hung": "stands still, and does not obey a stop either",
        "dropped": "its connection is gone",
    }
)
_LIAR = MappingProxyType({**_DEVICE, "lying": "shows what was asked for, or what it is used to, not what is"})
_HEATER = MappingProxyType({**_DEVICE, "too-hot": "trips the interlock against over-temperature"})
_REST: Mapping[str, Mapping[str, str]] = {
    "memory": {
        "mute": "after a crash, cannot say what became of an attempt",
        "lying": "claims that it never started any attempt",
    },
    "door": {"open": "trips the interlock of the door"},
    "red-button": {"pressed": "trips the operator's stop"},
}

PANELS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "furnace": {"furnace": _HEATER, "timer": _DEVICE, "tank": _DEVICE, "tester": _DEVICE, **_REST},
    "workshop": {
        "robot": _DEVICE,
        "balance": _LIAR,
        "furnace": MappingProxyType({**_HEATER, "lying": _LIAR["lying"]}),
        "caster": _DEVICE,
        "oven": _DEVICE,
        "diffractometer": _LIAR,
        "tester": _LIAR,
        **_REST,
    },
    "press": {"memory": _REST["memory"]},
}
"""By kind of instrument, its devices, and what can be wrong with each, with what that means."""

_Stamp: TypeAlias = tuple[int, int, int]
_KNOWN = frozenset(fault for devices in PANELS.values() for faults in devices.values() for fault in faults)


def common_folder(surroundings: Surroundings) -> Path | None:
    """The folder that the instruments of all lanes share: the first lane's own, in which the others' lie."""
    folder = surroundings.folder
    return folder.parent if folder is not None and surroundings.lane > 1 else folder


class PanelError(ValueError):
    """The panel's file is not as a panel writes it; the message names the file and the remedy."""


class Panel:
    """What a person has switched to go wrong; whoever looks sees the file as it stands now.

    All lanes of a campaign share the panel. A device may be written with its lane in front,
    ``lane-2/furnace``, which then goes before what is said of every ``furnace``.

    Args:
        folder: where the file is, or will be; None keeps the switches in this object.
        lane: the lane of the instrument that looks, from 1.
    """

    def __init__(self, folder: Path | None, lane: int = 1) -> None:
        self._path = None if folder is None else folder / FILE
        self._lane = f"lane-{lane}"
        # Read by several threads, so that the file's stamp and content are one value and never mixed.
        self._seen: tuple[_Stamp | None, Mapping[str, str]] = (None, {})

    def fault(self, device: str) -> str | None:
        """What is wrong with a device now; None if nothing is.

        Raises:
            PanelError: the file cannot be understood, so nobody knows.
        """
        faults = self._look()
        own = faults.get(f"{self._lane}/{device}")
        return own if own is not None else faults.get(device)

    def memory(self) -> str | None:
        """What is wrong with the instrument's memory; nothing, if the file cannot be understood.

        What became of a sample is not to be lost over a file that only serves for practice.
        """
        try:
            return self.fault("memory")
        except PanelError:
            return None

    def switch(self, device: str, fault: str | None) -> None:
        """Make something go wrong with a device, or mend it with None.

        Raises:
            PanelError: there is no such fault, or the file that is there is no panel.
            OSError: the file cannot be written.
        """
        changed = {name: what for name, what in self._look().items() if name != device}
        if fault is not None:
            changed[device] = fault
        if self._path is None:
            self._seen = (None, _checked(changed, "the panel"))
        else:
            write(self._path, changed)

    def _look(self) -> Mapping[str, str]:
        seen, faults = self._seen
        if self._path is None:
            return faults
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return {}
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp != seen:
            faults = read(self._path)
            self._seen = (stamp, faults)
        return faults


def read(path: Path) -> Mapping[str, str]:
    """The faults in a panel's file, by device; none if there is no file.

    Raises:
        PanelError: it cannot be understood.
    """
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise PanelError(f"{path}: is no regular file; remove it")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise PanelError(f"{path}: cannot be read as a panel ({error}); remove the file") from error
    return _checked(content, str(path))


def write(path: Path, faults: Mapping[str, str]) -> None:
    """Put faults into a panel's file in one step, so that nobody reads half of it.

    Raises:
        PanelError: there is no such fault.
        OSError: the file cannot be written.
    """
    text = json.dumps(dict(sorted(_checked(faults, str(path)).items())), indent=1) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def _checked(content: object, where: str) -> Mapping[str, str]:
    if not isinstance(content, Mapping):
        raise PanelError(f"{where}: a panel is a mapping from devices to faults; remove the file")
    for device, fault in content.items():
        if not isinstance(device, str) or not isinstance(fault, str) or fault not in _KNOWN:
            raise PanelError(f"{where}: {device}: {fault!r} is not one of {', '.join(sorted(_KNOWN))}")
    return dict(content)
