"""What the model tests share: rivals imported without their own warnings, and the folder of real tables."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine would make up most of these tests' time."""
    torch.set_num_threads(1)
    with one_thread():
        yield
