"""Runs of a real lane in a real Tiled catalog: whole, once, and also when Tiled was away."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labctl_drivers.engine import Finished, Lane
from labctl_drivers.protocol import ExperimentFailed, FailureKind
from labctl_drivers.runs import Run, Runs, Tail
from labctl_drivers.tiled_mirror import (
    MirrorError,
    TiledMirror,
    UnreachableError,
    mirror_on,
    mirror_once,
    tiled_catalog,
)

pytest.importorskip("tiled", reason="Tiled is not installed")
pytest.importorskip("bluesky_tiled_plugins", reason="Tiled's plugins for Bluesky are not installed")

CarryOut = Callable[[Any, str], Finished]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A catalog in a folder, for all tests here, because Tiled takes seconds to start."""
    where = tmp_path_factory.mktemp("catalog")
    with tiled_catalog(str(where)) as mirror:
        yield SimpleNamespace(mirror=mirror, client=mirror._client, where=where)


@pytest.fixture
def carry_out(
    lane: Lane, scripted: Callable[..., Any], toys: SimpleNamespace, attempt: Callable[..., Any]
) -> CarryOut:
    """Give ``carry_out(plan, key)``: one attempt on a real lane."""
    return lambda plan, key: toys.carried_out(lane, scripted(plan), attempt(key))


@pytest.fixture
def three_runs(carry_out: CarryOut, toys: SimpleNamespace, documents_file: Path) -> Path:
    """The documents of a measured run, a failed one, and one whose instrument broke."""
    cracked = ExperimentFailed(FailureKind.INFEASIBLE, "it cracked", stage="process")
    plans = (toys.measuring, toys.raising(cracked), toys.raising(OSError("no link")))
    for i, plan in enumerate(plans):
        carry_out(plan, f"{documents_file.parent.name}/{i}")
    return documents_file


def _runs(path: Path) -> list[Run]:
    runs = Runs()
    return [run for told in Tail(path).new() if (run := runs.take(*told)) is not None]


def test_each_run_arrives_whole_with_its_ids_and_only_once(
    catalog: SimpleNamespace, three_runs: Path
) -> None:
    from tiled.queries import Key  # noqa: PLC0415 - takes seconds to import

    first = mirror_once(three_runs, catalog.mirror)
    assert (first.sent, first.resent, first.present, first.refused) == (3, 0, 0, {})
    again = mirror_once(three_runs, catalog.mirror)
    assert (again.sent, again.resent, again.present, again.refused) == (0, 0, 3, {})
    key = f"{three_runs.parent.name}/0"
    [found] = catalog.client.search(Key("start.key") == key).values()
    assert found.metadata["start"]["suggestion_id"] == "e0001"
    assert float(found["primary"].read()["y"][0]) == 2.5
    [failed] = catalog.client.search(Key("start.key") == f"{three_runs.parent.name}/1").values()
    assert failed.metadata["stop"]["exit_status"] == "fail"
    assert failed.metadata["stop"]["reason"] == "infeasible: it cracked"


def test_a_run_without_an_end_is_sent_and_sent_anew_when_it_has_one(
    catalog: SimpleNamespace, three_runs: Path, tmp_path: Path
) -> None:
    run = _runs(three_runs)[0]
    path = tmp_path / "cut.jsonl"
    lines = [json.dumps({"name": name, "doc": document}) + "\n" for name, document in run.documents]
    for whole in range(1, len(lines)):
        path.write_text("".join(lines[:whole]) + lines[whole][:10])
        cut = mirror_once(path, catalog.mirror)
        assert (cut.sent + cut.resent, cut.unfinished, cut.refused) == (1, 1, {})
        assert catalog.client[run.uid].metadata.get("stop") is None
    path.write_text("".join(lines))
    ended = mirror_once(path, catalog.mirror)
    assert (ended.sent, ended.resent, ended.unfinished) == (0, 1, 0)
    assert catalog.client[run.uid].metadata["stop"]["exit_status"] == "success"
    assert float(catalog.client[run.uid]["primary"].read()["y"][0]) == 2.5


def test_a_run_that_tiled_cannot_hold_keeps_no_other_from_it(
    catalog: SimpleNamespace, three_runs: Path, tmp_path: Path
) -> None:
    good = _runs(three_runs)[0]
    # A table has no column for what is no number, text or array.
    text = "".join(json.dumps({"name": n, "doc": d}) + "\n" for n, d in good.documents)
    bad = text.replace(good.uid, "bad-run").replace(": 2.5", ': {"nested": 2.5}')
    path = tmp_path / "mixed.jsonl"
    assert "nested" in bad
    path.write_text(bad + three_runs.read_text())
    tally = mirror_once(path, catalog.mirror)
    assert tally.sent == 3
    assert list(tally.refused) == ["bad-run"]
    assert "Tiled does not take run bad-run" in tally.refused["bad-run"]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A real server of a catalog in SQLite that can be started late."""
    from tiled.catalog import from_uri  # noqa: PLC0415 - takes seconds to import
    from tiled.config import Authentication  # noqa: PLC0415
    from tiled.server.app import build_app  # noqa: PLC0415
    from tiled.server.simple import ThreadedServer  # noqa: PLC0415
    from uvicorn import Config  # noqa: PLC0415

    port = _free_port()
    monkeypatch.setenv("TILED_API_KEY", "secret")
    monkeypatch.setattr("tiled.client.utils.TILED_RETRY_ATTEMPTS", 1)
    (tmp_path / "data").mkdir()
    catalog = from_uri(
        str(tmp_path / "catalog.db"),
        writable_storage=[str(tmp_path / "data"), f"sqlite:///{tmp_path / 'tables.db'}"],
        init_if_not_exists=True,
    )
    app = build_app(catalog, authentication=Authentication(single_user_api_key="secret"))
    made = ThreadedServer(Config(app, host="127.0.0.1", port=port, loop="asyncio", log_level="critical"))
    return SimpleNamespace(uri=f"http://127.0.0.1:{port}", started=made.run_in_thread)


def test_nothing_is_lost_while_tiled_is_away(
    server: SimpleNamespace, carry_out: CarryOut, toys: SimpleNamespace, documents_file: Path
) -> None:
    from tiled.client import from_uri  # noqa: PLC0415 - takes seconds to import

    until, said, tallies = threading.Event(), [], []

    def follow() -> None:
        tallies.append(mirror_on(documents_file, server.uri, until=until, every_s=0.05, say=said.append))

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        for i in range(3):
            finished = carry_out(toys.measuring, f"away/{i}")
            assert finished.reading is not None
        _wait(lambda: said)
        assert "the documents wait in" in said[0]
        with server.started() as uri:
            client = from_uri(uri)
            _wait(lambda: len(client) == 3)
            carry_out(toys.measuring, "here/0")
            _wait(lambda: len(client) == 4)
            assert said[1] == "Tiled answers again"
            until.set()
            thread.join(30)
            keys = {run.metadata["start"]["key"] for run in client.values()}
            client.context.close()
        assert keys == {"away/0", "away/1", "away/2", "here/0"}
    finally:
        until.set()
        thread.join(30)
    assert tallies[0].sent == 4
    assert tallies[0].refused == {}


def test_no_server_is_unreachable_and_no_folder_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiled.client.utils.TILED_RETRY_ATTEMPTS", 1)
    with (
        pytest.raises(UnreachableError, match="cannot be opened"),
        tiled_catalog(f"http://127.0.0.1:{_free_port()}"),
    ):
        pass
    (tmp_path / "file").write_text("")
    file = str(tmp_path / "file")
    with pytest.raises(MirrorError, match="cannot be opened") as caught, tiled_catalog(file):
        pass
    assert not isinstance(caught.value, UnreachableError)


def test_what_goes_wrong_with_the_line_is_told_from_what_tiled_refuses() -> None:
    class Broken:
        def get(self, _uid: str) -> None:
            raise ConnectionResetError("gone")

    run = Run([("start", {"uid": "u"})])
    with pytest.raises(UnreachableError):
        TiledMirror(Broken()).send(run)


def _wait(for_it: Callable[[], object], seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while not for_it():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
