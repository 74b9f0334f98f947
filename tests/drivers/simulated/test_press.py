"""The press: as light as an instrument can be, and one stroke for each key whatever dies."""

import math
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl_drivers.engine import Lane
from labctl_drivers.protocol import Attempt, FailureKind, Instrument, Surroundings
from labctl_drivers.registry import build
from labctl_drivers.simulated.press import STROKES, Press, PressSettings, strokes

Attempts = Callable[..., Attempt]
RECIPE = {"force": 4.0, "dwell": 10.0}


def press(folder: Path | None = None, **settings: object) -> Press:
    return Press(PressSettings(**settings), surroundings=Surroundings(folder))


def pressed(
    attempt: Attempts, key: str = "k1", recipe: dict[str, Any] | None = None, **units: str
) -> Attempt:
    return attempt(key, recipe or RECIPE, **{**Press.parameter_units, **units})


def test_a_stroke_is_made_once_and_measured(tmp_path: Path, lane: Lane, attempt: Attempts) -> None:
    made = press(tmp_path)
    assert isinstance(made, Instrument)
    lane.connect(made)
    reading = lane.run(made, pressed(attempt)).reading
    assert reading is not None
    # 0.1 mm √4 (1 + 0.02 ln 11)
    assert reading.values["depth"] == pytest.approx(0.2095916, rel=1e-6)
    again = lane.run(made, pressed(attempt)).failure
    assert again is not None
    assert again.kind is FailureKind.UNKNOWN
    assert strokes(tmp_path / STROKES) == ["k1"]
    newton = lane.run(made, pressed(attempt, "k2", {"force": 4000.0, "dwell": 10.0}, force="N")).reading
    assert newton is not None
    assert newton.values == pytest.approx(reading.values)


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"force": 1.0}, "needs exactly"),
        ({"force": "much", "dwell": 1.0}, "must be a number"),
        ({"force": -1.0, "dwell": 1.0}, "from 0 to 1000 kN"),
        ({"force": math.nan, "dwell": 1.0}, "from 0 to 1000 kN"),
    ],
)
def test_a_recipe_it_cannot_set_makes_no_stroke(
    tmp_path: Path, lane: Lane, attempt: Attempts, recipe: dict[str, Any], says: str
) -> None:
    made = press(tmp_path)
    lane.connect(made)
    failure = lane.run(made, pressed(attempt, recipe=recipe)).failure
    assert failure is not None
    assert says in failure.message
    assert (failure.stage, made.ask("k1").state) == ("check", "never")
    assert strokes(tmp_path / STROKES) == []


CRASHED = """
    import pathlib, sys, time
    from bluesky.utils import Msg
    from labctl_drivers.protocol import Attempt, Surroundings
    from labctl_drivers.simulated.press import Press
    made = Press(surroundings=Surroundings(pathlib.Path(sys.argv[1])))
    plan = made.start(Attempt("k1", "c", "e1", 1, {"force": 4.0, "dwell": 10.0}, made.parameter_units))
    for _ in range(int(sys.argv[2])):
        next(plan)
    print("there", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("messages", [1, 2])
@pytest.mark.parametrize("kind", ["askable", "mute", "lying"])
def test_what_a_kill_before_or_after_the_stroke_leaves(
    tmp_path: Path, lane: Lane, attempt: Attempts, messages: int, kind: str
) -> None:
    """After the first message the stroke is still to come, after the second it has been made."""
    command = [sys.executable, "-c", textwrap.dedent(CRASHED), str(tmp_path), str(messages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGKILL)
    assert len(strokes(tmp_path / STROKES)) == messages - 1
    after = press(tmp_path, mute=kind == "mute", lying=kind == "lying")
    lane.connect(after)
    answer = after.ask("k1")
    if kind == "askable":
        # the press has gone on without its controller
        assert (answer.state, strokes(tmp_path / STROKES)) == ("done", ["k1"])
        assert after.ask("k1") == answer
    else:
        assert answer.state == ("unknown" if kind == "mute" else "never")
    # Whoever starts it again, believing a liar, is refused by the press itself.
    failure = lane.run(after, pressed(attempt)).failure
    assert failure is not None
    assert failure.kind is FailureKind.UNKNOWN
    assert len(strokes(tmp_path / STROKES)) <= 1
    after.close()


def test_an_abort_before_the_stroke_makes_none(tmp_path: Path, lane: Lane, attempt: Attempts) -> None:
    made = press(tmp_path, seconds=60.0)
    lane.connect(made)
    future = lane.submit(made, pressed(attempt))
    while made.ask("k1").state != "running":
        time.sleep(0.005)
    while not lane.abort("lunch"):
        time.sleep(0.005)
    assert future.result(timeout=20).failure is not None
    answer = made.ask("k1")
    assert answer.failure is not None
    assert answer.failure.kind is FailureKind.ABORTED
    assert strokes(tmp_path / STROKES) == []


def test_threads_that_ask_at_once_make_one_stroke(tmp_path: Path, attempt: Attempts) -> None:
    made = press(tmp_path)
    made._memory.started(pressed(attempt))
    threads = [threading.Thread(target=made.ask, args=("k1",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert strokes(tmp_path / STROKES) == ["k1"]


def test_half_a_line_is_no_stroke(tmp_path: Path) -> None:
    (tmp_path / STROKES).write_bytes(b'"k1"\n"k')
    assert strokes(tmp_path / STROKES) == ["k1"]


def test_an_attempt_needs_bluesky_and_nothing_heavier() -> None:
    # The RunEngine itself imports ophyd-async, to write down its version.
    script = """if True:
        import sys
        from labctl_drivers.engine import Lane
        from labctl_drivers.protocol import Attempt, Surroundings
        from labctl_drivers.registry import build
        with Lane("a") as lane:
            made = build("press", {}, Surroundings())
            lane.connect(made)
            recipe = {"force": 4.0, "dwell": 10.0}
            assert lane.run(made, Attempt("k1", "c", "e1", 1, recipe, made.parameter_units)).reading
        heavy = ("torch", "labctl_drivers.simulated.devices", "scipy", "pandas", "pint")
        print([name for name in heavy if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"seconds": -1}, "seconds must be"),
        ({"mute": "no"}, "mute must be true"),
        ({"x": 1}, "no option 'x'"),
    ],
)
def test_a_wrong_option_is_said(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=f"instrument press.*{why}"):
        build("press", options, Surroundings())
