"""A campaign on the EPICS furnace, from the command line: the controller, the run, and what goes wrong."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labctl.cli import main
from labctl.starter import configs_folder
from labctl_drivers.epics import extras

pytest.importorskip("aioca", reason="the extra epics is not installed")
pytest.importorskip("caproto", reason="the extra epics is not installed")

AS_A_SHELL_DOES = "import sys; from labctl.cli import main; sys.exit(main())"
Start = Callable[..., "subprocess.Popen[str]"]


def labctl(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", AS_A_SHELL_DOES, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Start]:
    """Start controllers with ``labctl sim ioc``, and wait until each says that it answers."""
    started: list[subprocess.Popen[str]] = []

    def begin(*more: object) -> "subprocess.Popen[str]":
        process = labctl("sim", "ioc", "--port", port, "--folder", tmp_path / "ioc", "--json", *more)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr is not None else ""
        assert json.loads(line)["address"] == f"127.0.0.1:{port}"
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def campaign(tmp_path: Path, port: int) -> Path:
    """The ready campaign, with a port of its own and little patience."""
    shutil.copytree(configs_folder() / "limits", tmp_path / "limits")
    text = (configs_folder() / "epics_furnace.yaml").read_text(encoding="utf-8")
    text, n = re.subn(r"127\.0\.0\.1:5094", f"127.0.0.1:{port}", text)
    assert n == 1
    file = tmp_path / "epics.yaml"
    file.write_text(
        text.replace("    silence: 5 s", "    connect_timeout: 3 s\n    silence: 1 s"), encoding="utf-8"
    )
    return file


def events(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "documents.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_campaign_runs_on_it_and_both_end_in_order(start: Start, campaign: Path) -> None:
    ioc = start()
    code, out, err = said(labctl("run", campaign, "--experiments", 4, "--json"))
    assert code == 0, err
    told = json.loads(out)
    assert (told["experiments"], told["status"]) == (4, "finished")
    assert "Channel Access" not in err
    assert "Traceback" not in err
    code, out, _ = said(labctl("verify", campaign, "--json"))
    assert code == 0
    ioc.send_signal(signal.SIGTERM)
    code, _, err = said(ioc)
    assert (code, err) == (0, "")


def test_a_campaign_outlives_its_controller(start: Start, campaign: Path) -> None:
    ioc = start("--speed", 2000)
    running = labctl("run", campaign, "--experiments", 2, "--json")
    folder = campaign.with_suffix(".lab")
    deadline = time.monotonic() + 60
    while not (folder / "documents.jsonl").exists() or not events(folder):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    ioc.kill()
    start("--speed", "inf")
    code, out, err = said(running)
    assert code == 0, err
    assert json.loads(out)["experiments"] == 2
    assert "Traceback" not in err
    stops = [line["doc"] for line in events(folder) if line["name"] == "stop"]
    assert stops[0]["reason"].startswith("instrument_fault: the furnace's own controller went down")
    # It was tried again, once the controller was back.
    starts = [line["doc"] for line in events(folder) if line["name"] == "start"]
    assert [doc["key"].rpartition("/")[2] for doc in starts[:2]] == ["1", "2"]


def test_nobody_there_is_said_in_one_sentence(campaign: Path, port: int) -> None:
    code, _, err = said(labctl("run", campaign))
    assert code == 1
    assert err.count("\n") == 1
    assert f"no furnace answers at 127.0.0.1:{port}" in err
    assert f"`labctl sim ioc --port {port} --prefix furnace:`" in err


def test_ctrl_c_ends_it_and_a_taken_port_is_told(start: Start, port: int, tmp_path: Path) -> None:
    ioc = start("--seed", 3, "--mute")
    code, out, err = said(labctl("sim", "ioc", "--port", port, "--folder", tmp_path / "other"))
    assert (code, out) == (2, "")
    assert f"port {port} of 127.0.0.1 cannot be used" in err
    assert not (tmp_path / "other").exists()
    ioc.send_signal(signal.SIGINT)
    assert said(ioc) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--prefix", "a b"), "prefix: must be the beginning of EPICS names"),
        (("--speed", "0"), "speed must be a number above 0"),
        (("--port", "80"), "--port"),
    ],
)
def test_wrong_requests_are_told(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    assert main(["sim", "ioc", "--folder", str(tmp_path / "ioc"), *arguments]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
    assert not (tmp_path / "ioc").exists()


def test_without_the_extra_the_sentence_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda _: None)
    assert main(["sim", "ioc"]) == 1
    assert "pip install 'labctl-sdl[epics]'" in capsys.readouterr().err
