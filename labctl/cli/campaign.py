"""Commands that do experiments: run and replay."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, cast

import typer

from labctl.cli.interrupts import INTERRUPTED, Interrupts
from labctl.cli.output import Answer, CampaignFile, Folder, Heedless, JsonFlag, as_typed, give, say

if TYPE_CHECKING:
    from labctl.campaign import Campaign
    from labctl.config import CampaignConfig
    from labctl.state import Experiment

Seed = Annotated[
    int | None, typer.Option("--seed", min=0, help="Seed of a new campaign; the file's unless given.")
]

_EXITS = {"halted": 1, "stopped": INTERRUPTED}


def run(
    file: CampaignFile,
    *,
    experiments: Annotated[
        int | None,
        typer.Option("--experiments", min=1, metavar="N", help="Budget in all, in place of the file's."),
    ] = None,
    seed: Seed = None,
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Run a campaign, or go on with it, until its budget is spent or a stopping rule applies."""
    with Interrupts() as interrupts:
        from labctl.beginning import refuse_by_hand  # noqa: PLC0415 - commands import what they need
        from labctl.campaign import Campaign  # noqa: PLC0415
        from labctl.config import load_config  # noqa: PLC0415

        # Before a ledger is made.
        refuse_by_hand(load_config(file))
        with Campaign.open(file, folder=folder, seed=seed) as campaign:
            interrupts.stops(campaign)
            for note in campaign.bench.notes:
                say(f"note: {note}")
            with _progress(campaign, experiments) as watch:
                summary = campaign.run(experiments=experiments, watch=watch)
            parameters = campaign.bench.space.parameters

    def words() -> None:
        from labctl.cli.show import print_summary  # noqa: PLC0415

        print_summary(summary, parameters, campaign=as_typed(file, folder))

    give(Answer(summary.as_json(), words, exit_code=_EXITS.get(summary.status, 0)), as_json=as_json)


def replay(
    file: CampaignFile,
    *,
    strategies: Annotated[
        str,
        typer.Option("--strategies", metavar="A,B", help="Arms to compare, or evidence for shares of all."),
    ] = "improve,random",
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, metavar="N", help="Repeats with different seeds.")
    ] = 5,
    experiments: Annotated[
        int | None,
        typer.Option(
            "--experiments", min=1, metavar="N", help="Budget of each run; the file's unless given."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="Processes; -1 for one a core.")] = -1,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Write replay.json and replay.html there."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare strategies on a historical table, each with the same seeds."""
    from labctl.replay import compare  # noqa: PLC0415

    names = [name.strip() for name in strategies.split(",") if name.strip()]
    comparison = compare(file, names, seeds=seeds, experiments=experiments, jobs=jobs, progress=sys.stderr)
    written = comparison.write(output) if output is not None else None

    def words() -> None:
        comparison.print()
        if written is not None:
            typer.echo(f"written: {written}")

    give(Answer(comparison.as_json(), words), as_json=as_json)


@contextmanager
def _progress(campaign: "Campaign", experiments: int | None) -> Iterator[Any]:
    """A line for every experiment and, in a terminal, a bar below them; all on stderr."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    from labctl.cli.show import experiment_line  # noqa: PLC0415
    from labctl.scores import standing_value  # noqa: PLC0415
    from labctl.stopping import budgeted  # noqa: PLC0415
    from labctl.summary import best  # noqa: PLC0415

    stream = cast("IO[str]", Heedless(sys.stderr))
    console = Console(file=stream, highlight=False, soft_wrap=True, emoji=False)
    config = campaign.config
    found = best(config, campaign.state)
    best_value = None if found is None else found.value
    total = config.model.budget.experiments if experiments is None else experiments
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(config.name, total=total, completed=budgeted(campaign.state))

        def watch(experiment: "Experiment") -> None:
            nonlocal best_value
            console.print(experiment_line(experiment, config, best_value))
            value = standing_value(experiment, *config.goal) if _counts(experiment, config) else None
            if value is not None and (best_value is None or config.worth(value) > config.worth(best_value)):
                best_value = value
            bar.update(task, completed=budgeted(campaign.state))

        yield watch


def _counts(experiment: "Experiment", config: "CampaignConfig") -> bool:
    """Whether its result may be the best so far."""
    from labctl.scores import keeps_limits  # noqa: PLC0415

    return experiment.proposal.fidelity is None and keeps_limits(config, experiment)
