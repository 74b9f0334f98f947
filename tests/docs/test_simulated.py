"""The page on simulated instruments names every option with its value, and every fault."""

import dataclasses
import re
from pathlib import Path

from labctl_drivers.simulated.panel import PANELS
from labctl_drivers.simulated.press import PressSettings
from labctl_drivers.simulated.workshop.settings import WorkshopSettings

PAGE = (Path(__file__).parents[2] / "docs" / "simulated.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([\w-]+)`", PAGE))


def test_every_kind_option_and_fault_is_on_the_page() -> None:
    options = {field.name for cls in (WorkshopSettings, PressSettings) for field in dataclasses.fields(cls)}
    assert options - NAMED == set()
    assert set(PANELS) - NAMED == set()
    faults = {
        (device, fault) for devices in PANELS.values() for device in devices for fault in devices[device]
    }
    assert {fault for _, fault in faults} - NAMED == set()
    everybody_s = {"slow", "stuck", "hung", "dropped"}
    assert {device for device, fault in faults if fault not in everybody_s} - NAMED == set()


def test_every_number_unless_given_is_the_option_s_own() -> None:
    own = {field.name: field.default for field in dataclasses.fields(WorkshopSettings)}
    rows = re.findall(r"^\| (`[^|]*) \|[^|]*\| ([\d., ]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) >= 10
    for names, defaults in rows:
        for name, default in zip(re.findall(r"`(\w+)`", names), defaults.split(", "), strict=True):
            assert float(default) == own[name], name
