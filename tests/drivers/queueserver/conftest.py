"""A queue server of this session's own: Redis, RE manager, worker and the proxy for documents, all real."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labctl_drivers.queueserver.line import Line

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """A queue server that can be killed and started again on what Redis keeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acts_file = folder / "acts.txt"
        self.redis_port, self.port, self.info, self.into, self.out = (free_port() for _ in range(5))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        shutil.copytree(HERE / "startup", folder / "startup")

    @property
    def control(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def acts(self) -> list[str]:
        return self.acts_file.read_text().splitlines() if self.acts_file.exists() else []

    def start(self) -> None:
        redis = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", ""]
        self._run("redis", *redis, "--dir", str(self.folder))
        self._run("proxy", str(BIN / "bluesky-0MQ-proxy"), str(self.into), str(self.out))
        self.start_manager()

    def start_manager(self) -> None:
        self._run(
            "manager",
            str(BIN / "start-re-manager"),
            *("--startup-dir", str(self.folder / "startup")),
            *("--zmq-control-addr", f"tcp://*:{self.port}", "--zmq-info-addr", f"tcp://*:{self.info}"),
            *("--redis-addr", f"127.0.0.1:{self.redis_port}"),
            *("--update-existing-plans-devices", "ENVIRONMENT_OPEN"),
        )

    def open_environment(self) -> None:
        view = View(self.control)
        try:
            wait(view.reached)
            wait(lambda: view("status")["manager_state"] == "idle")
            view("environment_open")
            wait(lambda: view("status")["worker_environment_exists"])
            wait(lambda: view("status")["manager_state"] == "idle")
        finally:
            view.close()

    def _run(self, name: str, *command: str) -> None:
        told = {"LAB_DOCUMENTS": f"127.0.0.1:{self.into}", "LAB_ACTS": str(self.acts_file)}
        log = (self.folder / f"{name}.log").open("ab")
        # A session of its own, so that all of its processes can be ended together, and only these.
        self._processes[name] = subprocess.Popen(
            command, env={**os.environ, **told}, stdout=log, stderr=log, start_new_session=True
        )
        log.close()

    def kill(self, name: str) -> None:
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in list(self._processes):
            self.kill(name)


def wait(for_it: Callable[[], Any], seconds: float = 60.0) -> Any:  # noqa: ANN401 - what it gave
    end = time.monotonic() + seconds
    while not (found := for_it()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("zmq", reason="ZeroMQ is not installed")
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server (Debian's package of this name has it)")
    if not (BIN / "start-re-manager").exists():
        pytest.skip("bluesky-queueserver is not installed")
    made = Server(tmp_path_factory.mktemp("server"))
    try:
        made.start()
        made.open_environment()
        yield made
    finally:
        made.stop()


class View:
    """The lab's own view of the server: asks it anything."""

    def __init__(self, control: str) -> None:
        self._line = Line(control)

    def __call__(self, question: str, **told: Any) -> Any:  # noqa: ANN401 - JSON
        answer = self._line.ask(question, told)
        assert answer.get("success", True), answer
        return answer

    def reached(self) -> bool:
        try:
            return bool(self("status"))
        except TimeoutError:
            return False

    def plan(self, how: str, item: dict[str, Any], **told: Any) -> None:  # noqa: ANN401 - JSON
        self(how, item=item, user="somebody", user_group="primary", **told)

    def close(self) -> None:
        self._line.close()


@pytest.fixture
def view(server: Server) -> Iterator[View]:
    made = View(server.control)
    yield made
    made.close()


@pytest.fixture
def options(server: Server) -> Callable[..., dict[str, Any]]:
    """Give ``options(seconds=0.5)``: of an instrument that uses the server."""

    def write(seconds: float = 0.0, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any option
        content: dict[str, Any] = {
            "plan": "anneal",
            "control": server.control,
            "documents": f"127.0.0.1:{server.out}",
            "settings": {
                "temperature": {"argument": "temp", "unit": "K"},
                "hold_time": {"argument": "hold", "unit": "s"},
                "quench": {"choices": {"water": "w", "oil": "o", "air": "a"}},
            },
            "arguments": {"seconds": seconds},
            "readings": {"hardness": {"key": "tester_hardness", "unit": "HV"}},
        }
        return {**content, **changes}

    return write
