"""Ctrl-C at many instants, one to three times: a sound ledger, one plain sentence, no traceback."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.ledger import Ledger
from labctl.state import CampaignState, fold

Written = Callable[..., Path]
INSTANTS = int(os.environ.get("LABCTL_INTERRUPTS", "9"))
AS_A_SHELL_DOES = "import sys; from labctl.cli import main; sys.exit(main())"
SLOW = {
    "instrument": {"kind": "furnace", "lanes": 2, "options": {"speed": 300_000}},
    "budget": {"experiments": 200},
}


def run(file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", AS_A_SHELL_DOES, "run", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupt(
    process: subprocess.Popen[str], hits: int, apart_s: float, by: signal.Signals = signal.SIGINT
) -> tuple[str, str]:
    for _ in range(hits):
        if process.poll() is None:
            process.send_signal(by)
        time.sleep(apart_s)
    return process.communicate(timeout=60)


def state_of(file: Path) -> CampaignState | None:
    path = file.with_suffix(".lab") / "ledger.sqlite"
    if not path.exists() or path.stat().st_size == 0:
        return None
    with Ledger.read(path) as ledger:
        ledger.verify()
        return fold(ledger.events())


def check(file: Path, process: subprocess.Popen[str], out: str, err: str) -> CampaignState | None:
    assert "Traceback" not in err
    assert "Error" not in err
    assert "Exception" not in err
    assert process.returncode == 130, err
    if out:
        assert "stopped: " in out
    else:
        assert err.splitlines()[-1] == "labctl: stopped"
    return state_of(file)


@pytest.mark.timeout(60 + 10 * INSTANTS)
def test_at_many_instants_one_to_three_times(furnace_campaign: Written) -> None:
    draw = random.Random(5)  # noqa: S311 - not for secrets
    broken_off = 0
    for instant in range(INSTANTS):
        file = furnace_campaign(f"{instant}", **SLOW)
        # From when Python itself has begun: what comes before is not ours to answer for.
        after_s, hits = 0.25 + draw.uniform(0.0, 4.0), 1 + instant % 3
        process = run(file)
        time.sleep(after_s)
        out, err = interrupt(process, hits, draw.choice([0.0, 0.002, 0.03]))
        state = check(file, process, out, err)
        if state is not None:
            assert not any(e.status == "running" for e in state), "an attempt was left without its outcome"
            kinds = [o.kind for e in state for o in e.outcomes]
            broken_off += kinds.count("aborted")
            if hits == 1:
                assert "aborted" not in kinds
            assert kinds.count("aborted") <= 2
    assert INSTANTS < 9 or broken_off > 0


def begun(process: subprocess.Popen[str], file: Path) -> None:
    """Wait until experiments run."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            state = state_of(file)
        except Exception:  # noqa: BLE001, S112 - it is being made
            continue
        if state is not None and any(e.intents for e in state):
            return
        assert process.poll() is None
        time.sleep(0.02)
    raise AssertionError("no experiment was begun")


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("hits", [1, 2])
def test_a_closed_terminal_ends_it_in_good_order(
    furnace_campaign: Written, by: signal.Signals, hits: int
) -> None:
    slow = {"kind": "furnace", "options": {"speed": 300_000 if hits == 1 else 100, "fault_rate": 0.0}}
    file = furnace_campaign(**{**SLOW, "instrument": slow})
    process = run(file)
    begun(process, file)
    out, err = interrupt(process, hits, 0.2, by)
    state = check(file, process, out, err)
    assert state is not None
    assert not any(e.status == "running" for e in state)
    assert ("aborted" in {o.kind for e in state for o in e.outcomes}) is (hits > 1)
    assert f"{'stopped' if hits == 1 else 'broken off'} by {by.name}" in out


def test_under_nohup_a_closed_terminal_ends_nothing(furnace_campaign: Written) -> None:
    file = furnace_campaign(**{**SLOW, "budget": {"experiments": 6}})
    deaf = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); {AS_A_SHELL_DOES}"
    process = subprocess.Popen(
        [sys.executable, "-c", deaf, "run", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    begun(process, file)
    out, err = interrupt(process, 2, 0.1, signal.SIGHUP)
    assert (process.returncode, "the budget of 6 experiments is spent" in out) == (0, True), err


def test_once_lets_every_lane_finish_and_twice_breaks_every_one_off(furnace_campaign: Written) -> None:
    for hits in (1, 2, 3):
        speed = 300_000 if hits == 1 else 1000
        slow = {"kind": "furnace", "lanes": 2, "options": {"speed": speed, "fault_rate": 0.0}}
        file = furnace_campaign(f"hits-{hits}", **{**SLOW, "instrument": slow})
        process = run(file)
        begun(process, file)
        out, err = interrupt(process, hits, 0.2)
        state = check(file, process, out, err)
        assert state is not None
        kinds = {o.kind for e in state for o in e.outcomes}
        assert ("aborted" in kinds) is (hits > 1)
        assert not any(e.status == "running" for e in state)
        assert "once more to break them off" in err
        assert ("breaking the running experiments off" in err) is (hits > 1)
        assert "stopped by SIGINT" in out if hits == 1 else "broken off by SIGINT" in out
        # The safe state is no end: the next run goes on by itself, and nothing broken off is tried again.
        if hits == 3:
            rest = subprocess.run(
                [sys.executable, "-c", AS_A_SHELL_DOES, "status", str(file)],
                capture_output=True,
                text=True,
                check=True,
            )
            assert "aborted" in rest.stdout
