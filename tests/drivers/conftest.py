"""An instrument that does what a test tells it, and what Bluesky wrote about it."""

import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from labctl_drivers.engine import Lane
from labctl_drivers.protocol import Answer, Attempt, Reading, Recipe

Plan = Callable[[Attempt], Generator[Any, Any, Reading]]


class Scripted:
    """Carries out whatever plan it is given."""

    def __init__(self, plan: Plan, name: str = "toy", make: Callable[[], Any] | None = None) -> None:
        self.name = name
        self.plan = plan
        self.make = make
        self.device: Any = None
        self.connected = 0
        self.stopped = 0

    def connect(self) -> None:
        self.connected += 1
        self.device = self.make() if self.make is not None else None

    def check(self, recipe: Recipe) -> str | None:
        return None if recipe else "the recipe is empty"

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        return self.plan(attempt)

    def ask(self, key: str) -> Answer:
        return Answer("unknown" if key else "never")

    def stop(self) -> None:
        self.stopped += 1


def new_attempt(key: str = "k1", recipe: Recipe | None = None, **units: str) -> Attempt:
    return Attempt(
        key=key, campaign="test", experiment="e0001", number=1, recipe=recipe or {"x": 1.0}, units=units
    )


@pytest.fixture
def scripted() -> type[Scripted]:
    return Scripted


@pytest.fixture
def attempt() -> Callable[..., Attempt]:
    return new_attempt


@pytest.fixture
def documents_file(tmp_path: Path) -> Path:
    return tmp_path / "documents.jsonl"


@pytest.fixture
def documents(documents_file: Path) -> Callable[..., list[dict[str, Any]]]:
    """The documents written so far, of one name."""

    def read(name: str) -> list[dict[str, Any]]:
        lines = [
            json.loads(line, parse_constant=_no_constant) for line in documents_file.read_text().splitlines()
        ]
        return [line["doc"] for line in lines if line["name"] == name]

    return read


@pytest.fixture
def lane(documents_file: Path) -> Iterator[Lane]:
    with Lane("test", documents=documents_file, time_limit_s=20.0) as lane:
        yield lane


def _no_constant(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
