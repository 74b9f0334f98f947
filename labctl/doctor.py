"""Tells whether this machine can run campaigns, and what to do where it cannot."""

import importlib.metadata
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["ok", "warn", "bad"]

TESTED = {
    "torch": "2.13.0",
    "botorch": "0.18.1",
    "gpytorch": "1.15.2",
    "bluesky": "1.15.1",
    "ophyd-async": "0.21.3",
    "numpy": "2.4.6",
    "pandas": "2.3.3",
    "scipy": "1.17.1",
    "scikit-learn": "1.9.1",
    "pymatgen": "2026.10.24",
    "matminer": "0.10.1",
}
"""Versions with which the tests of this version of labctl pass."""

_PYTHON_LOW, _PYTHON_ABOVE = (3, 11), (3, 14)
_STRICT_SINCE = (3, 37, 0)
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 2_000_000_000, 100_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what was looked at.
        state: ok, warn (campaigns run, but something is lacking) or bad (they do not).
        what: what was found.
        remedy: what to do; empty where there is nothing to do.
    """

    name: str
    state: State
    what: str
    remedy: str = ""


def examine(folder: Path | None = None) -> tuple[Finding, ...]:
    """Look at everything; raises nothing.

    Args:
        folder: where campaigns are to be kept; the present folder where it is left out.
    """
    place = folder or Path()
    looks: dict[str, Callable[[], Iterator[Finding]]] = {
        "python": _python,
        "packages": _packages,
        "torch": _torch,
        "RunEngine": _run_engine,
        "ledger": lambda: _ledger(place),
        "disk": lambda: _disk(place),
        "tables": _tables,
    }
    return tuple(finding for name, look in looks.items() for finding in _guarded(name, look))


def _guarded(name: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 - whatever is broken on this machine is a finding
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        yield Finding(
            name,
            "bad",
            f"could not be looked at: {reason}",
            "install labctl-sdl anew in an environment of its own",
        )


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if _PYTHON_LOW <= sys.version_info[:2] < _PYTHON_ABOVE:
        yield Finding("python", "ok", version)
    else:
        yield Finding("python", "bad", version, "use Python 3.11, 3.12 or 3.13")


def _packages() -> Iterator[Finding]:
    for name, tested in TESTED.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "bad", "not installed", f"pip install {name}=={tested}")
            continue
        plain = version.partition("+")[0]
        if plain == tested:
            yield Finding(name, "ok", version)
        elif plain.split(".")[:2] == tested.split(".")[:2]:
            yield Finding(name, "ok", f"{version} (tested with {tested})")
        else:
            yield Finding(
                name,
                "warn",
                f"{version}, and tested was {tested}",
                f"pip install {name}=={tested}, if it misbehaves",
            )


def _torch() -> Iterator[Finding]:
    import torch  # noqa: PLC0415 - whether it can be imported is the question

    exact = bool(torch.linalg.cholesky(torch.eye(2, dtype=torch.float64)).eq(torch.eye(2)).all())
    where = f"{torch.cuda.get_device_name()} and the CPU" if torch.cuda.is_available() else "the CPU"
    what = f"computes on {where} with {torch.get_num_threads()} threads ({os.cpu_count()} cores)"
    if exact:
        yield Finding("torch works", "ok", what)
    else:
        yield Finding("torch works", "bad", f"{what}, and wrongly", "install torch anew")


def _run_engine() -> Iterator[Finding]:
    from labctl_drivers.engine import Lane  # noqa: PLC0415 - imports bluesky

    with Lane("doctor") as lane:
        state = str(lane.engine.state)
    if state == "idle":
        yield Finding("RunEngine", "ok", "a Bluesky RunEngine starts and stops")
    else:
        yield Finding(
            "RunEngine",
            "bad",
            f"a new RunEngine is {state}, not idle",
            "pip install --force-reinstall bluesky",
        )


def _ledger(folder: Path) -> Iterator[Finding]:
    """A ledger needs STRICT tables and a write-ahead log, which network disks may not have."""
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < _STRICT_SINCE:
        yield Finding("SQLite", "bad", version, "use a Python with SQLite 3.37 or newer")
        return
    yield Finding("SQLite", "ok", version)
    where = folder.resolve()
    try:
        with tempfile.TemporaryDirectory(dir=where, prefix=".labctl-doctor-") as name:
            connection = sqlite3.connect(Path(name) / "ledger.sqlite")
            try:
                mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                connection.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY) STRICT")
                connection.commit()
            finally:
                connection.close()
    except (OSError, sqlite3.Error) as error:
        yield Finding(
            "ledger",
            "bad",
            f"{where}: {error}",
            "run labctl in a folder on a local disk that you may write to",
        )
        return
    if mode == "wal":
        yield Finding("ledger", "ok", f"{where} can hold a ledger")
    else:
        yield Finding(
            "ledger", "bad", f"{where} has no write-ahead log ({mode})", "keep campaigns on a local disk"
        )


def _disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    what = f"{free / 1e9:.1f} GB free in {folder.resolve()}"
    if free < _TOO_LITTLE_BYTES:
        yield Finding("disk", "bad", what, "make room before a campaign runs")
    elif free < _LITTLE_BYTES:
        yield Finding("disk", "warn", what, "make room before a long campaign")
    else:
        yield Finding("disk", "ok", what)


def _tables() -> Iterator[Finding]:
    from labctl import datasets  # noqa: PLC0415 - reads cards

    variable = datasets.FOLDER_VARIABLE
    given = os.environ.get(variable)
    if not given:
        yield Finding(variable, "ok", "not set; needed only for tables that come in no package")
    elif not os.access(given, os.R_OK | os.X_OK) or not Path(given).is_dir():
        yield Finding(
            variable,
            "warn",
            f"{given} is no folder that can be read",
            f"set {variable} to a folder of tables",
        )
    else:
        yield Finding(variable, "ok", given)
    here: list[str] = []
    missing: list[str] = []
    for card in datasets.catalogue():
        (here if datasets.found(card) is not None else missing).append(card.name)
    what = f"{len(here)} found ({', '.join(here) or 'none'})"
    if missing:
        what += f"; {len(missing)} not here ({', '.join(missing)})"
    remedy = "" if here else "pip install 'labctl-sdl[tables]' brings ten"
    yield Finding("tables", "ok" if here else "warn", what, remedy)
