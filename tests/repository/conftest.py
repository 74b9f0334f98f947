"""What tests of the repository itself look at: its root, and the files that belong to it."""

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]
PACKAGES = ("labctl", "models/labctl_models", "drivers/labctl_drivers")


@pytest.fixture(scope="session")
def root() -> Path:
    return _ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file that is committed or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for name in sorted(listed.split("\0")) if name and (path := _ROOT / name).is_file()]


@pytest.fixture(scope="session")
def sources(files: list[Path]) -> list[Path]:
    """The modules of the three packages."""
    homes = [_ROOT / package for package in PACKAGES]
    return [path for path in files if path.suffix == ".py" and any(home in path.parents for home in homes)]


@pytest.fixture(scope="session")
def project() -> dict[str, Any]:
    """The [project] table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table
