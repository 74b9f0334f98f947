"""A real peer in a process of its own: it searches, and when it cannot, it says why."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def module() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "peers" / "process.py"
    spec = importlib.util.spec_from_file_location("process", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_plain_botorch_descends_to_the_least_of_a_parabola(module: ModuleType) -> None:
    x = np.linspace(-1.0, 1.0, 41)
    with module.Peer("botorch_ask.py", sys.executable) as peer:
        versions = peer.begin({"x": x.tolist()}, maximise=False, seed=0)
        rows = [0, 20, 40]
        for row in rows:
            peer.tell(row, (x[row] - 0.35) ** 2)
        while len(rows) < 9:
            row, seconds = peer.ask()
            assert seconds > 0
            peer.tell(row, (x[row] - 0.35) ** 2)
            rows.append(row)
    assert "botorch" in versions
    assert len(set(rows)) == 9
    assert 27 in rows  # x = 0.35, the least of all


def test_a_peer_that_is_not_installed_says_so(module: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "absent_ask.py"
    script.write_text("import a_package_that_nobody_has\n")
    with (
        pytest.raises(module.PeerError, match="No module named 'a_package_that_nobody_has'"),
        module.Peer(str(script), sys.executable) as peer,
    ):
        peer.begin({"x": [0.0, 1.0]}, maximise=True, seed=0)


def test_a_python_that_is_not_there(module: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(module.PeerError, match="cannot be started"):
        module.Peer("botorch_ask.py", str(tmp_path / "python"))
