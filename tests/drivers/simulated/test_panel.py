"""The panel of faults: one small file that lanes share, and that is never half of anything."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_drivers.protocol import Surroundings
from labctl_drivers.simulated.panel import FILE, PANELS, Panel, PanelError, common_folder, read

FAULTS = sorted({fault for devices in PANELS.values() for faults in devices.values() for fault in faults})
DEVICES = sorted({device for devices in PANELS.values() for device in devices})


def test_a_switch_is_seen_by_everybody_at_once(tmp_path: Path) -> None:
    mine, theirs = Panel(tmp_path), Panel(tmp_path)
    assert theirs.fault("furnace") is None
    for fault in ("stuck", "slow", None, "hung"):
        mine.switch("furnace", fault)
        assert theirs.fault("furnace") == fault
    assert theirs.fault("oven") is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE]


def test_without_a_folder_a_panel_is_its_own() -> None:
    mine, other = Panel(None), Panel(None)
    mine.switch("door", "open")
    assert (mine.fault("door"), other.fault("door")) == ("open", None)
    with pytest.raises(PanelError, match="ajar"):
        mine.switch("door", "ajar")


def test_a_lane_s_own_fault_goes_before_everybody_s(tmp_path: Path) -> None:
    first, second = Panel(tmp_path, 1), Panel(tmp_path, 2)
    first.switch("furnace", "slow")
    first.switch("lane-2/furnace", "stuck")
    assert (first.fault("furnace"), second.fault("furnace")) == ("slow", "stuck")


def test_lanes_share_the_first_one_s_folder(tmp_path: Path) -> None:
    assert common_folder(Surroundings(tmp_path)) == tmp_path
    assert common_folder(Surroundings(tmp_path / "lane-2", lane=2)) == tmp_path
    assert common_folder(Surroundings(None, lane=2)) is None


@pytest.mark.parametrize("content", ["{", "[]", '{"furnace": "on fire"}', '{"furnace": 1}', "\udcff"])
def test_a_file_that_is_no_panel_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content, encoding="utf-8", errors="surrogateescape")
    panel = Panel(tmp_path)
    for _ in range(2):
        with pytest.raises(PanelError, match=FILE):
            panel.fault("furnace")
    assert panel.memory() is None
    (tmp_path / FILE).unlink()
    assert panel.fault("furnace") is None


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(DEVICES), st.none() | st.sampled_from(FAULTS)), max_size=12))
def test_the_file_says_what_was_switched_last(
    tmp_path_factory: pytest.TempPathFactory, switched: list[tuple[str, str | None]]
) -> None:
    folder = tmp_path_factory.mktemp("panel")
    panel = Panel(folder)
    last: dict[str, str | None] = {}
    for device, fault in switched:
        panel.switch(device, fault)
        last[device] = fault
    assert read(folder / FILE) == {device: fault for device, fault in last.items() if fault is not None}
    if switched:
        assert json.loads((folder / FILE).read_text("utf-8")) == read(folder / FILE)
