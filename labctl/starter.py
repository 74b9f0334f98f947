"""Makes a campaign folder that runs as it stands: the simulated furnace, or a replay of a person's table."""

import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from labctl import starter_text
from labctl.card import read_card
from labctl.config import json_schema, load_config
from labctl.errors import LabctlError, RequestError
from labctl.guess import find_goal, plan
from labctl.headers import split_header
from labctl.tables import read_table

SCHEMA_FILE = "campaign.schema.json"
CAMPAIGN_FILE = "campaign.yaml"
CARD_FILE = "table.card.yaml"
LIMITS_FILE = "limits.yaml"


@dataclass(frozen=True, slots=True)
class Started:
    """A new campaign folder.

    Attributes:
        folder: the folder.
        campaign: its campaign file.
        notes: sentences on what was assumed or left out.
    """

    folder: Path
    campaign: Path
    notes: tuple[str, ...] = ()


def start_campaign(
    folder: Path, *, table: Path | None = None, goal_column: str | None = None, maximise: bool = True
) -> Started:
    """Write a campaign that runs as it stands; nothing is written when anything is wrong.

    Args:
        folder: the folder to make; it must not exist, or be empty.
        table: a CSV file to replay; without one, the campaign is of the simulated furnace.
        goal_column: the header of the table's column to optimise, with its unit or without.
        maximise: whether it is to be large.

    Raises:
        RequestError: the folder is in use, or the table cannot be replayed.
    """
    _refuse_used(folder)
    if table is None and goal_column is not None:
        raise RequestError("a column to optimise needs a table; name the CSV file with --from")
    if table is not None and not goal_column:
        raise RequestError("say which column is to be optimised, with --maximize or --minimize", file=table)
    name = _campaign_name(folder)
    if table is None or not goal_column:
        return _written(folder, lambda place: _furnace(place, name))
    return _written(folder, lambda place: _replay(place, name, table, goal_column, maximise=maximise))


def configs_folder() -> Path:
    """Where the ready campaigns are: inside the installed package, or beside it in a checkout."""
    installed = Path(str(files("labctl"))) / "_configs"
    return installed if installed.is_dir() else Path(str(files("labctl"))).parent / "configs"


def _furnace(place: Path, name: str) -> tuple[str, ...]:
    ready = (configs_folder() / "furnace.yaml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^campaign: .*$", f"campaign: {starter_text.quoted(name)}", ready)
    text = re.sub(r"(?m)^limits: .*$", f"limits: {LIMITS_FILE}", text)
    text = text.replace("configs/furnace.yaml", CAMPAIGN_FILE)
    line = starter_text.schema_line(SCHEMA_FILE)
    (place / CAMPAIGN_FILE).write_text(line + text.removeprefix(line), encoding="utf-8")
    limits = (configs_folder() / "limits" / "furnace.yaml").read_text(encoding="utf-8")
    (place / LIMITS_FILE).write_text(limits, encoding="utf-8")
    return ("the furnace is simulated; replace instrument and limits by those of your lab",)


def _replay(place: Path, name: str, source: Path, goal_column: str, *, maximise: bool) -> tuple[str, ...]:
    table = read_table(source, goal=goal_column)
    goal = find_goal(table, goal_column)
    guess = plan(table, goal)
    copy = _file_name(source)
    shutil.copyfile(source, place / copy)
    rules, notes = starter_text.failures(goal)
    card = starter_text.card(name, copy, table, guess, rules)
    (place / CARD_FILE).write_text(card, encoding="utf-8")
    campaign = starter_text.campaign(name, guess, maximise=maximise, schema=SCHEMA_FILE, card=CARD_FILE)
    (place / CAMPAIGN_FILE).write_text(campaign, encoding="utf-8")
    called = {goal.name.casefold(), goal.header.strip().casefold(), split_header(goal.header)[0].casefold()}
    meant = (
        ()
        if goal_column.strip().casefold() in called
        else (f"{goal_column!r} is taken for the column {goal.header.strip()!r}",)
    )
    return (*meant, *table.notes, *guess.notes, *notes)


def _written(folder: Path, fill: Callable[[Path], tuple[str, ...]]) -> Started:
    """Fill a folder beside the wanted one, check it, and move it into place in one step."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.partial"
        place.mkdir()
        try:
            notes = fill(place)
            (place / SCHEMA_FILE).write_text(json_schema(), encoding="utf-8")
            _check(place)
            if folder.is_dir():
                folder.rmdir()
            os.replace(place, folder)  # noqa: PTH105 - moves a folder in one step, or not at all
        finally:
            shutil.rmtree(place, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or "cannot be written"
        raise RequestError(f"{reason}; choose another folder", file=folder) from None
    return Started(folder, folder / CAMPAIGN_FILE, notes)


def _check(place: Path) -> None:
    """Read back what was written, so that a folder that is there is one that runs."""
    try:
        load_config(place / CAMPAIGN_FILE)
        if (place / CARD_FILE).is_file():
            read_card(place / CARD_FILE)
    except LabctlError as error:
        raise RequestError(
            f"no campaign could be made of this table ({str(error).removeprefix(str(place) + os.sep)}); "
            "rename or remove the columns it names"
        ) from error


def _refuse_used(folder: Path) -> None:
    try:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise RequestError("is there already and is no folder; choose another name", file=folder)
        if folder.is_dir() and any(folder.iterdir()):
            raise RequestError("is there already and is not empty; choose another name", file=folder)
    except OSError as error:
        raise RequestError(
            f"{error.strerror or 'cannot be read'}; choose another folder", file=folder
        ) from None


def _campaign_name(folder: Path) -> str:
    """The folder's name in the letters that a campaign's name may have."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.resolve().name).strip("-._")[:64]
    return name or "campaign"


def _file_name(source: Path) -> str:
    """A plain name for the copy of the table that no other file in the folder has."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", source.stem).strip("-._")[:60] or "table"
    return f"{stem}.csv"
