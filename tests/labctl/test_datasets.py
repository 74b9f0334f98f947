"""The cards that come with labctl, and the finding and reading of their tables."""

import functools
import hashlib
import http.server
import importlib.metadata
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pooch
import pytest

from labctl import datasets
from labctl.card import Card, read_card
from labctl.errors import RefusedError, RequestError

IN_PACKAGE = {
    "alkox",
    "benzylation",
    "colors_bob",
    "colors_n9",
    "fullerenes",
    "hplc",
    "photo_pce10",
    "photo_wf3",
    "snar",
    "suzuki",
}
ROWS_AND_RECIPES = {
    # Counted once with pandas, apart from this code.
    "alkox": (104, 104),
    "autoam": (100, 100),
    "benzylation": (73, 72),
    "colors_bob": (241, 161),
    "colors_n9": (102, 102),
    "crossed_barrel": (1800, 600),
    "fullerenes": (246, 216),
    "hplc": (1386, 1007),
    "p3ht_cnt": (233, 178),
    "photo_pce10": (1040, 1020),
    "photo_wf3": (1040, 1020),
    "snar": (66, 66),
    "suzuki": (247, 247),
    "expt_gap": (4604, 4604),
    "glass": (5680, 5680),
    "glass_raw": (6836, 5792),
    "steels_yield": (312, 312),
}


def _here(name: str) -> Card:
    card = datasets.load_card(name)
    if card.file.folder is not None and not os.environ.get(datasets.FOLDER_VARIABLE):
        pytest.skip(f"{name} lies in a folder of tables, and {datasets.FOLDER_VARIABLE} names none")
    return card


def test_every_card_has_what_a_reader_needs() -> None:
    cards = datasets.catalogue()
    assert {card.name for card in cards} >= IN_PACKAGE
    assert [card.path.stem for card in cards] == [card.name for card in cards]
    for card in cards:
        assert card.file.sha256, card.name
        assert card.sources, card.name
        assert card.caveats, card.name
        assert card.with_role("parameter"), card.name
        assert card.with_role("objective"), card.name


@pytest.mark.parametrize("name", sorted(ROWS_AND_RECIPES))
def test_rows_and_distinct_recipes_are_as_the_cards_say(name: str) -> None:
    card = _here(name)
    table = datasets.read(card)
    recipes = set(zip(*(table.column(p).cells for p in card.with_role("parameter")), strict=True))
    assert (len(table), len(recipes)) == ROWS_AND_RECIPES[name]


@pytest.mark.parametrize("name", sorted(IN_PACKAGE))
def test_tables_in_the_package_are_numbers_throughout(name: str) -> None:
    table = datasets.read(datasets.load_card(name))
    assert all(np.isfinite(column.numbers).all() for column in table.columns)


def test_the_figures_of_the_hplc_card() -> None:
    area = datasets.read(datasets.load_card("hplc")).column("peak_area").numbers
    assert int((area == 0).sum()) == 229
    assert area.max() == 2569.87964
    assert area[area > 0].min() == 5.59595
    assert datasets.load_card("hplc").failures[0].bound["peak_area"].high == 5.59595


def test_the_figures_of_the_fullerenes_card() -> None:
    card = datasets.load_card("fullerenes")
    product = datasets.read(card).column("product").numbers
    assert card.figures[0].value == pytest.approx(product.max(), abs=5e-7)
    assert round(product.max(), 3) == 0.953


def test_pure_materials_are_the_same_in_both_photodegradation_tables() -> None:
    found = {}
    for name in ("photo_wf3", "photo_pce10"):
        table = datasets.read(datasets.load_card(name))
        rows = [(table.column(p).numbers == 1.0).argmax() for p in ("mat_1", "mat_4")]
        found[name] = table.column("degradation").numbers[rows].tolist()
        sums = sum(table.column(f"mat_{i}").numbers for i in range(1, 5))
        assert np.allclose(sums, 1.0, rtol=1e-12)
    assert found["photo_wf3"] == found["photo_pce10"]


def test_the_figures_of_the_crossed_barrel_card() -> None:
    card = _here("crossed_barrel")
    toughness = datasets.read(card).column("toughness").numbers
    table = datasets.read(card)
    prints: dict[tuple[str, ...], list[float]] = {}
    for i, design in enumerate(zip(*(table.column(p).cells for p in ("n", "theta", "r", "t")), strict=True)):
        prints.setdefault(design, []).append(toughness[i])
    assert {len(values) for values in prints.values()} == {3}
    assert max(np.mean(values) for values in prints.values()) == pytest.approx(
        card.figures[0].value, abs=5e-4
    )


def test_failures_of_autoam_are_its_zeros() -> None:
    assert int((datasets.read(_here("autoam")).column("score").numbers == 0).sum()) == 16


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(RequestError, match=r"'hlpc'.*hplc"):
        datasets.load_card("hlpc")


CARD = """\
name: mine
title: My table
file: {where}
columns:
  - {{name: x, header: "x (mm)", unit: mm, role: parameter}}
  - {{name: y, unit: HV, role: objective}}
"""


def _own(folder: Path, where: str, table: str | None = "X (MM),y\n1,2\n3,4\n") -> Card:
    if table is not None:
        (folder / "t.csv").write_text(table)
    (folder / "c.card.yaml").write_text(CARD.format(where=where))
    return datasets.load_card("c.card.yaml", beside=folder)


def test_a_card_beside_its_table_gives_names_and_units(tmp_path: Path) -> None:
    table = datasets.read(_own(tmp_path, "{beside: t.csv}"))
    assert [(c.name, c.unit) for c in table.columns] == [("x", "mm"), ("y", "HV")]


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    card = _own(tmp_path, "{beside: t.csv}", "x (mm),z\n1,2\n")
    with pytest.raises(RequestError, match=r"no column 'y'.*it has x \(mm\), z"):
        datasets.read(card)


def test_another_file_under_the_name_is_refused_with_both_digests(tmp_path: Path) -> None:
    card = _own(tmp_path, f"{{beside: t.csv, sha256: {'f' * 64}}}")
    digest = hashlib.sha256((tmp_path / "t.csv").read_bytes()).hexdigest()
    with pytest.raises(RefusedError) as caught:
        datasets.locate(card)
    for part in (str(tmp_path / "t.csv"), "f" * 64, digest):
        assert part in str(caught.value)
    assert datasets.found(card) is None


def test_a_table_that_is_nowhere_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(datasets.FOLDER_VARIABLE, raising=False)
    with pytest.raises(RequestError, match=f"crossed_barrel.*{datasets.FOLDER_VARIABLE}"):
        datasets.locate(datasets.load_card("crossed_barrel"))
    with pytest.raises(RequestError, match=r"put t\.csv beside its card"):
        datasets.locate(_own(tmp_path, "{beside: t.csv}", None))


def test_the_folder_of_tables_comes_before_the_file_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.csv").write_text("x (mm),y\n5,6\n")
    monkeypatch.setenv(datasets.FOLDER_VARIABLE, str(tmp_path / "data"))
    card = _own(tmp_path, "{folder: t.csv, beside: t.csv}")
    assert datasets.read(card).column("x").numbers.tolist() == [5.0]


def test_a_package_is_read_and_not_imported() -> None:
    path = datasets.locate(datasets.load_card("hplc"))
    assert path == Path(str(importlib.metadata.distribution("olymp").locate_file("olympus"))).joinpath(
        "datasets/dataset_hplc/data.csv"
    )


def test_copies_are_read_once() -> None:
    table = datasets.read(datasets.load_card("alkox"))
    assert any("104 of 208 rows are copies" in note for note in table.notes)
    assert len(set(table.lines.tolist())) == 104


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "t.csv").write_text("x (mm),y\n1,2\n")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=tmp_path / "www")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/t.csv"
        running.shutdown()


@pytest.mark.parametrize("honest", [True, False])
def test_a_download_must_have_the_pinned_digest(
    tmp_path: Path,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    honest: bool,  # noqa: FBT001 - a test's parameter
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pooch.get_logger().setLevel("ERROR")
    content = (tmp_path / "www" / "t.csv").read_bytes()
    digest = hashlib.sha256(content if honest else b"another").hexdigest()
    card = _own(tmp_path, f"{{url: 'https://localhost/t.csv', sha256: {digest}}}", None)
    # Cards take https only; the test's own server speaks http.
    card = card.model_copy(update={"file": card.file.model_copy(update={"url": server})})
    with pytest.raises(RequestError, match="labctl datasets fetch mine"):
        datasets.locate(card)
    if honest:
        assert datasets.fetch(card).read_bytes() == content
        assert datasets.locate(card) == datasets.fetch(card)
    else:
        with pytest.raises(RefusedError, match="could not be fetched"):
            datasets.fetch(card)
        assert datasets.found(card) is None


def test_cards_survive_a_second_reading() -> None:
    for card in datasets.catalogue():
        assert read_card(card.path) == card
