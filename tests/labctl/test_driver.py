"""From what a campaign file says of an instrument to the driver."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.bench import set_up
from labctl.config import load_config
from labctl.driver import options_for
from labctl.errors import RequestError

Written = Callable[..., Path]


def test_each_lane_has_its_number_in_its_options_and_infinity_comes_back() -> None:
    options = {
        "prefix": "LAB:F{lane}:",
        "speed": "inf",
        "ports": [1, "COM{lane}"],
        "deep": {"x": "{lane}"},
        "on": True,
    }
    assert options_for(2, options) == {
        "prefix": "LAB:F2:",
        "speed": math.inf,
        "ports": [1, "COM2"],
        "deep": {"x": "2"},
        "on": True,
    }


def test_each_lane_has_an_instrument_of_its_own(furnace_campaign: Written, tmp_path: Path) -> None:
    file = furnace_campaign(instrument={"kind": "furnace", "lanes": 2, "options": {"indents": 3}})
    bench = set_up(load_config(file), folder=tmp_path / "lab", seed=1)
    first, second = bench.on(1), bench.on(2)
    assert first is bench.instrument is bench.on(1)
    assert first is not second
    assert (first.name, second.name) == ("furnace-1", "furnace-2")
    memories = sorted(p.relative_to(tmp_path) for p in (tmp_path / "lab").rglob("*.sqlite"))
    assert [str(p) for p in memories] == [
        "lab/instruments/furnace.sqlite",
        "lab/instruments/lane-2/furnace.sqlite",
    ]
    other = bench.with_seed(2)
    assert other.on(1) is not first
    for one in (bench, other):
        one.close()
    alone = set_up(load_config(furnace_campaign("alone")), folder=None, seed=1)
    assert alone.instrument.name == "furnace"
    alone.close()


@pytest.mark.parametrize("lanes", [0, 65, 1.5, "two"])
def test_a_number_of_lanes_that_is_none_is_refused(furnace_campaign: Written, lanes: object) -> None:
    with pytest.raises(RequestError, match=r"instrument\.lanes"):
        load_config(furnace_campaign(instrument={"kind": "furnace", "lanes": lanes}))
    with pytest.raises(RequestError, match="resources"):
        load_config(furnace_campaign(resources={"slot": 0}))


def test_an_instrument_may_read_in_any_unit_that_converts(furnace_campaign: Written) -> None:
    readings = {"y": {"from": "return", "unit": "degC"}}
    settings = {"time": {"unit": "s"}}
    options = {"plan": "bluesky.plan_stubs:sleep", "settings": settings, "readings": readings}

    def opened(unit: str) -> None:
        file = furnace_campaign(
            unit,
            parameters={"time": {"kind": "continuous", "unit": "s", "low": 1, "high": 2}},
            objectives={"y": {"goal": "maximize", "unit": unit}},
            instrument={"kind": "plan", "options": options},
        )
        set_up(load_config(file), folder=None, seed=1).close()

    for unit in ("K", "degF", "degC"):
        opened(unit)
    with pytest.raises(RequestError, match=r"objectives\.y: is in mm, but the instrument works in degC"):
        opened("mm")
