"""The command that starts a furnace on an EPICS network, for practising on one machine: sim ioc."""

import json
import math
import sqlite3
import sys
from pathlib import Path
from typing import Annotated

import typer

from labctl.cli.output import JsonFlag
from labctl.errors import RefusedError, RequestError


def ioc(
    *,
    port: Annotated[
        int, typer.Option("--port", min=1024, max=65535, help="Of Channel Access, on 127.0.0.1.")
    ] = 5094,
    prefix: Annotated[
        str, typer.Option("--prefix", help="What the names of its variables begin with.")
    ] = "furnace:",
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where it remembers what it did.")
    ] = Path("furnace-ioc"),
    speed: Annotated[
        float,
        typer.Option("--speed", metavar="X", help="Simulated seconds in a real one; inf waits for nothing."),
    ] = math.inf,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything that is up to chance.")] = 0,
    mute: Annotated[
        bool, typer.Option("--mute", help="Cannot say what became of what was begun, as many cannot.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run a simulated furnace as an EPICS IOC until Ctrl-C; prints one line once it answers."""
    from labctl_drivers.epics.extras import MissingError, require  # noqa: PLC0415 - commands import what they need
    from labctl_drivers.epics.settings import refuse_prefix  # noqa: PLC0415 - beside the line above
    from labctl_drivers.simulated.settings import BenchSettings  # noqa: PLC0415 - beside the line above

    try:
        require("caproto")
        refuse_prefix(prefix)
        bench = BenchSettings(speed=speed, mute=mute)
    except MissingError as error:
        raise RefusedError(str(error)) from None
    except ValueError as error:
        raise RequestError(str(error), key="sim ioc") from None
    from labctl_drivers.epics.ioc import IocSettings, PortTakenError, serve  # noqa: PLC0415 - only with the extra

    settings = IocSettings(folder=folder, port=port, prefix=prefix, seed=seed, bench=bench)
    address = f"127.0.0.1:{port}"
    told = {
        "address": address,
        "prefix": prefix,
        "folder": str(folder),
        "speed": _finite(speed),
        "seed": seed,
    }

    def ready() -> None:
        words = (
            f"a furnace answers at {address} to names with {prefix}; it remembers in {folder}; Ctrl-C ends it"
        )
        sys.stdout.write((json.dumps(told) if as_json else words) + "\n")
        sys.stdout.flush()

    try:
        serve(settings, ready)
    except PortTakenError as error:
        raise RequestError(str(error)) from None
    except sqlite3.Error as error:
        raise RefusedError(
            f"{folder}: what the furnace remembers cannot be read ({error}); put its file back"
        ) from None


def _finite(speed: float) -> float | str:
    """JSON has no infinity."""
    return speed if math.isfinite(speed) else "inf"
