"""The picture of the layers shows what import-linter holds."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
    "contracts"
]
PICTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## The layers")[2]


@pytest.mark.parametrize("package", ["labctl", "labctl_models", "labctl_drivers"])
def test_every_module_stands_in_the_picture(package: str) -> None:
    (contract,) = [c for c in CONTRACTS if c.get("containers") == [package]]
    shown = set(re.findall(r"\w+", PICTURE.split("```")[1]))
    assert set(re.findall(r"\w+", " ".join(contract["layers"]))) - shown == set()
