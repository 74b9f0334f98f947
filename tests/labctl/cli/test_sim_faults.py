"""The panel of simulated instruments, as a person uses it from a second terminal."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl.campaign import Campaign
from labctl.cli import main
from labctl.config import load_config
from labctl.starter import configs_folder
from labctl_drivers.protocol import FailureKind

Written = Callable[..., Path]
Labctl = Callable[..., tuple[int, str, str]]


@pytest.fixture
def labctl(capfd: pytest.CaptureFixture[str]) -> Labctl:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(a) for a in arguments])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def as_json(said: tuple[int, str, str]) -> dict[str, Any]:
    code, out, _ = said
    assert code == 0
    assert out.count("\n") == 1
    content: dict[str, Any] = json.loads(out)
    return content


def test_a_fault_is_switched_shown_and_mended(furnace_campaign: Written, labctl: Labctl) -> None:
    file = furnace_campaign()
    assert as_json(labctl("sim", "panel", file, "--json"))["faults"] == {}
    assert not (file.parent / "campaign.lab").exists()  # a look makes nothing
    code, out, _ = labctl("sim", "fault", file, "tester", "slow")
    assert (code, out) == (0, "tester is slow: takes ten times as long, and a second more\n")
    labctl("sim", "fault", file, "door", "open", "--lane", "2")
    shown = as_json(labctl("sim", "panel", file, "--json"))
    assert shown["faults"] == {"tester": "slow", "lane-2/door": "open"}
    assert set(shown["devices"]) == {"furnace", "timer", "tank", "tester", "memory", "door", "red-button"}
    words = labctl("sim", "panel", file)[1]
    assert "tester          slow: takes ten times" in words
    assert "lane-2/door     open" in words
    assert as_json(labctl("sim", "fault", file, "tester", "none", "--json")) == {
        "device": "tester",
        "fault": None,
    }
    assert as_json(labctl("sim", "panel", file, "--json"))["faults"] == {"lane-2/door": "open"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("fault", "kettle", "slow"), "the furnace has no 'kettle'; it has furnace, timer"),
        (
            ("fault", "tank", "lying"),
            "tank has no fault 'lying'; it has slow, stuck, hung, dropped, and none",
        ),
        (("refill",), "the furnace has no rack; this is for kind: workshop"),
    ],
)
def test_what_cannot_be_is_said(
    furnace_campaign: Written, labctl: Labctl, arguments: tuple[str, ...], says: str
) -> None:
    command, *rest = arguments
    code, out, err = labctl("sim", command, furnace_campaign(), *rest)
    assert (code, out) == (2, "")
    assert err.startswith("labctl: ")
    assert says in err
    assert err.count("\n") == 1


def test_only_simulations_have_a_panel(hand_campaign: Written, labctl: Labctl) -> None:
    code, _, err = labctl("sim", "panel", hand_campaign())
    assert code == 2
    assert "kind: hand has no panel of faults; furnace, workshop, press have one" in err


def test_a_panel_that_is_none_is_said_in_one_sentence(furnace_campaign: Written, labctl: Labctl) -> None:
    file = furnace_campaign()
    labctl("sim", "fault", file, "door", "open")
    (panel,) = file.parent.rglob("panel.json")
    panel.write_text("{")
    for arguments in (("panel", file), ("fault", file, "door", "none")):
        code, _, err = labctl("sim", *arguments)
        assert code == 2
        assert "remove the file" in err
        assert err.count("\n") == 1


def test_a_running_campaign_meets_the_fault_and_the_refill(tmp_path: Path, labctl: Labctl) -> None:
    file, folder = configs_folder() / "glass.yaml", tmp_path / "glass"
    labctl("sim", "fault", file, "robot", "stuck", "--folder", folder)
    done = threading.Event()
    with Campaign.open(file, folder=folder) as campaign:

        def step() -> None:
            campaign.step()
            done.set()

        thread = threading.Thread(target=step)
        thread.start()
        while as_json(labctl("sim", "panel", file, "--folder", folder, "--json"))["crucibles_left"] == 24:
            time.sleep(0.01)
        assert not done.wait(0.2)
        labctl("sim", "fault", file, "robot", "dropped", "--folder", folder)
        # Tried again as often as a fault may be; a connection known to be gone costs no crucible.
        assert done.wait(60)
        thread.join()
        (experiment,) = campaign.state
        assert {outcome.kind for outcome in experiment.outcomes} == {FailureKind.INSTRUMENT_FAULT}
        assert "the connection to the robot is gone" in experiment.outcomes[0].message
    shown = as_json(labctl("sim", "panel", file, "--folder", folder, "--json"))
    assert shown["crucibles_left"] == 23
    assert len(experiment.outcomes) == 3
    code, out, _ = labctl("sim", "refill", file, "--folder", folder)
    assert (code, out) == (0, "a full rack is in: 24 crucibles\n")
    assert as_json(labctl("sim", "panel", file, "--folder", folder, "--json"))["crucibles_left"] == 24


@pytest.mark.parametrize("odd", ["pipe", "folder", '{"furnace": ["stuck"]}', "[" * 100_000])
def test_a_panel_that_is_none_is_told_in_a_sentence(
    furnace_campaign: Written, labctl: Labctl, odd: str
) -> None:
    file = furnace_campaign()
    panel = load_config(file).folder / "instruments" / "panel.json"
    panel.parent.mkdir(parents=True)
    if odd == "pipe":
        os.mkfifo(panel)
    elif odd == "folder":
        panel.mkdir()
    else:
        panel.write_text(odd)
    code, _, said = labctl("sim", "panel", file)
    assert code == 2
    assert "panel.json" in said
    assert "Traceback" not in said
