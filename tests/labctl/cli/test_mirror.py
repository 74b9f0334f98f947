"""labctl mirror as a shell sees it: beside a campaign that does not notice."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl import Campaign
from labctl.cli import main
from labctl_drivers.tiled_mirror import tiled_client

pytest.importorskip("tiled", reason="Tiled is not installed")

Written = Callable[..., Path]
LABCTL = [sys.executable, "-c", "import sys; from labctl.cli import main; sys.exit(main())"]


def _runs(file: Path) -> set[str | None]:
    with Campaign.open(file) as campaign:
        return {outcome.run for e in campaign.state for outcome in e.outcomes}


def test_every_run_of_the_ledger_is_in_the_catalogue(
    furnace_campaign: Written, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, catalog = furnace_campaign(), tmp_path / "catalog"
    assert main(["run", str(file)]) == 0
    capfd.readouterr()
    assert main(["mirror", str(file), "--tiled", str(catalog), "--json"]) == 0
    told: dict[str, Any] = json.loads(capfd.readouterr().out)
    runs = _runs(file)
    assert told == {"sent": len(runs), "resent": 0, "present": 0, "unfinished": 0, "refused": {}}
    assert main(["mirror", str(file), "--tiled", str(catalog)]) == 0
    assert capfd.readouterr().out == f"{catalog}: 0 runs sent, 0 sent again, {len(runs)} there already\n"
    with tiled_client(str(catalog)) as client:
        assert set(client) == runs


def test_it_follows_a_campaign_until_ctrl_c_and_only_one_does(
    furnace_campaign: Written, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, catalog = furnace_campaign(), tmp_path / "catalog"
    assert main(["run", str(file), "--experiments", "2"]) == 0
    capfd.readouterr()
    follow = [*LABCTL, "mirror", str(file), "--tiled", str(catalog), "--follow", "--json"]
    process = subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        lock = file.parent / f"{file.stem}.lab" / "mirror.lock"
        _wait(lock.exists)
        _wait(lambda: main(["mirror", str(file), "--tiled", str(catalog)]) == 3)
        assert "another `labctl mirror` copies this campaign already" in capfd.readouterr().err
        assert main(["run", str(file)]) == 0
        _wait((catalog / "catalog.db").exists)
        _wait(lambda: _rows(catalog) >= 5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    told = json.loads(out)
    assert told["sent"] == len(_runs(file))
    assert told["refused"] == {}


def test_what_is_wrong_is_said_in_a_sentence(
    furnace_campaign: Written,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = furnace_campaign()
    assert main(["mirror", str(file), "--tiled", str(tmp_path / "c")]) == 2
    assert "has no documents yet; run the campaign first" in capfd.readouterr().err
    assert main(["run", str(file), "--experiments", "1"]) == 0
    monkeypatch.setattr("tiled.client.utils.TILED_RETRY_ATTEMPTS", 1)
    assert main(["mirror", str(file), "--tiled", "http://127.0.0.1:9"]) == 1
    assert "nothing is lost, try again" in capfd.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["mirror", str(file), "--tiled", str(tmp_path / "file")]) == 2
    assert "--tiled: the Tiled catalog at" in capfd.readouterr().err


def _rows(catalog: Path) -> int:
    """How many whole runs a catalogue holds, seen past the process that writes it."""
    import sqlite3  # noqa: PLC0415 - only here

    with sqlite3.connect(f"file:{catalog / 'catalog.db'}?mode=ro", uri=True) as file:
        try:
            rows = file.execute("SELECT metadata FROM nodes").fetchall()
        except sqlite3.OperationalError:
            rows = []
    file.close()
    return sum('"stop"' in str(row[0]) for row in rows)


def _wait(for_it: Callable[[], object], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not for_it():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
