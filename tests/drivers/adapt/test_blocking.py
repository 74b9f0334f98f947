"""Plain instruments that block, over a real socket: set, measured, stopped, and told apart when they fail."""

import asyncio
import socketserver
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from bluesky.protocols import Movable, Readable, Stoppable, Triggerable

from labctl_drivers.adapt.blocking import Blocking
from labctl_drivers.adapt.status import StoppedError


class _Supply(socketserver.StreamRequestHandler):
    """A power supply that speaks a line at a time."""

    def handle(self) -> None:
        for line in self.rfile:
            verb, _, value = line.decode().strip().partition(" ")
            if verb == "VOLT":
                self.server.volts = float(value)  # type: ignore[attr-defined]
            answer = "ERR interlock" if value == "99" else f"{self.server.volts}"  # type: ignore[attr-defined]
            self.wfile.write(f"{answer}\n".encode())


@pytest.fixture
def port() -> Iterator[int]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        volts = 0.0

    with Server(("127.0.0.1", 0), _Supply) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


class Supply(Blocking):
    units = {"volts": "V"}  # noqa: RUF012 - as a lab would write it

    def __init__(self, name: str, port: int) -> None:
        super().__init__(name)
        self.port = port

    def open(self) -> None:
        import socket  # noqa: PLC0415 - as a lab would write it

        self.line = socket.create_connection(("127.0.0.1", self.port), timeout=5.0)
        self.file = self.line.makefile("rw")

    def ask(self, text: str) -> str:
        self.file.write(f"{text}\n")
        self.file.flush()
        answer = self.file.readline().strip()
        if answer.startswith("ERR"):
            raise OSError(answer)
        return answer

    def apply(self, value: float) -> None:
        self.ask(f"VOLT {value:g}")

    def measure(self) -> dict[str, float]:
        return {"volts": float(self.ask("MEAS"))}

    def halt(self) -> None:
        self.ask("VOLT 0")

    def shut(self) -> None:
        self.file.close()
        self.line.close()


def test_an_instrument_on_a_socket_is_a_bluesky_device(port: int) -> None:
    supply = Supply("supply", port)
    for protocol in (Movable, Readable, Triggerable, Stoppable):
        assert isinstance(supply, protocol)
    supply.connect()
    supply.set(3.5).wait(5.0)
    supply.trigger().wait(5.0)
    assert {key: one["value"] for key, one in supply.read().items()} == {"supply-volts": 3.5}
    assert supply.describe()["supply-volts"]["units"] == "V"
    with pytest.raises(OSError, match="ERR interlock"):
        supply.set(99).wait(5.0)
    asyncio.run(supply.stop(success=True))
    supply.trigger().wait(5.0)
    assert supply.read()["supply-volts"]["value"] == 99.0
    asyncio.run(supply.stop(success=False))
    supply.trigger().wait(5.0)
    assert supply.read()["supply-volts"]["value"] == 0.0
    supply.close()
    supply.close()
    with pytest.raises(RuntimeError, match="supply is closed"):
        supply.set(1.0).wait(1.0)


class Slow(Blocking):
    stop_s = 0.3

    def __init__(self, name: str = "slow", *, looks_up: bool = True) -> None:
        super().__init__(name)
        self.looks_up = looks_up
        self.free = threading.Event()
        self.calls: list[str] = []

    def apply(self, value: Any) -> None:  # noqa: ANN401 - anything
        self.calls.append(f"apply {value}")
        if self.looks_up:
            self.rest(20.0)
        self.free.wait(20.0)

    def halt(self) -> None:
        self.calls.append("halt")


def _begun(slow: Slow) -> None:
    while not slow.calls:
        time.sleep(0.001)


@pytest.mark.parametrize("success", [True, False])
def test_a_stop_breaks_off_what_rests_and_then_halts(success: bool) -> None:  # noqa: FBT001 - Bluesky's argument
    slow = Slow()
    status = slow.set(1)
    _begun(slow)
    asyncio.run(slow.stop(success=success))
    assert status.done
    with pytest.raises(StoppedError, match="slow was stopped"):
        status.wait(0.0)
    assert slow.calls == ["apply 1", "halt"]


def test_what_does_not_look_up_is_halted_all_the_same_and_said_to_go_on() -> None:
    slow = Slow(looks_up=False)
    status = slow.set(1)
    _begun(slow)
    with pytest.raises(RuntimeError, match="slow: set 1 has not ended"):
        asyncio.run(slow.stop())
    assert slow.calls == ["apply 1", "halt"]
    assert not status.done
    slow.free.set()
    status.wait(5.0)


def test_what_is_not_written_is_said() -> None:
    class Bare(Blocking):
        units = {"x": "m"}  # noqa: RUF012 - as a lab would write it

    class Silent(Bare):
        def measure(self) -> dict[str, float]:
            return {"y": 1.0}

    with pytest.raises(NotImplementedError, match=r"Bare has no apply\(value\)"):
        Bare("bare").set(1.0).wait(5.0)
    with pytest.raises(NotImplementedError, match=r"Bare has no measure\(\)"):
        Bare("bare").trigger().wait(5.0)
    with pytest.raises(ValueError, match=r"measure\(\) gave no x"):
        Silent("silent").trigger().wait(5.0)
