"""Kills at random instants: some here, and a thousand with LABCTL_KILLS=1000 or the program itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = int(os.environ.get("LABCTL_KILLS", "100"))


@pytest.mark.timeout(60 + 3 * KILLS)
def test_random_kills_lose_nothing_and_do_nothing_twice() -> None:
    program = Path(__file__).with_name("many_kills.py")
    ended = subprocess.run(
        [sys.executable, str(program), "--kills", str(KILLS)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    count = json.loads(ended.stdout)
    assert count["kills"] >= KILLS
    assert (count["lost"], count["twice"], count["chain_breaks"]) == ([], [], [])
    assert count["under_way"]["mute"] == count["unknown"]["mute"]
    assert count["unknown"]["askable"] == 0
    assert sum(count["under_way"].values()) > 0
    # The dispatcher is light: what chooses at random needs no torch.
    assert count["torch"] is False
