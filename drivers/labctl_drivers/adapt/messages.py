"""Messages to a RunEngine, of which none is waited for without a time limit."""

import itertools
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from bluesky import plan_stubs as bps
from bluesky.utils import Msg

from labctl_drivers.protocol import ExperimentFailed, FailureKind

_number = itertools.count()


@dataclass(frozen=True, slots=True)
class Command:
    """Something that a device is told, and that it gives a Status for.

    Attributes:
        verb: ``set``, ``trigger``, ``stage`` or ``unstage``.
        device: the device.
        limit_s: longest that it may take, s.
        given: the arguments, such as the value that is set.
    """

    verb: str
    device: Any
    limit_s: float
    given: tuple[Any, ...] = ()


def message(verb: str, device: Any = None, *given: Any, **told: Any) -> Msg:  # noqa: ANN401 - as Bluesky takes them
    """A message to the RunEngine."""
    return Msg(verb, device, *given, **told)  # type: ignore[no-untyped-call]


def together(commands: Sequence[Command]) -> Generator[Msg, Any, None]:
    """Begin all commands at once, and wait for each as long as it may take."""
    began = time.monotonic()
    groups: list[tuple[float, str]] = []
    for one in commands:
        group = f"labctl-{next(_number)}"
        yield from _begin(one, group)
        groups.append((one.limit_s, group))
    for limit_s, name in sorted(groups):
        left = began + limit_s - time.monotonic()
        # The limit is written as it was told, where nothing was waited for before, for it stands in messages.
        yield from bps.wait(name, timeout=limit_s if len(groups) == 1 else max(left, 0.001))


def name_of(device: object) -> str:
    """What a device is called in messages."""
    return str(getattr(device, "name", "") or type(device).__name__)


def _begin(one: Command, group: str) -> Generator[Msg, Any, None]:
    """Send a command, and say what is wrong with a device that gives no Status for it."""
    try:
        yield message(one.verb, one.device, *one.given, group=group)
    except AttributeError as error:
        # Bluesky takes whatever comes back for a Status, and trips over what is none.
        if "finished_cb" not in str(error) and "add_callback" not in str(error):
            raise
        what = (
            f"{name_of(one.device)}.{one.verb}() returned no Status to wait for; make the "
            "device of labctl_drivers.adapt.blocking.Blocking if its commands block"
        )
        stage = "measure" if one.verb == "trigger" else "set"
        raise ExperimentFailed(FailureKind.INSTRUMENT_FAULT, what, stage=stage) from error
