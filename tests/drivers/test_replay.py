"""A table answers as it was measured, once for each key, and the same again after a crash."""

import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.engine import Lane
from labctl_drivers.memory import Memory
from labctl_drivers.protocol import Attempt, Bound, FailureKind, Instrument, Surroundings
from labctl_drivers.replay import HistoricalRow, ReplayInstrument, canonical

Attempts: TypeAlias = Callable[..., Attempt]
Documents: TypeAlias = Callable[..., list[dict[str, Any]]]

ROWS = [
    *(HistoricalRow({"x": 1.0, "dye": "red"}, {"y": float(number)}) for number in range(4)),
    HistoricalRow({"x": 2.0, "dye": "red"}, {"y": 20.0}),
    HistoricalRow({"x": 3.0, "dye": "red"}, {}, FailureKind.INFEASIBLE, "fell apart"),
    HistoricalRow({"x": 4.0, "dye": "red"}, {}, FailureKind.CENSORED, "off scale", {"y": Bound(low=99.0)}),
    HistoricalRow({"x": 5.0, "dye": "red"}, {"y": 7.0}, FailureKind.OFF_RECIPE),
]
UNITS = {"y": "nm"}


def replay(
    folder: Path | None = None, seed: int = 0, rows: Sequence[HistoricalRow] = ROWS
) -> ReplayInstrument:
    return ReplayInstrument(rows, surroundings=Surroundings(folder, seed), units=UNITS)


def drawn(
    lane: Lane, instrument: Instrument, attempt: Attempts, keys: Sequence[str], x: float = 1.0
) -> list[float]:
    lane.connect(instrument)
    return [lane.run(instrument, attempt(key, {"x": x, "dye": "red"})).reading.values["y"] for key in keys]


def test_it_is_an_instrument() -> None:
    assert isinstance(replay(), Instrument)


def test_a_recipe_is_answered_with_its_row(lane: Lane, attempt: Attempts, documents: Documents) -> None:
    instrument = replay()
    lane.connect(instrument)
    reading = lane.run(instrument, attempt("k", {"dye": "red", "x": 2}, x="mm")).reading
    assert (reading.values, reading.units, reading.actual) == (
        {"y": 20.0},
        UNITS,
        {"x": 2.0, "dye": "red"},
    )
    assert documents("event")[0]["data"] == {"x": 2.0, "dye": "red", "y": 20.0}
    keys = documents("descriptor")[0]["data_keys"]
    assert (keys["x"]["units"], keys["y"]["units"], keys["dye"]["dtype"]) == ("mm", "nm", "string")


def test_each_failure_of_the_table_is_raised_as_it_is_recorded(lane: Lane, attempt: Attempts) -> None:
    instrument = replay()
    lane.connect(instrument)
    cracked, censored, off = (
        lane.run(instrument, attempt(f"k{x}", {"x": x, "dye": "red"})).failure for x in (3.0, 4.0, 5.0)
    )
    assert (cracked.kind, cracked.message, cracked.reading) == (FailureKind.INFEASIBLE, "fell apart", None)
    assert (censored.kind, censored.bounds) == (FailureKind.CENSORED, {"y": Bound(low=99.0)})
    assert (off.kind, off.reading.values) == (FailureKind.OFF_RECIPE, {"y": 7.0})
    assert "off_recipe" in off.message
    assert instrument.ask("k3.0").failure.message == "fell apart"


def test_replicates_walk_through_every_row_before_any_comes_twice(lane: Lane, attempt: Attempts) -> None:
    values = drawn(lane, replay(), attempt, [f"k{number}" for number in range(12)])
    for cycle in range(3):
        assert sorted(values[4 * cycle : 4 * cycle + 4]) == [0.0, 1.0, 2.0, 3.0]
    assert len({tuple(values[4 * cycle : 4 * cycle + 4]) for cycle in range(3)}) > 1


def test_the_walk_depends_on_the_seed_alone(lane: Lane, attempt: Attempts) -> None:
    keys = [f"k{number}" for number in range(8)]
    walks = [drawn(lane, replay(seed=seed), attempt, keys) for seed in (1, 1, 2)]
    assert walks[0] == walks[1] != walks[2]


def test_first_draws_are_spread_evenly_over_the_rows(lane: Lane, attempt: Attempts) -> None:
    counts = Counter(drawn(lane, replay(seed=seed), attempt, ["k"])[0] for seed in range(200))
    # chi-squared with 3 degrees of freedom stays below 16.3 in 999 of 1000 cases
    assert sum((count - 50) ** 2 / 50 for count in counts.values()) < 16.3


def test_a_recipe_outside_the_table_is_told_and_never_started(lane: Lane, attempt: Attempts) -> None:
    instrument = replay()
    lane.connect(instrument)
    for recipe in ({"x": 1.5, "dye": "red"}, {"x": 1.0}, {"x": "1.0", "dye": "red"}):
        assert "the table has no row with" in instrument.check(recipe)
        failure = lane.run(instrument, attempt("k", recipe)).failure
        assert (failure.kind, failure.stage) == (FailureKind.INSTRUMENT_FAULT, "check")
    assert instrument.check({"x": 1, "dye": "red"}) is None
    assert instrument.ask("k").state == "never"


def test_a_key_is_carried_out_once(lane: Lane, attempt: Attempts) -> None:
    instrument = replay()
    first = drawn(lane, instrument, attempt, ["k"])
    assert lane.run(instrument, attempt("k", {"x": 1.0, "dye": "red"})).failure.kind is FailureKind.UNKNOWN
    answer = instrument.ask("k")
    assert (answer.state, answer.reading.values["y"]) == ("done", first[0])


def test_a_killed_controller_finds_what_it_would_have_been_told(
    tmp_path: Path, lane: Lane, attempt: Attempts
) -> None:
    script = """
        import os, pathlib, signal, sys
        from labctl_drivers.engine import Lane
        from labctl_drivers.protocol import Attempt, Surroundings
        from labctl_drivers.replay import HistoricalRow, ReplayInstrument
        rows = [HistoricalRow({"x": 1.0, "dye": "red"}, {"y": float(number)}) for number in range(4)]
        surroundings = Surroundings(pathlib.Path(sys.argv[1]), 0)
        instrument = ReplayInstrument(rows, surroundings=surroundings, units={"y": "nm"}, seconds=60.0)
        finished = instrument._memory.started
        def started(*given):
            finished(*given)
            os.kill(os.getpid(), signal.SIGKILL)
        lane = Lane("a")
        lane.connect(instrument)
        instrument._seconds = 0.0
        lane.run(instrument, Attempt("k0", "c", "e", 1, {"x": 1.0, "dye": "red"}, {}))
        instrument._memory.started = started
        lane.run(instrument, Attempt("k1", "c", "e", 1, {"x": 1.0, "dye": "red"}, {}))
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    undisturbed = drawn(lane, replay(rows=ROWS[:4]), attempt, [f"k{number}" for number in range(4)])
    resumed = replay(tmp_path, rows=ROWS[:4])
    assert resumed.ask("k1").reading.values["y"] == undisturbed[1]
    assert resumed.ask("k1") == resumed.ask("k1")
    assert resumed.ask("k2").state == "never"
    assert drawn(lane, resumed, attempt, ["k2", "k3"]) == undisturbed[2:]
    resumed.close()


def test_a_table_changed_underneath_an_open_attempt_gives_no_answer(
    tmp_path: Path, attempt: Attempts
) -> None:
    memory = Memory(tmp_path, "replay")
    memory.started(attempt("k", {"x": 2.0, "dye": "red"}), {"row": 4})
    memory.close()
    for rows, state in ((ROWS[:4], "unknown"), (ROWS[::-1], "unknown"), (ROWS, "done")):
        instrument = replay(tmp_path, rows=rows)
        assert instrument.ask("k").state == state
        instrument.close()


def test_a_table_without_rows_or_units_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        replay(rows=[])
    with pytest.raises(ValueError, match="no unit for z"):
        replay(rows=[HistoricalRow({"x": 1.0}, {"z": 1.0})])


@given(st.dictionaries(st.text(min_size=1), st.floats(allow_nan=False) | st.text(), min_size=1))
@settings(max_examples=100, deadline=None)
def test_equal_recipes_and_only_those_are_found(recipe: dict[str, float | str]) -> None:
    shuffled = dict(reversed(recipe.items()))
    assert canonical(recipe) == canonical(shuffled)
    name = next(iter(recipe))
    value = recipe[name]
    other = {**recipe, name: f"{value}!" if isinstance(value, str) else str(value)}
    assert canonical(recipe) != canonical(other)


def test_whole_numbers_and_signed_zeros_are_the_same_setting() -> None:
    assert canonical({"x": 5}) == canonical({"x": 5.0})
    assert canonical({"x": -0.0}) == canonical({"x": 0})
    assert canonical({"x": 0.1 + 0.2}) != canonical({"x": 0.3})


def test_names_with_dots_and_slashes_go_through_the_documents(
    lane: Lane, attempt: Attempts, documents: Documents
) -> None:
    rows = [HistoricalRow({"T.max": 1.0, "BCC/FCC": "BCC"}, {"Rel. density": 0.5})]
    instrument = ReplayInstrument(rows, surroundings=Surroundings(), units={"Rel. density": "percent"})
    lane.connect(instrument)
    given_names = attempt("k", {"T.max": 1.0, "BCC/FCC": "BCC"}, **{"T.max": "degC"})
    finished = lane.run(instrument, given_names)
    assert finished.failure is None
    assert finished.reading.values == {"Rel. density": 0.5}
    assert documents("event")[0]["data"] == {"T%2Emax": 1.0, "BCC%2FFCC": "BCC", "Rel%2E density": 0.5}
    keys = documents("descriptor")[0]["data_keys"]
    assert [(key["label"], key.get("units")) for key in keys.values()] == [
        ("T.max", "degC"),
        ("BCC/FCC", None),
        ("Rel. density", "percent"),
    ]
    assert documents("start")[0]["recipe"] == {"T%2Emax": 1.0, "BCC%2FFCC": "BCC"}
    assert documents("start")[0]["units"] == {"T%2Emax": "degC"}
