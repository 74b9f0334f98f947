"""What every command has in common: one JSON object or words on stdout, one sentence for what is wrong."""

import contextlib
import io
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from labctl.cli.interrupts import INTERRUPTED

JsonFlag = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
CampaignFile = Annotated[Path, typer.Argument(metavar="CAMPAIGN.yaml", help="The campaign file.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help="Where the ledger is kept; a folder beside the campaign file unless given.",
    ),
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has to say.

    Attributes:
        data: as JSON.
        words: shows the same to a person, on stdout.
        exit_code: 0 done, 1 the answer is no, 130 it was stopped.
    """

    data: Mapping[str, Any]
    words: Callable[[], None]
    exit_code: int = 0


def as_typed(file: Path, folder: Path | None) -> str:
    """How a command line names a campaign, with the folder where one was given."""
    return shlex.join([str(file)] if folder is None else [str(file), "--folder", str(folder)])


class StoppedError(Exception):
    """A command has given its answer, and was stopped before it had done all that it was asked."""

    exit_code = INTERRUPTED


class UnsaidError(Exception):
    """An answer that could not be written to stdout; ``str()`` is one sentence for people."""


def give(answer: Answer, *, as_json: bool) -> None:
    """Print an answer and leave with its exit code.

    Raises:
        UnsaidError: stdout takes nothing more.
        StoppedError: the answer is that the command was stopped.
    """
    try:
        if as_json:
            sys.stdout.write(_json(answer.data))
        else:
            answer.words()
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UnsaidError(
            f"stdout cannot be written ({error.strerror or error}), but what the command did is done; "
            "`labctl status` tells where the campaign stands"
        ) from None
    if answer.exit_code == INTERRUPTED:
        # Not typer's own exit, which reads like an interrupt that nobody was told of.
        raise StoppedError
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


class Heedless(io.TextIOBase):
    """A stream to people that goes on when nobody reads it any more: progress must not cost a sample."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override] # typeshed has a plain attribute
        """The stream's own."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Write, or do nothing if the reader has left."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or do nothing if the reader has left."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        """Whether a person watches."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The stream's own, by which its width is found."""
        return self._stream.fileno()


def say(text: str) -> None:
    """Tell a person something on stderr, where progress goes."""
    Heedless(sys.stderr).write(text.rstrip() + "\n")


def complain(sentence: str, code: int, *, as_json: bool) -> int:
    """Say in one sentence what is wrong; with ``as_json``, as an object on stdout too."""
    one_line = " ".join(sentence.split())
    say(f"labctl: {one_line}")
    if as_json:
        try:
            sys.stdout.write(_json({"error": one_line, "exit": code}))
            sys.stdout.flush()
        except OSError:  # Whoever closed it has asked not to be told; the exit code still says it.
            fall_silent()
    return code


def can_speak() -> bool:
    """See that there is a stdout, and let it write every character somehow.

    A terminal that knows no degree sign gets an escape in its place, rather than half a table.
    """
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for the life of the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not _is_unicode(stream):
            stream.reconfigure(errors="backslashreplace")
    return sys.stdout is not None


def fall_silent() -> None:
    """Give up stdout: what is still held for it goes nowhere, also when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=not _is_unicode(sys.stdout), allow_nan=False) + "\n"


def _is_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "utf-8").lower().startswith("utf")
