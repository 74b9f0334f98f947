"""Lanes whose attempts somebody else's RunEngine carries out, inside a plan of its own."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bluesky import RunEngine

from labctl_drivers.engine import Finished
from labctl_drivers.guest import GuestLane, Host
from labctl_drivers.runs import Tail


@pytest.fixture
def engine() -> Iterator[RunEngine]:
    made = RunEngine({}, call_returns_result=True, context_managers=[])
    yield made
    made.loop.call_soon_threadsafe(made.loop.stop)
    while made.loop.is_running():
        time.sleep(0.001)
    made.loop.close()


class Guests:
    """A plan that hosts a lane, and a thread beside it that uses the lane."""

    def __init__(self, documents: Path, work: Callable[[GuestLane], object]) -> None:
        self.result: Future[Any] = Future()
        self._documents = documents
        self._work = work
        self._host: Host | None = None

    def plan(self) -> Iterator[Any]:
        host = self._host = Host(asyncio.get_running_loop())
        threading.Thread(target=self._use, daemon=True).start()
        while (turn := (yield from host.next_turn())) is not None:
            yield from host.play(turn)
            host.finish(turn)

    def _use(self) -> None:
        host = self._host
        assert host is not None
        try:
            with GuestLane(host, "guest", documents=self._documents, time_limit_s=20.0) as lane:
                self.result.set_result(self._work(lane))
        except BaseException as error:  # noqa: BLE001 - raised again in the test
            self.result.set_exception(error)
        finally:
            host.end("the work is done")


def test_attempts_run_in_the_other_engine_and_only_their_documents_are_kept(
    engine: RunEngine,
    scripted: Callable[..., Any],
    toys: SimpleNamespace,
    attempt: Callable[..., Any],
    documents_file: Path,
) -> None:
    heard: list[str] = []
    engine.subscribe(lambda _name, doc: heard.append(doc["key"]), "start")

    def work(lane: GuestLane) -> list[Finished]:
        return [toys.carried_out(lane, scripted(toys.measuring), attempt(f"k{i}")) for i in range(3)]

    guests = Guests(documents_file, work)
    engine(guests.plan())
    finished = guests.result.result(10)
    assert [f.reading for f in finished] == [finished[0].reading] * 3
    assert heard == ["k0", "k1", "k2"]
    kept = [document["uid"] for name, document in Tail(documents_file).new() if name == "start"]
    assert kept == [f.run_uid for f in finished]


def test_one_attempt_is_broken_off_and_the_next_one_runs(
    engine: RunEngine,
    scripted: Callable[..., Any],
    toys: SimpleNamespace,
    attempt: Callable[..., Any],
    documents_file: Path,
) -> None:
    def work(lane: GuestLane) -> tuple[Finished, Finished]:
        slow = scripted(toys.sleeping(60.0))
        lane.connect(slow)
        future = lane.submit(slow, attempt("slow"))
        toys.abort_when_running(lane)
        return future.result(), toys.carried_out(lane, scripted(toys.measuring), attempt("next"))

    guests = Guests(documents_file, work)
    engine(guests.plan())
    broken, after = guests.result.result(10)
    assert (broken.failure.kind, broken.failure.message) == ("aborted", "the door was opened")
    assert broken.suspect is None
    assert after.reading is not None


def test_the_other_engine_lives_on_when_the_lane_is_closed(
    engine: RunEngine,
    scripted: Callable[..., Any],
    toys: SimpleNamespace,
    attempt: Callable[..., Any],
    documents_file: Path,
) -> None:
    for key in ("a", "b"):
        guests = Guests(
            documents_file,
            lambda lane, key=key: toys.carried_out(lane, scripted(toys.measuring), attempt(key)),  # type: ignore[misc]
        )
        engine(guests.plan())
        assert guests.result.result(10).reading is not None
    assert engine.loop.is_running()


def test_a_lane_whose_host_has_ended_begins_nothing(
    engine: RunEngine, scripted: Callable[..., Any], toys: SimpleNamespace, attempt: Callable[..., Any]
) -> None:
    host = Host(engine.loop)
    host.end("the RunEngine was aborted")
    with GuestLane(host, "guest") as lane:
        instrument = scripted(toys.measuring)
        finished = toys.carried_out(lane, instrument, attempt("late"))
    assert finished.failure is not None
    assert finished.failure.kind == "aborted"
    assert finished.failure.message == "not started: the RunEngine was aborted"
