"""The columns of a sheet: how they are headed, and which of them a header means."""

from pathlib import Path

from labctl import units
from labctl.config import CampaignConfig
from labctl.errors import RequestError
from labctl.headers import split_header

REMARKS = ("failed", "message", "by")


def headers(config: CampaignConfig) -> list[str]:
    """The header of every column, from left to right."""
    objectives = [_with_unit(name, o.unit) for name, o in config.model.objectives.items()]
    parameters = [_with_unit(n, getattr(p, "unit", None)) for n, p in config.model.parameters.items()]
    return ["experiment", *parameters, *objectives, *REMARKS]


def column_of(path: Path, line: int, header: str, config: CampaignConfig) -> str:
    """The plain name behind a header; an empty text for a column that is none of the sheet's.

    Raises:
        RequestError: the unit in the header is not the campaign's.
    """
    known = {**config.model.parameters, **config.model.objectives}
    for name, item in known.items():
        if header in {name, _with_unit(name, getattr(item, "unit", None))}:
            return name
    name, unit = split_header(header)
    if name in known and unit != units.UNKNOWN:
        expected = getattr(known[name], "unit", "no unit")
        raise RequestError(
            f"is in {unit}, but the campaign has {expected}; convert it", file=path, line=line, key=name
        )
    return header.casefold() if header.casefold() in {"experiment", *REMARKS} else ""


def refuse_missing(path: Path, columns: list[str], config: CampaignConfig) -> None:
    """Look whether the columns are enough to read results from.

    Raises:
        RequestError: there is none for the goal, or two of one name.
    """
    goal, _ = config.goal
    if not any(name in columns for name in config.goals):
        raise RequestError(f"has no column {_with_unit(goal, config.goal[1].unit)!r}; add it", file=path)
    twice = [name for name in columns if name and columns.count(name) > 1]
    if twice:
        raise RequestError(f"has the column {twice[0]!r} twice; remove one", file=path)


def _with_unit(name: str, unit: str | None) -> str:
    return name if unit is None else f"{name} [{unit}]"
