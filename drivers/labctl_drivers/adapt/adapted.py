"""What instruments made of Bluesky objects share: their memory, their words on failures, their stop."""

import asyncio
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol, runtime_checkable

from bluesky.utils import RunEngineControlException

from labctl_drivers.adapt.kinds import typed
from labctl_drivers.adapt.messages import message, name_of
from labctl_drivers.adapt.objects import Objects
from labctl_drivers.adapt.settings import SettingRule, converted, problem_of, ramps_of
from labctl_drivers.memory import Memory
from labctl_drivers.notes import Notes
from labctl_drivers.patience import Call
from labctl_drivers.protocol import (
    Answer,
    Attempt,
    ExperimentFailed,
    FailureKind,
    Ramp,
    Reading,
    Recipe,
    Surroundings,
)
from labctl_drivers.verdict import judged, sentence

logger = logging.getLogger(__name__)

Plan = Generator[Any, Any, Any]
_ANSWER_S = 10.0
_LOOK_S = 0.005


@runtime_checkable
class Remembers(Protocol):
    """A device that knows by key what it did, and can so be asked after a crash of the controller.

    At most one object of an instrument may be of this kind.
    """

    def begin(self, attempt: Attempt) -> None:
        """Take note of an attempt; called once for a key, before anything is moved."""
        ...

    def ask(self, key: str) -> Answer:
        """Say what became of the attempt with this key."""
        ...


def device_need(thing: str) -> str:
    """Under which name a device is reserved, of which there is only one."""
    return f"device {thing}"


class Adapted(ABC):
    """An instrument made of objects of the lab's own.

    It writes down that an attempt begins before anything moves, and what came of it. What was under way when
    the controller died is ``unknown``, unless one of the objects :class:`Remembers` it.

    Attributes:
        name: name of the instrument.
        parameter_units: the device's own unit of each setting.
        quantity_units: unit of each quantity that is read.
    """

    def __init__(
        self,
        name: str,
        objects: Objects,
        rules: Mapping[str, SettingRule],
        *,
        quantity_units: Mapping[str, str],
        kinds: Mapping[str, FailureKind],
        needs: Mapping[str, int],
        surroundings: Surroundings,
    ) -> None:
        self.name: str = name
        self.parameter_units: Mapping[str, str] = {one: rule.unit for one, rule in rules.items()}
        self.quantity_units: Mapping[str, str] = dict(quantity_units)
        self._objects = objects
        self._rules = rules
        self._kinds = kinds
        # Two lanes that name one device never drive it at once, whatever else they share.
        self._needs = {**needs, **dict.fromkeys(map(device_need, objects.things), 1)}
        self._memory = Memory(surroundings.folder, name)
        self._running: str | None = None
        self._teller: Any = None

    @property
    def things(self) -> Mapping[str, Any]:
        """By name without its parts, each device that the campaign file names; None where it is made anew."""
        return self._objects.things

    @property
    def memory_id(self) -> str | None:
        """Which memory of attempts this is; another one is not believed where it says ``never``."""
        return self._memory.id

    @abstractmethod
    def _carry_out(self, attempt: Attempt, told: Mapping[str, Any]) -> Generator[Any, Any, Reading]:
        """Carry out one attempt, with the settings as the devices take them."""

    @abstractmethod
    def _look(self) -> None:
        """See that the connected objects can do what is asked of them, or raise ValueError."""

    def _afterwards(self) -> Plan:
        """Put away what the attempt set up; runs however it ended."""
        yield from ()

    def connect(self) -> None:
        """Make and connect the objects, and see that they have what the campaign file says.

        Raises:
            ValueError: one sentence with the option and the remedy.
        """
        self._objects.connect()
        tellers = [one for one in self._objects.all() if callable(getattr(one, "ask", None))]
        if len(tellers) > 1:
            raise ValueError(f"{self.name}: only one object may have ask(key), and {len(tellers)} have it")
        self._teller = tellers[0] if tellers else None
        self._look()

    def check(self, recipe: Recipe) -> str | None:
        """Say in one sentence why this recipe cannot be set, or None."""
        return problem_of(recipe, self._rules, self.name)

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        """Carry out one attempt, at most once for a key."""
        from bluesky.preprocessors import finalize_wrapper  # noqa: PLC0415 - takes a moment to import

        told = converted(attempt, self._rules, self.name)
        self._memory.started(attempt)
        self._running = attempt.key
        try:
            wrapped = finalize_wrapper(self._typed(attempt, told), self._afterwards)  # type: ignore[no-untyped-call]
            reading: Reading = yield from wrapped
        except BaseException as error:
            failure = typed(error, Notes(), self._kinds)
            self._memory.finished(attempt.key, failure)
            if failure is error or not isinstance(error, Exception) or _is_control(error):
                raise
            raise failure from error
        finally:
            self._running = None
        self._memory.finished(attempt.key, reading)
        return reading

    def ask(self, key: str) -> Answer:
        """Say what became of an attempt; unknown where nothing is remembered and no object can tell."""
        known = self._memory.lookup(key)
        if known is None:
            return Answer("never")
        if key == self._running:
            return Answer("running")
        if isinstance(known.result, ExperimentFailed):
            return Answer("failed", failure=known.result)
        if known.result is not None:
            return Answer("done", reading=known.result)
        return self._told_by_device(key)

    def stop(self) -> None:
        """Stop every object that can be stopped.

        Raises:
            RuntimeError: one or more of them could not be stopped.
        """
        self._objects.stop(self._objects.responsible_for())

    def close(self) -> None:
        """Close the memory of attempts, and the connections that were opened here."""
        try:
            self._objects.close()
        except Exception as error:  # noqa: BLE001 - nothing is left to be lost
            logger.warning("%s could not be closed: %s", self.name, sentence(error))
        self._memory.close()

    def needs(self, recipe: Recipe) -> Mapping[str, int]:  # noqa: ARG002 - the same for every recipe
        """The shared things that one attempt takes: what the campaign file says, and each device it names."""
        return self._needs

    def ramps(self, recipe: Recipe) -> Mapping[str, Ramp]:  # noqa: ARG002 - the same for every recipe
        """The fastest change of each setting, as the campaign file says."""
        return ramps_of(self._rules)

    def interlocks(self) -> Mapping[str, Callable[[], str | None]]:
        """The interlocks of every object that has some."""
        found: dict[str, Callable[[], str | None]] = {}
        for one in self._objects.all():
            own = getattr(one, "interlocks", None)
            if callable(own):
                for name, look in own().items():
                    found[f"{name_of(one)} {name}" if name in found else name] = look
        return found

    def _typed(self, attempt: Attempt, told: Mapping[str, Any]) -> Generator[Any, Any, Reading]:
        """Give every failure its kind here, where it is still known which device did what."""
        notes = Notes()
        try:
            yield from notes.taking(self._begin(attempt))
            reading = yield from notes.taking(self._carry_out(attempt, told))
        except Exception as error:
            if _is_control(error):
                raise
            raise typed(error, notes, self._kinds) from error
        outcome = judged(reading)
        if isinstance(outcome, ExperimentFailed):
            raise outcome
        return outcome

    def _begin(self, attempt: Attempt) -> Plan:
        """Tell the object that remembers attempts of this one, without holding up the event loop."""
        begin = getattr(self._teller, "begin", None)
        if not callable(begin):
            return

        async def begun() -> None:
            call = Call(f"{name_of(self._teller)}.begin()", lambda: begin(attempt))
            while not call.done:  # noqa: ASYNC110 - the thread that it runs on knows no event loop
                await asyncio.sleep(_LOOK_S)
            result = call.result(0.0)
            if inspect.isawaitable(result):
                await result

        (future,) = yield message("wait_for", None, [begun], timeout=_ANSWER_S)
        future.result()

    def _told_by_device(self, key: str) -> Answer:
        if self._teller is None:
            return Answer("unknown")
        try:
            answer = self._objects.call(_ANSWER_S, self._teller.ask, key)
        except Exception as error:  # noqa: BLE001 - whoever cannot answer does not know
            logger.warning("%s cannot be asked about %s: %s", self.name, key, sentence(error))
            return Answer("unknown")
        if isinstance(answer, Answer):
            if answer.state == "running":
                return answer
            result = judged(answer.reading) if answer.state == "done" else answer.failure
            if isinstance(result, Reading | ExperimentFailed):
                self._memory.finished(key, result)
                return self.ask(key)
        # Also where it says never: it was told to begin, and something before it may have moved.
        return Answer("unknown")


def _is_control(error: BaseException) -> bool:
    """Whether this is how a RunEngine tells a plan to end, and nothing that went wrong."""
    return isinstance(error, RunEngineControlException)
