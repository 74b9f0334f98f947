"""Commands by which a person plays tricks on a simulated instrument, also while a campaign runs."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labctl.cli.output import Answer, CampaignFile, Folder, JsonFlag, give
from labctl.errors import RequestError

if TYPE_CHECKING:
    from labctl_drivers.simulated.rack import Rack

NONE = "none"
Lane = Annotated[
    int | None, typer.Option("--lane", min=1, metavar="N", help="Only the instrument of this lane.")
]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a campaign's simulated instruments are.

    Attributes:
        kind: of the instrument.
        folder: of what it remembers, with the panel in it.
        devices: what can be wrong, by device and fault, with what that means.
        options: of the instrument, from the campaign file.
    """

    kind: str
    folder: Path
    devices: Mapping[str, Mapping[str, str]]
    options: Mapping[str, Any]


def fault(
    file: CampaignFile,
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="What `labctl sim panel` lists.")],
    what: Annotated[str, typer.Argument(metavar="FAULT", help="Its fault, or none to mend it.")],
    *,
    lane: Lane = None,
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a simulated device fail, or mend it; a running campaign meets it at once."""
    from labctl_drivers.simulated.panel import Panel  # noqa: PLC0415 - commands import what they need

    place = _place(file, folder)
    faults = place.devices.get(device)
    if faults is None:
        raise RequestError(f"the {place.kind} has no {device!r}; it has {', '.join(place.devices)}")
    if what not in faults and what != NONE:
        raise RequestError(f"{device} has no fault {what!r}; it has {', '.join(faults)}, and {NONE} mends it")
    name = device if lane is None else f"lane-{lane}/{device}"
    with _plainly(place.folder):
        Panel(place.folder).switch(name, None if what == NONE else what)
    sentence = f"{name} is well" if what == NONE else f"{name} is {what}: {faults[what]}"
    data = {"device": name, "fault": None if what == NONE else what}
    give(Answer(data, lambda: typer.echo(sentence)), as_json=as_json)


def panel(file: CampaignFile, *, folder: Folder = None, as_json: JsonFlag = False) -> None:
    """Show what can go wrong with a simulated instrument, and what does."""
    from labctl_drivers.simulated.panel import FILE, read  # noqa: PLC0415 - commands import what they need

    place = _place(file, folder)
    with _plainly(place.folder):
        now = read(place.folder / FILE)
        left = _left(place)
    data: dict[str, Any] = {
        "instrument": place.kind,
        "faults": dict(now),
        "devices": {device: dict(faults) for device, faults in place.devices.items()},
    }
    if left is not None:
        data["crucibles_left"] = left

    def words() -> None:
        for device, faults in place.devices.items():
            what = now.get(device)
            state = "well" if what is None else f"{what}: {faults[what]}" if what in faults else what
            typer.echo(f"{device:<15} {state}; it can be {', '.join(faults)}")
        for device in sorted(set(now) - set(place.devices)):
            typer.echo(f"{device:<15} {now[device]}")
        if left is not None:
            typer.echo(f"{'rack':<15} {left} crucibles are left")

    give(Answer(data, words), as_json=as_json)


def refill(file: CampaignFile, *, folder: Folder = None, as_json: JsonFlag = False) -> None:
    """Say that a full rack of crucibles has been put into the simulated workshop."""
    place = _place(file, folder)
    rack = _rack(place)
    if rack is None:
        raise RequestError(f"the {place.kind} has no rack; this is for kind: workshop", file=file)
    with _plainly(place.folder):
        slots = rack.refill()
    rack.close()
    words = f"a full rack is in: {slots} crucibles"
    give(Answer({"crucibles_left": slots}, lambda: typer.echo(words)), as_json=as_json)


def _place(file: Path, folder: Path | None) -> _Place:
    from labctl.config import load_config  # noqa: PLC0415 - commands import what they need
    from labctl_drivers.simulated.panel import PANELS  # noqa: PLC0415 - beside the line above

    config = load_config(file)
    instrument = config.model.instrument
    if instrument.kind not in PANELS:
        raise RequestError(
            f"kind: {instrument.kind} has no panel of faults; {', '.join(PANELS)} have one",
            file=file,
            key="instrument.kind",
        )
    where = (config.folder if folder is None else folder) / "instruments"
    return _Place(instrument.kind, where, PANELS[instrument.kind], instrument.options)


@contextlib.contextmanager
def _plainly(folder: Path) -> Iterator[None]:
    """Say in one sentence what is wrong with a panel or a rack."""
    try:
        yield
    except sqlite3.Error as error:
        raise RequestError(f"what is remembered of the rack cannot be read ({error})", file=folder) from None
    except ValueError as error:
        raise RequestError(str(error)) from None


def _rack(place: _Place) -> "Rack | None":
    from labctl_drivers.simulated.rack import Rack  # noqa: PLC0415 - commands import what they need

    if place.kind != "workshop":
        return None
    with _plainly(place.folder):
        return Rack(place.folder, _slots(place))


def _left(place: _Place) -> int | None:
    from labctl_drivers.simulated.rack import FILE  # noqa: PLC0415 - commands import what they need

    # A look makes no file: before the campaign begins, the rack is full.
    if place.kind == "workshop" and not (place.folder / FILE).exists():
        return _slots(place)
    rack = _rack(place)
    if rack is None:
        return None
    left = rack.left()
    rack.close()
    return left


def _slots(place: _Place) -> int:
    from labctl_drivers.simulated.workshop.settings import WorkshopSettings  # noqa: PLC0415 - see _rack

    return WorkshopSettings(**{name: value for name, value in place.options.items() if name == "slots"}).slots
