"""The command that asks how far a table or a campaign can be trusted: audit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli.output import Answer, Folder, JsonFlag, give
from labctl.cli.progress import Progress
from labctl.errors import RequestError
from labctl.plural import counted, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.audit.repairs import Repair
    from labctl.audit.run import Audited

_SHOWN = 8
_MOST_NOTES = 8


def audit(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="A campaign file, a CSV, a card, or a name from `labctl datasets list`."
        ),
    ],
    *,
    goal: Annotated[
        str | None, typer.Option("--target", metavar="COL", help="The column that was measured.")
    ] = None,
    success: Annotated[
        str | None, typer.Option("--success", metavar="CLASS", help="The class that counts as success.")
    ] = None,
    true_rate: Annotated[
        float | None,
        typer.Option("--true-rate", metavar="P", help="Share of recipes that succeed if drawn at random."),
    ] = None,
    label_values: Annotated[
        str | None,
        typer.Option("--label-values", metavar="COL", help="The quantity that labels were made from."),
    ] = None,
    label_range: Annotated[
        tuple[float, float] | None,
        typer.Option("--label-range", metavar="LO HI", help="Lowest and highest threshold in use."),
    ] = None,
    label_sd: Annotated[
        float | None,
        typer.Option("--label-sd", metavar="SD", help="Standard deviation of that quantity."),
    ] = None,
    candidates: Annotated[
        Path | None,
        typer.Option(
            "--candidates", metavar="POOL.csv", help="Recipes that could be made next, to compare it with."
        ),
    ] = None,
    propose: Annotated[
        int, typer.Option("--propose", min=0, max=1000, metavar="N", help="Experiments that would repair it.")
    ] = 5,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", "-p", metavar="FILE.csv", help="Also write these experiments as CSV."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.html", help="Write one page with plots."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything that is drawn.")] = 0,
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how far a table or a campaign can be trusted, and which experiments would repair it."""
    from labctl.audit.asked import Asked  # noqa: PLC0415 - commands import what they need
    from labctl.audit.repairs import hard_limits, repairs, write_repairs  # noqa: PLC0415
    from labctl.audit.run import audit_target  # noqa: PLC0415

    _look_ahead(plan, output)
    asked = Asked(true_rate, success, label_values, label_range, label_sd, candidates)
    with Progress() as progress:
        audited = audit_target(target, goal, asked, folder, seed=seed, progress=progress.tell)
    found = repairs(audited, propose, seed=seed, allowed=hard_limits(audited))
    data = {**audited.as_json(), "repairs": [r.as_json() for r in found]}
    if output is not None:
        from labctl.audit.page import write_page  # noqa: PLC0415

        write_page(audited, found, output)
        data["page"] = str(output)
    if plan is not None and found:
        write_repairs(plan, found, audited.study.space.units)
        data["plan"] = str(plan)
    give(Answer(data, lambda: _tell(audited, found, output, plan)), as_json=as_json)


def _look_ahead(plan: Path | None, output: Path | None) -> None:
    """Refuse files that could not be written, before minutes are spent on what would go into them."""
    from labctl.files import may_write  # noqa: PLC0415 - commands import what they need

    if plan is not None:
        if plan.is_file():
            raise RequestError("exists, and may hold results; name another file", file=plan)
        may_write(plan, ".csv")
    if output is not None:
        may_write(output, ".html")


def _tell(audited: "Audited", found: "list[Repair]", output: Path | None, plan: Path | None) -> None:
    from labctl.audit.repairs import out_of_reach  # noqa: PLC0415
    from labctl.audit.words import verdict  # noqa: PLC0415
    from labctl.space.shown import recipe_text  # noqa: PLC0415

    _, sentence = verdict(audited.findings, len(audited.fine))
    typer.echo(sentence)
    for finding in audited.findings[:_SHOWN]:
        typer.echo(f"  {finding.level:<6} {finding.title}")
    left = len(audited.findings) - _SHOWN
    if left > 0:
        typer.echo(f"  and {left} more; see the page (-o FILE.html) or --json")
    silent = len(audited.not_applicable)
    typer.echo(f"{counted(len(audited.fine), 'check')} found nothing, {silent} had nothing to look at")
    if beyond := out_of_reach(audited):
        typer.echo(beyond)
    if found:
        typer.echo(f"{verb(len(found), 'experiment', 'experiments')} that would repair it:")
    for repair in found:
        typer.echo(f"  {recipe_text(repair.recipe, audited.study.space.parameters)}")
        typer.echo(f"       {repair.why}")
    _tell_notes(audited.prepared.notes)
    if plan is not None and not found:
        typer.echo(f"no experiment would repair it, so {plan} was not written")
    for path in (plan if found else None, output):
        if path is not None:
            typer.echo(f"written: {path}")


def _tell_notes(notes: "Sequence[str]") -> None:
    for note in notes[:_MOST_NOTES]:
        typer.echo(f"note: {note}")
    if len(notes) > _MOST_NOTES:
        typer.echo(f"note: {counted(len(notes) - _MOST_NOTES, 'more note')}; see the page (-o FILE.html)")
