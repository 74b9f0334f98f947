"""Hears the documents of a worker on another machine, and keeps the runs of our own plans."""

import json
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from labctl_drivers.queueserver.manager import MARK
from labctl_drivers.runs import Run, Runs

logger = logging.getLogger(__name__)

_KEPT = 100
_TURN_S = 0.5
_ARRIVES_S = 0.5


class Listener:
    """Listens on a thread of its own from :meth:`start` to :meth:`close`.

    Documents come as JSON. Bluesky's own default is pickle, which would let whoever reaches the port run code
    here, so it is not understood.

    Args:
        address: ``host:port`` of the proxy that the worker publishes to, on the side for subscribers.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._runs = Runs()
        self._ended: dict[str, list[Run]] = {}
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._dispatcher: Any = None
        self._thread = threading.Thread(target=self._listen, name="documents", daemon=True)

    def start(self) -> None:
        """Begin to listen; what is published from now on is heard."""
        if not self._thread.is_alive():
            self._thread.start()
            # Nobody says when a subscription has arrived at the other end; what comes before is lost.
            self._closing.wait(_ARRIVES_S)

    def runs(self, mark: str, uids: list[str], seconds: float) -> list[Run]:
        """The complete runs of a plan, waited for as long as some of them are missing.

        Args:
            mark: that the plan bears.
            uids: of the runs that it made.
            seconds: how long to wait, s.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                heard = [run for run in self._ended.get(mark, []) if not uids or run.uid in uids]
                left = deadline - time.monotonic()
                if len(heard) >= max(1, len(uids)) or left <= 0 or self._closing.is_set():
                    return heard
                self._changed.wait(left)

    def close(self) -> None:
        """Stop listening; safe to call twice."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        dispatcher = self._dispatcher
        if dispatcher is not None and not dispatcher.closed:
            dispatcher.loop.call_soon_threadsafe(_cancel, dispatcher)
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _listen(self) -> None:
        from bluesky.callbacks.zmq import RemoteDispatcher  # noqa: PLC0415 - zmq is in the extra

        while not self._closing.is_set():
            self._dispatcher = RemoteDispatcher(self._address, deserializer=_document)
            self._dispatcher.subscribe(self._take)
            try:
                self._dispatcher.start()
            except BaseException as error:  # noqa: BLE001 - whatever arrives, go on listening
                if not self._closing.is_set():
                    logger.warning("documents from %s: %s; listening again", self._address, error)
                    self._closing.wait(_TURN_S)
            finally:
                self._dispatcher.loop.close()

    def _take(self, name: str, document: Mapping[str, Any]) -> None:
        try:
            run = self._runs.take(name, document)
        except (KeyError, TypeError, AttributeError):
            return
        mark = None if run is None else run.start.get(MARK)
        if run is None or not isinstance(mark, str):
            return
        with self._changed:
            self._ended.setdefault(mark, []).append(run)
            while len(self._ended) > _KEPT:
                self._ended.pop(next(iter(self._ended)))
            self._changed.notify_all()


def _document(message: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(message)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _cancel(dispatcher: Any) -> None:  # noqa: ANN401 - Bluesky's own, without types
    if dispatcher._task is not None:  # noqa: SLF001 - its stop() closes the loop under the task's feet
        dispatcher._task.cancel()  # noqa: SLF001 - as above
