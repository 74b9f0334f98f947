"""Runs copied from a campaign's file of documents into a Tiled catalog, long afterwards if need be."""

import contextlib
import io
import logging
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from labctl_drivers.runs import Run, Runs, Tail

Sent = Literal["sent", "resent", "present"]

_GATEWAY = frozenset({502, 503, 504})
_LONGEST_WAIT_S = 60.0


class MirrorError(RuntimeError):
    """The mirror cannot be used at all; the message is one sentence with the remedy."""


class UnreachableError(MirrorError):
    """Tiled does not answer now; the documents wait in their file, and sending them later is safe."""


@dataclass(slots=True)
class Tally:
    """What a mirror has done.

    Attributes:
        sent: runs that the catalog did not have.
        resent: runs that it had without their end, and now has whole.
        present: runs that it had whole already.
        unfinished: of those sent or resent, runs without a stop document: under way, or cut off by a crash.
        refused: by uid of a run, why Tiled would not take it.
    """

    sent: int = 0
    resent: int = 0
    present: int = 0
    unfinished: int = 0
    refused: dict[str, str] = field(default_factory=dict)


class TiledMirror:
    """Copies runs into a Tiled catalog, each at most once however often it is sent.

    A run that the catalog holds with its stop document is left alone. One that it holds without was cut off
    half way; Tiled refuses a second start document for it, so it is deleted and sent again from the start.

    Args:
        client: of the catalog or of a container in it.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - Tiled's clients have no common type
        self._client = client

    def send(self, run: Run) -> Sent:
        """Copy one run.

        Raises:
            UnreachableError: Tiled does not answer.
            ValueError: Tiled does not take this run; one sentence.
        """
        try:
            return self._send(run)
        except Exception as error:
            told = " ".join(f"{type(error).__name__}: {error}".split())
            if _is_down(error):
                raise UnreachableError(f"Tiled does not answer ({told})") from error
            raise ValueError(f"Tiled does not take run {run.uid} ({told})") from error

    def _send(self, run: Run) -> Sent:
        from bluesky_tiled_plugins import TiledWriter  # noqa: PLC0415 - takes seconds to import

        known = self._client.get(run.uid)
        if known is not None:
            if known.metadata.get("stop") is not None:
                return "present"
            self._client.delete_contents(run.uid, external_only=False, recursive=True)
        # Arrays go into files of their own: tables in SQLite have no columns of lists. A new writer each
        # time, because one that failed half way through a run keeps what it knew of it.
        writer = TiledWriter(self._client, max_array_size=0)
        for name, document in run.documents:
            writer(name, dict(document))
        return "sent" if known is None else "resent"


@contextmanager
def tiled_catalog(where: str) -> Iterator[TiledMirror]:
    """Open a catalog to copy runs into; as :func:`tiled_client`."""
    with tiled_client(where) as client:
        yield TiledMirror(client)


@contextmanager
def tiled_client(where: str) -> Iterator[Any]:
    """Open a Tiled server by its address, or a catalog of one's own in a folder.

    A folder gets ``catalog.db`` (SQLite), ``tables.db`` (SQLite) and ``data/`` and needs no server; ``tiled
    serve`` can show it later. The key of a server is taken from the environment, ``TILED_API_KEY``.

    Args:
        where: ``http://...``, ``https://...``, or a folder, which is made where it is missing.

    Raises:
        MirrorError: Tiled is not installed, or the catalog cannot be opened.
        UnreachableError: the server does not answer.
    """
    with contextlib.ExitStack() as stack:
        try:
            # Tiled tells its version on standard output, which is kept for what the user asked for.
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
                client = (
                    _server(where) if where.startswith(("http://", "https://")) else _folder(where, stack)
                )
        except ImportError as error:
            raise MirrorError(
                f"Tiled is not installed ({error}); install it with: pip install 'labctl-sdl[tiled]'"
            ) from error
        except Exception as error:
            told = " ".join(f"{type(error).__name__}: {error}".split())
            down = UnreachableError if _is_down(error) else MirrorError
            raise down(f"the Tiled catalog at {where} cannot be opened ({told})") from error
        stack.callback(client.context.close)
        yield client


def mirror_once(file: Path, mirror: TiledMirror) -> Tally:
    """Copy every run of a file of documents, those without an end too.

    Raises:
        UnreachableError: Tiled does not answer; what was copied so far stays, and copying again is safe.
    """
    tally, runs, tail = Tally(), Runs(), Tail(file)
    for name, document in tail.new():
        run = runs.take(name, document)
        if run is not None:
            _copy(run, mirror, tally)
    for run in runs.unfinished:
        _copy(run, mirror, tally)
    return tally


def mirror_on(
    file: Path,
    where: str,
    *,
    until: threading.Event,
    every_s: float = 1.0,
    say: Callable[[str], None] = lambda _text: None,
) -> Tally:
    """Copy every run of a file of documents and then each one that is added, until told to stop.

    The experiments never wait for this: they write their file, and what cannot be sent now is sent when Tiled
    answers again.

    Args:
        file: of documents; it need not exist yet.
        where: as in :func:`tiled_catalog`.
        until: ends it once it is set.
        every_s: how often the file is looked at, s.
        say: is told in a sentence when Tiled goes and comes back, and what it refuses.

    Raises:
        MirrorError: the catalog can never be opened like this.
        OSError: the file cannot be read.
    """
    tally, runs, tail = Tally(), Runs(), Tail(file)
    waiting: deque[Run] = deque()
    down, wait_s = False, every_s
    while not until.is_set():
        try:
            with tiled_catalog(where) as mirror:
                if down:
                    say("Tiled answers again")
                down, wait_s = False, every_s
                while not until.is_set():
                    waiting.extend(run for told in tail.new() if (run := runs.take(*told)) is not None)
                    while waiting and not until.is_set():
                        _copy(waiting[0], mirror, tally, say)
                        waiting.popleft()
                    until.wait(every_s)
        except UnreachableError as error:
            if not down:
                say(f"{error}; the documents wait in {file}, and are sent when it does")
            down = True
            until.wait(wait_s)
            wait_s = min(2.0 * wait_s, _LONGEST_WAIT_S)
    return tally


def _copy(
    run: Run, mirror: TiledMirror, tally: Tally, say: Callable[[str], None] = lambda _text: None
) -> None:
    try:
        how = mirror.send(run)
    except ValueError as error:
        # One run that Tiled cannot hold must not keep the others from it.
        tally.refused[run.uid] = str(error)
        say(str(error))
        return
    setattr(tally, how, getattr(tally, how) + 1)
    if how != "present" and run.stop is None:
        tally.unfinished += 1


def _server(where: str) -> Any:  # noqa: ANN401 - Tiled's clients have no common type
    from tiled.client import from_uri  # noqa: PLC0415 - takes seconds to import

    return from_uri(where)


def _folder(where: str, stack: contextlib.ExitStack) -> Any:  # noqa: ANN401 - as above
    from tiled.catalog import from_uri as catalog_from_uri  # noqa: PLC0415 - takes seconds to import
    from tiled.client import Context, from_context  # noqa: PLC0415
    from tiled.server.app import build_app  # noqa: PLC0415

    folder = Path(where).resolve()
    (folder / "data").mkdir(parents=True, exist_ok=True)
    catalog = catalog_from_uri(
        str(folder / "catalog.db"),
        writable_storage=[str(folder / "data"), f"sqlite:///{folder / 'tables.db'}"],
        init_if_not_exists=not (folder / "catalog.db").exists(),
    )
    # The server says on its log what this module says in a sentence.
    logging.getLogger("tiled").setLevel(logging.CRITICAL)
    return from_context(stack.enter_context(Context.from_app(build_app(catalog))))


def _is_down(error: BaseException) -> bool:
    """Whether an error says that nobody answers, and nothing of what was sent."""
    import httpx  # noqa: PLC0415 - comes with Tiled

    response = getattr(error, "response", None)
    return (
        isinstance(error, httpx.TransportError | ConnectionError | TimeoutError)
        or getattr(response, "status_code", None) in _GATEWAY
    )
