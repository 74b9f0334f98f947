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
    assert code == (content["verdict"] == "lookup table")
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
    assert main(["validate", str(grains), "--target", "outcome", "--budget", "2", "-o", "no.html"]) == 1
    said = capfd.readouterr()
    assert "lookup table: There is no model to trust" in said.out
    assert said.out.rstrip().endswith("no.html")
    assert Path("no.html").is_file()
    assert "Traceback" not in said.err


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
        ([], "say which column was measured with --target"),
        (["--target", "strength", "-o", "absent/page.html"], "is in no folder that exists"),
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
