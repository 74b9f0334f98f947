"""The tools of these tests lie beside them and are programs too, so their folder is searched for modules."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

Die: TypeAlias = Callable[..., bool]


@pytest.fixture(scope="module")
def die() -> Iterator[Die]:
    """Give ``die(folder, manner, point=..., times=..., lanes=...)``: run a campaign until it dies at a point.

    Says whether it was killed; without a point it runs to its end.
    """
    with subprocess.Popen(
        [sys.executable, str(HERE / "crash_bench.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        stdin, stdout = server.stdin, server.stdout

        def order(folder: Path, manner: str, **told: Any) -> bool:  # noqa: ANN401 - any part of an order
            stdin.write(json.dumps({"folder": str(folder), "manner": manner, **told}) + "\n")
            stdin.flush()
            return bool(json.loads(stdout.readline())["killed"])

        yield order
        stdin.close()
