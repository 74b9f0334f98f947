"""The command line's table of contents."""

import typer

from labctl.cli import auditing, by_hand, by_person, campaign, mirror, reading, sim, tables, validation

app = typer.Typer(
    name="labctl",
    help="The controller of a self-driving lab: fits surrogates, proposes experiments, runs them through "
    "Bluesky, and writes down every result and every failure.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("init")(tables.init)
app.command("run")(campaign.run)
app.command("propose")(by_hand.propose)
app.command("record")(by_hand.record)
app.command("settle")(by_person.settle)
app.command("resume")(by_person.resume)
app.command("status")(reading.status)
app.command("report")(reading.report)
app.command("export")(reading.export)
app.command("verify")(reading.verify)
app.command("mirror")(mirror.mirror)
app.command("replay")(campaign.replay)
app.command("audit")(auditing.audit)
app.command("validate")(validation.validate)
app.add_typer(tables.datasets, name="datasets")
app.add_typer(sim.sim, name="sim")
app.command("doctor")(tables.doctor)
app.command("schema")(tables.schema)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),  # noqa: FBT001, FBT003
) -> None:
    if version:
        from labctl.strategy import code_version  # noqa: PLC0415

        typer.echo(code_version())
        raise typer.Exit
