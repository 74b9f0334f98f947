"""What every command has in common: one JSON object or words on stdout, one sentence for what is wrong."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

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
        exit_code: 0 done, 1 the answer is no.
    """

    data: Mapping[str, Any]
    words: Callable[[], None]
    exit_code: int = 0


def give(answer: Answer, *, as_json: bool) -> None:
    """Print an answer and leave with its exit code."""
    if as_json:
        sys.stdout.write(json.dumps(answer.data, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        answer.words()
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


def say(text: str) -> None:
    """Tell a person something on stderr, where progress goes."""
    sys.stderr.write(text.rstrip() + "\n")


def complain(sentence: str, code: int, *, as_json: bool) -> int:
    """Say in one sentence what is wrong; with ``as_json``, as an object on stdout too."""
    one_line = " ".join(sentence.split())
    sys.stderr.write(f"labctl: {one_line}\n")
    if as_json:
        sys.stdout.write(json.dumps({"error": one_line, "exit": code}, ensure_ascii=False) + "\n")
    return code
