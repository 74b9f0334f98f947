"""Commands for a lab without automation: propose and record."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labctl.cli.output import Answer, CampaignFile, Folder, JsonFlag, give, say
from labctl.errors import RequestError
from labctl.plural import counted, verb

if TYPE_CHECKING:
    from labctl.campaign import Campaign
    from labctl.config import CampaignConfig
    from labctl.proposal import Interval
    from labctl.state import Experiment

_BOUND = re.compile(r"([^=<>]+)([<>])=?(.*)", re.DOTALL)


def propose(
    file: CampaignFile,
    *,
    n: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many experiments.")] = 1,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe", metavar="NAME=VALUE", help="Your own recipe instead; once for each parameter."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE.csv", help="Also write a sheet to fill in, for record --from."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed of a new campaign.")] = None,
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Propose experiments for a person to carry out."""
    from labctl.campaign import Campaign  # noqa: PLC0415 - commands import what they need

    if output is not None:
        from labctl.sheet import refuse_overwriting, write_sheet  # noqa: PLC0415

        # Before anything is written: a sheet that cannot be made must not leave proposals behind.
        refuse_overwriting(output)
    with Campaign.open(file, folder=folder, seed=seed) as campaign:
        why = campaign.ended()
        ended, note = (None, None) if why is None else (why[1], f"the campaign has ended: {why[1]}")
        own = [campaign.expert(_recipe(recipe, campaign.config))] if recipe else None
        experiments = campaign.propose(n) if own is None else own
        if own is None and len(experiments) < n:
            ended = campaign.none_left()[1]
            note = f"{len(experiments)} of {n} proposed: {ended}"
        units = campaign.bench.space.units
        if output is not None:
            write_sheet(output, experiments, campaign.config)
    data = {
        "campaign": campaign.config.name,
        "ended": ended,
        "proposals": [_as_json(e) for e in experiments],
    }
    if note is not None:
        say(f"note: {note}")

    def words() -> None:
        from labctl.cli.show import recipe_text  # noqa: PLC0415
        from labctl.report.words import domain_in_words  # noqa: PLC0415

        for experiment in experiments:
            typer.echo(f"{experiment.id}  {recipe_text(experiment.proposal.recipe, units)}")
            typer.echo(f"       {experiment.proposal.arm}: {experiment.proposal.because}")
            if (stamp := experiment.proposal.domain) is not None:
                typer.echo(f"       {domain_in_words(stamp)}")

    give(Answer(data, words), as_json=as_json)


def record(
    file: CampaignFile,
    *,
    experiment: Annotated[
        str | None, typer.Argument(metavar="EXPERIMENT", help="Its id, such as e0003; leave out with --from.")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE", help="What was measured; 'NAME>VALUE' or 'NAME<VALUE' beyond the scale."
        ),
    ] = None,
    failed: Annotated[
        str | None,
        typer.Option("--failed", metavar="KIND", help="It failed: infeasible, censored, off_recipe, ..."),
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What happened, in words.")] = "",
    actual: Annotated[
        list[str] | None,
        typer.Option(
            "--actual", metavar="NAME=VALUE", help="A setting reached instead of what was asked: off_recipe."
        ),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option("--from", metavar="FILE.csv", help="Record every filled-in row of a sheet.")
    ] = None,
    by: Annotated[str, typer.Option("--by", help="Who says so.")] = "hand",
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Record what a person measured, or how it failed."""
    from labctl.campaign import Campaign  # noqa: PLC0415
    from labctl.record import missing  # noqa: PLC0415

    with Campaign.open(file, folder=folder) as campaign:
        if sheet is not None:
            from labctl.sheet import record_sheet  # noqa: PLC0415

            read = record_sheet(campaign, sheet, by=by)
            recorded, before = read.now, read.before
        elif experiment is None:
            raise RequestError("name the experiment, or a sheet with --from", key="EXPERIMENT")
        else:
            recorded = [_record_one(campaign, experiment, values, failed, message, actual, by)]
            before = 0
        summary = campaign.summary()
        lacking = {e.id: missing(campaign.config, e.outcome) for e in recorded if e.outcome is not None}
    lacking = {name: lacks for name, lacks in lacking.items() if lacks}
    data = {
        **summary.as_json(),
        "recorded": [e.id for e in recorded],
        "recorded_before": before,
        "missing": lacking,
    }

    def words() -> None:
        for e in recorded:
            result = e.outcome
            typer.echo(f"{e.id} recorded as {(result.kind or result.status) if result else e.status}")
            if result is not None and result.kind == "off_recipe" and result.values:
                typer.echo(f"       {result.message}; its values count at the settings that were reached")
            if e.id in lacking:
                typer.echo(f"       without {' and '.join(lacking[e.id])}")
        if before:
            typer.echo(f"{counted(before, 'row')} {verb(before, 'was', 'were')} recorded before")
        elif not recorded:
            typer.echo("no row holds a result yet")

    give(Answer(data, words), as_json=as_json)


def _record_one(  # noqa: PLR0917 - the command's own options
    campaign: "Campaign",
    experiment: str,
    values: list[str] | None,
    failed: str | None,
    message: str,
    actual: list[str] | None,
    by: str,
) -> "Experiment":
    return campaign.record(
        experiment,
        failed=failed,
        message=message,
        by=by,
        **told_by_hand(campaign.config, values, actual),
    )


def told_by_hand(
    config: "CampaignConfig", values: list[str] | None, actual: list[str] | None
) -> dict[str, Any]:
    """What a person typed of a result: ``values``, ``bounds`` and the ``actual`` settings.

    Raises:
        RequestError: something that was typed is no value.
    """
    plain, beyond = [], []
    for text in values or []:
        bound = _BOUND.fullmatch(text)
        if bound is None or text.partition("=")[0].strip() in config.model.objectives:
            plain.append(text)
        else:
            beyond.append((bound[1].strip(), bound[2], bound[3].strip()))
    return {
        "values": {name: _number(name, text) for name, text in _pairs(plain)},
        "bounds": _bounds(beyond),
        "actual": _recipe(actual or [], config),
    }


def _bounds(texts: list[tuple[str, str, str]]) -> "dict[str, Interval]":
    """Bounds as typed, such as ``hardness>150``; both ends of one quantity may be given."""
    from labctl.proposal import Interval  # noqa: PLC0415

    ends: dict[str, dict[str, float]] = {}
    for name, sign, value in texts:
        end = _number(name, value)
        if not math.isfinite(end):
            raise RequestError(f"{value!r} bounds nothing; write for example '{name}>150'", key=name)
        ends.setdefault(name, {})["low" if sign == ">" else "high"] = end
    return {name: Interval(**both) for name, both in ends.items()}


def _pairs(texts: list[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise RequestError(f"{text!r} is not NAME=VALUE; write for example hardness=131.5")
        pairs.append((name.strip(), value.strip()))
    return pairs


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"{text!r} is no number; write for example {name}=12.5", key=name) from None


def _recipe(texts: list[str], config: "CampaignConfig") -> dict[str, Any]:
    from labctl.space.parameters import NUMERIC  # noqa: PLC0415

    recipe: dict[str, Any] = {}
    for name, text in _pairs(texts):
        numeric = isinstance(config.model.parameters.get(name), NUMERIC)
        recipe[name] = _number(name, text) if numeric else text
    return recipe


def _as_json(experiment: "Experiment") -> dict[str, Any]:
    from labctl.export import as_record  # noqa: PLC0415

    return as_record(experiment)
