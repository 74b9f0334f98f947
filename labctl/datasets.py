"""Finds the tables that cards describe, reads them, and turns them into rows that can be replayed."""

import hashlib
import importlib.metadata
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from labctl.card import Card, CardColumn, Package, read_card
from labctl.errors import RefusedError, RequestError
from labctl.headers import plain
from labctl.tables import Column, Table, listed, read_table

FOLDER_VARIABLE = "LABCTL_DATA"


def cards_folder() -> Path:
    """Where the cards are: inside the installed package, or beside it in a checkout."""
    installed = Path(str(files("labctl"))) / "_datasets"
    return installed if installed.is_dir() else Path(str(files("labctl"))).parent / "datasets"


@cache
def catalogue() -> tuple[Card, ...]:
    """The cards that come with labctl, by name."""
    return tuple(read_card(path) for path in sorted(cards_folder().glob("*.yaml")))


def load_card(name_or_path: str, beside: Path | None = None) -> Card:
    """The card of this name, or in this file.

    Args:
        name_or_path: a name from the catalogue, or a file that ends in .yaml.
        beside: the folder a file is relative to; the present one where it is left out.

    Raises:
        RequestError: there is no such card, or something is wrong with it.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        return read_card((beside or Path()) / name_or_path)
    known = {path.stem: path for path in sorted(cards_folder().glob("*.yaml"))}
    if name_or_path not in known:
        raise RequestError(
            f"no table is called {name_or_path!r}; known are {', '.join(known)}, "
            "and a table of your own needs a card, whose file name ends in .yaml"
        )
    return read_card(known[name_or_path])


def locate(card: Card) -> Path:
    """The table's file on this machine; nothing is downloaded.

    Raises:
        RequestError: it is nowhere; the sentence says how to get it.
        RefusedError: there is a file, but not with the digest that the card gives.
    """
    for path in _places(card):
        if path.is_file():
            return _checked(card, path)
    raise RequestError(f"the table {card.name} is not on this machine; {_how_to_get(card)}", file=card.path)


def found(card: Card) -> Path | None:
    """The table's file, or None where it is missing or wrong."""
    try:
        return locate(card)
    except (RequestError, RefusedError):
        return None


def fetch(card: Card) -> Path:
    """The table's file, downloaded into the user's cache if it is not on this machine yet.

    Raises:
        RequestError: it is nowhere, and its card gives no address.
        RefusedError: the download failed, or brought another file than the card's digest says.
    """
    if any(path.is_file() for path in _places(card)) or card.file.url is None:
        return locate(card)
    import pooch  # noqa: PLC0415 - needed for downloads only

    target = _cached(card)
    try:
        pooch.retrieve(card.file.url, f"sha256:{card.file.sha256}", target.name, target.parent)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RefusedError(f"{card.file.url} could not be fetched: {reason}") from None
    return _checked(card, target)


def read(card: Card) -> Table:
    """The table, with the names and units of its card; columns without a place in the card are left out.

    Raises:
        RequestError: the file is nowhere, cannot be read, or lacks a column.
        RefusedError: the file is not the one the card describes.
    """
    path = locate(card)
    in_words = {rule.when.column for rule in card.failures if isinstance(rule.when.equals, str)}
    remarks = {c.header or c.name for c in card.columns if c.name in in_words} | in_words
    if not card.header:
        remarks = {f"column {i}" for i, c in enumerate(card.columns, start=1) if c.name in in_words}
    table = read_table(
        path, header=card.header, delimiter=card.delimiter, encoding=card.encoding, remarks_in=remarks
    )
    columns = tuple(
        replace(_matching(card, table, position, column), name=column.name, unit=column.unit)
        for position, column in enumerate(card.columns, start=1)
    )
    named = replace(table, columns=columns)
    return _without_copies(named) if card.repeats == "copies" else named


def _without_copies(table: Table) -> Table:
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    first = np.array(sorted({row: i for i, row in reversed(list(enumerate(rows)))}.values()))
    columns = tuple(
        replace(c, cells=tuple(c.cells[i] for i in first), numbers=c.numbers[first]) for c in table.columns
    )
    note = f"{len(rows) - len(first)} of {len(rows)} rows are copies of others and were left out"
    return replace(table, columns=columns, lines=table.lines[first], notes=(*table.notes, note))


def _matching(card: Card, table: Table, position: int, wanted: CardColumn) -> Column:
    """The column of the file that a column of the card means."""
    if not card.header and len(table.columns) != len(card.columns):
        raise RequestError(
            f"has {len(table.columns)} columns, but the card {card.path} lists {len(card.columns)}; "
            "list them all",
            file=table.path,
        )
    place = wanted.position if card.header else position
    if place is not None:
        hits = [column for column in table.columns if column.position == place]
    else:
        header = wanted.header or wanted.name
        hits = [column for column in table.columns if column.header.strip() == header.strip()]
        hits = hits or [c for c in table.columns if plain(c.header).casefold() == plain(header).casefold()]
        hits = hits or [c for c in table.columns if c.name == header]
    if len(hits) != 1:
        many = "more than one column" if hits else "no column"
        raise RequestError(
            f"has {many} {wanted.header or wanted.name!r}, which its card {card.path} names; "
            f"it has {listed([c.header for c in table.columns])}",
            file=table.path,
        )
    return hits[0]


def _places(card: Card) -> Iterator[Path]:
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder and card.file.folder:
        yield Path(folder) / card.file.folder
    packaged = _in_package(card.file.package) if card.file.package is not None else None
    if packaged is not None:
        yield packaged
    if card.file.beside:
        yield card.path.parent / card.file.beside
    if card.file.url is not None:
        yield _cached(card)


def _in_package(package: Package) -> Path | None:
    """The file in an installed package; read from its folder, so that none of its code runs."""
    try:
        distribution = importlib.metadata.distribution(package.name)
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(str(distribution.locate_file(package.path)))


def _cached(card: Card) -> Path:
    import platformdirs  # noqa: PLC0415 - needed for downloaded tables only

    return Path(platformdirs.user_cache_dir("labctl")) / "datasets" / f"{card.name}.csv"


def _checked(card: Card, path: Path) -> Path:
    if card.file.sha256 is None:
        return path
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != card.file.sha256:
        raise RefusedError(
            f"{path}: is not the table {card.name} that its card describes "
            f"(sha256 expected {card.file.sha256}, found {digest}); "
            "restore the original file, or write a card of your own for this one"
        )
    return path


def _how_to_get(card: Card) -> str:
    ways = []
    if card.file.package is not None:
        ways.append(f"`pip install {card.file.package.name}=={card.file.package.version}` brings it")
    if card.file.folder is not None:
        ways.append(f"put it at {card.file.folder} below the folder that {FOLDER_VARIABLE} names")
    if card.file.beside is not None:
        ways.append(f"put {card.file.beside} beside its card")
    if card.file.url is not None:
        ways.append(f"`labctl datasets fetch {card.name}` downloads it")
    return ", or ".join(ways)
