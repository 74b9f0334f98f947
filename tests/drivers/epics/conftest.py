"""A real controller in a process of its own, and lanes that speak real Channel Access to it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labctl_drivers.engine import Lane
from labctl_drivers.epics.instrument import EpicsFurnaceInstrument
from labctl_drivers.epics.settings import EpicsSettings
from labctl_drivers.protocol import Attempt, Surroundings

pytest.importorskip("aioca", reason="the extra epics is not installed")
pytest.importorskip("caproto", reason="the extra epics is not installed")

RUN = """
import sys
from pathlib import Path
from labctl_drivers.epics.ioc import IocSettings, serve
from labctl_drivers.simulated.settings import BenchSettings
port, prefix, folder, speed, mute = sys.argv[1:]
bench = BenchSettings(speed=float(speed), mute=mute == "mute", fault_rate=0, overshoot_rate=0, smear_rate=0)
settings = IocSettings(Path(folder), port=int(port), prefix=prefix, bench=bench)
serve(settings, lambda: print("ready", flush=True))
"""


class Ioc:
    """One controller: started, killed, frozen and started again on the same port."""

    def __init__(self, folder: Path, *, speed: float, mute: bool = False, prefix: str = "test:") -> None:
        self.folder, self.speed, self.mute, self.prefix = folder, speed, mute, prefix
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        told = [str(self.port), self.prefix, str(self.folder), str(self.speed), "mute" if self.mute else ""]
        self.process = subprocess.Popen([sys.executable, "-c", RUN, *told], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.end()

    def end(self) -> None:
        if self.process is not None:
            self.process.wait(20)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


TEXTS = {"MEMORY", "FAULT", "INTERLOCK", "ANSWER", "RESULT", "KEY", "BOOT"}


class Client:
    """Another client of the same controller, on the lane's own event loop."""

    def __init__(self, lane: Lane, prefix: str) -> None:
        self._lane, self._prefix = lane, prefix

    def put(self, name: str, value: object) -> None:
        from aioca import caput  # noqa: PLC0415 - only with the extra

        self._await(caput(self._prefix + name, value, wait=True, timeout=10))

    def get(self, name: str) -> Any:  # noqa: ANN401 - any variable's value
        from aioca import DBR_CHAR_STR, DBR_STRING, caget  # noqa: PLC0415 - only with the extra

        kind = DBR_CHAR_STR if name in TEXTS else DBR_STRING
        return self._await(caget(self._prefix + name, datatype=kind, timeout=10))

    def wait_for(self, name: str, value: str) -> None:
        deadline = time.monotonic() + 30
        while self.get(name) != value:
            assert time.monotonic() < deadline, f"{name} never became {value}"

    def _await(self, coroutine: Any) -> Any:  # noqa: ANN401 - see get
        return asyncio.run_coroutine_threadsafe(coroutine, self._lane.engine.loop).result(15)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EPICS_")]:
        monkeypatch.delenv(name)
    # Set, so that what a test adds to it is taken away afterwards.
    monkeypatch.setenv("EPICS_CA_ADDR_LIST", "")
    monkeypatch.setenv("EPICS_CA_AUTO_ADDR_LIST", "NO")
    monkeypatch.setenv("EPICS_CA_MAX_SEARCH_PERIOD", "60")


@pytest.fixture
def new_ioc(tmp_path: Path) -> Iterator[Callable[..., Ioc]]:
    """Start controllers; all are killed when the test is over."""
    started: list[Ioc] = []

    def start(
        name: str = "ioc", *, speed: float = float("inf"), mute: bool = False, prefix: str = "test:"
    ) -> Ioc:
        ioc = Ioc(tmp_path / name, speed=speed, mute=mute, prefix=prefix)
        started.append(ioc)
        ioc.start()
        return ioc

    yield start
    for ioc in started:
        if ioc.process is not None:
            ioc.kill()


@pytest.fixture
def new_instrument(tmp_path: Path) -> Iterator[Callable[..., EpicsFurnaceInstrument]]:
    """Build instruments for a controller; all are closed when the test is over."""
    built: list[EpicsFurnaceInstrument] = []

    def build(*iocs: Ioc, folder: str | None = "side", lane: int = 1, **how: Any) -> EpicsFurnaceInstrument:  # noqa: ANN401 - options
        told = {"addresses": tuple(ioc.address for ioc in iocs), "prefix": iocs[0].prefix, **how}
        settings = EpicsSettings(**told)
        where = None if folder is None else tmp_path / folder
        built.append(
            EpicsFurnaceInstrument(
                settings, surroundings=Surroundings(folder=where, lane=lane), name=f"f{lane}"
            )
        )
        return built[-1]

    yield build
    for instrument in built:
        instrument.close()


@pytest.fixture
def heat() -> Callable[..., Attempt]:
    """An attempt at a recipe in units that are not the furnace's own; it takes 1,700 simulated seconds."""

    def make(key: str = "c/e0001/1", *, kelvin: float = 463.15, hours: float = 0.1) -> Attempt:
        recipe = {"temperature": kelvin, "hold_time": hours, "quench": "oil"}
        return Attempt(key, "c", "e0001", 1, recipe, {"temperature": "K", "hold_time": "hour"})

    return make


@pytest.fixture
def client() -> type[Client]:
    return Client
