"""The page for people who have Bluesky: every example in it runs."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bluesky import RunEngine

from labctl import Campaign, load_config
from labctl.cli import main
from labctl_drivers.engine import Lane
from labctl_drivers.protocol import Attempt, Surroundings
from labctl_drivers.queueserver.settings import settings_of
from labctl_drivers.replay import HistoricalRow, ReplayInstrument
from labctl_drivers.runs import Runs, Tail

PAGE = (Path(__file__).parents[2] / "docs" / "bluesky.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
Written = Callable[..., Path]


def block(kind: str, holds: str) -> str:
    [found] = [text for name, text in BLOCKS if name == kind and holds in text]
    return found


@pytest.fixture
def engines() -> Iterator[list[RunEngine]]:
    """RunEngines that an example makes, to be ended."""
    made: list[RunEngine] = []
    yield made
    for engine in made:
        engine.loop.call_soon_threadsafe(engine.loop.stop)
        while engine.loop.is_running():
            time.sleep(0.001)
        engine.loop.close()


def test_every_block_is_tried() -> None:
    assert [name for name, _ in BLOCKS] == [
        *("python", "console", "python", "python", "yaml", "python"),
        *("yaml", "yaml", "python"),
    ]


def test_a_campaign_runs_in_a_session_and_is_mirrored(
    furnace_campaign: Written,
    monkeypatch: pytest.MonkeyPatch,
    engines: list[RunEngine],
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("tiled", reason="Tiled is not installed")
    file = furnace_campaign()
    monkeypatch.chdir(file.parent)
    names: dict[str, Any] = {}
    exec(compile(block("python", "campaign_plan"), "bluesky.md", "exec"), names)  # noqa: S102 - our own page
    engines.append(names["RE"])
    said = capfd.readouterr().out
    assert said.count("stop\n") == 3
    assert "finished" in said
    [line] = re.findall(r"^\$ labctl (.*)$", block("console", "mirror"), re.MULTILINE)
    assert main(line.split()) == 0
    assert "3 runs sent" in capfd.readouterr().out
    assert (file.parent / "catalog" / "catalog.db").exists()
    exec(compile(block("python", "tiled_client"), "bluesky.md", "exec"), {})  # noqa: S102 - our own page
    read = capfd.readouterr().out
    assert all(f"{name} <xarray.Dataset>" in read for name in ("e0001", "e0002", "e0003"))


def test_every_run_carries_the_ids_that_the_page_names(tmp_path: Path) -> None:
    path = tmp_path / "documents.jsonl"
    rows = [HistoricalRow({"a.b": 1.0}, {"y": 2.0})]
    instrument = ReplayInstrument(rows, surroundings=Surroundings(), units={"y": "mm"})
    attempt = Attempt("c/seed-0/e0007/2", "c", "e0007", 2, {"a.b": 1.0}, {"a.b": "mm"})
    with Lane("lane-1", documents=path) as lane:
        lane.connect(instrument)
        finished = lane.run(instrument, attempt)
    runs = Runs()
    [run] = [run for told in Tail(path).new() if (run := runs.take(*told)) is not None]
    assert run.uid == finished.run_uid
    table = PAGE[PAGE.index("| key | is |") : PAGE.index("An event names")].strip()
    named = {key for row in table.splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(run.start) & named
    told = {"campaign": "c", "experiment": "e0007", "attempt": 2, "key": "c/seed-0/e0007/2"}
    assert run.start == {**run.start, **told, "suggestion_id": "e0007", "blop_correlation_uid": told["key"]}
    assert run.start["recipe"] == {"a%2Eb": 1.0}
    assert run.start["blop_suggestions"] == [{"_id": "e0007", "a%2Eb": 1.0}]
    assert [event["data"] for event in run.events()] == [{"a%2Eb": 1.0, "y": 2.0}]


def test_a_plan_of_bluesky_adaptive_drives_a_campaign(
    hand_campaign: Written,
    monkeypatch: pytest.MonkeyPatch,
    engines: list[RunEngine],
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("bluesky_adaptive", reason="bluesky-adaptive is not installed")
    from ophyd_async.core import init_devices, soft_signal_rw  # noqa: PLC0415 - only here

    file = hand_campaign("by_hand", **{k: v for k, v in _plugged().items() if k != "campaign"})
    file.rename(file.with_name("by_hand.yaml"))
    monkeypatch.chdir(file.parent)
    engine = RunEngine({}, call_returns_result=True, context_managers=[])
    engines.append(engine)
    with init_devices():
        x = soft_signal_rw(float, 0.0, units="mm")
    names: dict[str, Any] = {
        "RE": engine,
        "x": x,
        "detector": x,
        "evaluate": lambda _uid, points: [{"_id": p["_id"], "height": p["x"]} for p in points],
    }
    monkeypatch.syspath_prepend(file.parent)
    _write_module(file.parent)
    exec(compile(block("python", "CampaignOptimizer"), "bluesky.md", "exec"), names)  # noqa: S102 - our own page
    assert "value=" in capsys.readouterr().out


def test_an_optimiser_is_plugged_in(hand_campaign: Written) -> None:
    file = hand_campaign(**{k: v for k, v in _plugged().items() if k != "campaign"})
    _write_module(file.parent)
    with Campaign.open(file) as campaign:
        for _ in range(6):
            [experiment] = campaign.propose()
            campaign.record(experiment.id, {"height": float(experiment.proposal.recipe["x"])})
        assert [e.proposal.strategy for e in campaign.state].count("plugged") >= 2


def test_the_far_away_campaign_loads_and_its_startup_file_runs(tmp_path: Path) -> None:
    pytest.importorskip("zmq", reason="ZeroMQ is not installed")
    profile_ops = pytest.importorskip("bluesky_queueserver.manager.profile_ops")
    allowed = tmp_path / "user_group_permissions.yaml"
    allowed.write_text(block("yaml", "user_groups"))
    assert set(profile_ops.load_user_group_permissions(allowed)["user_groups"]) == {"root", "primary"}
    file = tmp_path / "campaign.yaml"
    file.write_text(block("yaml", "kind: queueserver"))
    options = load_config(file).model.instrument.options
    settings = settings_of(options)
    assert settings.arguments == {"temperature": "temp"}
    assert settings.kinds == {"SampleCracked": "infeasible"}
    startup = block("python", "Publisher") + "\nRE([])\nprint('ready')\n"
    ran = subprocess.run([sys.executable, "-c", startup], capture_output=True, text=True, check=False)
    assert ran.stdout.strip().endswith("ready"), ran.stderr


def _plugged() -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - only here

    content: dict[str, Any] = yaml.safe_load(block("yaml", "plugged:"))
    return content


def _write_module(folder: Path) -> None:
    (folder / "mylab").mkdir(exist_ok=True)
    (folder / "mylab" / "optimisers.py").write_text(block("python", "class Walk"))
    for name in [name for name in sys.modules if name.startswith("mylab")]:
        del sys.modules[name]
