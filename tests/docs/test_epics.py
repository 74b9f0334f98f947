"""The page about the EPICS furnace: every variable and every option is in it, and nothing else."""

import re
from pathlib import Path

import yaml

from labctl_drivers.epics import names
from labctl_drivers.epics.settings import EpicsSettings, settings_of

PAGE = (Path(__file__).parents[2] / "docs" / "epics.md").read_text(encoding="utf-8")
VARIABLES = {
    value
    for name, value in vars(names).items()
    if name.isupper() and isinstance(value, str) and name not in {"PREFIX", "HOST"}
}


def test_every_variable_is_in_the_tables_and_no_other() -> None:
    _, _, part = PAGE.partition("## Variables")
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([^`]+)`", " ".join(rows))) == VARIABLES


def test_every_option_is_in_the_table_with_its_default() -> None:
    _, _, part = PAGE.partition("## Options")
    part = part.partition("##")[0]
    rows = [
        [cell.strip() for cell in line.split("|")[1:4]] for line in part.splitlines() if line[:3] == "| `"
    ]
    told = {name.strip("`"): default.strip("`") for name, _, default in rows}
    assert settings_of(told) == EpicsSettings()


def test_the_example_of_two_lanes_has_options_that_are_understood() -> None:
    [block] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    options = yaml.safe_load(block.replace("{lane}", "2"))["instrument"]["options"]
    settings = settings_of(options)
    assert settings.prefix == "furnace-2:"
    assert settings.address(2) == "127.0.0.1:5095"
