"""A press that stamps one blank for each attempt: quick, light to import, and its strokes can be counted."""

import json
import math
import os
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from labctl_drivers.memory import Memory
from labctl_drivers.protocol import (
    Answer,
    Attempt,
    ExperimentFailed,
    FailureKind,
    Reading,
    Recipe,
    Surroundings,
)
from labctl_drivers.simulated.checks import number, switch
from labctl_drivers.simulated.panel import Panel, common_folder
from labctl_drivers.units import UnitError, convert

STROKES = "strokes.jsonl"
"""File of the strokes that were really made, one key a line, in the order in which they were made."""


@dataclass(frozen=True, slots=True)
class PressSettings:
    """How the press behaves.

    Attributes:
        seconds: how long an attempt takes, s; its stroke comes half-way.
        mute: after a crash of the controller, it cannot say what became of its blank.
        lying: it claims that it never started anything.

    Raises:
        ValueError: a setting is out of its range; the message names it.
    """

    seconds: float = 0.0
    mute: bool = False
    lying: bool = False

    def __post_init__(self) -> None:
        number("seconds", self.seconds, above=-1e-300, most=3600.0)
        switch("mute", self.mute)
        switch("lying", self.lying)


class Press:
    """Presses a blank with a force for a time, and measures how deep the mark is.

    It has no devices and needs nothing but a RunEngine, so that crashes can be tried out by the thousand.
    What it did is written down twice: in its memory, which a controller may ask, and in the file of strokes,
    which stands for the blanks themselves and is asked by nobody but the one who counts. A key has one
    stroke at the most, whoever starts it and however often.
    """

    parameter_units: ClassVar[Mapping[str, str]] = {"force": "kN", "dwell": "second"}
    quantity_units: ClassVar[Mapping[str, str]] = {"depth": "mm"}

    def __init__(
        self, settings: PressSettings | None = None, *, surroundings: Surroundings, name: str = "press"
    ) -> None:
        self.name = name
        self.settings = settings or PressSettings()
        folder = common_folder(surroundings)
        self.panel = Panel(folder, surroundings.lane)
        self._memory = Memory(surroundings.folder, name)
        self._strokes = None if folder is None else folder / STROKES
        self._lock = threading.Lock()
        self._running: str | None = None

    def connect(self) -> None:
        """There is nothing to connect."""

    def check(self, recipe: Recipe) -> str | None:
        """Say what is missing from a recipe, or is no number."""
        if set(recipe) != set(self.parameter_units):
            return f"{self.name} needs exactly {', '.join(self.parameter_units)}"
        text = next((name for name, value in recipe.items() if isinstance(value, str)), None)
        return None if text is None else f"{text} must be a number, and is {recipe[text]!r}"

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        """Press once and measure."""
        from bluesky.utils import Msg  # noqa: PLC0415 - only a RunEngine, which has it, gets here

        reading = self._reading(attempt)
        half = Msg("sleep", None, self.settings.seconds / 2)  # type: ignore[no-untyped-call]
        self._memory.started(attempt)
        self._running = attempt.key
        try:
            yield half
            self._stamp(attempt.key)
            yield half
        except Exception as error:
            message = f"the press was stopped: {type(error).__name__}"
            failure = ExperimentFailed(FailureKind.ABORTED, message, stage="process")
            self._memory.finished(attempt.key, failure)
            raise
        finally:
            self._running = None
        self._memory.finished(attempt.key, reading)
        return reading

    def ask(self, key: str) -> Answer:
        """Say what became of an attempt; what was begun when the controller died, the press has finished."""
        known = self._memory.lookup(key)
        says = self.panel.memory()
        if known is None or self.settings.lying or says == "lying":
            return Answer("never")
        if key == self._running:
            return Answer("running")
        result = known.result
        if result is None:
            if self.settings.mute or says == "mute":
                return Answer("unknown")
            self._stamp(key)
            result = self._reading(known.attempt)
            self._memory.finished(key, result)
        if isinstance(result, ExperimentFailed):
            return Answer("failed", failure=result)
        return Answer("done", reading=result)

    @property
    def memory_id(self) -> str | None:
        """Which memory of attempts this is; another one is not believed where it says ``never``."""
        return self._memory.id

    def stop(self) -> None:
        """A press that is let go opens by its spring."""

    def close(self) -> None:
        """Close the memory of attempts."""
        self._memory.close()

    def _stamp(self, key: str) -> None:
        """Make the stroke of a key, unless it was made."""
        if self._strokes is None:
            return
        with self._lock:
            if key in strokes(self._strokes):
                return
            # In one write to the end of the file, and on the disk when this returns, as a mark in metal is.
            descriptor = os.open(self._strokes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, json.dumps(key).encode() + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _reading(self, attempt: Attempt) -> Reading:
        """The depth of the mark: indents grow with the root of the force, and creep with log time."""
        problem = self.check(attempt.recipe)
        if problem is None:
            try:
                force, dwell = (
                    convert(float(attempt.recipe[name]), attempt.units.get(name, unit), unit)
                    for name, unit in self.parameter_units.items()
                )
            except UnitError as error:
                problem = str(error)
            else:
                if 0 <= force <= 1e3 and 0 <= dwell <= 1e6:  # noqa: PLR2004 - the range of the press
                    depth = 0.1 * math.sqrt(force) * (1 + 0.02 * math.log1p(dwell))
                    return Reading({"depth": depth}, dict(self.quantity_units), actual=attempt.recipe)
                problem = "the press goes from 0 to 1000 kN, for 0 to 1000000 s"
        raise ExperimentFailed(FailureKind.INSTRUMENT_FAULT, problem, stage="check")


def strokes(path: Path) -> list[str]:
    """The keys whose strokes were made, in their order; a line cut short by a crash counts for none."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]
