"""What the model tests share: rivals imported without their own warnings, and the folder of real tables."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    # linear_operator compiles with torch.jit.script while it is imported, and torch now discourages that.
    warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated", category=DeprecationWarning)
    import botorch.models  # noqa: F401  imported here so that no test is the first to do it


@pytest.fixture(scope="session")
def tables() -> Path:
    """The folder of real tables, or a skip with the reason."""
    folder = Path(os.environ.get("LABCTL_DATA", ""))
    if not os.environ.get("LABCTL_DATA") or not folder.is_dir():
        pytest.skip("needs the folder of real tables in LABCTL_DATA")
    return folder
