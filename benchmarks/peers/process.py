"""Our side of a conversation with a peer (asked.py): it runs as a process in a Python of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from types import TracebackType
    from typing import IO, Self

HERE = Path(__file__).resolve().parent


class PeerError(Exception):
    """A peer cannot be run; says why in a line."""


class Peer:
    """A process that searches as another package does, to be closed by ``with``.

    Args:
        script: beside this file.
        python: that has the package.

    Raises:
        PeerError: from every method, too, as soon as the process is gone.
    """

    def __init__(self, script: str, python: str) -> None:
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        try:
            self._process = subprocess.Popen(
                [python, str(HERE / script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        except OSError as error:
            self._complaints.close()
            raise PeerError(f"{python} cannot be started ({error.strerror})") from None
        self._to = cast("IO[str]", self._process.stdin)
        self._from = cast("IO[str]", self._process.stdout)

    def begin(self, columns: dict[str, list[float]], *, maximise: bool, seed: int) -> dict[str, str]:
        """Begin a search over a pool; returns the versions of what searches."""
        self._say("begin", columns=columns, maximise=maximise, seed=seed)
        return cast("dict[str, str]", self._hear()["versions"])

    def tell(self, row: int, value: float) -> None:
        """Say what a row gave."""
        self._say("tell", row=row, value=value)

    def ask(self) -> tuple[int, float]:
        """The row to measure next, and the processor seconds since the last answer."""
        self._say("ask")
        answer = self._hear()
        return answer["row"], answer["cpu_seconds"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A process that is gone has taken none of what is still to be sent.
        with suppress(BrokenPipeError):
            self._to.close()
        self._process.wait()
        self._from.close()
        self._complaints.close()

    def _say(self, what: str, **given: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        try:
            self._to.write(json.dumps({what: given}) + "\n")
            self._to.flush()
        except BrokenPipeError:
            raise PeerError(self._last_words()) from None

    def _hear(self) -> dict[str, Any]:
        line = self._from.readline()
        if not line:
            raise PeerError(self._last_words())
        return cast("dict[str, Any]", json.loads(line))

    def _last_words(self) -> str:
        status = self._process.wait()
        self._complaints.seek(0)
        lines = self._complaints.read().strip().splitlines()
        return lines[-1] if lines else f"it ended with status {status}"
