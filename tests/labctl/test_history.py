"""From a table and its card to the rows of a replay."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from labctl import datasets
from labctl.config import Objective
from labctl.errors import RequestError
from labctl.history import History, history, with_choices
from labctl.space import Categorical, Continuous, Formula, Integer, Parameter
from labctl_drivers.protocol import Bound, FailureKind

CARD = """\
name: mine
title: My table
file: {beside: t.csv}
columns:
  - {name: x, unit: mm, role: parameter}
  - {name: n, unit: dimensionless, role: parameter}
  - {name: q, role: parameter}
  - {name: y, unit: GPa, role: objective}
  - {name: z, unit: HV, role: objective}
failures:
  - {when: {column: y, equals: cracked}, kind: infeasible, message: the sample cracked}
  - {when: {column: y, at_most: 0.5}, kind: censored, message: too soft, bound: {y: {low: 0, high: 0.5}}}
"""
TABLE = """\
x,n,q,y,z
1,1,oil,2,100
2,1,oil,cracked,
3,2,air,0.25,101
4,2,air,,102
5,3,oil,inf,103
6,3,air,4,
7.5,1.5,oil,4,100
,2,oil,4,100
9,2,oil,4,100
"""
PARAMETERS: dict[str, Parameter] = {
    "x": Continuous(unit="cm", low=0.1, high=0.8),
    "n": Integer(unit="dimensionless", low=1, high=3),
    "q": Categorical(choices=("oil", "air")),
}
OBJECTIVES = {"y": Objective(goal="maximize", unit="MPa"), "z": Objective(goal="observe", unit="HV")}


def _made(
    folder: Path,
    parameters: Mapping[str, Parameter] = PARAMETERS,
    objectives: Mapping[str, Objective] = OBJECTIVES,
    card: str = CARD,
) -> History:
    (folder / "t.csv").write_text(TABLE)
    (folder / "c.yaml").write_text(card)
    read = datasets.load_card("c.yaml", beside=folder)
    return history(read, datasets.read(read), parameters, objectives)


def test_rows_come_in_the_units_and_forms_of_the_campaign(tmp_path: Path) -> None:
    first = _made(tmp_path).rows[0]
    assert first.recipe == {"x": 0.1, "n": 1, "q": "oil"}
    assert isinstance(first.recipe["n"], int)
    assert first.values == {"y": 2000.0, "z": 100.0}
    assert first.failure is None


def test_each_failure_is_of_its_kind(tmp_path: Path) -> None:
    rows = _made(tmp_path).rows
    assert [row.failure for row in rows] == [
        None,
        FailureKind.INFEASIBLE,
        FailureKind.CENSORED,
        FailureKind.BAD_READING,
        FailureKind.BAD_READING,
        None,
    ]
    assert rows[1].message == "the sample cracked"
    assert rows[2].bounds == {"y": Bound(0.0, 500.0)}
    assert rows[2].values == {"y": 250.0, "z": 101.0}
    assert rows[3].values == {"z": 102.0}
    assert "inf" in rows[4].message
    assert rows[5].values == {"y": 4000.0}


def test_rows_that_do_not_fit_are_left_out_and_counted(tmp_path: Path) -> None:
    made = _made(tmp_path)
    assert len(made.rows) == 6
    assert any("1 row has no x and 1 row does not fit parameters.x" in note for note in made.notes)
    assert any("1.5 is not a whole number" in note for note in made.notes)
    assert made.notes[-1] == "6 of 9 rows of t.csv can be replayed"


def test_unmeasured_rows_may_be_left_out(tmp_path: Path) -> None:
    made = _made(tmp_path, card="no_value: leave_out\n" + CARD)
    assert [row.recipe["x"] for row in made.rows] == pytest.approx([0.1, 0.2, 0.3, 0.5, 0.6])


@pytest.mark.parametrize(
    ("parameters", "objectives", "said"),
    [
        (
            {"w": PARAMETERS["n"]},
            OBJECTIVES,
            "parameters.w: the table mine has no such column; it has x, n, q",
        ),
        ({"x": PARAMETERS["x"]}, {"w": OBJECTIVES["y"]}, "objectives.w"),
        (
            {"x": Continuous(unit="kg", low=0, high=9)},
            OBJECTIVES,
            "parameters.x.unit: kg cannot be had from the mm",
        ),
        ({"q": Continuous(unit="mm", low=0, high=9)}, OBJECTIVES, "parameters.q: the column holds text"),
        ({"x": PARAMETERS["x"]}, {"q": OBJECTIVES["y"]}, "holds no numbers"),
        ({"x": Continuous(unit="mm", low=90, high=99)}, OBJECTIVES, "no row can be replayed"),
    ],
)
def test_what_cannot_be_is_refused_with_place_and_remedy(
    tmp_path: Path, parameters: dict[str, Parameter], objectives: dict[str, Objective], said: str
) -> None:
    with pytest.raises(RequestError) as caught:
        _made(tmp_path, parameters, objectives)
    assert said in str(caught.value)


def test_hplc_has_229_censored_rows() -> None:
    card = datasets.load_card("hplc")
    parameters = {
        name: Continuous(unit=column.unit, low=0, high=200)
        for name in card.with_role("parameter")
        if (column := card.column(name)) is not None
    }
    made = history(
        card, datasets.read(card), parameters, {"peak_area": Objective(goal="maximize", unit="unknown")}
    )
    censored = [row for row in made.rows if row.failure is FailureKind.CENSORED]
    assert (len(made.rows), len(censored)) == (1386, 229)
    assert {row.bounds["peak_area"] for row in censored} == {Bound(0.0, 5.59595)}


def test_a_formula_takes_its_choices_from_the_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("formula,y\nFe2O3,1\nNaCl,2\nFe2O3,3\n,4\n")
    (tmp_path / "c.yaml").write_text(
        "name: f\ntitle: f\nfile: {beside: t.csv}\ncolumns:\n"
        "  - {name: formula, role: parameter}\n  - {name: y, unit: eV, role: objective}\n"
    )
    card = datasets.load_card("c.yaml", beside=tmp_path)
    table = datasets.read(card)
    parameters = with_choices(card, table, {"formula": Formula()})
    assert parameters == {"formula": Formula(choices=("Fe2O3", "NaCl"))}
    made = history(card, table, parameters, {"y": Objective(goal="maximize", unit="eV")})
    assert [row.recipe["formula"] for row in made.rows] == ["Fe2O3", "NaCl", "Fe2O3"]
