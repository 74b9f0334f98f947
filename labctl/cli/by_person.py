"""Commands for what only a person can say: settle what became of a sample, resume after a halt."""

from enum import StrEnum
from typing import Annotated

import typer

from labctl.cli.output import Answer, CampaignFile, Folder, JsonFlag, as_typed, give

By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")]


class Verdict(StrEnum):
    """What became of an attempt of which the controller cannot tell."""

    MEASURED = "measured"
    FAILED = "failed"
    NEVER = "never"


def settle(
    file: CampaignFile,
    *,
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its id, such as e0003.")],
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE", help="What was measured; 'NAME>VALUE' or 'NAME<VALUE' beyond the scale."
        ),
    ] = None,
    verdict: Annotated[
        Verdict,
        typer.Option("--as", help="It was measured, it failed, or it never began and may be tried again."),
    ],
    by: By,
    failed: Annotated[
        str | None,
        typer.Option("--failed", metavar="KIND", help="How it failed: infeasible, instrument_fault, ..."),
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What was found, in words.")] = "",
    actual: Annotated[
        list[str] | None,
        typer.Option("--actual", metavar="NAME=VALUE", help="A setting reached instead of what was asked."),
    ] = None,
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what became of an experiment that ended as unknown; nothing is ever tried again without this."""
    from labctl.campaign import Campaign  # noqa: PLC0415 - commands import what they need
    from labctl.cli.by_hand import told_by_hand  # noqa: PLC0415

    with Campaign.open(file, folder=folder) as campaign:
        told = told_by_hand(campaign.config, values, actual)
        settled = campaign.settle(experiment, verdict.value, by=by, failed=failed, message=message, **told)
        again = settled.status == "approved" or campaign.state.retry_allowed(settled)
        summary = campaign.summary()
    result = settled.outcome
    data = {**summary.as_json(), "settled": settled.id, "verdict": verdict.value, "tried_again": again}

    def words() -> None:
        what = "never begun" if verdict is Verdict.NEVER else (result.kind or result.status) if result else ""
        typer.echo(f"{settled.id} settled as {what}{'; the next run tries it again' if again else ''}")

    give(Answer(data, words), as_json=as_json)


def resume(
    file: CampaignFile,
    *,
    by: By,
    because: Annotated[
        str, typer.Option("--because", metavar="TEXT", help="What was found and done, in words.")
    ],
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Let a campaign go on that an interlock halted, or trust a suspect instrument again."""
    from labctl.campaign import Campaign  # noqa: PLC0415 - commands import what they need

    with Campaign.open(file, folder=folder) as campaign:
        halt, suspects = campaign.state.halt, campaign.state.suspects
        campaign.resume(by=by, because=because)
        summary = campaign.summary()
    data = {
        **summary.as_json(),
        "resumed": None if halt is None else halt.body(),
        "trusted_again": sorted(suspects),
    }

    def words() -> None:
        if halt is not None:
            typer.echo(f"goes on after {halt.instrument} was stopped by interlock {halt.reason}")
        for lane, suspect in sorted(suspects.items()):
            typer.echo(f"{suspect.instrument} on {lane} is trusted again")
        typer.echo(f"nothing was started; `labctl run {as_typed(file, folder)}` goes on")

    give(Answer(data, words), as_json=as_json)
