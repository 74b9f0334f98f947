"""labctl validate as a shell sees it: verdict, page, JSON, exit codes, one sentence for what is wrong."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labctl.cli import main

Written = Callable[..., Path]


@pytest.fixture
def grains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    d = 10 ** (3 * rng.random(40) - 1)
    y = 30 + 250 / np.sqrt(d) + 20 * rng.standard_normal(40)
    lines = [
        "d (um),strength (MPa),dice",
        *(f"{a:.6g},{b:.6g},{c:.3f}" for a, b, c in zip(d, y, rng.random(40), strict=True)),
    ]
    path = tmp_path / "grains.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_a_table_is_judged_with_a_law(grains: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "validate",
        str(grains),
        "--target",
        "strength",
        "--law",
        "s0 + k / sqrt(d)",
        "--budget",
        "3",
    ]
    code = main([*arguments, "--json"])
    said = capfd.readouterr()
    assert said.out.count("\n") == 1
    content = json.loads(said.out)
    assert code == (content["verdict"] in {"lookup table", "undecided"})
    mechanistic = next(c for c in content["candidates"] if c["name"] == "gp-mechanistic")
    assert mechanistic["shuffled"]["mae"] < 25, "the noise has an sd of 20"
    k = content["law"]["constants"][1]["alone"]
    assert abs(k["mean"] - 250) < 3 * k["sd"]
    assert Path(content["page"]).read_text("utf-8").startswith("<!doctype html>")


def test_a_lookup_table_is_a_no_and_still_gets_its_page(
    grains: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = grains.read_text("utf-8").replace("strength (MPa)", "noise").replace("dice", "outcome")
    grains.write_text("\n".join(line for line in text.splitlines()), "utf-8")
    assert main(["validate", str(grains), "--target", "outcome", "--budget", "30", "-o", "no.html"]) == 1
    said = capfd.readouterr()
    assert "lookup table: There is no model to trust" in said.out
    assert said.out.rstrip().endswith("no.html")
    assert Path("no.html").is_file()
    assert "Traceback" not in said.err


def test_a_budget_that_is_too_small_asks_for_a_larger_one_and_keeps_the_scores(
    grains: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = grains.read_text("utf-8").replace("strength (MPa)", "noise").replace("dice", "outcome")
    grains.write_text(text, "utf-8")
    arguments = ["validate", str(grains), "--target", "outcome", "--budget", "1"]
    assert main([*arguments, "-o", "short.html"]) == 1
    said = capfd.readouterr().out
    assert "undecided: The budget was too small to judge every model; give --budget" in said
    assert "There is no model to trust" not in said
    page = Path("short.html").read_text("utf-8")
    assert "verdict: undecided" in page
    assert "Validate again with --budget" in page
    assert "Measure more before concluding" not in page
    assert main([*arguments, "--json"]) == 1
    content = json.loads(capfd.readouterr().out)
    needed = content["budget_needed_s"]
    assert content["verdict"] == "undecided"
    assert content["reason"].startswith(f"undecided: the budget was too small; give --budget {needed:.0f}.")
    scores = {c["name"]: c["loco"] for c in content["candidates"]}
    assert all(scores[name]["error"] > 0 for name in ("mean", "nearest", "ridge"))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("page.txt", "would hold HTML"),
        ("mine.html", "was not written by this command"),
        ("folder.html", "is a folder"),
    ],
)
def test_a_page_that_may_not_be_written_is_refused_before_any_work(
    grains: Path, name: str, says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("mine.html").write_text("my notes", "utf-8")
    Path("folder.html").mkdir()
    assert main(["validate", str(grains), "--target", "strength", "--budget", "99999", "-o", name]) == 2
    said = capfd.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert Path("mine.html").read_text("utf-8") == "my notes"


def test_a_goal_that_is_not_the_campaigns_is_refused(
    replay_campaign: Written, capfd: pytest.CaptureFixture[str]
) -> None:
    path = replay_campaign()
    assert main(["run", str(path)]) == 0
    capfd.readouterr()
    assert main(["validate", str(path), "--target", "x"]) == 2
    assert "--target: is 'x', but the goal of a campaign is in its file" in capfd.readouterr().err
    assert main(["validate", str(path), "--target", "height"]) == 2
    assert "validation needs 20" in capfd.readouterr().err


def test_a_campaign_with_few_results_is_told_to_measure_more(
    replay_campaign: Written, capfd: pytest.CaptureFixture[str]
) -> None:
    path = replay_campaign()
    assert main(["run", str(path)]) == 0
    capfd.readouterr()
    assert main(["validate", str(path)]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "results of height, and validation needs 20" in said


def test_a_campaign_is_judged_with_the_law_of_its_file(
    replay_campaign: Written, capfd: pytest.CaptureFixture[str]
) -> None:
    law = {"formula": "a + b * x + c * y", "constants": {n: {"unit": "mm"} for n in "abc"}}
    path = replay_campaign(law=law, budget={"experiments": 26}, strategy={"initial": 26})
    assert main(["run", str(path)]) == 0
    capfd.readouterr()
    assert main(["validate", str(path), "--budget", "1", "--json"]) in (0, 1)
    content = json.loads(capfd.readouterr().out)
    assert [c["name"] for c in content["law"]["constants"]] == ["a", "b", "c"]
    assert content["study"]["rows"] < 26, "the one that cracked has no height"
    assert "gp-mechanistic" in [c["name"] for c in content["candidates"]]
    assert Path(content["page"]).parent == path.parent / "campaign.lab"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--target", "strength", "--law", "s0 * q * d"], "--law: is not linear in its constants: s0 * q"),
        (["--target", "strength", "--law", "s0 + log(d - 90) * k"], "law: has no finite value at line"),
        (["--target", "hardness"], "has no column 'hardness'"),
        ([], "--target: say which column is meant, one of d, strength, dice"),
        (["--target", "strength", "-o", "absent/page.html"], "is in no folder that exists"),
        (["--target", "strength", "--folder", "."], "--folder: is of campaigns"),
        (["--target", "strength", "--budget", "0"], "--budget"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    grains: Path, options: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", str(grains), *options]) == 2
    said = capfd.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_grain_size_and_strength_of_published_alloys_obey_the_law_as_least_squares_says(
    data_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with (data_folder / "mpea" / "MPEA_dataset.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    size, strength = "PROPERTY: grain size ($\\mu$m)", "PROPERTY: YS (MPa)"
    pairs = np.array([(float(r[size]), float(r[strength])) for r in rows if r[size] and r[strength]])
    assert len(pairs) == 207
    path = tmp_path / "alloys.csv"
    path.write_text("d (um),s (MPa)\n" + "\n".join(f"{d},{s}" for d, s in pairs) + "\n", "utf-8")
    page = tmp_path / "alloys.html"
    options = ["--target", "s", "--law", "s0 + k * d ** -0.5", "--budget", "1", "--json", "-o", str(page)]
    assert main(["validate", str(path), *options]) in (0, 1)
    constants = json.loads(capfd.readouterr().out)["law"]["constants"]
    H = np.column_stack([np.ones(len(pairs)), 1 / np.sqrt(pairs[:, 0])])
    by_hand = np.linalg.lstsq(H, pairs[:, 1], rcond=None)[0]
    np.testing.assert_allclose([c["alone"]["mean"] for c in constants], by_hand, rtol=1e-4)
