"""The experiments that would repair what was found."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labctl.audit.asked import Asked
from labctl.audit.repairs import Repair, hard_limits, repairs, write_repairs
from labctl.audit.run import audit_target
from labctl.audit.words import OF_THE_POOL

Tables = Callable[..., Path]


@pytest.fixture
def half_explored(tmp_path: Path) -> Path:
    """A table whose rows lie in one corner of what it spans, but for one row in the other."""
    rng = np.random.default_rng(5)
    X = np.vstack([0.35 * rng.random((80, 2)), [[1.0, 1.0]]])
    lines = [f"{100 * a:.3f},{10 * b:.4f},{a + b + 0.05 * rng.standard_normal():.5f}" for a, b in X]
    path = tmp_path / "corner.csv"
    path.write_text("\n".join(["temperature (degC),flow (mL/min),yield (percent)", *lines]) + "\n", "utf-8")
    return path


def test_gaps_become_recipes_far_from_what_was_tried(half_explored: Path) -> None:
    audited = audit_target(str(half_explored), "yield", Asked(), seed=0)
    # Nobody named candidates, so what is said of them is a small remark, and the gaps are told all the same.
    assert {f.level for f in audited.findings if f.id in OF_THE_POOL} == {"low"}
    assert 0 < len(audited.gaps) <= 20
    found = repairs(audited, 12, seed=0)
    ranks = [f.id for f in audited.findings]
    assert [ranks.index(r.finding) for r in found] == sorted(ranks.index(r.finding) for r in found)
    gaps = [r for r in found if r.finding == "domain.coverage"]
    assert gaps
    for repair in gaps:
        assert set(repair.recipe) == {"temperature", "flow"}
        # Beyond the corner that holds all rows but one.
        assert float(repair.recipe["temperature"]) > 35 or float(repair.recipe["flow"]) > 3.5
    assert any("at random" in r.why for r in found)
    assert len({str(r.recipe) for r in found}) == len(found) <= 12


def test_none_are_wanted_or_allowed(half_explored: Path) -> None:
    audited = audit_target(str(half_explored), "yield", Asked(), seed=0)
    assert repairs(audited, 0, seed=0) == []
    assert repairs(audited, 5, seed=0, allowed=lambda _recipe: False) == []


def test_contradicting_rows_are_measured_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    lines = []
    for i in range(40):
        a, b = rng.random(2)
        for reading in range(2):
            wrong = 5.0 if i == 3 and reading else 0.0
            lines.append(f"{a:.4f},{b:.4f},{a + b + 0.01 * rng.standard_normal() + wrong:.5f}")
    path = tmp_path / "twice.csv"
    path.write_text("\n".join(["a,b,y", *lines]) + "\n", "utf-8")
    audited = audit_target(str(path), "y", Asked(), seed=0)
    assert any(f.id == "labels.conflicts" for f in audited.findings)
    again = [r for r in repairs(audited, 20, seed=0) if "replicate of" in r.why]
    expected = [float(cell) for cell in lines[6].split(",")[:2]]
    assert pytest.approx(expected) in [list(r.recipe.values()) for r in again]
    assert len(again) <= 2


def test_the_sheet_holds_units_and_runs_nothing(half_explored: Path, tmp_path: Path) -> None:
    audited = audit_target(str(half_explored), "yield", Asked(), seed=0)
    found = repairs(audited, 4, seed=0)
    path = tmp_path / "plan.csv"
    write_repairs(path, found, audited.study.space.units)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["temperature (°C)", "flow (mL/min)", "why", "finding"]
    assert [float(row[0]) for row in rows[1:]] == [
        pytest.approx(float(r.recipe["temperature"]), rel=1e-5) for r in found
    ]


def test_numbers_below_zero_stay_numbers_in_the_sheet(tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    write_repairs(path, [Repair({"shift": -3.5, "gas": "=1+1"}, "why", "x")], {})
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[1][0] == "-3.5"
    assert rows[1][1].startswith("'")


def test_elements_that_are_not_in_a_formula_are_not_spelled(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    lines = []
    for i in range(40):
        b = int(rng.integers(5, 95))
        for reading in range(2):
            wrong = 50.0 if i == 3 and reading else 0.0
            lines.append(f"Al0B{b}Co{100 - b}.0,{b + 0.3 * rng.standard_normal() + wrong:.3f}")
    path = tmp_path / "alloys.csv"
    path.write_text("\n".join(["formula,hardness", *lines]) + "\n", "utf-8")
    audited = audit_target(str(path), "hardness", Asked(), seed=0)
    written = [str(r.recipe["formula"]) for r in repairs(audited, 20, seed=0)]
    assert written
    assert all(formula.startswith("B") for formula in written)


def test_a_labs_hard_limits_hold_for_suggestions_too(furnace_campaign: Callable[..., Path]) -> None:
    from labctl.campaign import Campaign  # noqa: PLC0415 - only here

    path = furnace_campaign(
        budget={"experiments": 25},
        strategy={"initial": 1, "start": "random", "arms": {"random": 1}, "replicates": 0},
        validation={"every": 0},
    )
    with Campaign.open(path) as campaign:
        campaign.predict_always = False
        campaign.run()
    allowed = hard_limits(audit_target(str(path), None, Asked(), seed=0))
    assert allowed({"temperature": 200.0, "hold_time": 60.0, "quench": "oil"})
    assert not allowed({"temperature": 900.0, "hold_time": 60.0, "quench": "oil"})
