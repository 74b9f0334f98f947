"""A historical table that answers like an instrument: what was measured then is what is read now."""

import hashlib
import random
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from labctl_drivers.documents import plain
from labctl_drivers.keys import data_key
from labctl_drivers.memory import Memory, Remembered
from labctl_drivers.protocol import (
    Answer,
    Attempt,
    Bound,
    ExperimentFailed,
    FailureKind,
    Reading,
    Recipe,
    Setting,
    Surroundings,
)

Canonical: TypeAlias = tuple[tuple[str, str], ...]
"""A recipe in a form in which equal settings are equal: 5 and 5.0 are, 5 and "5" are not."""


@dataclass(frozen=True, slots=True)
class HistoricalRow:
    """One row of a historical table.

    Attributes:
        recipe: the settings of that experiment.
        values: what was measured, by quantity; may be empty for a failure.
        failure: how it failed; None if it did not.
        message: one sentence about the failure.
        bounds: what a censored measurement still tells.
    """

    recipe: Recipe
    values: Mapping[str, float] = field(default_factory=dict)
    failure: FailureKind | None = None
    message: str = ""
    bounds: Mapping[str, Bound] = field(default_factory=dict)


def canonical(recipe: Recipe) -> Canonical:
    """Bring a recipe into the form in which the table is searched."""
    return tuple(sorted((name, _canonical_setting(value)) for name, value in recipe.items()))


def _canonical_setting(value: Setting) -> str:
    # repr of a float is exact and the shortest; adding 0.0 makes -0.0 the same as 0.0.
    return f"s:{value}" if isinstance(value, str) else f"n:{float(value) + 0.0!r}"


class ReplayInstrument:
    """Carries out recipes by looking them up in a table.

    Replicates are drawn as they were measured: the attempts of one recipe walk through a seeded
    permutation of its rows, and none is seen twice before all were seen once; then a new permutation
    begins. Which row an attempt was given is written down as it starts, so that the answer after a crash
    is the answer it would have had. The record is on paper: an attempt that was started but not finished
    is finished by asking.

    Args:
        rows: the table.
        surroundings: where attempts are remembered, and the seed of the permutations.
        units: unit of each quantity, as pint spells it.
        name: name of the instrument.
        seconds: how long one experiment shall take.

    Raises:
        ValueError: the table has no rows, or lacks a unit.
    """

    def __init__(
        self,
        rows: Sequence[HistoricalRow],
        *,
        surroundings: Surroundings,
        units: Mapping[str, str],
        name: str = "replay",
        seconds: float = 0.0,
    ) -> None:
        if not rows:
            raise ValueError("the table to replay has no rows")
        bare = sorted({quantity for row in rows for quantity in row.values} - set(units))
        if bare:
            raise ValueError(f"the table to replay gives no unit for {', '.join(bare)}")
        self.name = name
        self._rows = tuple(rows)
        self._units = dict(units)
        self._seed = surroundings.seed
        self._seconds = seconds
        self._places: dict[Canonical, list[int]] = {}
        for place, row in enumerate(rows):
            self._places.setdefault(canonical(row.recipe), []).append(place)
        self._memory = Memory(surroundings.folder, name)
        self._visits = Counter(canonical(known.attempt.recipe) for known in self._memory.all())

    def connect(self) -> None:
        """There is nothing to connect."""

    def check(self, recipe: Recipe) -> str | None:
        """Say that a recipe is not in the table."""
        if canonical(recipe) in self._places:
            return None
        return f"the table has no row with {', '.join(f'{name} = {value}' for name, value in recipe.items())}"

    def start(self, attempt: Attempt) -> Generator[Any, Any, Reading]:
        """Read the attempt's row, as a device with settings and values in one event."""
        from bluesky import plan_stubs as bps  # noqa: PLC0415 - a table can be read without Bluesky

        recipe = canonical(attempt.recipe)
        if recipe not in self._places:
            raise ExperimentFailed(
                FailureKind.INSTRUMENT_FAULT, str(self.check(attempt.recipe)), stage="check"
            )
        place = self._drawn(recipe)
        self._memory.started(attempt, {"row": place})
        self._visits[recipe] += 1
        if self._seconds:
            yield from bps.sleep(self._seconds)
        row = self._rows[place]
        if row.values:
            yield from bps.create("primary")
            yield from bps.read(_Row(self.name, row, {**attempt.units, **self._units}))
            yield from bps.save()
        result = self._result(row)
        self._memory.finished(attempt.key, result)
        if isinstance(result, ExperimentFailed):
            raise result
        return result

    def ask(self, key: str) -> Answer:
        """Say what became of an attempt; one that was started but not finished is finished now."""
        known = self._memory.lookup(key)
        if known is None:
            return Answer("never")
        result = known.result
        if result is None:
            row = self._row_of(known)
            if row is None:
                return Answer("unknown")
            result = self._finish(known, row)
        if isinstance(result, ExperimentFailed):
            return Answer("failed", failure=result)
        return Answer("done", reading=result)

    def stop(self) -> None:
        """Paper is always safe."""

    def close(self) -> None:
        """Close the memory of attempts."""
        self._memory.close()

    def _row_of(self, known: Remembered) -> HistoricalRow | None:
        """The row an attempt was given; None if the table has been changed underneath it."""
        place = known.detail["row"]
        if place in self._places.get(canonical(known.attempt.recipe), []):
            return self._rows[place]
        return None

    def _finish(self, known: Remembered, row: HistoricalRow) -> Reading | ExperimentFailed:
        result = self._result(row)
        self._memory.finished(known.attempt.key, result)
        return result

    def _drawn(self, recipe: Canonical) -> int:
        """The row of this recipe whose turn it is."""
        places = self._places[recipe]
        cycle, turn = divmod(self._visits[recipe], len(places))
        if len(places) == 1:
            return places[0]
        source = repr((self._seed, recipe, cycle)).encode()
        # Not for secrets: the same seed must give the same campaign on every machine.
        draw = random.Random(hashlib.sha256(source).digest())  # noqa: S311 - see the line above
        return draw.sample(places, len(places))[turn]

    def _result(self, row: HistoricalRow) -> Reading | ExperimentFailed:
        units = {quantity: self._units[quantity] for quantity in row.values}
        reading = (
            Reading(values=dict(row.values), units=units, actual=dict(row.recipe)) if row.values else None
        )
        if row.failure is None:
            return reading or Reading(values={}, units={})
        return ExperimentFailed(
            row.failure,
            row.message or f"the table records this experiment as {row.failure.value}",
            stage="measure",
            reading=reading,
            bounds=row.bounds,
        )


class _Row:
    """One row of the table in the shape of a Bluesky device."""

    parent = None

    def __init__(self, name: str, row: HistoricalRow, units: Mapping[str, str]) -> None:
        self.name = name
        self.hints = {"fields": [data_key(quantity) for quantity in row.values]}
        self._fields = {**row.recipe, **row.values}
        self._units = units
        self._time = time.time()

    def read(self) -> dict[str, Any]:
        fields = self._fields.items()
        return {data_key(name): {"value": plain(value), "timestamp": self._time} for name, value in fields}

    def describe(self) -> dict[str, Any]:
        return {data_key(name): self._described(name, value) for name, value in self._fields.items()}

    def _described(self, name: str, value: Setting) -> dict[str, Any]:
        about = {"source": f"table:{self.name}", "shape": [], "label": name}
        if isinstance(value, str):
            return {**about, "dtype": "string"}
        return {**about, "dtype": "number", "units": self._units.get(name, "")}
