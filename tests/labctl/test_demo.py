"""The demonstration, and that it removes nothing but its own folder."""

import importlib.metadata
from pathlib import Path

import pytest

from labctl import demo
from labctl.errors import RequestError


def test_the_demonstration_runs_from_beginning_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        importlib.metadata.distribution("olymp")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package olymp, which brings the HPLC table, is not installed")
    folder = tmp_path / "demo"
    assert demo.main(["--folder", str(folder), "--experiments", "14", "--seeds", "2"]) == 0
    told = capsys.readouterr().out
    assert "Best found in 14 experiments: " in told
    assert "Failures met and kept: " in told
    after = told.splitlines()
    assert after[after.index("") - 1].startswith(("Random search ", "What improve ", "2 seeds"))
    assert "1386 rows are 1007 recipes" in " ".join(told.split())
    for name in ("ledger.sqlite", "report.html", "replay.html", "replay.json", "replay.png"):
        assert (folder / name).stat().st_size > 0


def test_an_earlier_demo_is_made_anew_and_nothing_else_is_ever_removed(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo.make_fresh(folder)
    (folder / "old").write_text("of the last demo")
    demo.make_fresh(folder)
    assert [path.name for path in folder.iterdir()] == [demo.MARK]

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(RequestError, match="no earlier demo"):
        demo.make_fresh(mine)
    assert (mine / "thesis.txt").read_text() == "years of work"
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(RequestError, match="no earlier demo"):
        demo.make_fresh(link)
    assert (folder / demo.MARK).is_file()


def test_what_cannot_be_done_is_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert demo.main(["--folder", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
