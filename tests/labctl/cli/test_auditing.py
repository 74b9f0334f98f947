"""labctl audit as a shell sees it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.cli import main

Run = Callable[..., tuple[int, str, str]]
_LETTERS = ("--target", "y", "--success", "a")
_RANGE = ("--label-range", "0", "1")


@pytest.fixture
def labctl(capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["audit", *(str(a) for a in arguments)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_person_gets_ranked_findings_a_page_and_a_plan(labctl: Run, tmp_path: Path) -> None:
    out, plan = tmp_path / "audit.html", tmp_path / "plan.csv"
    code, said, progress = labctl("fullerenes", "-o", out, "-p", plan, "--propose", 3)
    assert code == 0
    lines = said.splitlines()
    assert lines[1].split()[0] == "medium"
    # Whoever is done within seconds needs no bar; names of checks are for nobody.
    assert "duplicates.twins" not in progress
    assert "recipes are there more than once" in said
    assert str(out) in said
    assert out.read_text("utf-8").startswith("<!doctype html>")
    assert len(plan.read_text("utf-8-sig").splitlines()) == 4


def test_json_is_one_object(labctl: Run) -> None:
    code, said, _ = labctl("hplc", "--json", "--propose", 2)
    assert code == 0
    assert said.count("\n") == 1
    content = json.loads(said)
    assert len(content["repairs"]) == 2
    assert any(f["id"] == "labels.known_zeros" and f["value"] == 229 for f in content["findings"])
    ranked = [f["severity"] for f in content["findings"]]
    assert ranked == sorted(ranked, reverse=True)


def test_a_campaign_is_audited_without_touching_it(
    labctl: Run, furnace_campaign: Callable[..., Path], tmp_path: Path
) -> None:
    path = furnace_campaign(budget={"experiments": 22}, validation={"every": 0})
    assert main(["run", str(path)]) == 0
    ledger = path.parent / "campaign.lab" / "ledger.sqlite"
    before = ledger.read_bytes()
    code, said, _ = labctl(path, "-o", tmp_path / "a.html")
    assert code == 0
    assert said
    assert ledger.read_bytes() == before


@pytest.mark.parametrize(
    ("rows", "options", "sentence"),
    [
        (["1,2,", "3,4,"], ("--target", "y"), "y"),
        (["1,2,5"] * 30, ("--target", "y", "--true-rate", "2"), "--true-rate"),
        (["1,2,5", "2,3,6"] * 15, ("--target", "y", "--true-rate", "0.2"), "nothing says which rows failed"),
        (["1,2,a", "2,3,b"] * 15, (*_LETTERS, "--label-values", "y", *_RANGE), "y holds the labels"),
        (["1,2,5"] * 30, ("--target", "y", "--label-values", "b", "--label-range", "0", "inf"), "finite"),
        (["1,2,5"] * 30, ("--target", "y", "--folder", "."), "--folder"),
        (["1,2,5"] * 30, ("--target", "y", "-o", "page.png"), ".html"),
        (["1,2,5"] * 30, ("--target", "y", "-p", "nowhere/plan.csv"), "no folder that exists"),
        (["1,2,5", "2,3,6"] * 9, ("--target", "y", "--label-values", "b"), "--label-range"),
        (["1,2,5", "2,3,6"] * 9, (), "--target"),
        (["1,2,5", "2,3,6"] * 9, ("--target", "nothing"), "nothing"),
    ],
)
def test_bad_input_is_one_sentence(
    labctl: Run, tmp_path: Path, rows: list[str], options: tuple[str, ...], sentence: str
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a,b,y", *rows]) + "\n", "utf-8")
    code, _, said = labctl(path, *options)
    wrong = [line for line in said.splitlines() if line.startswith("labctl: ")]
    assert code == 2
    assert len(wrong) == 1
    assert sentence in wrong[0]
    assert "Traceback" not in said


def test_a_plan_that_exists_is_not_overwritten(labctl: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.csv"
    plan.write_text("results", "utf-8")
    code, _, said = labctl("fullerenes", "-p", plan)
    assert code == 2
    assert "may hold results" in said
    assert plan.read_text("utf-8") == "results"


@pytest.mark.parametrize("n", [1, 2, 12])
def test_tiny_and_constant_tables_are_answered(labctl: Run, tmp_path: Path, n: int) -> None:
    path = tmp_path / "tiny.csv"
    path.write_text("\n".join(["a,b,y", *(f"{i},{i % 3},7.5" for i in range(n))]) + "\n", "utf-8")
    code, said, wrong = labctl(path, "--target", "y", "-o", tmp_path / "tiny.html")
    assert "Traceback" not in wrong
    assert code in {0, 2}
    assert said or "labctl: " in wrong


def test_an_interrupt_is_told(labctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a,b,y", *(f"{i},{i % 3},{i * i}" for i in range(30))]) + "\n", "utf-8")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("labctl.audit.run.audit_target", interrupted)
    code, said, wrong = labctl(path, "--target", "y", "--json")
    assert code == 130
    assert json.loads(said) == {"error": "stopped", "exit": 130}
    assert wrong.strip() == "labctl: stopped"
