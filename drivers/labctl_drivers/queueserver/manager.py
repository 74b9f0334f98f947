"""What is asked of an RE manager: carry out one plan, and say what became of it, by its mark."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from labctl_drivers.queueserver.line import Line, ManagerError

MARK = "labctl"
"""The key in a plan's metadata that tells this lab's attempt from every other item of the server."""

Item = Mapping[str, Any]
_EXECUTING = frozenset({"executing_queue", "starting_queue", "executing_task"})
_TURN_S = 0.1


@dataclass(frozen=True, slots=True)
class Found:
    """Where the item with a mark is.

    Attributes:
        place: waiting in the queue, running, in the history, or nowhere.
        item: as the server keeps it; in the history, with its result.
    """

    place: Literal["queue", "running", "history", "nowhere"]
    item: Item = field(default_factory=dict)


class Manager:
    """Asks one RE manager, one question at a time, from any thread.

    Plans are handed over by ``queue_item_execute``: such a plan never stands in the queue, runs alone, does
    not start what others have queued, and is not put back into the queue when it fails.

    Args:
        control: address of the manager's control socket.
        group: the user group that plans are submitted for.

    Raises:
        ManagerError: ZeroMQ is not installed, or the address is none.
    """

    def __init__(self, control: str, group: str) -> None:
        self._line = Line(control)
        self._control = control
        self._group = group

    def prepare(self) -> None:
        """Turn autostart off, so that nothing runs before labctl has asked what did.

        Raises:
            ManagerError: it does not answer or refuses.
        """
        self._ask("queue_autostart", enable=False)

    def obstacle(self) -> str | None:
        """Why no plan can be begun at this moment, or None; ends by itself where others use the server.

        Raises:
            ManagerError: it does not answer, as while it restarts, or no environment is open, which a person
                has to open.
        """
        status = self._ask("status")
        if not status.get("worker_environment_exists"):
            raise ManagerError(
                f"the queue server at {self._control} has no open environment; open it with "
                "`qserver environment open`"
            )
        state = status.get("manager_state")
        return None if state == "idle" else f"the queue server is {state}"

    def execute(self, plan: str, arguments: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Have one plan carried out now.

        Raises:
            ManagerError: it refuses.
            TimeoutError: it does not answer, so that it may have begun or not.
        """
        item = {"item_type": "plan", "name": plan, "args": [], "kwargs": dict(arguments), "meta": dict(meta)}
        self._ask("queue_item_execute", in_doubt=True, item=item, user="labctl", user_group=self._group)

    def find(self, mark: str) -> Found:
        """Where the item with this mark is.

        Raises:
            ManagerError: it does not answer.
        """
        # In the order in which items move, so that none is missed on its way.
        queue = self._ask("queue_get")
        for item in queue["items"]:
            if _mark(item) == mark:
                return Found("queue", item)
        if _mark(queue["running_item"]) == mark:
            return Found("running", queue["running_item"])
        for item in reversed(self._ask("history_get")["items"]):
            if _mark(item) == mark:
                return Found("history", item)
        return Found("nowhere")

    def history(self) -> tuple[str, str]:
        """The mark of the history as it is now: its own uid, and that of its last item or ''."""
        told = self._ask("history_get")
        last = told["items"][-1]["item_uid"] if told["items"] else ""
        return str(told["plan_history_uid"]), str(last)

    def kept(self, since: tuple[str, str]) -> bool:
        """Whether nothing was removed from the history since then, as far as it can be told."""
        told = self._ask("history_get")
        return told["plan_history_uid"] == since[0] or (
            bool(since[1]) and any(item["item_uid"] == since[1] for item in told["items"])
        )

    def remove(self, beginning: str) -> list[str]:
        """Take items out of the queue whose marks begin like this; their marks.

        They were begun before, and were put back by the server or by hand: running one would do it twice.

        Raises:
            ManagerError: it does not answer or refuses.
        """
        removed = []
        for item in self._ask("queue_get")["items"]:
            mark = _mark(item)
            if mark is not None and mark.startswith(beginning):
                self._ask("queue_item_remove", uid=item["item_uid"])
                removed.append(mark)
        return removed

    def end(self, mark: str, seconds: float) -> None:
        """Abort the item with this mark if it runs, and see that it does not run again.

        Raises:
            ManagerError: it does not answer, or the plan did not end in time.
        """
        deadline = time.monotonic() + seconds
        problem = "it still runs"
        while time.monotonic() < deadline:
            try:
                if self.find(mark).place != "running":
                    self.remove(mark)
                    return
                state = self._ask("status").get("manager_state")
                if state == "paused":
                    self._ask("re_abort")
                elif state in _EXECUTING:
                    self._ask("re_pause", option="immediate")
            except ManagerError as error:
                # Between two states the manager refuses; a moment later it does not.
                problem = str(error)
            time.sleep(_TURN_S)
        raise ManagerError(f"the plan on the queue server was not ended within {seconds:g} s: {problem}")

    def close(self) -> None:
        """Let go of the connection; safe to call twice."""
        self._line.close()

    def _ask(self, question: str, *, in_doubt: bool = False, **told: Any) -> Any:  # noqa: ANN401 - JSON
        try:
            answer = self._line.ask(question, told)
        except TimeoutError as error:
            if in_doubt:
                raise
            raise ManagerError(str(error)) from error
        if not answer.get("success", True):
            why = " ".join(str(answer.get("msg")).split())[:300]
            raise ManagerError(f"the queue server refuses {question}: {why}")
        return answer


def _mark(item: Item) -> str | None:
    meta = item.get("meta") or {}
    # The server's own form of metadata is a mapping, or a list of them.
    parts = meta if isinstance(meta, list) else [meta]
    found = next((part[MARK] for part in parts if isinstance(part, Mapping) and MARK in part), None)
    return found if isinstance(found, str) else None
