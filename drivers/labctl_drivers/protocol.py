"""The contract between controller and instrument: recipe in, reading or typed failure out."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

Setting: TypeAlias = float | int | str
"""The value of one parameter: a number in the parameter's unit, a category, or a chemical formula."""

Recipe: TypeAlias = Mapping[str, Setting]
"""The settings of one experiment, by parameter name."""

Json: TypeAlias = Any
"""Whatever JSON can hold; raw detector output is kept in this form."""


class FailureKind(StrEnum):
    """How an experiment can fail; each kind teaches something different."""

    INFEASIBLE = "infeasible"
    """The recipe does not make a sample: it cracked, melted, would not dissolve."""
    CENSORED = "censored"
    """Measured, but beyond what the detector can tell; the bound is knowledge."""
    OFF_RECIPE = "off_recipe"
    """What was made is not what was asked; the actual recipe is kept with its result."""
    BAD_READING = "bad_reading"
    """NaN, infinite, saturated or inconsistent; kept raw, never used as a value."""
    INSTRUMENT_FAULT = "instrument_fault"
    """The machine failed, not the recipe."""
    ABORTED = "aborted"
    """A person or an interlock stopped it."""
    UNKNOWN = "unknown"
    """Nobody can say whether the sample was used up; a person settles it."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a censored measurement still tells: the true value lies within [low, high]."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What an instrument measured in one attempt.

    Attributes:
        values: number for each measured quantity, in the unit named in ``units``.
        units: unit of each quantity in ``values``, as pint spells it.
        actual: the settings that were really reached, where the instrument can tell.
        raw: anything else worth keeping (spectra, indents, humidity), JSON only.
    """

    values: Mapping[str, float]
    units: Mapping[str, str]
    actual: Recipe = field(default_factory=dict)
    raw: Mapping[str, Json] = field(default_factory=dict)


class ExperimentFailed(Exception):  # noqa: N818 - it is a result of the lab, not an error of the program
    """An attempt ended without a usable result.

    Args:
        kind: what sort of failure, which decides what the controller learns from it.
        message: one sentence a person understands.
        stage: where it happened: "check", "set", "process", "measure", ...
        reading: whatever was measured all the same.
        bounds: for censored quantities, what is still known of the value.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        stage: str,
        reading: Reading | None = None,
        bounds: Mapping[str, Bound] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.stage = stage
        self.reading = reading
        self.bounds = dict(bounds or {})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one experiment, as the instrument is told of it.

    Attributes:
        key: unique and stable; the instrument remembers what it did under this key.
        campaign: name of the campaign.
        experiment: id of the experiment (its proposal), such as ``e0007``.
        number: 1 for the first try.
        recipe: the settings asked for.
        units: unit of every numeric setting, as pint spells it.
    """

    key: str
    campaign: str
    experiment: str
    number: int
    recipe: Recipe
    units: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an instrument says became of an attempt it is asked about.

    ``never``: this key was never started, so starting it is safe. ``running``: it goes on by itself.
    ``done``: finished, with ``reading``. ``failed``: ended, with ``failure``.
    ``unknown``: the instrument cannot tell, so nobody may start it again.
    """

    state: Literal["never", "running", "done", "failed", "unknown"]
    reading: Reading | None = None
    failure: ExperimentFailed | None = None


@runtime_checkable
class Instrument(Protocol):
    """An instrument, or a bench of them, that can carry out one recipe at a time.

    A driver is one class with these six members. ``start`` is a Bluesky plan: it yields messages, which
    the lane's RunEngine carries out between ``open_run`` and ``close_run``, and returns the reading or
    raises :class:`ExperimentFailed`. A driver must remember attempts by key for as long as their effect
    lasts, so that ``ask`` can tell after a crash of the controller what was done.
    """

    name: str

    def connect(self) -> None:
        """Make and connect the devices; called once, on a thread of the lane, when its event loop runs."""
        ...

    def check(self, recipe: Recipe) -> str | None:
        """Say in one sentence why this recipe cannot be started now, or None; must move nothing."""
        ...

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        """Carry out one attempt as a Bluesky plan without ``open_run``; at most once for a key."""
        ...

    def ask(self, key: str) -> Answer:
        """Say what became of the attempt with this key; must be safe at any time."""
        ...

    def stop(self) -> None:
        """Bring the instrument into its safe state, and end whatever it still does.

        It may come while the plan runs, and is called once more when the plan has ended; every Status that
        was given out has to end with it, or the instrument counts as suspect.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections, leaving the instrument as it is; must be safe to call twice."""
        ...


@runtime_checkable
class Needs(Protocol):
    """What an instrument may say besides: which shared things one attempt takes.

    An instrument that has this method is started only once all of them are free, and holds them until the
    attempt has its outcome. How many there are stands in the campaign file; what is not named there exists
    once.
    """

    def needs(self, recipe: Recipe) -> Mapping[str, int]:
        """How many of each resource an attempt at this recipe takes, such as ``{"rack slot": 1}``."""
        ...


@runtime_checkable
class Interlocked(Protocol):
    """An instrument with interlocks: a door, an over-temperature contact, the operator's stop."""

    def interlocks(self) -> Mapping[str, Callable[[], str | None]]:
        """By name, a quick look that says in one sentence why the instrument must stop now, or None.

        The looks are taken on a thread of the lane, once before an attempt begins and every 0.1 s while it
        runs. They must not wait for anything: a look that raises, or that takes too long, counts as tripped.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ramp:
    """How fast an instrument changes one of its settings at most: ``speed`` in ``unit``, such as K/min."""

    speed: float
    unit: str


@runtime_checkable
class Ramped(Protocol):
    """An instrument that knows how fast it changes its settings, where the lab limits rates of change."""

    def ramps(self, recipe: Recipe) -> Mapping[str, Ramp]:
        """The fastest change of each setting while this recipe is carried out, by parameter name."""
        ...


@runtime_checkable
class Lasting(Protocol):
    """An instrument that knows its memory of attempts from one that was lost and made anew."""

    @property
    def memory_id(self) -> str | None:
        """Drawn when the memory was made, and kept in it; None where it ends with the process.

        The controller writes it down before it tells the instrument to start. If another memory later says
        ``never`` of that attempt, nobody starts it again, and a person settles what became of it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a driver may use when it is built.

    Attributes:
        folder: where the instrument may keep its memory of attempts; None keeps it in memory only.
        seed: makes a simulated or replayed instrument repeatable.
        limits: the file of the lab's hard limits, for drivers that ask :class:`labctl_drivers.guard.Guard`
            themselves before they set a device; None where there is none.
        lane: the number of the lane it is for, from 1; each lane has an instrument and a folder of its own.
        beside: the folder of the campaign file, from which folders in it are told; None for the present.
    """

    folder: Path | None = None
    seed: int = 0
    limits: Path | None = None
    lane: int = 1
    beside: Path | None = None
