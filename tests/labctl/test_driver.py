"""From what a campaign file says of an instrument to the driver."""

import json
import math
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from labctl.bench import set_up
from labctl.campaign import Campaign
from labctl.config import load_config
from labctl.driver import options_for
from labctl.errors import RequestError

Written = Callable[..., Path]
_number = count()
_OVENS = """
import threading, time
from bluesky import plan_stubs as bps
from labctl_drivers.adapt.blocking import Blocking

at_once = []
class Oven(Blocking):
    units = {"temperature": "degC"}
    now, users, doors = 20.0, 0, threading.Lock()
    def apply(self, value):
        with self.doors:
            Oven.users += 1
            at_once.append(Oven.users)
        self.now = value
        self.rest(0.03)
        Oven.users -= 1
    def measure(self):
        return {"temperature": self.now}

oven, oven_1, oven_2 = Oven("oven"), Oven("oven_1"), Oven("oven_2")
twin_1 = twin_2 = oven

def heat(temperature, lane=1, oven=oven):
    yield from bps.mv(oven, temperature)
    return oven.now
"""
_LIMITED = {"limits": {"temperature": {"low": 0, "high": 200, "unit": "degC"}}}


@pytest.fixture
def ovens(hand_campaign: Written, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Write a campaign on two lanes with a module of ovens beside it, whose name replaces ``{m}``."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    made: list[str] = []

    def write(set_: str, read: str | None = None, resources: Any = None, **options: Any) -> Path:  # noqa: ANN401 - as a file may hold
        module = f"ovens_of_test_{next(_number)}"
        made.append(module)
        told = {
            "modules": ".",
            "settings": {"temperature": {"object": set_, "unit": "degC"}},
            "readings": {"t": {"object": read or set_, "unit": "degC"}},
            **options,
        }
        content = json.loads(json.dumps(told).replace("{m}", module))
        file = hand_campaign(
            parameters={"temperature": {"kind": "continuous", "unit": "degC", "low": 50, "high": 90}},
            objectives={"t": {"goal": "maximize", "unit": "degC"}},
            instrument={"kind": "plan" if "plan" in options else "devices", "lanes": 2, "options": content},
            limits="limits.yaml",
            resources=None
            if resources is None
            else {name.replace("{m}", module): n for name, n in resources.items()},
            strategy={"initial": 8, "arms": {"random": 1}},
            budget={"experiments": 8},
        )
        (file.parent / "limits.yaml").write_text(json.dumps(_LIMITED), "utf-8")
        (file.parent / f"{module}.py").write_text(_OVENS, "utf-8")
        return file

    yield write
    for name in made:
        sys.modules.pop(name, None)


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


@pytest.mark.parametrize(
    ("set_", "read", "slots"),
    [("{m}:oven", "{m}:oven_{lane}", 2), ("{m}:Oven", "{m}:oven_{lane}", 2), ("{m}:oven", "{m}:oven", 1)],
)
def test_an_object_that_two_lanes_name_is_never_driven_by_both_at_once(
    ovens: Callable[..., Path], *, set_: str, read: str, slots: int
) -> None:
    with Campaign.open(ovens(set_, read, {"slot": slots}, needs={"slot": 1})) as campaign:
        campaign.run()
        assert len(campaign.state.experiments) == 8
        [module] = {key.removeprefix("device ").partition(":")[0] for key in _devices(campaign)}
        assert sys.modules[module].at_once == [1] * 8
        if set_ == read:
            for experiment in campaign.state:
                assert experiment.outcome is not None
                assert experiment.outcome.values["t"] == experiment.proposal.recipe["temperature"]


def test_lanes_with_objects_of_their_own_work_side_by_side(ovens: Callable[..., Path]) -> None:
    with Campaign.open(ovens("{m}:oven_{lane}")) as campaign:
        campaign.run()
        assert {e.intents[0].lane for e in campaign.state} == {"lane-1", "lane-2"}
        [module] = {key.removeprefix("device ").partition(":")[0] for key in _devices(campaign)}
        assert max(sys.modules[module].at_once) == 2


def _devices(campaign: Campaign) -> set[str]:
    needs = [need for e in campaign.state for need in e.intents[0].needs or {}]
    return {need for need in needs if need.startswith("device ")}


SHARED = "instrument\\.lanes: every lane would drive the same objects"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"set_": "{m}:oven"}, SHARED),
        ({"set_": "{m}:oven", "resources": {"slot": 2}, "needs": {"slot": 1}}, SHARED),
        ({"set_": "{m}:oven", "name": "oven-{lane}"}, SHARED),
        ({"set_": "{m}:oven.lane_{lane}"}, SHARED),
        ({"set_": "{m}:twin_{lane}"}, "twin_1 and .*:twin_2 are the same object"),
        ({"set_": "{m}:oven", "resources": {"slto": 2}, "needs": {"slot": 1}}, "did you mean slot"),
        ({"set_": "{m}:oven_{lane}", "resources": {"slot": 2}}, "resources.slot: no instrument needs it"),
        (
            {"set_": "{m}:oven", "read": "{m}:oven_{lane}", "resources": {"device {m}:oven": 2}},
            "resources.device .*:oven: is one device",
        ),
        ({"set_": "{m}:oven_{lane}", "read": "{m}:over_{lane}"}, "has no 'over_1'; did you mean oven_1"),
    ],
)
def test_what_lanes_cannot_share_is_refused_before_anything_is_written(
    ovens: Callable[..., Path], *, told: dict[str, Any], said: str
) -> None:
    file = ovens(**told)
    with pytest.raises(RequestError, match=said):
        Campaign.open(file)
    assert not load_config(file).folder.exists()


@pytest.mark.parametrize(("arguments", "refused"), [({}, True), ({"lane": "{lane}"}, False)])
def test_a_plan_drives_what_it_likes_so_it_has_to_know_its_lane(
    ovens: Callable[..., Path], *, arguments: dict[str, str], refused: bool
) -> None:
    plan: dict[str, Any] = {"settings": {"temperature": {"unit": "degC"}}, "plan": "{m}:heat"}
    plan |= {"readings": {"t": {"from": "return", "unit": "degC"}}, "arguments": arguments}
    file = ovens("", **plan)
    if refused:
        with pytest.raises(RequestError, match=SHARED):
            set_up(load_config(file), folder=None, seed=1)
        return
    set_up(load_config(file), folder=None, seed=1).close()


def test_needs_above_what_there_is_are_refused_before_anything_is_written(
    ovens: Callable[..., Path],
) -> None:
    for told in ({"resources": {"rack": 3}, "needs": {"rack": 5}}, {"needs": {"rack": 2}}):
        file = ovens(set_="{m}:oven_{lane}", **told)
        with pytest.raises(RequestError, match=r"needs\.rack: one attempt needs ., and there is ."):
            Campaign.open(file)
        assert not load_config(file).folder.exists()


def test_a_limits_file_that_no_system_can_name_is_refused(furnace_campaign: Written) -> None:
    with pytest.raises(RequestError, match=r"limits: .*is no name of a file"):
        Campaign.open(furnace_campaign(limits="a\0b"))
