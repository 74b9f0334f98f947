"""The command that copies a campaign's Bluesky documents into a Tiled catalog: mirror."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli.output import Answer, CampaignFile, Folder, JsonFlag, give, say
from labctl.errors import BusyError, RefusedError, RequestError
from labctl.files import refuse_odd
from labctl.plural import counted

if TYPE_CHECKING:
    from labctl_drivers.tiled_mirror import Tally

_PATIENCE_S = "5"
_POLITENESS = 10


def mirror(
    file: CampaignFile,
    *,
    tiled: Annotated[
        str,
        typer.Option(
            "--tiled", metavar="URL|DIR", help="A Tiled server, or a folder for a catalog of one's own."
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with every run that is added, until Ctrl-C.")
    ] = False,
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Copy the Bluesky documents of a campaign's runs into a Tiled catalog.

    The campaign may be running: it only writes its own file, and is neither slowed nor failed by Tiled. Every
    run is copied once, however often this is asked for. TILED_API_KEY holds the key of a server.
    """
    from labctl.config import load_config  # noqa: PLC0415 - commands import what they need
    from labctl_drivers.tiled_mirror import (  # noqa: PLC0415
        MirrorError,
        UnreachableError,
        mirror_on,
        mirror_once,
        tiled_catalog,
    )

    where = load_config(file).folder if folder is None else folder
    documents = where / "documents.jsonl"
    refuse_odd(documents)
    if not follow and not documents.exists():
        raise RequestError("has no documents yet; run the campaign first, or use --follow", file=documents)
    if follow and not where.is_dir():
        raise RequestError("is not there yet; run the campaign first", file=where)
    # Read by Tiled when it is imported; its own patience of 45 s would keep a person waiting.
    os.environ.setdefault("TILED_RETRY_TIMEOUT", _PATIENCE_S)
    try:
        with _alone(where):
            if follow:
                # Whatever the experiments need of this computer goes first.
                os.nice(_POLITENESS)
                with _until_told() as told:
                    tally = mirror_on(documents, tiled, until=told, say=say)
            else:
                with tiled_catalog(tiled) as catalog:
                    tally = mirror_once(documents, catalog)
    except UnreachableError as error:
        raise RefusedError(f"{error}; nothing is lost, try again when it does") from error
    except MirrorError as error:
        raise RequestError(str(error), key="--tiled") from error
    give(
        Answer(asdict(tally), lambda: _words(tally, tiled), exit_code=1 if tally.refused else 0),
        as_json=as_json,
    )


def _words(tally: "Tally", where: str) -> None:
    sent = counted(tally.sent, "run")
    typer.echo(f"{where}: {sent} sent, {tally.resent} sent again, {tally.present} there already")
    if tally.unfinished:
        typer.echo(f"{counted(tally.unfinished, 'run')} among them without an end so far")
    for reason in tally.refused.values():
        typer.echo(reason)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """See that no other mirror copies the same runs meanwhile."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only this command needs it

    try:
        with FileLock(folder / "mirror.lock", timeout=0):
            yield
    except Timeout:
        raise BusyError(f"{folder}: another `labctl mirror` copies this campaign already") from None


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets; the second breaks off."""
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        told.set()
        signal.signal(number, before[signal.Signals(number)] or signal.SIG_DFL)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
