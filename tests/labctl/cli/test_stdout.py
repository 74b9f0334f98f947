"""A stdout that takes nothing, or not every letter, costs no traceback and no half-told answer."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.ledger import Ledger

Written = Callable[..., Path]
RUN = "import sys; from labctl.cli import main; sys.exit(main())"


def labctl(*arguments: str, into: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", RUN, *arguments]
    quoted = ["sh", "-c", f'exec "$@" {into}', "sh", *command]
    return subprocess.run(quoted, capture_output=True, check=False, env={**os.environ, **environment})


def one_sentence(done: subprocess.CompletedProcess[bytes]) -> str:
    said = done.stderr.decode()
    assert said.startswith("labctl: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("flags", [("--json",), ()])
def test_a_full_disk_behind_stdout_is_one_sentence(hand_campaign: Written, flags: tuple[str, ...]) -> None:
    file = hand_campaign()
    done = labctl("propose", str(file), *flags, into="> /dev/full")
    assert done.returncode == 2
    assert "what the command did is done" in one_sentence(done)
    with Ledger.read(file.parent / f"{file.stem}.lab" / "ledger.sqlite") as ledger:
        assert ledger.verify().events == 2
    assert labctl("nonsense", "--json", into="> /dev/full").returncode == 2


def test_a_closed_stdout_is_found_before_anything_is_done(hand_campaign: Written) -> None:
    file = hand_campaign()
    done = labctl("propose", str(file), "--json", into=">&-")
    assert done.returncode == 2
    assert "stdout is closed" in one_sentence(done)
    assert list(file.parent.iterdir()) == [file]


def test_a_stdout_of_ascii_gets_escapes(hand_campaign: Written) -> None:
    file = hand_campaign()
    as_json = labctl("propose", str(file), "-n", "8", "--json", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (as_json.returncode, as_json.stderr) == (0, b"")
    solvents = {p["recipe"]["solvent"] for p in json.loads(as_json.stdout.decode("ascii"))["proposals"]}
    assert "Äthanol" in solvents
    in_words = labctl("status", str(file), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert in_words.returncode == 0
    assert b"thanol" in in_words.stdout
