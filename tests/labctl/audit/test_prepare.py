"""What the checks are given: success, candidates, cohorts, and what is left out with a note."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labctl.audit.asked import Asked
from labctl.audit.prepare import prepare
from labctl.audit.run import audit_study, audit_target
from labctl.errors import RequestError
from labctl.target import find_study

Tables = Callable[..., Path]


def test_a_class_in_letters_needs_to_be_named(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    rows = [f"{i},{i % 7},{'glass' if i % 3 else 'crystal'}" for i in range(40)]
    path.write_text("\n".join(["a,b,phase", *rows]) + "\n", "utf-8")
    study = find_study(str(path), goal="phase", every_row=True)
    with pytest.raises(RequestError, match=r"crystal, glass is a success with --success"):
        prepare(study, Asked(), seed=0)
    with pytest.raises(RequestError, match="none of crystal, glass"):
        prepare(study, Asked(success="liquid"), seed=0)
    table = prepare(study, Asked(success="glass"), seed=0).table
    assert table.success.sum() == sum(1 for i in range(40) if i % 3)


def test_candidates_of_a_table_keep_to_its_levels_and_its_ranges(sound_table: Tables) -> None:
    path = sound_table(0, 200, stage=[i % 4 for i in range(200)])
    prepared = prepare(find_study(str(path), goal="yield", every_row=True), Asked(), seed=0)
    assert prepared.pool is not None
    assert prepared.table.pool is not None
    assert len(prepared.pool) == len(prepared.table.pool)
    assert {recipe["stage"] for recipe in prepared.pool} <= {0, 1, 2, 3}
    assert prepared.table.pool.min() >= 0
    assert prepared.table.pool.max() <= 1


def test_a_mixture_is_not_filled_with_recipes_that_break_its_law(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = rng.dirichlet([1, 1, 1], 60)
    path = tmp_path / "mixture.csv"
    lines = [
        f"{a:.6f},{b:.6f},{1 - round(a, 6) - round(b, 6):.6f},{a + rng.random():.4f}" for a, b, _ in parts
    ]
    path.write_text("\n".join(["water,oil,salt,turbidity", *lines]) + "\n", "utf-8")
    prepared = prepare(find_study(str(path), goal="turbidity", every_row=True), Asked(), seed=0)
    assert prepared.table.pool is None


def test_a_column_that_is_the_outcome_again_is_left_out(sound_table: Tables) -> None:
    study = find_study(str(sound_table(3)), goal="yield", every_row=True)
    again = {**study.columns, "yield again": 2.0 * study.y + 1.0, "other": np.roll(study.y, 1)}
    prepared = prepare(replace(study, columns=again), Asked(), seed=0)
    assert "yield again" not in prepared.table.columns
    assert "other" in prepared.table.columns
    assert prepared.computed == ("yield again",)


def test_what_rises_with_the_outcome_is_told_as_computed_and_not_screened(sound_table: Tables) -> None:
    study = find_study(str(sound_table(3)), goal="yield", every_row=True)
    again = {**study.columns, "logged yield": np.exp(study.y / 20.0)}
    audited = audit_study(replace(study, columns=again), seed=0)
    told = next(f for f in audited.findings if f.id == "labels.computed:logged yield")
    assert told.level == "medium"
    assert "as if computed from it" in told.title
    assert not any(f.id.startswith("hidden.screen") for f in audited.findings)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([7.5] * 30, "7.5 in all 30 rows with a value"),
        (list(range(19)), "has 19 rows with an outcome, and an audit needs 20"),
        ([*range(29), 1e300], "is 1e+300 in line 31, which no instrument reads"),
    ],
)
def test_too_little_to_audit_is_one_sentence(tmp_path: Path, values: list[float], said: str) -> None:
    path = tmp_path / "few.csv"
    rows = [f"{0.37 * i:.3f},{(i * i) % 17},{y}" for i, y in enumerate(values)]
    path.write_text("\n".join(["a,b,y", *rows]) + "\n", "utf-8")
    with pytest.raises(RequestError, match=re.escape(said)):
        audit_target(str(path), "y", Asked(), seed=0)


def test_one_class_is_a_finding_and_not_a_question(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    rows = [f"{0.37 * i:.3f},{(i * i) % 17},good" for i in range(40)]
    path.write_text("\n".join(["a,b,y", *rows]) + "\n", "utf-8")
    audited = audit_target(str(path), "y", Asked(), seed=0)
    assert audited.findings[0].level == "high"
    assert audited.findings[0].title == "Every one of the 40 rows has y = good"
    assert audited.as_json()["verdict"] == "do not rely on it"


def test_label_values_come_from_a_column_that_must_be_there(sound_table: Tables) -> None:
    width = [f"{0.2 + 0.004 * i:.4f}" for i in range(150)]
    study = find_study(str(sound_table(4, 150, width=width)), goal="yield", every_row=True)
    asked = Asked(label_values="width", label_range=(0.4, 0.7), label_sd=0.05)
    table = prepare(study, asked, seed=0).table
    assert table.label_values is not None
    assert "width" in table.modelled
    with pytest.raises(RequestError, match="no column 'fwhm'"):
        prepare(study, Asked(label_values="fwhm", label_range=(0.4, 0.7)), seed=0)
    with pytest.raises(RequestError, match="holds no numbers"):
        prepare(study, Asked(label_values="operator", label_range=(0.4, 0.7)), seed=0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"true_rate": 0.0}, "between 0 and 1"),
        ({"true_rate": 5.0}, "between 0 and 1"),
        ({"label_values": "w"}, "give both"),
        ({"label_values": "w", "label_range": (0.7, 0.4)}, "the smaller first"),
        ({"label_sd": 0.1}, "needs --label-values"),
        ({"label_values": "w", "label_range": (0.4, 0.7), "label_sd": -1.0}, "above 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        Asked(**options)  # type: ignore[arg-type]
