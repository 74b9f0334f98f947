"""A stranger's table as a study: its goal is no feature, and texts in place of numbers are failures."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from labctl.card import Card
from labctl.errors import RequestError
from labctl.target import find_study


def written(folder: Path, text: str) -> str:
    path = folder / "films.csv"
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize("asked", ["phase", "Phase", "PHASE"])
def test_a_goal_of_words_is_no_feature(tmp_path: Path, asked: str) -> None:
    rows = "".join(f"{i},{i * i % 17},{'glass' if i % 3 else 'crystal'}\n" for i in range(40))
    study = find_study(written(tmp_path, f"T (C),t (min),Phase\n{rows}"), goal=asked)
    assert study.feature_names == ("T", "t")
    assert study.classes == ("crystal", "glass")
    np.testing.assert_array_equal(study.y, [float(i % 3 > 0) for i in range(40)])


def test_texts_in_place_of_a_number_are_failures_and_bounds_as_when_a_campaign_is_made(
    tmp_path: Path,
) -> None:
    rows = "1,120\n2,cracked\n3,<50\n4,> 900\n5,130\n6,0\n7,\n8,cracked\n"
    study = find_study(written(tmp_path, f"x,Hardness (HV)\n{rows}"), goal="hardness")
    assert study.kinds is not None
    assert study.kinds.tolist() == ["", "bad_reading", "censored", "censored", "", "", "", "bad_reading"]
    assert study.failed is not None
    assert study.failed.tolist() == [kind != "" for kind in study.kinds]
    assert study.measured.tolist() == [True, False, False, False, True, True, False, False]
    assert "Hardness: 'cracked' in 2 rows is taken as a reading that failed" in study.notes
    assert "Hardness: '<50' in 1 row is taken as a bound (censored)" in study.notes


def test_nobody_wrote_down_failures_where_there_is_no_such_text(tmp_path: Path) -> None:
    study = find_study(written(tmp_path, "x,y\n1,2\n2,3\n3,\n4,6\n"), goal="y")
    assert study.failed is None


def test_a_column_without_any_value_is_named(tmp_path: Path) -> None:
    rows = "".join(f"{i},,{i * i % 7}\n" for i in range(30))
    study = find_study(written(tmp_path, f"x,pressure,y\n{rows}"), goal="y")
    assert any(note.startswith("pressure: left out, since it is empty") for note in study.notes)
    assert not any("replayed" in note or "written as unknown" in note for note in study.notes)


def test_without_a_goal_the_columns_are_listed_whatever_stands_in_them(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--target: say which column is meant, one of x, hardness"):
        find_study(written(tmp_path, "x,hardness (HV)\n1,5\n2,cracked\n3,6\n4,7\n5,8\n6,9\n"), goal=None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "note,y\n" + "".join(f'"a\nb{i % 3}",{i}\n' for i in range(30)),
            "films.csv: column 'note' has the choice 'a\\nb0', which holds a control character; remove it",
        ),
        (
            "x,y\n" + "".join(f"{i},word {i}\n" for i in range(30)),
            "films.csv: column 'y' holds 30 different texts, and at most 12 can be classes",
        ),
        (
            "x,y\n" + "".join(f"{i},>{i % 2}\n" for i in range(30)),
            "films.csv: column 'y' holds bounds only, such as '>0'",
        ),
    ],
)
def test_what_no_study_can_be_made_of_is_one_sentence_with_the_file(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(RequestError) as caught:
        find_study(written(tmp_path, text), goal="y")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_of_formulas_that_are_none_says_so(tmp_path: Path) -> None:
    rows = "".join(f"{('Xx2O', 'H0', 'Zz')[i % 3]},{i}\n" for i in range(30))
    study = find_study(written(tmp_path, f"composition,y\n{rows}"), goal="y")
    assert "composition: taken as names, since 'Xx2O' is no chemical formula" in study.notes


def test_a_packed_table_is_to_be_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "films.csv.gz"
    path.write_bytes(gzip.compress(b"x,y\n1,2\n"))
    with pytest.raises(RequestError, match="is compressed; unpack it first"):
        find_study(str(path), goal="y")


@pytest.mark.parametrize(
    ("name", "meaning", "called"),
    [
        ("target", "yield strength", "yield strength"),
        ("target", "1 for glass, 0 for none", "target"),
        ("strength", "how strong it is", "strength"),
    ],
)
def test_a_goal_whose_name_says_nothing_is_called_by_its_meaning(
    tmp_path: Path, name: str, meaning: str, called: str
) -> None:
    from labctl.study import of_table  # noqa: PLC0415 - for the card alone
    from labctl.tables import read_table  # noqa: PLC0415

    card = Card.model_validate(
        {
            "name": "steels",
            "title": "Steels",
            "file": {"beside": "films.csv"},
            "columns": [
                {"name": "x", "role": "parameter"},
                {"name": name, "role": "objective", "meaning": meaning},
            ],
        }
    )
    table = read_table(Path(written(tmp_path, f"x,{name}\n1,2\n2,3\n3,5\n4,6\n")))
    assert of_table(table, goal=name, name="steels", card=card).goal_in_words == called
