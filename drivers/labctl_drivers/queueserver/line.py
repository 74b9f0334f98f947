"""The line to an RE manager: one question in JSON, one answer, over ZeroMQ."""

import threading
from collections.abc import Mapping
from typing import Any

_ANSWER_MS = 3000


class ManagerError(RuntimeError):
    """The queue server refuses, or does not answer; one sentence."""


class Line:
    """Asks the RE manager's control socket, one question at a time, from any thread.

    A question that was not answered is dropped with its socket: one that could not be delivered is not
    delivered later, when nobody expects it any more.

    Args:
        address: of the control socket, such as ``tcp://localhost:60615``.

    Raises:
        ManagerError: ZeroMQ is not installed, or the address is none.
    """

    def __init__(self, address: str) -> None:
        try:
            import zmq  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ManagerError(
                f"the way to a queue server is not installed ({error}); install it with: "
                "pip install 'labctl-sdl[queueserver]'"
            ) from error
        self._zmq = zmq
        self._address = address
        self._lock = threading.Lock()
        self._context = zmq.Context()
        self._socket: Any = None
        try:
            self._open()
        except zmq.ZMQError as error:
            self.close()
            raise ManagerError(f"{address} is no address of a queue server ({error})") from error

    def ask(self, question: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to a question.

        Raises:
            TimeoutError: there is none in time.
            ManagerError: the line is closed.
        """
        with self._lock:
            if self._context.closed:
                raise ManagerError(f"the line to {self._address} is closed")
            if self._socket is None:
                self._open()
            try:
                self._socket.send_json({"method": question, "params": dict(told)})
                answer = self._socket.recv_json()
            except self._zmq.Again as error:
                self._drop()
                raise TimeoutError(
                    f"the queue server at {self._address} does not answer {question}"
                ) from error
            except BaseException:
                self._drop()
                raise
        return answer if isinstance(answer, dict) else {"success": False, "msg": "no answer that is known"}

    def close(self) -> None:
        """Close it; safe to call twice."""
        with self._lock:
            self._drop()
            self._context.destroy(linger=0)

    def _open(self) -> None:
        self._socket = self._context.socket(self._zmq.REQ)
        self._socket.setsockopt(self._zmq.LINGER, 0)
        # A question waits for a connection, and is not queued for one that may come at any time.
        self._socket.setsockopt(self._zmq.IMMEDIATE, 1)
        self._socket.setsockopt(self._zmq.SNDTIMEO, _ANSWER_MS)
        self._socket.setsockopt(self._zmq.RCVTIMEO, _ANSWER_MS)
        self._socket.connect(self._address)

    def _drop(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close(linger=0)
