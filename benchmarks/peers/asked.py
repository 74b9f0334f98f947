"""The side of a conversation that a peer holds: lines of JSON come in, the next row of the pool goes out.

Runs in the peer's own Python and needs nothing of this project. Whoever asks holds the table: a peer knows
the pool, and of its answers only those it was told. Lines that come in:

    {"begin": {"columns": {"r": [1.5, ...], ...}, "maximise": true, "seed": 0}}     forget all, here is a pool
    {"tell": {"row": 17, "value": 3.2}}                                             this row has been measured
    {"ask": {}}                                                                     which row is next?

To "begin" it answers {"versions": {...}}, to "ask" {"row": 12, "cpu_seconds": 0.3}: processor seconds of all
its threads since the last answer, so that what it does when it is told counts too.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Pool:
    """What may be chosen from.

    Attributes:
        columns: by name, the setting of each row as the table has it.
        maximise: whether more is better.
        seed: for whatever the peer draws.
    """

    columns: Mapping[str, Sequence[float]]
    maximise: bool
    seed: int


class Search(Protocol):
    """One search over one pool."""

    def tell(self, row: int, value: float) -> None:
        """Learn what a row gave."""

    def ask(self) -> int:
        """Choose a row that has not been measured."""


def serve(begin: Callable[[Pool], Search], packages: Sequence[str]) -> None:
    """Answer on stdout until stdin ends.

    Args:
        begin: starts a search.
        packages: whose versions matter to the result.
    """
    answers, sys.stdout = sys.stdout, sys.stderr
    search: Search | None = None
    since = time.process_time()
    for line in sys.stdin:
        ((what, given),) = json.loads(line).items()
        if what == "begin":
            search = begin(Pool(**given))
            versions = {"Python": platform.python_version(), **{name: version(name) for name in packages}}
            print(json.dumps({"versions": versions}), file=answers, flush=True)
            since = time.process_time()
        elif search is None:
            raise SystemExit("the first line has to begin a search")
        elif what == "tell":
            search.tell(given["row"], given["value"])
        else:
            row = search.ask()
            spent, since = time.process_time() - since, time.process_time()
            print(json.dumps({"row": row, "cpu_seconds": spent}), file=answers, flush=True)
