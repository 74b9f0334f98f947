"""Commands around campaigns: init, datasets, doctor and schema."""

from pathlib import Path
from typing import Annotated

import typer

from labctl.cli.output import Answer, JsonFlag, give
from labctl.errors import RequestError


def init(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="Folder to make.")],
    *,
    table: Annotated[
        Path | None,
        typer.Option("--from", metavar="TABLE.csv", help="Replay this table; else a simulated furnace."),
    ] = None,
    maximize: Annotated[
        str | None, typer.Option("--maximize", metavar="COL", help="Column to maximise.")
    ] = None,
    minimize: Annotated[
        str | None, typer.Option("--minimize", metavar="COL", help="Column to minimise.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a campaign folder that runs as it stands."""
    from labctl.starter import start_campaign  # noqa: PLC0415 - commands import what they need

    if table is not None and (maximize is None) == (minimize is None):
        raise RequestError("--from needs one of --maximize COL and --minimize COL")
    if table is None and (maximize or minimize):
        raise RequestError("--maximize and --minimize name a column of the table in --from; add it")
    started = start_campaign(name, table=table, goal_column=maximize or minimize, maximise=minimize is None)
    data = {"folder": str(started.folder), "campaign": str(started.campaign), "notes": list(started.notes)}

    def words() -> None:
        for note in started.notes:
            typer.echo(f"note: {note}")
        typer.echo(f"made {started.campaign}; next: labctl run {started.campaign}")

    give(Answer(data, words), as_json=as_json)


datasets = typer.Typer(help="The tables that labctl knows, and where they are.", no_args_is_help=True)


@datasets.command("list")
def list_(*, as_json: JsonFlag = False) -> None:
    """List every table that has a card, and whether it is on this machine."""
    from labctl.datasets import catalogue, found  # noqa: PLC0415

    rows = [(card, found(card)) for card in catalogue()]
    data = {
        "datasets": [{"name": c.name, "title": c.title, "path": str(p) if p else None} for c, p in rows],
    }

    def words() -> None:
        for card, path in rows:
            typer.echo(f"{card.name:<24} {'here   ' if path else 'absent '} {card.title}")

    give(Answer(data, words), as_json=as_json)


@datasets.command("fetch")
def fetch_(name: str, *, as_json: JsonFlag = False) -> None:
    """Find a table, or download it and check its sha256."""
    from labctl.datasets import fetch, load_card  # noqa: PLC0415

    path = fetch(load_card(name))
    give(Answer({"name": name, "path": str(path)}, lambda: typer.echo(str(path))), as_json=as_json)


@datasets.command("path")
def path_(name: str, *, as_json: JsonFlag = False) -> None:
    """Say where a table is on this machine."""
    from labctl.datasets import load_card, locate  # noqa: PLC0415

    path = locate(load_card(name))
    give(Answer({"name": name, "path": str(path)}, lambda: typer.echo(str(path))), as_json=as_json)


@datasets.command("show")
def show(name: str, *, as_json: JsonFlag = False) -> None:
    """Show a table's card: where it comes from, its columns and what its failures mean."""
    from labctl.datasets import load_card  # noqa: PLC0415

    card = load_card(name)
    data = card.model_dump(mode="json", exclude_none=True)

    def words() -> None:
        from ruamel.yaml import YAML  # noqa: PLC0415

        YAML(typ="safe", pure=True).dump(data, typer.get_text_stream("stdout"))

    give(Answer(data, words), as_json=as_json)


def doctor(*, as_json: JsonFlag = False) -> None:
    """Say whether this machine can run labctl, and what is missing."""
    from labctl.doctor import examine  # noqa: PLC0415

    findings = examine()
    well = not any(f.state == "bad" for f in findings)
    data = {
        "ok": well,
        "findings": [
            {"name": f.name, "state": f.state, "what": f.what, "remedy": f.remedy} for f in findings
        ],
    }

    def words() -> None:
        for f in findings:
            typer.echo(f"{f.state:<5} {f.name}: {f.what}" + (f"; {f.remedy}" if f.remedy else ""))

    give(Answer(data, words, exit_code=0 if well else 1), as_json=as_json)


def schema() -> None:
    """Print the JSON schema of campaign files, from which editors complete keys."""
    from labctl.config import json_schema  # noqa: PLC0415

    typer.echo(json_schema(), nl=False)
