"""The queue server as an instrument: hand one plan over, wait, and find it again after a crash."""

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Generator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from bluesky import plan_stubs as bps

from labctl_drivers.adapt.settings import converted, problem_of
from labctl_drivers.memory import AlreadyStarted, Memory
from labctl_drivers.protocol import (
    Answer,
    Attempt,
    ExperimentFailed,
    FailureKind,
    Reading,
    Recipe,
    Surroundings,
)
from labctl_drivers.queueserver.line import ManagerError
from labctl_drivers.queueserver.listener import Listener
from labctl_drivers.queueserver.manager import MARK, Found, Manager
from labctl_drivers.queueserver.result import ended_badly, reading_of, uids_of, unheard, values_in
from labctl_drivers.queueserver.settings import QueueSettings
from labctl_drivers.runplan import metadata

_TURN_S = 0.1
_STOP_S = 8.0
_MISSING_S = 5.0
_OWN = ("plan_name", "lane", "instrument")


class QueueServer:
    """Carries out recipes as plans of a Bluesky queue server, one at a time.

    Each plan bears in its metadata the attempt's ids and a mark: the attempt's key after a token of this
    campaign's own, so that two labs never take each other's plans for theirs. The server keeps what it was
    given in Redis, so that it can be asked what became of a mark after either side has died. An item with our
    mark that waits in the queue was put back there, by the server or by hand, and is taken out: whatever was
    begun once is never begun again.
    """

    def __init__(
        self, settings: QueueSettings, *, surroundings: Surroundings, name: str = "queueserver"
    ) -> None:
        self.name = name
        self.parameter_units = {n: rule.unit for n, rule in settings.rules.items() if not rule.choices}
        self.categories = {n: tuple(rule.choices) for n, rule in settings.rules.items() if rule.choices}
        self.quantity_units = {n: rule.unit for n, rule in settings.readings.items()}
        self._settings = settings
        self._memory = Memory(surroundings.folder, name)
        self._token = _token(surroundings.folder, name)
        self._manager: Manager | None = None
        self._listener: Listener | None = None
        self._leaving = threading.Event()
        self._running: str | None = None

    def connect(self) -> None:
        """Reach the server, turn its autostart off, and clear the queue of what we began before."""
        if self._manager is None:
            self._manager = Manager(self._settings.control, self._settings.group)
        if self._settings.documents is not None and self._listener is None:
            self._listener = Listener(self._settings.documents)
            self._listener.start()
        self._manager.prepare()
        self._manager.remove(self._token)

    def check(self, recipe: Recipe) -> str | None:
        """Say why a recipe cannot be handed over, or None."""
        return problem_of(recipe, self._settings.rules, self.name)

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        """Hand one plan over, and wait for its end on a thread of its own."""
        told = converted(attempt, self._settings.rules, self.name)
        self._leaving = threading.Event()
        # Waited for by one that never fails: asyncio complains of exceptions that it has handed to nobody.
        result, ended = Future[Reading](), Future[None]()

        def work() -> None:
            try:
                result.set_result(self._carry_out(attempt, told))
            except BaseException as error:  # noqa: BLE001 - raised again below
                result.set_exception(error)
            ended.set_result(None)

        threading.Thread(target=work, name="queue server", daemon=True).start()
        try:
            yield from bps.wait_for([lambda: asyncio.wrap_future(ended)])
        finally:
            self._leaving.set()
        return result.result()

    def ask(self, key: str) -> Answer:
        """Say what became of an attempt, by what the server keeps."""
        known = self._memory.lookup(key)
        if known is not None and known.result is not None:
            return _answer(known.result)
        mark = self._mark(key)
        self._asked.remove(mark)
        found = self._asked.find(mark)
        if found.place == "running":
            return Answer("running")
        if found.place == "history":
            return _answer(self._result(key, found, seconds=_TURN_S))
        if known is None:
            return Answer("never")
        uid, last = known.detail["history"]
        # It was noted before it was handed over: where the history was not cleared since, it never arrived.
        return Answer("never" if self._asked.kept((uid, last)) else "unknown")

    def stop(self) -> None:
        """Abort the plan that runs for us, and see that it does not run again.

        Raises:
            ManagerError: it could not be ended.
        """
        self._leaving.set()
        mark = self._running
        if mark is not None:
            self._asked.end(mark, _STOP_S)
            self._running = None

    def close(self) -> None:
        """Let go of the server and of the memory; what runs there goes on."""
        self._leaving.set()
        if self._listener is not None:
            self._listener.close()
        if self._manager is not None:
            self._manager.close()
            self._manager = None
        self._memory.close()

    @property
    def memory_id(self) -> str | None:
        """Which memory of attempts this is; another one is not believed where it says ``never``."""
        return self._memory.id

    @property
    def _asked(self) -> Manager:
        if self._manager is None:
            raise ManagerError(f"{self.name} is not connected")
        return self._manager

    def _mark(self, key: str) -> str:
        return f"{self._token}/{key}"

    def _carry_out(self, attempt: Attempt, told: Mapping[str, Any]) -> Reading:
        mark = self._mark(attempt.key)
        try:
            self._begin(attempt, mark, told)
            found = self._await(mark)
        except ManagerError as error:
            raise ExperimentFailed(FailureKind.INSTRUMENT_FAULT, str(error), stage="process") from error
        self._running = None
        with contextlib.suppress(ManagerError):
            self._asked.remove(mark)
        result = self._result(attempt.key, found, seconds=self._settings.patience_s)
        if isinstance(result, ExperimentFailed):
            raise result
        return result

    def _begin(self, attempt: Attempt, mark: str, told: Mapping[str, Any]) -> None:
        """Hand the plan over as soon as the server is free; at most once for a mark."""
        settings, manager = self._settings, self._asked
        arguments = {**settings.fixed, **{settings.arguments[name]: value for name, value in told.items()}}
        ids = {k: v for k, v in metadata("", self, attempt).items() if k not in _OWN}
        known = self._memory.lookup(attempt.key)
        if known is not None and self.ask(attempt.key).state != "never":
            raise AlreadyStarted(attempt.key)
        while True:
            self._until_free()
            if known is None:
                self._memory.started(attempt, {"history": manager.history()})
                known = self._memory.lookup(attempt.key)
            self._running = mark
            try:
                manager.execute(settings.plan, arguments, {**ids, MARK: mark})
            except TimeoutError:
                # It may have begun or not; the server says which when it answers again.
                return
            except ManagerError as error:
                self._running = None
                if not self._is_free():
                    continue  # somebody else was quicker, or the environment was closed meanwhile
                raise ExperimentFailed(FailureKind.INSTRUMENT_FAULT, str(error), stage="check") from error
            return

    def _until_free(self) -> None:
        """Wait until the server could begin a plan.

        Others take as long as they need; for an answer and an open environment there is a time limit. Nothing
        is noted of the attempt before, so that one that fails here was never begun.
        """
        out_of_order_since: float | None = None
        while True:
            try:
                if self._asked.obstacle() is None:
                    return
                out_of_order_since = None
            except ManagerError as error:
                now = time.monotonic()
                out_of_order_since = out_of_order_since or now
                if now - out_of_order_since > self._settings.environment_s:
                    message = f"waited {self._settings.environment_s:g} s: {error}"
                    raise ExperimentFailed(FailureKind.INSTRUMENT_FAULT, message, stage="connect") from error
            self._wait_or_leave()

    def _is_free(self) -> bool:
        try:
            return self._asked.obstacle() is None
        except ManagerError:
            return False

    def _await(self, mark: str) -> Found:
        """Wait until the plan stands in the history; a server that does not answer is asked again."""
        missing_since: float | None = None
        while True:
            with contextlib.suppress(ManagerError):
                found = self._asked.find(mark)
                if found.place == "history":
                    return found
                if found.place == "queue":
                    self._asked.remove(mark)
                missing_since = None if found.place == "running" else missing_since or time.monotonic()
            if missing_since is not None and time.monotonic() - missing_since > _MISSING_S:
                raise ExperimentFailed(
                    FailureKind.UNKNOWN,
                    f"{self._settings.plan} was handed to the queue server, which knows nothing of it now",
                    stage="process",
                )
            self._wait_or_leave()

    def _wait_or_leave(self) -> None:
        if self._leaving.wait(_TURN_S):
            raise ExperimentFailed(FailureKind.ABORTED, "nobody waits for it any more", stage="process")

    def _result(self, key: str, found: Found, *, seconds: float) -> Reading | ExperimentFailed:
        """What a plan in the history came to; remembered as far as it is certain."""
        result: Reading | ExperimentFailed | None = ended_badly(found.item, self._settings)
        if result is None:
            try:
                result = self._measured(key, uids_of(found.item), seconds)
            except ExperimentFailed as failure:
                result = failure
        # What nobody can tell now may be told later.
        unsure = isinstance(result, ExperimentFailed) and result.kind is FailureKind.UNKNOWN
        if not unsure and self._memory.lookup(key) is not None:
            self._memory.finished(key, result)
        return result

    def _measured(self, key: str, uids: list[str], seconds: float) -> Reading:
        settings = self._settings
        if self._listener is not None:
            runs = self._listener.runs(self._mark(key), uids, seconds)
            if runs:
                return reading_of(values_in(runs, settings.stream), settings, uids)
        if settings.tiled is not None:
            from labctl_drivers.queueserver.from_tiled import values_of  # noqa: PLC0415 - an extra

            return reading_of(values_of(settings.tiled, uids, settings.stream, seconds), settings, uids)
        raise unheard(settings, uids)


def _answer(result: Reading | ExperimentFailed) -> Answer:
    if isinstance(result, Reading):
        return Answer("done", reading=result)
    return Answer("failed", failure=result)


def _token(folder: Path | None, name: str) -> str:
    """What tells this campaign's plans from all others; made once and kept beside the memory."""
    fresh = uuid.uuid4().hex
    if folder is None:
        return fresh
    file = folder / f"{name}.token"
    with contextlib.suppress(FileExistsError), file.open("x", encoding="ascii") as made:
        made.write(fresh)
    for _ in range(50):
        kept = file.read_text(encoding="ascii").strip()
        if kept:
            return kept
        time.sleep(_TURN_S / 5)
    raise ValueError(f"{file} is empty; put it back, for without it no earlier attempt can be found")
