"""What a command writes replaces its own earlier work and nothing else."""

import os
from pathlib import Path

import pytest

from labctl.errors import RequestError
from labctl.files import may_write, write_whole
from labctl.ledger import Ledger

PAGE = "<!DOCTYPE html><title>report</title>"
EXPORT = "experiment,x,seed,result hash\r\ne0001,1,2,ab\r\n"
JSON = '{"campaign": "c", "goal": {}}'


@pytest.mark.parametrize(
    ("name", "content", "newer"),
    [
        ("a.html", PAGE, PAGE + "newer"),
        ("a.csv", EXPORT, "experiment,x,y,seed,result hash\r\n"),
        ("a.json", JSON, JSON.replace("{}", "1")),
        ("a.png", b"\x89PNG\r\n1", b"\x89PNG\r\n2"),
        ("a.parquet", b"PAR1..labctl..PAR1", b"PAR1....labctl..PAR1"),
        ("a.svg", "<?xml version='1.0'?><svg/>", "<svg/>"),
    ],
)
def test_an_earlier_version_is_replaced(
    tmp_path: Path, name: str, content: str | bytes, newer: str | bytes
) -> None:
    write_whole(tmp_path / name, content)
    write_whole(tmp_path / name, newer)
    wanted = newer if isinstance(newer, bytes) else newer.encode()
    assert (tmp_path / name).read_bytes() == wanted
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "there", "content"),
    [
        ("table.csv", "x,y,z\n1,2,3\n", EXPORT),
        ("sheet.csv", "experiment,x,failed,message,by\ne0001,1,,,\n", EXPORT),
        ("campaign.json", '{"campaign": "c", "parameters": {}}', JSON),
        ("notes.json", "[not quite json", JSON),
        ("table.parquet", b"PAR1 some table PAR1", b"PAR1..labctl..PAR1"),
        ("page.html", "no page", PAGE),
        ("page.html", b"SQLite format 3\0", PAGE),
    ],
)
def test_what_is_something_else_stays(
    tmp_path: Path, name: str, there: str | bytes, content: str | bytes
) -> None:
    raw = there if isinstance(there, bytes) else there.encode()
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(RequestError, match="not written by this command"):
        write_whole(tmp_path / name, content)
    assert (tmp_path / name).read_bytes() == raw


@pytest.mark.parametrize("name", ["ledger.sqlite", "ledger.sqlite-wal", "campaign.yaml", "report", "a.csv"])
def test_a_page_goes_into_an_html_file_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match=r"would hold HTML; name a file that ends in \.html"):
        write_whole(tmp_path / name, PAGE)
    assert not list(tmp_path.iterdir())


def test_a_ledger_behind_another_name_stays(tmp_path: Path) -> None:
    with Ledger.write(tmp_path / "ledger.sqlite") as ledger:
        ledger.append("campaign", {})
    (tmp_path / "report.html").symlink_to("ledger.sqlite")
    with pytest.raises(RequestError, match="not written by this command"):
        write_whole(tmp_path / "report.html", PAGE)
    with Ledger.read(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.verify().events == 1


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.html")
    with pytest.raises(RequestError, match="pipe or a device"):
        write_whole(tmp_path / "a.html", PAGE)


def test_it_is_known_beforehand_whether_a_page_may_be_written(tmp_path: Path) -> None:
    may_write(tmp_path / "new.html", ".html")
    page, table, folder = tmp_path / "old.html", tmp_path / "table.html", tmp_path / "folder.html"
    page.write_text("<!doctype html><p>old", "utf-8")
    table.write_text("a,b\n1,2\n", "utf-8")
    folder.mkdir()
    may_write(page, ".html")
    for path in (table, folder, tmp_path / "page.png", tmp_path / "nowhere" / "page.html", Path()):
        with pytest.raises(RequestError):
            may_write(path, ".html")
    assert table.read_text("utf-8") == "a,b\n1,2\n"
    assert not (tmp_path / "new.html").exists()
