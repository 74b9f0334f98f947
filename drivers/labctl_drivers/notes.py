"""Notes taken while a plan runs: which device does what, so that a failure can be blamed on the right one."""

from collections import defaultdict
from collections.abc import Generator
from typing import Any

from bluesky.utils import Msg

from labctl_drivers.protocol import Reading

_STAGES = {
    "stage": "set",
    "prepare": "set",
    "configure": "set",
    "set": "set",
    "kickoff": "process",
    "complete": "process",
    "sleep": "process",
    "wait": "process",
    "wait_for": "process",
    "trigger": "measure",
    "create": "measure",
    "read": "measure",
    "save": "measure",
    "collect": "measure",
}
_GIVES_STATUS = frozenset({"set", "trigger", "kickoff", "complete", "prepare", "stage", "unstage"})


class Notes:
    """What one plan has asked of its devices so far.

    Attributes:
        stage: where the plan stands: "start" before its first message, then "set", "process" or "measure".
        primary_events: how many events the plan itself put into the stream ``primary``.
    """

    def __init__(self) -> None:
        self.stage = "start"
        self.primary_events = 0
        self._last: Msg | None = None
        self._bundle: str | None = None
        self._owners: dict[int, tuple[Any, str, str]] = {}
        self._groups: defaultdict[Any, list[str]] = defaultdict(list)

    def taking(self, plan: Generator[Msg, Any, Reading]) -> Generator[Msg, Any, Reading]:
        """Run a plan unchanged and note down each message on the way."""
        try:
            message = next(plan)
            while True:
                self._note(message)
                try:
                    response = yield message
                except GeneratorExit:
                    plan.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - the plan decides what to do with it
                    message = plan.throw(error)
                else:
                    self._note_response(message, response)
                    message = plan.send(response)
        except StopIteration as end:
            reading: Reading = end.value
            return reading

    def blame(self, error: BaseException) -> tuple[str, str]:
        """Name the device and the stage an exception belongs to; the device may be ''."""
        status = error.args[0] if error.args else None
        owner = self._owners.get(id(status))
        if owner is not None:
            return owner[1], owner[2]
        return (_name(self._last.obj) if self._last is not None else ""), self.stage

    def timed_out(self) -> str:
        """Say which wait ran out, and after how long."""
        kwargs = self._last.kwargs if self._last is not None else {}
        timeout = kwargs.get("timeout")
        devices = sorted(set(self._groups.get(kwargs.get("group"), [])))
        after = f" after {timeout:g} s" if isinstance(timeout, int | float) else ""
        return f"timed out{after}" + (f" waiting for {', '.join(devices)}" if devices else "")

    def busy(self) -> list[str]:
        """The devices that have not ended what the plan asked of them, by name."""
        return sorted({name or "a device" for status, name, _ in self._owners.values() if not _ended(status)})

    def _note(self, message: Msg) -> None:
        self._last = message
        self.stage = _STAGES.get(message.command, self.stage)
        stream = message.kwargs.get("name") or message.kwargs.get("stream_name")
        if message.command == "create":
            self._bundle = stream
        elif message.command == "save":
            self.primary_events += self._bundle == "primary"
        elif message.command in {"declare_stream", "collect", "monitor"}:
            self.primary_events += stream == "primary"

    def _note_response(self, message: Msg, response: object) -> None:
        if message.command in _GIVES_STATUS and response is not None:
            name = _name(message.obj)
            # The status itself is kept, so that its id cannot be given to another object meanwhile.
            self._owners[id(response)] = (response, name, self.stage)
            self._groups[message.kwargs.get("group")].append(name)


def _ended(status: object) -> bool:
    try:
        return bool(getattr(status, "done", True))
    except Exception:  # noqa: BLE001 - a Status that cannot be asked has not said that it is done
        return False


def _name(device: object) -> str:
    return str(getattr(device, "name", "") or "")
