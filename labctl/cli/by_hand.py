"""Commands for a lab without automation: propose and record."""

import math
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labctl.cli.output import Answer, CampaignFile, Folder, JsonFlag, as_typed, give, say
from labctl.errors import RefusedError, RequestError
from labctl.plural import counted, verb

if TYPE_CHECKING:
    from labctl.campaign import Campaign
    from labctl.config import CampaignConfig
    from labctl.proposal import Interval
    from labctl.state import Experiment
    from labctl.stopping import Ended

_BOUND = re.compile(r"([^=<>]+)([<>])=?(.*)", re.DOTALL)


def propose(
    file: CampaignFile,
    *,
    n: Annotated[
        int | None,
        typer.Option("-n", min=1, max=10_000, help="How many experiments; the file's batch unless given."),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe",
            metavar="NAME=VALUE",
            help="Your own recipe instead, for the next run; once for each parameter.",
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
        own = _recipe(recipe, campaign.config) if recipe else None
        wanted = 1 if own is not None else n or campaign.config.model.strategy.batch
        experiments, beyond = _proposed(campaign, wanted, own)
        ended = next((why for _, why in reversed(beyond)), None)
        notes = [_beyond(end, names) for end, names in beyond.items()]
        if len(experiments) < wanted:
            ended = campaign.none_left()[1]
            notes.append(f"{len(experiments)} of {wanted} proposed: {ended}")
        parameters = campaign.bench.space.parameters
        if output is not None:
            write_sheet(output, experiments, campaign.config)
    data = {
        "campaign": campaign.config.name,
        "ended": ended,
        "beyond_the_end": [name for names in beyond.values() for name in names],
        "proposals": [_as_json(e) for e in experiments],
    }
    for note in notes:
        say(f"note: {note}")

    def words() -> None:
        from labctl.report.words import domain_in_words  # noqa: PLC0415
        from labctl.space.shown import recipe_text  # noqa: PLC0415

        for experiment in experiments:
            typer.echo(f"{experiment.id}  {recipe_text(experiment.proposal.recipe, parameters)}")
            typer.echo(f"       {experiment.proposal.arm}: {experiment.proposal.because}")
            if (stamp := experiment.proposal.domain) is not None:
                typer.echo(f"       {domain_in_words(stamp)}")
            if experiment.proposal.route == "lane":
                typer.echo(f"       `labctl run {as_typed(file, folder)}` carries it out")

    give(Answer(data, words), as_json=as_json)


def _proposed(
    campaign: "Campaign", wanted: int, own: dict[str, Any] | None
) -> tuple[list["Experiment"], "dict[Ended, list[str]]"]:
    """Experiments, and by reason those of them that are beyond the campaign's end.

    Raises:
        RefusedError: the lab's limits leave not even one.
    """
    from labctl.stopping import overdrawn  # noqa: PLC0415

    experiments: list[Experiment] = []
    beyond: dict[Ended, list[str]] = {}
    for _ in range(wanted):
        end = campaign.ended()
        try:
            new = campaign.propose() if own is None else [campaign.expert(own)]
        except RefusedError:
            if not experiments:
                raise
            break
        if not new:
            break
        experiments += new
        if end is None and (why := overdrawn(campaign.config, campaign.state)) is not None:
            end = ("finished", why)
        if end is not None:
            beyond.setdefault(end, []).append(new[0].id)
    return experiments, beyond


def _beyond(end: "Ended", names: list[str]) -> str:
    status, why = end
    how = "is halted" if status == "halted" else "has ended"
    shown = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    return f"the campaign {how}: {why}; {shown} {verb(len(names), 'goes', 'go')} beyond that"


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
    from labctl.record import can_try_again, missing  # noqa: PLC0415

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
        again = [e for e in recorded if can_try_again(campaign.config, campaign.state, e)]
    lacking = {name: lacks for name, lacks in lacking.items() if lacks}
    data = {
        **summary.as_json(),
        "recorded": [e.id for e in recorded],
        "recorded_before": before,
        "missing": lacking,
        "can_try_again": [e.id for e in again],
    }

    def words() -> None:
        from labctl.cli.show import end_in_words  # noqa: PLC0415

        for e in recorded:
            _tell(e, lacking.get(e.id, []), _again(e, file, folder) if e in again else None)
        if before:
            typer.echo(f"{counted(before, 'row')} {verb(before, 'was', 'were')} recorded before")
        elif not recorded:
            typer.echo("no row holds a result yet")
        if recorded and (end := end_in_words(summary)) is not None:
            typer.echo(end)

    give(Answer(data, words), as_json=as_json)


def _tell(experiment: "Experiment", lacking: list[str], again: str | None) -> None:
    """Say what was recorded of an experiment, what it lacks, and how to try it again."""
    result = experiment.outcome
    typer.echo(
        f"{experiment.id} recorded as {(result.kind or result.status) if result else experiment.status}"
    )
    if result is not None and result.kind == "off_recipe" and result.values:
        typer.echo(f"       {result.message}; its values count at the settings that were reached")
    if lacking:
        typer.echo(f"       without {' and '.join(lacking)}")
    if again is not None:
        typer.echo("       this says nothing of the recipe; to try it again:")
        typer.echo(f"       {again}")


def _again(experiment: "Experiment", file: Path, folder: Path | None) -> str:
    """The command that proposes exactly this recipe once more."""
    parts = ["labctl", "propose", str(file)]
    for name, value in experiment.proposal.recipe.items():
        parts += ["--recipe", f"{name}={value}"]
    return shlex.join(parts if folder is None else [*parts, "--folder", str(folder)])


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
        side = "low" if sign == ">" else "high"
        if side in ends.setdefault(name, {}):
            raise RequestError(f"has two bounds {sign}; give one", key=name)
        ends[name][side] = end
    return {name: Interval(**both) for name, both in ends.items()}


def _pairs(texts: list[str]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise RequestError(f"{text!r} is not NAME=VALUE; write for example hardness=131.5")
        if any(name.strip() == other for other, _ in pairs):
            raise RequestError("is given twice; give it once", key=name.strip())
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
