"""Finds the study that a person means: a campaign file, a CSV, a card, or a table of the catalogue."""

from pathlib import Path

from labctl.errors import RequestError
from labctl.study.from_campaign import of_campaign
from labctl.study.from_table import of_table
from labctl.study.study import Study

_PACKED = frozenset({".gz", ".zip", ".bz2", ".xz", ".zst", ".7z"})


def find_study(
    target: str, *, goal: str | None, folder: Path | None = None, every_row: bool = False
) -> Study:
    """The study of whatever a person named: a campaign file, a CSV, a card, or a table of the catalogue.

    Raises:
        RequestError: it is none of these, the goal has to be said, or an option is not for it.
    """
    path = Path(target)
    if path.suffix in (".yaml", ".yml") and not path.name.endswith(".card.yaml"):
        return _of_campaign_file(path, goal, folder)
    if folder is not None:
        raise RequestError("is of campaigns, and this is none; leave it out", file=target, key="--folder")
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return _of_csv(path, goal, every_row=every_row)
    if path.suffix.lower() in _PACKED and path.is_file():
        raise RequestError("is compressed; unpack it first", file=path)
    from labctl.datasets import load_card, read  # noqa: PLC0415

    card = load_card(target, Path())
    measured = card.with_role("objective")
    if goal is None and len(measured) != 1:
        raise RequestError(f"say which of {', '.join(measured)} with --target COL", file=card.name)
    return of_table(read(card), goal=goal or measured[0], name=card.name, card=card, every_row=every_row)


def _of_csv(path: Path, goal: str | None, *, every_row: bool) -> Study:
    from labctl.tables import read_table  # noqa: PLC0415 - only for tables

    try:
        table = read_table(path, goal=goal or "")
    except RequestError as error:
        if error.key == "goal":
            raise RequestError(error.what, file=path, key="--target") from None
        raise
    return of_table(table, goal=goal or "", name=path.stem, every_row=every_row)


def _of_campaign_file(path: Path, goal: str | None, folder: Path | None) -> Study:
    from labctl.bench import set_up  # noqa: PLC0415
    from labctl.view import look  # noqa: PLC0415

    view = look(path, folder)
    own, _ = view.config.goal
    if goal is not None and goal != own:
        raise RequestError(
            f"is {goal!r}, but the goal of a campaign is in its file, and here it is {own!r}; leave it out",
            file=path,
            key="--target",
        )
    bench = set_up(view.config, folder=None, seed=0)
    return of_campaign(view.config, bench.space, view.state)
