"""A real queue server carries recipes out: once each, whoever dies meanwhile."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labctl import Campaign
from labctl_drivers.engine import Lane, LaneError
from labctl_drivers.protocol import Attempt, Surroundings
from labctl_drivers.queueserver.instrument import QueueServer
from labctl_drivers.queueserver.manager import MARK
from labctl_drivers.registry import build

pytestmark = pytest.mark.timeout(240)

Server = View = Any
"""What this folder's conftest gives."""
UNITS = {"temperature": "degC", "hold_time": "minute"}
Made = Callable[..., QueueServer]


def attempt(key: str, celsius: float = 126.85, minutes: float = 2.0) -> Attempt:
    recipe = {"temperature": celsius, "hold_time": minutes, "quench": "oil"}
    return Attempt(key=key, campaign="test", experiment="e0001", number=1, recipe=recipe, units=UNITS)


@pytest.fixture
def make(options: Callable[..., dict[str, Any]], tmp_path: Path) -> Iterator[Made]:
    """Give ``make(seconds=0.5)``: an instrument; a second one remembers what the first did."""
    made: list[QueueServer] = []

    def build_it(seconds: float = 0.0, **changes: Any) -> QueueServer:  # noqa: ANN401 - any option
        one = build("queueserver", options(seconds, **changes), Surroundings(folder=tmp_path / "memory"))
        assert isinstance(one, QueueServer)
        made.append(one)
        return one

    yield build_it
    for one in made:
        one.close()


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Lane]:
    with Lane("lane-1", documents=tmp_path / "documents.jsonl", time_limit_s=60.0) as opened:
        yield opened


def _wait(for_it: Callable[[], Any], seconds: float = 60.0) -> Any:  # noqa: ANN401 - what it gave
    pause, end = threading.Event(), int(seconds / 0.05)
    for _ in range(end):
        if found := for_it():
            return found
        pause.wait(0.05)
    raise AssertionError("waited in vain")


def test_a_recipe_becomes_a_plan_and_its_events_the_reading(
    make: Made, lane: Lane, server: Server, view: View
) -> None:
    bench = make()
    lane.connect(bench)
    before = len(server.acts())
    finished = lane.run(bench, attempt("good/1"))
    assert finished.failure is None
    assert finished.reading is not None
    assert finished.reading.values == {"hardness": pytest.approx(100.0)}
    assert finished.reading.units == {"hardness": "HV"}
    assert server.acts()[before:] == ["400 120 o"]
    item = view("history_get")["items"][-1]
    assert item["meta"]["key"] == "good/1"
    assert item["meta"]["suggestion_id"] == "e0001"
    assert item["meta"][MARK].endswith("/good/1")
    assert finished.reading.raw["runs"] == item["result"]["run_uids"]
    assert bench.ask("good/1").reading == finished.reading
    assert view("status")["queue_autostart_enabled"] is False
    # Whoever starts it once more is told so, and nothing moves.
    again = lane.run(bench, attempt("good/1"))
    assert again.failure is not None
    assert again.failure.kind == "unknown"
    assert len(server.acts()) == before + 1


@pytest.mark.parametrize(
    ("celsius", "told"),
    [
        (540.0, ("infeasible", "it cracked")),
        (640.0, ("infeasible", "anneal failed: SampleCracked: it is in two halves")),
        (450.0, ("instrument_fault", "anneal failed: OSError: the furnace does not answer")),
    ],
)
def test_a_failed_plan_has_its_kind_and_is_not_put_back(
    make: Made, lane: Lane, view: View, celsius: float, told: tuple[str, str]
) -> None:
    bench = make(failures={"SampleCracked": "infeasible"})
    lane.connect(bench)
    finished = lane.run(bench, attempt(f"bad/{celsius}", celsius))
    assert finished.failure is not None
    assert (finished.failure.kind, finished.failure.message) == told
    assert finished.suspect is None
    assert view("queue_get")["items"] == []
    assert lane.run(bench, attempt(f"after/{celsius}")).reading is not None


def test_a_broken_off_attempt_is_aborted_over_there(
    make: Made, lane: Lane, server: Server, view: View
) -> None:
    bench = make(30.0)
    lane.connect(bench)
    before = len(server.acts())
    future = lane.submit(bench, attempt("abort/1"))
    _wait(lambda: len(server.acts()) > before)
    assert lane.abort("the door was opened")
    finished = future.result(60)
    assert finished.failure is not None
    assert finished.failure.kind == "aborted"
    assert finished.suspect is None
    _wait(lambda: view("status")["manager_state"] == "idle")
    assert view("history_get")["items"][-1]["result"]["exit_status"] == "aborted"
    assert view("queue_get")["items"] == []


def test_what_was_put_back_into_the_queue_is_taken_out_and_never_run(
    make: Made, lane: Lane, server: Server, view: View
) -> None:
    first = make()
    lane.connect(first)
    finished = lane.run(first, attempt("back/1", 450.0))
    assert finished.failure is not None
    # As the server does with a plan that failed in its queue: the same item once more, at the front.
    item = view("history_get")["items"][-1]
    view.plan(
        "queue_item_add", {k: item[k] for k in ("item_type", "name", "args", "kwargs", "meta")}, pos="front"
    )
    other = {"item_type": "plan", "name": "anneal", "args": [], "kwargs": {"temp": 300.0, "hold": 1.0}}
    view.plan("queue_item_add", other)
    first.close()
    before = len(server.acts())
    second = make()
    lane.connect(second)
    assert [i["kwargs"]["temp"] for i in view("queue_get")["items"]] == [300.0]
    assert lane.run(second, attempt("back/2")).reading is not None
    # What others have queued is left to them.
    assert [i["kwargs"]["temp"] for i in view("queue_get")["items"]] == [300.0]
    view("queue_clear")
    assert server.acts()[before:] == ["400 120 o"]


def test_after_a_crash_of_the_controller_the_plan_is_found_and_not_done_again(
    make: Made, lane: Lane, server: Server
) -> None:
    first = make(2.0)
    before = len(server.acts())
    dying = Lane("dying", time_limit_s=60.0)
    dying.connect(first)
    dying.submit(first, attempt("crash/1"))
    _wait(lambda: len(server.acts()) > before)
    # The controller is gone: nobody waits, nobody listens, nobody stops anything.
    first._running = None
    first.close()
    second = make(2.0)
    lane.connect(second)
    assert second.ask("crash/1").state == "running"
    answer = _wait(lambda: (a := second.ask("crash/1")).state != "running" and a)
    assert answer.state == "failed"
    assert answer.failure.kind == "unknown"
    assert "documents were not heard" in answer.failure.message
    again = lane.run(second, attempt("crash/1"))
    assert again.failure is not None
    assert again.failure.kind == "unknown"
    assert len(server.acts()) == before + 1
    dying.close()


def test_what_was_never_handed_over_may_be_started_unless_the_history_was_cleared(
    make: Made, lane: Lane, server: Server, view: View
) -> None:
    first = make()
    lane.connect(first)
    assert lane.run(first, attempt("never/0")).reading is not None
    assert first.ask("never/1").state == "never"
    # Died after the note and before the call.
    for key in ("never/1", "never/2"):
        first._memory.started(attempt(key), {"history": list(first._asked.history())})
    first.close()
    second = make()
    lane.connect(second)
    before = len(server.acts())
    assert second.ask("never/1").state == "never"
    assert lane.run(second, attempt("never/1")).reading is not None
    assert len(server.acts()) == before + 1
    view("history_clear")
    assert second.ask("never/2").state == "unknown"
    assert lane.run(second, attempt("never/2")).failure is not None
    assert len(server.acts()) == before + 1


def test_it_waits_for_others_and_does_not_start_what_they_queued(
    make: Made, lane: Lane, server: Server, view: View
) -> None:
    bench = make()
    lane.connect(bench)
    before = len(server.acts())
    theirs = {
        "item_type": "plan",
        "name": "anneal",
        "args": [],
        "kwargs": {"temp": 301.0, "hold": 1.0, "seconds": 1.0},
    }
    view.plan("queue_item_execute", theirs)
    assert lane.run(bench, attempt("wait/1")).reading is not None
    assert server.acts()[before:] == ["301 1 w", "400 120 o"]


def test_a_plan_that_is_not_allowed_moves_nothing(make: Made, lane: Lane, server: Server) -> None:
    bench = make(plan="anneel")
    lane.connect(bench)
    before = len(server.acts())
    finished = lane.run(bench, attempt("none/1"))
    assert finished.failure is not None
    assert (finished.failure.kind, finished.failure.stage) == ("instrument_fault", "check")
    assert "anneel" in finished.failure.message
    assert len(server.acts()) == before


def test_two_campaigns_of_the_same_name_do_not_take_each_others_plans(
    make: Made, options: Callable[..., dict[str, Any]], lane: Lane, tmp_path: Path
) -> None:
    ours = make()
    lane.connect(ours)
    assert lane.run(ours, attempt("same/1")).reading is not None
    theirs = build("queueserver", options(), Surroundings(folder=tmp_path / "elsewhere"))
    lane.connect(theirs)
    assert theirs.ask("same/1").state == "never"
    theirs.close()


def test_no_server_is_said_in_a_sentence(
    options: Callable[..., dict[str, Any]], lane: Lane, tmp_path: Path
) -> None:
    content = options(control="tcp://127.0.0.1:9")
    bench = build("queueserver", content, Surroundings(folder=tmp_path / "memory"))
    with pytest.raises(LaneError, match=r"queue server at tcp://127\.0\.0\.1:9 does not answer"):
        lane.connect(bench)
    bench.close()


def test_a_result_that_nobody_heard_is_found_in_the_workers_catalogue(
    make: Made, lane: Lane, server: Server, tmp_path: Path
) -> None:
    pytest.importorskip("tiled", reason="Tiled is not installed")
    from labctl_drivers.queueserver.listener import Listener  # noqa: PLC0415 - only here
    from labctl_drivers.tiled_mirror import tiled_catalog  # noqa: PLC0415 - only here

    # The lab's own writer of its catalogue, which goes on when the controller dies.
    lab = Listener(f"127.0.0.1:{server.out}")
    lab.start()
    first = make(1.0)
    before = len(server.acts())
    dying = Lane("dying", time_limit_s=60.0)
    dying.connect(first)
    dying.submit(first, attempt("tiled/1"))
    _wait(lambda: len(server.acts()) > before)
    first._running = None
    first.close()
    mark = f"{first._token}/tiled/1"
    [run] = lab.runs(mark, [], 30.0)
    lab.close()
    catalog = str(tmp_path / "catalog")
    with tiled_catalog(catalog) as mirror:
        assert mirror.send(run) == "sent"
    second = make(1.0, tiled=catalog)
    lane.connect(second)
    answer = _wait(lambda: (a := second.ask("tiled/1")).state != "running" and a)
    assert answer.state == "done"
    assert answer.reading.values == {"hardness": pytest.approx(100.0)}
    assert len(server.acts()) == before + 1
    dying.close()


def test_a_campaign_runs_far_away_and_the_ledger_has_it_all(
    options: Callable[..., dict[str, Any]], server: Server, furnace_campaign: Callable[..., Path]
) -> None:
    far = {"kind": "queueserver", "options": options()}
    file = furnace_campaign(instrument=far, budget={"experiments": 4})
    before = len(server.acts())
    with Campaign.open(file) as campaign:
        campaign.run(experiments=2)
    with Campaign.open(file) as campaign:
        summary = campaign.run()
        assert summary.measured == 4
        for e in campaign.state:
            kelvin = float(e.proposal.recipe["temperature"]) + 273.15
            assert e.outcome is not None
            assert e.outcome.values == {"hardness": pytest.approx(100.0 - abs(kelvin - 400.0))}
    assert len(server.acts()) == before + 4


def test_a_server_killed_in_the_middle_does_not_run_the_plan_again(
    make: Made, lane: Lane, server: Server, view: View
) -> None:
    bench = make(60.0)
    lane.connect(bench)
    before = len(server.acts())
    future = lane.submit(bench, attempt("killed/1"))
    _wait(lambda: len(server.acts()) > before)
    server.kill("manager")
    server.start_manager()
    server.open_environment()
    finished = future.result(90)
    assert finished.failure is not None
    assert finished.failure.kind == "unknown"
    assert "does not know how anneal ended" in finished.failure.message
    assert view("queue_get")["items"] == []
    assert bench.ask("killed/1").failure.kind == "unknown"
    lane.release()
    quick = make()
    lane.connect(quick)
    assert lane.run(quick, attempt("killed/2")).reading is not None
    assert len(server.acts()) == before + 2


def test_without_an_environment_nothing_moves(make: Made, lane: Lane, server: Server, view: View) -> None:
    bench = make(environment_timeout="0.5 s")
    lane.connect(bench)
    before = len(server.acts())
    view("environment_close")
    _wait(lambda: not view("status")["worker_environment_exists"])
    finished = lane.run(bench, attempt("closed/1"))
    assert finished.failure is not None
    assert (finished.failure.kind, finished.failure.stage) == ("instrument_fault", "connect")
    assert finished.failure.message == (
        f"waited 0.5 s: the queue server at {server.control} has no open environment; open it with "
        "`qserver environment open`"
    )
    assert bench.ask("closed/1").state == "never"
    assert finished.suspect is None
    server.open_environment()
    assert lane.run(bench, attempt("closed/2")).reading is not None
    assert len(server.acts()) == before + 1


def test_it_waits_for_a_manager_that_restarts_and_for_its_environment(
    make: Made, lane: Lane, server: Server, view: View
) -> None:
    bench = make()
    lane.connect(bench)
    before = len(server.acts())
    server.kill("manager")
    future = lane.submit(bench, attempt("restart/1"))
    server.start_manager()
    _wait(view.reached)
    assert not view("status")["worker_environment_exists"]
    # It has met the open question, and waits.
    threading.Event().wait(1.0)
    assert not future.done()
    assert len(server.acts()) == before
    server.open_environment()
    finished = future.result(60)
    assert finished.failure is None
    assert finished.reading is not None
    assert len(server.acts()) == before + 1


def test_an_attempt_that_waits_for_an_environment_can_be_broken_off(
    make: Made, lane: Lane, server: Server, view: View
) -> None:
    bench = make()
    lane.connect(bench)
    before = len(server.acts())
    view("environment_close")
    _wait(lambda: not view("status")["worker_environment_exists"])
    future = lane.submit(bench, attempt("left/1"))
    _wait(lambda: lane.abort("nobody opens it"))
    finished = future.result(20)
    assert finished.failure is not None
    assert (finished.failure.kind, finished.failure.message) == ("aborted", "nobody opens it")
    assert finished.suspect is None
    server.open_environment()
    assert bench.ask("left/1").state == "never"
    assert len(server.acts()) == before
