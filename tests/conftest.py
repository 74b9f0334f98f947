"""Where the larger tables are, and small campaigns that any test may change and run."""

import csv
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

_SHARED_TABLES = Path(__file__).resolve().parents[2] / "shared" / "data"
if _SHARED_TABLES.is_dir():
    os.environ.setdefault("LABCTL_DATA", str(_SHARED_TABLES))

Written = Callable[..., Path]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of tables that are too large, or not free enough, to lie in the project."""
    named = os.environ.get("LABCTL_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("LABCTL_DATA names no folder of tables on this machine")
    return Path(named)


@pytest.fixture
def replay_campaign(tmp_path: Path) -> Written:
    """Write a replay of a small table: ``replay_campaign("name", budget={...})`` gives the campaign file.

    Keys replace those of the whole file. The table has 30 recipes; one was measured twice, one cracked,
    and one lay below what the detector sees.
    """

    def write(name: str = "small", **changes: object) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        _write_table(folder / "table.csv")
        (folder / "card.yaml").write_text(json.dumps(_CARD), "utf-8")
        return _write(folder / "campaign.yaml", _REPLAY, changes)

    return write


@pytest.fixture
def furnace_campaign(tmp_path: Path) -> Written:
    """Write a campaign on the simulated furnace, which waits for nothing: gives the campaign file."""

    def write(name: str = "furnace", **changes: object) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "limits.yaml").write_text(json.dumps(_LIMITS), "utf-8")
        return _write(folder / "campaign.yaml", _FURNACE, changes)

    return write


@pytest.fixture
def hand_campaign(tmp_path: Path) -> Written:
    """Write a campaign that a person carries out: gives the campaign file."""

    def write(name: str = "hand", **changes: object) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        return _write(folder / "campaign.yaml", _HAND, changes)

    return write


def _write(path: Path, content: Mapping[str, Any], changes: Mapping[str, Any]) -> Path:
    # JSON is YAML too, and its keys need no quoting rules.
    kept = {key: value for key, value in {**content, **changes}.items() if value is not None}
    path.write_text(json.dumps(kept, ensure_ascii=False, indent=1), "utf-8")
    return path


def _write_table(path: Path) -> None:
    rows: list[list[object]] = []
    for x in range(6):
        for y in range(5):
            # A smooth hill with its top at (4, 1), and no two heights the same.
            height = 10.0 * math.exp(-((x - 4) ** 2 + (y - 1) ** 2) / 9.0) + 0.01 * x
            rows.append([float(x), 10.0 * y, f"{height:.6f}"])
    rows[0][2] = "cracked"
    rows[7][2] = "0"
    rows.append([5.0, 40.0, "1.25"])
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["x", "y", "height"], *rows])


_CARD: dict[str, Any] = {
    "name": "hill",
    "title": "A hill that nobody measured",
    "licence": "made for tests",
    "file": {"beside": "table.csv"},
    "columns": [
        {"name": "x", "unit": "mm", "role": "parameter"},
        {"name": "y", "unit": "percent", "role": "parameter"},
        {"name": "height", "unit": "mm", "role": "objective"},
    ],
    "failures": [
        {"when": {"column": "height", "equals": "cracked"}, "kind": "infeasible", "message": "it cracked"},
        {
            "when": {"column": "height", "equals": 0},
            "kind": "censored",
            "message": "below what the detector sees",
            "bound": {"height": {"low": 0, "high": 0.1}},
        },
    ],
}
_REPLAY: dict[str, Any] = {
    "campaign": "hill",
    "parameters": {
        "x": {"kind": "continuous", "unit": "mm", "low": 0, "high": 5},
        "y": {"kind": "continuous", "unit": "percent", "low": 0, "high": 40},
    },
    "objectives": {"height": {"goal": "maximize", "unit": "mm"}},
    "instrument": {"kind": "replay", "dataset": "card.yaml"},
    "strategy": {"initial": 4, "arms": {"random": 1}},
    "budget": {"experiments": 6},
    "seed": 3,
}
_LIMITS: dict[str, Any] = {
    "limits": {
        "temperature": {"low": 20, "high": 600, "unit": "degC"},
        "hold_time": {"low": 0, "high": 48, "unit": "hour"},
    },
    "unlimited": [],
}
_FURNACE: dict[str, Any] = {
    "campaign": "furnace",
    "parameters": {
        "temperature": {"kind": "continuous", "unit": "degC", "low": 120, "high": 260},
        "hold_time": {"kind": "continuous", "unit": "minute", "low": 10, "high": 2880, "scale": "log"},
        "quench": {"kind": "categorical", "choices": ["water", "oil", "air"]},
    },
    "objectives": {"hardness": {"goal": "maximize", "unit": "HV"}},
    "instrument": {"kind": "furnace"},
    "limits": "limits.yaml",
    "strategy": {"initial": 4, "arms": {"random": 1}},
    "budget": {"experiments": 5},
    "seed": 1,
}
_HAND: dict[str, Any] = {
    "campaign": "bench",
    "parameters": {
        "dose": {"kind": "continuous", "unit": "gram", "low": 0, "high": 10},
        "steps": {"kind": "integer", "unit": "dimensionless", "low": 1, "high": 5},
        "solvent": {"kind": "categorical", "choices": ["water", "no", "Äthanol"]},
    },
    "objectives": {
        "yield": {"goal": "maximize", "unit": "percent"},
        "colour": {"goal": "observe", "unit": "dimensionless"},
    },
    "instrument": {"kind": "hand"},
    "strategy": {"initial": 3, "arms": {"improve": 1}},
    "budget": {"experiments": 8},
    "seed": 2,
}
