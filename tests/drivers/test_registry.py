"""Instruments are built by name, and a wrong name or option is told with what is allowed."""

import subprocess
import sys
from typing import Any

import pytest

from labctl_drivers.protocol import FailureKind, Instrument, Surroundings
from labctl_drivers.registry import KINDS, build

NEEDED: dict[str, dict[str, Any]] = {
    "devices": {
        "settings": {"x": {"object": "ophyd.sim:motor"}},
        "readings": {"y": {"object": "ophyd.sim:det"}},
    },
    "queueserver": {
        "plan": "anneal",
        "documents": "127.0.0.1:5578",
        "settings": {"x": {"unit": "mm"}},
        "readings": {"y": {"unit": "mm"}},
    },
    "plan": {
        "plan": "bluesky.plan_stubs:sleep",
        "settings": {"time": {"unit": "s"}},
        "readings": {"y": {"from": "return"}},
    },
}
"""What must be told of the instruments that are a lab's own."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_builds_an_instrument(kind: str) -> None:
    instrument = build(kind, NEEDED.get(kind, {}), Surroundings())
    assert isinstance(instrument, Instrument)
    instrument.close()


def test_options_reach_the_instrument() -> None:
    bench = build("furnace", {"speed": 36000, "mute": True}, Surroundings(None, 3))
    assert (bench.settings.speed, bench.settings.mute) == (36000, True)


@pytest.mark.parametrize(
    ("kind", "options", "why"),
    [
        ("oven", {}, "there is no instrument 'oven'; known are .*furnace, "),
        ("furnace", {"sped": 1}, "has no option 'sped'; did you mean speed"),
        ("furnace", {"__class__": 1}, "has no option '__class__'.*allowed are speed, ramp_k_per_min"),
        ("furnace", {1: 1}, "has no option 1"),
        ("furnace", {"speed": "fast"}, "instrument furnace: speed must be a number"),
        ("furnace", {"indents": []}, "instrument furnace: indents must be"),
    ],
)
def test_what_is_wrong_is_said(kind: FailureKind, options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        build(kind, options, Surroundings())


def test_building_imports_neither_bluesky_nor_ophyd() -> None:
    script = """if True:
        import sys
        from labctl_drivers.protocol import Surroundings
        from labctl_drivers.registry import build
        build("furnace", {}, Surroundings())
        print([name for name in ("bluesky", "ophyd_async", "numpy", "pint") if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
