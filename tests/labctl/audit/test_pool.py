"""What a table is compared with: a person's candidates, on the scale of the table."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labctl.audit.asked import Asked
from labctl.audit.page import page
from labctl.audit.pool import Candidates, candidates_of
from labctl.audit.repairs import repairs
from labctl.audit.run import audit_target
from labctl.errors import RequestError
from labctl.target import find_study

Tables = Callable[..., Path]


@pytest.fixture
def alloys(tmp_path: Path) -> Path:
    """A table of forty binary alloys of copper and zirconium or nickel."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        x = 20 + i
        rows.append(f"Cu{x}{'Zr' if i % 2 else 'Ni'}{100 - x},{x + rng.random():.3f}")
    path = tmp_path / "alloys.csv"
    path.write_text("\n".join(["formula,strength", *rows]) + "\n", "utf-8")
    return path


def written(folder: Path, *lines: str) -> Path:
    path = folder / "pool.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_formulas_far_away_are_gaps_and_the_table_stays_as_it_was(alloys: Path, tmp_path: Path) -> None:
    far = [f"W{x}Re{100 - x},{x}" for x in range(20, 80)]
    pool = written(tmp_path, "formula,price", *far)
    before = audit_target(str(alloys), "strength", Asked(), seed=0)
    after = audit_target(str(alloys), "strength", Asked(candidates=pool), seed=0)
    assert "nothing says which formulas" in before.not_applicable["domain.coverage"]
    assert "--candidates POOL.csv" in before.not_applicable["domain.coverage"]
    found = {f.id: f for f in after.findings}
    assert found["domain.coverage"].value == 0.0
    assert found["domain.likeness"].level == "high"
    assert np.array_equal(before.study.X, after.study.X)
    same = {f.id: f.value for f in before.findings}
    assert same.items() <= {f.id: f.value for f in after.findings}.items()
    gaps = [r for r in repairs(after, 6, seed=0) if r.finding == "domain.coverage"]
    assert gaps
    assert all(str(r.recipe["formula"]).startswith("W") for r in repairs(after, 6, seed=0)[:2])
    assert len(page(after, [])) > 0
    assert "--candidates POOL.csv" in page(before, [])


def test_the_tables_own_recipes_lie_where_the_table_has_them(alloys: Path, tmp_path: Path) -> None:
    study = find_study(str(alloys), goal="strength", every_row=True)
    assert study.formulas is not None
    pool = candidates_of(study, written(tmp_path, "formula", *study.formulas, "W50Re50"), seed=0)
    assert isinstance(pool, Candidates)
    np.testing.assert_allclose(pool.X[:-1], study.X, atol=1e-9)
    assert np.abs(pool.X[-1]).max() > 1.0


def test_units_convert_and_missing_columns_are_filled_in_and_said(
    sound_table: Tables, tmp_path: Path
) -> None:
    study = find_study(str(sound_table(0)), goal="yield", every_row=True)
    pool = candidates_of(study, written(tmp_path, "flow (L/min),dose (mg)", "0.002,1.5", ",1"), seed=0)
    assert isinstance(pool, Candidates)
    assert len(pool.recipes) == 1
    assert pool.recipes[0]["flow"] == pytest.approx(2.0)
    assert set(pool.recipes[0]) == set(study.space.names)
    assert any("no column" in note and "temperature" in note for note in pool.notes)
    assert any("1 of 2" in note for note in pool.notes)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("price", "1", "2"), "no column 'formula'"),
        (("formula", "Cu50Zr50", "Xx9"), "csv:3: 'Xx9' is no chemical formula"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    alloys: Path, tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        audit_target(str(alloys), "strength", Asked(candidates=written(tmp_path, *lines)), seed=0)
