"""Finds the study that a person means: a campaign file, a CSV, a card, or a table of the catalogue."""

from pathlib import Path

from labctl.errors import RequestError
from labctl.study.from_campaign import of_campaign
from labctl.study.from_table import of_table
from labctl.study.study import Study


def find_study(
    target: str, *, goal: str | None, folder: Path | None = None, every_row: bool = False
) -> Study:
    """The study of whatever a person named: a campaign file, a CSV, a card, or a table of the catalogue.

    Raises:
        RequestError: it is none of these, or the goal has to be said.
    """
    path = Path(target)
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return _of_csv(path, goal, every_row=every_row)
    if path.suffix in (".yaml", ".yml") and not path.name.endswith(".card.yaml"):
        return _of_campaign_file(path, folder)
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


def _of_campaign_file(path: Path, folder: Path | None) -> Study:
    from labctl.bench import set_up  # noqa: PLC0415
    from labctl.view import look  # noqa: PLC0415

    view = look(path, folder)
    bench = set_up(view.config, folder=None, seed=0)
    return of_campaign(view.config, bench.space, view.state)
