"""Commands that only look: status, report, export and verify."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli.output import Answer, CampaignFile, Folder, JsonFlag, as_typed, give
from labctl.errors import RequestError

if TYPE_CHECKING:
    from labctl.view import View

LedgerOrCampaign = Annotated[
    Path, typer.Argument(metavar="CAMPAIGN.yaml", help="The campaign file, or a ledger.sqlite.")
]


def status(file: CampaignFile, *, folder: Folder = None, as_json: JsonFlag = False) -> None:
    """Where a campaign stands; a running controller is not disturbed."""
    view = _view(file, folder)
    data = {**view.summary.as_json(), "waiting_for": [e.id for e in view.state.pending]}

    def words() -> None:
        from labctl.cli.show import print_summary  # noqa: PLC0415
        from labctl.space.shown import recipe_text  # noqa: PLC0415

        print_summary(view.summary, view.config.model.parameters, campaign=as_typed(file, folder))
        for experiment in view.state.pending:
            what = recipe_text(experiment.proposal.recipe, view.config.model.parameters)
            dead = experiment.status == "running" and view.summary.status != "running"
            typer.echo(f"  {experiment.id} is {'begun' if dead else experiment.status}: {what}")

    # As `labctl run` does, whoever asks is told of a halt by the exit code too.
    halted = view.summary.status == "halted"
    give(Answer(data, words, exit_code=1 if halted else 0), as_json=as_json)


def report(
    file: CampaignFile,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A page (.html), or a picture (.png, .svg).",
        ),
    ] = None,
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Write one page with plots that opens without a network, or one picture for a talk."""
    from labctl.report import write_report  # noqa: PLC0415 - commands import what they need
    from labctl.report.picture import picture  # noqa: PLC0415

    view = _view(file, folder)
    path = output if output is not None else view.ledger.parent / "report.html"
    if path.suffix.lower() in (".png", ".svg"):
        picture(view, path)
    else:
        write_report(view, path)
    give(
        Answer({**view.summary.as_json(), "report": str(path)}, lambda: typer.echo(str(path))),
        as_json=as_json,
    )


def export(
    file: CampaignFile,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .csv, .parquet or .json file; without it, CSV on stdout.",
        ),
    ] = None,
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Give every experiment with the prediction that was written before its result, failures included."""
    from labctl.export import as_csv, as_records, write_export  # noqa: PLC0415

    view = _view(file, folder)
    data = as_records(view)
    if output is not None:
        write_export(view, output)
        data = {**data, "written": str(output)}
    words = (
        (lambda: typer.echo(str(output)))
        if output is not None
        else (lambda: typer.echo(as_csv(view), nl=False))
    )
    give(Answer(data, words), as_json=as_json)


def verify(
    file: LedgerOrCampaign,
    *,
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="HASH", help="A head noted earlier, which the chain must contain."),
    ] = None,
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Recompute the ledger's chain; exit 1 names the first bad event."""
    from labctl.ledger import Ledger  # noqa: PLC0415
    from labctl.view import ledger_of  # noqa: PLC0415

    path = file if file.suffix == ".sqlite" else ledger_of(file, folder)
    with Ledger.read(path) as ledger:
        verified = ledger.verify()
        if head is not None and not any(event.hash == head for event in ledger.events()):
            raise RequestError(
                f"no event has the hash {head}; events after it may be gone", file=path, key="--head"
            )
    data = {"ledger": str(path), "events": verified.events, "head": verified.head, "verified": True}
    words = f"{path}: {verified.events} events, every hash fits, head {verified.head}"
    give(Answer(data, lambda: typer.echo(words)), as_json=as_json)


def _view(file: Path, folder: Path | None) -> "View":
    from labctl.view import look  # noqa: PLC0415

    return look(file, folder)
