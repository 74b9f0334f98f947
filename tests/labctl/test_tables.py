"""CSV files as strangers bring them."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl.errors import RequestError
from labctl.tables import Table, read_table

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(text: str | bytes, name: str = "t.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return _write


def _facts(table: Table) -> list[tuple[str, str, str]]:
    return [(c.name, c.unit, c.kind) for c in table.columns]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_delimiters_are_told_apart(write: Write, encoding: str, delimiter: str) -> None:
    text = "\r\n".join(
        delimiter.join(row) for row in [["Härte (HV)", "Temp (°C)"], ["120.5", "20"], ["130", "30"]]
    )
    table = read_table(write(text.encode(encoding)))
    assert _facts(table) == [("Härte", "HV", "number"), ("Temp", "degC", "integer")]
    assert table.column("Härte").numbers.tolist() == [120.5, 130.0]
    assert table.lines.tolist() == [2, 3]


def test_decimal_commas_are_read_where_semicolons_separate(write: Write) -> None:
    table = read_table(write("a;b\n1,5;1.234,5\n-2,25;2\n1e3;3,5e-2\n"))
    assert table.column("a").numbers.tolist() == [1.5, -2.25, 1000.0]
    assert table.column("b").numbers.tolist() == [1234.5, 2.0, 0.035]
    assert any("decimal" in note for note in table.notes)


def test_quoted_commas_are_thousands_where_commas_separate(write: Write) -> None:
    table = read_table(write('a,b\n"1,234",1\n"12,345,678.5",2\n'))
    assert table.column("a").numbers.tolist() == [1234.0, 12345678.5]


def test_units_in_the_cells_are_taken_off(write: Write) -> None:
    table = read_table(write("share,heat,id\n45 %,300 °C,1A\n5.5%,250 °C,2A\n"))
    assert _facts(table) == [
        ("share", "percent", "number"),
        ("heat", "degC", "integer"),
        ("id", "unknown", "text"),
    ]
    assert table.column("share").numbers.tolist() == [45.0, 5.5]


@pytest.mark.parametrize("marker", ["", "NA", "n/a", "NaN", "-", "null", "#N/A", "?"])
def test_missing_markers_are_missing_and_not_text(write: Write, marker: str) -> None:
    table = read_table(write(f"x,y\n1,2\n2,{marker}\n3,4\n"))
    assert table.column("y").cells == ("2", "", "4")
    assert math.isnan(table.column("y").numbers[1])


def test_a_stray_text_cell_is_named_by_file_row_column_and_value(write: Write) -> None:
    rows = "".join(f"{i},{i * 2}\n" for i in range(16))
    path = write(f"x,HV\n{rows}16,soft\n")
    with pytest.raises(RequestError) as caught:
        read_table(path)
    assert str(caught.value) == (
        f"{path}:18: row 17, column 'HV': 'soft' is no number; correct it, or leave the cell empty"
    )


def test_the_line_is_that_of_the_file_after_blank_lines_and_line_breaks_in_cells(write: Write) -> None:
    path = write('x,note\n1,"two\nlines"\n\n2,a\nq,b\n3,c\n4,d\n5,e\n')
    with pytest.raises(RequestError) as caught:
        read_table(path)
    assert caught.value.line == 6


def test_text_among_numbers_is_kept_where_it_is_expected(write: Write) -> None:
    table = read_table(write("x,Hardness (HV)\n1,120\n2,cracked\n3,<5\n"), remarks_in=["hardness"])
    assert table.column("Hardness").cells == ("120", "cracked", "<5")
    assert np.isnan(table.column("Hardness").numbers).tolist() == [False, True, True]


def test_infinities_and_overflow_are_kept(write: Write) -> None:
    table = read_table(write("x,y\n1,inf\n2,-Infinity\n3,1e400\n4,1e-400\n"))
    assert table.column("y").numbers.tolist() == [math.inf, -math.inf, math.inf, 0.0]


def test_kinds_of_columns(write: Write) -> None:
    table = read_table(
        write(
            "n,when,ok,solvent,composition,empty,phase,well\n"
            "1,2020-01-02,yes,water,Fe2O3,,FCC,A1\n"
            "2,2020-01-03,no,oil,Al0.25 Co1 Fe1,,BCC,B1\n"
            "3,2020-01-04,yes,water,NaCl,,HCP,C2\n"
        )
    )
    assert [c.kind for c in table.columns] == [
        "integer",
        "date",
        "flag",
        "text",
        "formula",
        "empty",
        "text",
        "text",
    ]
    assert table.column("ok").numbers.tolist() == [1.0, 0.0, 1.0]


def test_sodium_is_no_missing_value(write: Write) -> None:
    table = read_table(write("x,formula\n1,Na\n2,NA\n3,KCl\n"))
    assert table.column("formula").cells == ("Na", "", "KCl")
    assert table.column("formula").kind == "formula"


def test_numbers_with_underscores_are_names(write: Write) -> None:
    assert read_table(write("batch,y\n2020_01,1\n2020_02,2\n")).column("batch").kind == "text"


def test_a_heading_above_the_table_is_skipped_and_said(write: Write) -> None:
    table = read_table(write("Oven 3\nmeasured by hand;;\nx;y;z\n1;2;3\n4;5;6\n"))
    assert table.names == ("x", "y", "z")
    assert any("first 2 lines" in note for note in table.notes)


def test_a_table_without_headers_is_numbered(write: Write) -> None:
    table = read_table(write("1,2\n3,4\n"))
    assert table.names == ("column 1", "column 2")
    assert len(table) == 2


def test_empty_rows_and_unnamed_empty_columns_are_dropped(write: Write) -> None:
    table = read_table(write("x,y,\n1,2,\n,,\n3,4,\n"))
    assert table.names == ("x", "y")
    assert len(table) == 2


def test_short_rows_lack_their_last_cells(write: Write) -> None:
    assert read_table(write("x,y,z\n1,2,3\n4,5\n6,7,8\n")).column("z").cells == ("3", "", "8")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"x,y\n", "no rows"),
        (b"PK\x03\x04rest", "Excel"),
        (b"PAR1rest", "Parquet"),
        (b"x,y\n1,\x00\n", "no text"),
        (b"x,y\n1,2\n1,2,3\n", "3 cells"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(write: Write, content: bytes, said: str) -> None:
    path = write(content)
    with pytest.raises(RequestError) as caught:
        read_table(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_unclosed_quote_is_refused_or_read_but_never_hides_rows(write: Write) -> None:
    path = write('x,y\n1,"2\n' + "3,4\n" * 40_000)
    with pytest.raises(RequestError, match="quote"):
        read_table(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no.csv", tmp_path):
        with pytest.raises(RequestError, match=path.name):
            read_table(path)


def test_an_unknown_column_is_refused_with_those_there_are(write: Write) -> None:
    with pytest.raises(RequestError, match="it has x, y"):
        read_table(write("x,y\n1,2\n")).column("z")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=20))
def test_every_float_comes_back_exactly(tmp_path: Path, values: list[float]) -> None:
    path = tmp_path / "exact.csv"
    path.write_text("k,v\n" + "".join(f"{i},{v!r}\n" for i, v in enumerate(values)))
    assert read_table(path).column("v").numbers.tolist() == values


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda t: t.encode("utf-8", "replace")))
def test_any_bytes_are_a_table_or_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    try:
        table = read_table(path)
    except RequestError as error:
        assert "\n" not in str(error)  # noqa: PT017 - a table is as good an answer as a sentence
    else:
        assert len(table) > 0
        assert all(len(c.cells) == len(c.numbers) == len(table) for c in table.columns)


@pytest.mark.parametrize(
    "second",
    ["A,B,7", "water,min,MPa", ",,", "-,-,-", "3,min,MPa"],
    ids=["names", "a word", "blank", "dashes", "a number"],
)
def test_only_a_line_of_units_is_taken_for_units(write: Write, second: str) -> None:
    table = read_table(write(f"x,t,y\n{second}\n1,2,3\n4,5,6\n"), remarks_in=["x", "t", "y"])
    assert {c.unit for c in table.columns} == {"unknown"}


def test_a_column_of_one_letter_names_is_no_line_of_units(write: Write) -> None:
    table = read_table(write("catalyst,base\nA,K\nC,V\nK,A\n"))
    assert len(table) == 3


def test_a_unit_in_the_header_stays_where_another_line_repeats_it(write: Write) -> None:
    table = read_table(write("T (°C),p\n(°C),[MPa]\n1,2\n3,4\n"))
    assert _facts(table) == [("T", "degC", "integer"), ("p", "MPa", "integer")]
    assert table.lines.tolist() == [3, 4]
