"""What the doctor finds on this machine, and on one that lacks something."""

from pathlib import Path

import pytest

from labctl import doctor
from labctl.datasets import FOLDER_VARIABLE


def test_this_machine_is_able(tmp_path: Path) -> None:
    findings = doctor.examine(tmp_path)
    bad = [finding for finding in findings if finding.state == "bad"]
    assert not bad
    assert {"python", "torch", "torch works", "RunEngine", "SQLite", "ledger", "disk", "tables"} <= {
        finding.name for finding in findings
    }
    assert not list(tmp_path.iterdir())
    tables = next(finding for finding in findings if finding.name == "tables")
    assert "hplc" in tables.what


def test_what_is_lacking_comes_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.TESTED, "no-such-package", "1.0")
    monkeypatch.setitem(doctor.TESTED, "numpy", "1.0.0")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    found = {finding.name: finding for finding in doctor.examine(tmp_path / "missing")}
    assert (found["no-such-package"].state, found["numpy"].state) == ("bad", "warn")
    assert found["ledger"].state == "bad"
    assert found[FOLDER_VARIABLE].state == "warn"
    assert all(finding.remedy for finding in found.values() if finding.state != "ok")


def test_what_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken() -> None:
        raise RuntimeError("the disk\nis gone")

    monkeypatch.setattr(doctor, "_torch", broken)
    finding = next(f for f in doctor.examine(tmp_path) if f.name == "torch")
    assert finding.state == "ok"
    broken_one = next(f for f in doctor.examine(tmp_path) if f.state == "bad")
    assert "the disk is gone" in broken_one.what
