"""The page on drivers: its files, written out as they stand, run whole campaigns from the command line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from labctl_drivers.adapt import common, readings, settings
from labctl_drivers.protocol import Surroundings
from labctl_drivers.registry import build

PAGE = (Path(__file__).parents[2] / "docs" / "drivers.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def labctl(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-c", "import sys; from labctl.cli import main; sys.exit(main())", *words]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_every_block_of_code_is_a_file() -> None:
    assert len(FILES) == len(re.findall(r"^```(?:python|yaml)$", PAGE, re.MULTILINE)) == 12


def test_a_driver_takes_30_lines() -> None:
    for name, text in FILES.items():
        if name.endswith(".py"):
            assert len([line for line in text.splitlines() if line.strip()]) <= 30, name


@pytest.mark.parametrize(("name", "measured"), [("campaign", 4), ("beamline", 3), ("plan", 3), ("press", 4)])
def test_a_stranger_who_follows_the_page_measures(folder: Path, name: str, measured: int) -> None:
    done = labctl(folder, "run", f"{name}.yaml", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["measured"] == measured, done.stdout
    assert (folder / f"{name}.lab" / "instruments").is_dir()


def test_an_open_door_ends_the_attempt_and_holds_the_lane(folder: Path) -> None:
    guarded = FILES["campaign.yaml"].replace("mylab.devices:Oven", "mylab.guarded:GuardedOven")
    (folder / "guarded.yaml").write_text(guarded, encoding="utf-8")
    assert labctl(folder, "run", "guarded.yaml", "--folder", "closed.lab").returncode == 0
    module = folder / "mylab" / "guarded.py"
    module.write_text(FILES["mylab/guarded.py"].replace("= False", "= True"), encoding="utf-8")
    done = labctl(folder, "run", "guarded.yaml", "--folder", "open.lab")
    assert done.returncode != 0
    assert "the oven's door is open" in " ".join((done.stdout + done.stderr).split())


def test_a_key_that_no_device_reads_may_be_corrected(folder: Path) -> None:
    text = FILES["campaign.yaml"]
    (folder / "campaign.yaml").write_text(text.replace("key: hardness", "key: harness"), encoding="utf-8")
    done = labctl(folder, "run", "campaign.yaml")
    assert done.returncode != 0
    assert "cannot connect devices: readings.hardness.key: Tester reads no 'harness'" in " ".join(
        done.stderr.split()
    )
    (folder / "campaign.yaml").write_text(text, encoding="utf-8")
    done = labctl(folder, "run", "campaign.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["measured"] == 4


def test_a_typing_error_is_one_sentence_and_nothing_is_written(folder: Path) -> None:
    text = FILES["campaign.yaml"].replace("mylab.devices:Oven", "mylab.devices:Ovn")
    (folder / "wrong.yaml").write_text(text, encoding="utf-8")
    done = labctl(folder, "run", "wrong.yaml")
    assert done.returncode != 0
    said = " ".join(done.stderr.split())
    assert "settings.temperature.object: module mylab.devices has no 'Ovn'; did you mean Oven?" in said
    assert "Traceback" not in done.stdout + done.stderr
    assert not (folder / "wrong.lab").exists()


def test_the_press_says_how_it_failed_and_what_it_pressed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labctl_drivers.engine import Lane  # noqa: PLC0415 - bluesky
    from labctl_drivers.protocol import Attempt  # noqa: PLC0415 - beside the line above

    monkeypatch.setattr(sys, "path", list(sys.path))
    options = {
        "modules": ".",
        "settings": {"pressure": {"object": "mylab.press:Press", "unit": "MPa"}},
        "readings": {"density": {"object": "mylab.press:Press", "unit": "g/cm^3"}},
        "failures": {"Jammed": "aborted"},
    }
    press = build("devices", options, Surroundings(beside=folder))
    with Lane("page") as lane:
        lane.connect(press)
        for key, pressure, kind in (("a", 500.0, None), ("b", 0.95e3, "infeasible"), ("c", 850.0, "aborted")):
            attempt = Attempt(key, "c", "e1", 1, {"pressure": pressure}, {"pressure": "MPa"})
            finished = lane.run(press, attempt)
            assert (finished.failure and finished.failure.kind.value) == kind
        press._memory.started(Attempt("d", "c", "e1", 1, {"pressure": 1.0}, {"pressure": "MPa"}))
        assert press.ask("d").state == "unknown"
        press._teller.pressed["d"] = 2.25
        answer = press.ask("d")
        assert answer.reading is not None
        assert (answer.state, answer.reading.values) == ("done", {"density": 2.25})
    press.close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "mylab"]:
        monkeypatch.delitem(sys.modules, name)


def test_every_option_is_on_the_page() -> None:
    words = set(re.findall(r"\w+", PAGE))
    own = {"object", "step", "timeout", "readback", "tolerance", "trigger", "raw"}
    own |= {"plan", "arguments", "objects", "argument", "from", "stream", "take"}
    named = {*common.COMMON_KEYS, *settings.RULE_KEYS, *readings.RULE_KEYS, *own}
    assert named - words == set()
