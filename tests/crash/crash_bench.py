"""A fast instrument whose acts no crash can take back, and campaigns on it that die on command.

As a program it reads orders as JSON lines on stdin, forks for each, and says whether the child was killed.
"""

import json
import os
import random
import resource
import signal
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Where ophyd is installed, Bluesky imports it to write down its version; it would look for EPICS on threads.
os.environ["OPHYD_CONTROL_LAYER"] = "dummy"

from labctl.bench import Bench
from labctl.campaign import Campaign
from labctl.config import CampaignConfig, CampaignModel
from labctl.errors import BusyError, LabctlError, RequestError
from labctl.lanes import Lanes
from labctl.ledger import Entry, Event, Ledger
from labctl.state import CampaignState, fold
from labctl_drivers.memory import AlreadyStarted
from labctl_drivers.protocol import Answer, Attempt, Reading, Recipe, Surroundings

MANNERS = ("askable", "mute", "lying")
LIMITS = {"limits": {"x": {"low": 0, "high": 10, "unit": "dimensionless"}}, "unlimited": []}


class Acts:
    """An instrument that writes down each act, in one append that the operating system keeps.

    ``askable`` tells what became of every key; it does not refuse a second start, so that its log shows one.
    ``mute`` can never tell anything. ``lying`` says of every key that it never began it, or that it is done
    without a reading; it keeps the drivers' contract and refuses a second start.
    """

    def __init__(self, folder: Path, manner: str, seconds: float = 0.0) -> None:
        self.name = "acts"
        self.manner = manner
        self.seconds = seconds
        self.log = folder / "acts.log"

    def connect(self) -> None:
        pass

    def check(self, recipe: Recipe) -> str | None:  # noqa: ARG002 - the protocol's
        return None

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        from bluesky import plan_stubs as bps  # noqa: PLC0415 - as drivers do

        if self.manner == "lying" and attempt.key in acts(self.log.parent):
            raise AlreadyStarted(attempt.key)
        yield from bps.null()
        point("before act")
        with self.log.open("ab", buffering=0) as log:
            log.write(json.dumps([attempt.key, attempt.recipe["x"]]).encode() + b"\n")
        point("after act")
        yield from bps.sleep(self.seconds)
        return _reading(float(attempt.recipe["x"]))

    def ask(self, key: str) -> Answer:
        if self.manner == "mute":
            return Answer("unknown")
        if self.manner == "lying":
            return Answer("never") if zlib.crc32(key.encode()) % 2 else Answer("done")
        done = acts(self.log.parent)
        return Answer("done", reading=_reading(done[key])) if key in done else Answer("never")

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


def _reading(x: float) -> Reading:
    return Reading({"y": x * (10.0 - x)}, {"y": "dimensionless"})


def acts(folder: Path) -> dict[str, float]:
    """Every act that was done, by key."""
    return dict(_acts(folder))


def _acts(folder: Path) -> list[tuple[str, float]]:
    log = folder / "acts.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [(key, x) for key, x in map(json.loads, lines)]


@dataclass
class Life:
    """How long a process lives: until a point is passed for the so many-th time."""

    at: str | None = None
    times: int = 1
    passed: Counter[str] = field(default_factory=Counter)


LIFE = Life()


def point(name: str) -> None:
    """Pass a named point of the dispatch; the process ends there if its life does."""
    LIFE.passed[name] += 1
    if name == LIFE.at and LIFE.passed[name] == LIFE.times:
        os.kill(os.getpid(), signal.SIGKILL)


def name_points() -> None:
    """Put a point before and after each commit of the ledger and each step of a lane."""
    commit, start, arrive = Ledger.append_all, Lanes.start, Lanes.next

    def committed(ledger: Ledger, entries: list[Entry]) -> list[Event]:
        point(f"before {entries[-1].kind}")
        events = commit(ledger, entries)
        point(f"after {entries[-1].kind}")
        return events

    def around(step: Callable[..., Any], name: str) -> Callable[..., Any]:
        def passed(*args: Any) -> Any:  # noqa: ANN401 - whatever the step takes
            point(f"before {name}")
            result = step(*args)
            point(f"after {name}")
            return result

        return passed

    Ledger.append_all = committed  # type: ignore[method-assign, assignment]
    Lanes.start = around(start, "start")  # type: ignore[method-assign]
    Lanes.next = around(arrive, "arrival")  # type: ignore[method-assign]


POINTS = tuple(
    f"{when} {what}"
    for what in ("proposal", "decision", "intent", "start", "act", "arrival", "outcome")
    for when in ("before", "after")
)


def campaign_in(
    folder: Path, manner: str, *, lanes: int = 1, experiments: int = 4, seconds: float = 0.0
) -> Campaign:
    """Open the campaign of this folder; begins it where it has no ledger."""
    folder.mkdir(parents=True, exist_ok=True)
    limits = folder / "limits.yaml"
    if not limits.exists():
        limits.write_text(json.dumps(LIMITS))
    model = {
        "campaign": "acts",
        "parameters": {"x": {"kind": "continuous", "unit": "dimensionless", "low": 0, "high": 10}},
        "objectives": {"y": {"goal": "maximize", "unit": "dimensionless"}},
        "instrument": {"kind": "furnace", "lanes": lanes},
        "limits": limits.name,
        "strategy": {"initial": 1, "arms": {"random": 1}},
        "budget": {"experiments": experiments, "failures_in_a_row": None},
    }
    config = CampaignConfig(folder / "acts.yaml", CampaignModel.model_validate(model))

    def build(_around: Surroundings) -> Acts:
        return Acts(folder, manner, seconds)

    bench = Bench(config.space, build, Surroundings(), 60.0, limits, lanes=lanes)
    ledger = Ledger.write(folder / "ledger.sqlite")
    try:
        campaign = Campaign(config, ledger, bench, folder=folder, seed=0)
    except BaseException:
        ledger.close()
        raise
    campaign.predict_always = False
    return campaign


def live(order: Mapping[str, Any]) -> None:
    """Run a campaign to its end, to this life's, or until its disk takes no more.

    ``file_size`` is the largest that any file of the process may become, in bytes; ``pages`` that of the
    ledger, in pages of SQLite.
    """
    LIFE.at, LIFE.times = order.get("point"), order.get("times", 1)
    LIFE.passed.clear()
    name_points()
    told = {k: order[k] for k in ("lanes", "experiments", "seconds") if k in order}
    if "file_size" in order:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_size"], order["file_size"]))
    try:
        with campaign_in(Path(order["folder"]), order["manner"], **told) as campaign:
            if "pages" in order:
                campaign.ledger._connection.execute(f"PRAGMA max_page_count={order['pages']}")
            campaign.run()
    except LabctlError:
        if not {"file_size", "pages"} & set(order):
            raise


def contend(folder: Path, processes: int, experiments: int, deaths: int) -> None:
    """Let so many processes work on one campaign, each whenever it is free; some die in the middle of it."""

    def work() -> None:
        while True:
            try:
                with campaign_in(folder, "askable", lanes=2, experiments=experiments) as campaign:
                    done = len(campaign.state)
                    campaign.run(experiments=min(done + 9 + os.getpid() % 7, experiments))
                    if len(campaign.state) >= experiments and not campaign.state.pending:
                        return
            except BusyError:
                time.sleep(0.02 * (1 + os.getpid() % 5))

    def begin() -> int:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work()
                code = 0
            finally:
                os._exit(code)
        return child

    children = [begin() for _ in range(processes)]
    draw = random.Random(experiments)  # noqa: S311 - not for secrets
    for _ in range(deaths):
        time.sleep(draw.uniform(0.05, 0.3))
        victim = children.pop(draw.randrange(len(children)))
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        children.append(begin())
    codes = [os.WEXITSTATUS(os.waitpid(child, 0)[1]) for child in children]
    if any(codes):
        raise RuntimeError(f"processes ended with {codes}")


def warm_up(folder: Path) -> None:
    """Import all that a campaign needs, and leave no thread behind that a fork would cut off."""
    with campaign_in(folder, "askable") as campaign:
        campaign.run()
    if threading.active_count() > 1:
        raise RuntimeError(f"these threads outlived their campaign: {threading.enumerate()}")


def fork(order: Mapping[str, Any], *, after_s: float | None = None) -> bool:
    """Carry an order out in a process of its own; say whether it was killed, as after so many seconds."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            live(order)
            code = 0
        finally:
            os._exit(code)
    if after_s is not None:
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status) != 0:
        raise RuntimeError(f"the campaign of {order} ended with an error")
    return os.WIFSIGNALED(status)


def told(folder: Path) -> tuple[list[Event], CampaignState]:
    """What the ledger says, its chain verified; nothing where it was not begun."""
    path = folder / "ledger.sqlite"
    if not path.exists() or path.stat().st_size == 0:
        return [], CampaignState()
    try:
        with Ledger.read(path) as ledger:
            ledger.verify()
            events = list(ledger.events())
    except RequestError:  # it was made, and its maker died before the first event
        return [], CampaignState()
    return events, fold(events)


def under_way(state: CampaignState) -> list[str]:
    """Keys of the attempts that have an intent and no outcome."""
    return [e.intents[-1].key for e in state if e.status == "running"]


def faults(folder: Path, before: list[Event] | None = None) -> list[str]:
    """What is wrong between the ledger and the acts, in words; empty where nothing is."""
    events, state = told(folder)
    done = [key for key, _ in _acts(folder)]
    intents = [intent.key for e in state for intent in e.intents]
    wrong = [f"{key} was done {n} times" for key, n in Counter(done).items() if n > 1]
    wrong += [f"{key} was done without an intent" for key in set(done) - set(intents)]
    wrong += [f"{key} was asked for {n} times" for key, n in Counter(intents).items() if n > 1]
    if before is not None and [e.hash for e in events[: len(before)]] != [e.hash for e in before]:
        wrong.append("an event that was committed is gone")
    return wrong


def unfinished(folder: Path, experiments: int) -> list[str]:
    """What a campaign that ran to its end has lost, in words; empty where nothing is."""
    _, state = told(folder)
    lost = [f"{e.id} is {e.status}" for e in state if e.status not in ("measured", "failed")]
    if len(state) != experiments:
        lost.append(f"{len(state)} experiments of {experiments}")
    lost += [f"{e.id} lacks an outcome" for e in state if len(e.outcomes) != len(e.intents)]
    done = acts(folder)
    for e in state:
        for intent, outcome in zip(e.intents, e.outcomes, strict=False):
            if intent.key not in done and outcome.status == "measured":
                lost.append(f"{intent.key} has a result and was never done")
    return lost


def main() -> None:
    seen = False
    for line in sys.stdin:
        order = json.loads(line)
        if not seen:
            warm_up(Path(order["folder"]).parent / f"warm-{random.random()}")  # noqa: S311 - a name
            seen = True
        if "processes" in order:
            contend(Path(order["folder"]), order["processes"], order["experiments"], order["deaths"])
        killed = "processes" not in order and fork(order)
        sys.stdout.write(json.dumps({"killed": killed}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
