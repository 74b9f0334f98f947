"""The command that says how far a model can be trusted: validate."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli.output import Answer, Folder, JsonFlag, give
from labctl.cli.progress import Progress
from labctl.errors import RequestError

if TYPE_CHECKING:
    from labctl.law import WrittenLaw
    from labctl.study import Study
    from labctl.validate import Checked
    from labctl_models.validation.race import Step

Target = Annotated[
    str,
    typer.Argument(metavar="TARGET", help="A campaign file, a CSV, a card, or a name from `datasets list`."),
]
GoalColumn = Annotated[
    str | None, typer.Option("--target", metavar="COL", help="What was measured, where that is not clear.")
]
_MOST_NOTES = 8
_PIPED_WIDTH = 110


def validate(
    target: Target,
    *,
    goal: GoalColumn = None,
    budget: Annotated[
        float,
        typer.Option("--budget", metavar="SECONDS", min=1.0, help="CPU seconds for all models together."),
    ] = 120.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of clusters, folds and models.")] = 0,
    law: Annotated[
        str | None,
        typer.Option(
            "--law",
            metavar="FORMULA",
            help="A law to test, such as 's0 + k / sqrt(d)': columns by name, every other name a constant.",
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            metavar="COL",
            help="Also hold out each group of this column, such as a batch; may be given several times.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.html",
            help="The page; validation.html beside the ledger, or here.",
        ),
    ] = None,
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how far a model can be trusted, by holding out whole clusters of recipes.

    Writes one page with plots that opens without a network. Exit 1: the model is a lookup table, or the
    budget was too small to show that it is none, and the page is written all the same.
    """
    from labctl.files import may_write  # noqa: PLC0415 - commands import what they need
    from labctl.target import find_study  # noqa: PLC0415
    from labctl.validate import validate_study, write_page  # noqa: PLC0415
    from labctl.validate.words import step as in_words  # noqa: PLC0415

    page = output if output is not None else _usual_page(target, folder)
    may_write(page, ".html")
    study = find_study(target, goal=goal, folder=folder)
    written = _law(law, target, study)
    with Progress() as bar:

        def show(step: "Step") -> None:
            bar.tell(step.number, step.count, in_words(step))

        checked = validate_study(
            study, budget_s=budget, seed=seed, law=written, groups=group or (), progress=show
        )
    write_page(checked, page)
    data = {**checked.as_json(), "page": str(page)}
    give(Answer(data, lambda: _tell(checked, page), exit_code=1 if checked.refused else 0), as_json=as_json)


def _usual_page(target: str, folder: Path | None) -> Path:
    path = Path(target)
    if path.suffix in (".yaml", ".yml") and not path.name.endswith(".card.yaml"):
        beside = folder if folder is not None else path.parent / f"{path.stem}.lab"
        return (beside if beside.is_dir() else path.parent) / "validation.html"
    return Path(f"{path.stem}.validation.html")


def _law(given: str | None, target: str, study: "Study") -> "WrittenLaw | None":
    """The law of the command, else the campaign file's."""
    from labctl.law import read_law  # noqa: PLC0415

    if given is not None:
        try:
            return read_law(given, study.space.parameters)
        except ValueError as error:
            raise RequestError(str(error), key="--law") from None
    path = Path(target)
    if path.suffix in (".yaml", ".yml") and str(path) == study.source:
        from labctl.config import load_config  # noqa: PLC0415

        model = load_config(path).model
        return None if model.law is None else model.law.written(study.space.parameters)
    return None


def _tell(checked: "Checked", page: Path) -> None:
    """The table of candidates, the verdict, and where the page is."""
    import math  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from labctl.validate.words import at_a_glance, error_name, headline, level, name_of, reason, with_unit  # noqa: PLC0415

    classes = bool(checked.found.classes)
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
    table = Table(title=error_name(checked), title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for head in ("at random", "whole clusters", "worst cluster", "CPU s"):
        table.add_column(head, justify="right")
    table.add_column("")
    evidence = checked.found.verdict.evidence
    yardsticks = (evidence.get("error_mean_loco", math.nan), evidence.get("error_nearest_loco", math.nan))
    behind = evidence.get("error_loco", math.nan) >= min(yardsticks)
    best = "best model, behind a yardstick" if behind else "best model"
    reports = sorted(checked.found.candidates, key=lambda r: r.loco.over_clusters if r.loco else math.inf)
    for r in reports:
        errors = [s.over_clusters if s else math.nan for s in (r.shuffled, r.loco)]
        worst = r.loco.worst if r.loco else math.nan
        mark = best if r.name == checked.found.best else "" if r.status == "finished" else r.status
        cells = [with_unit(checked, v) for v in (*errors, worst)]
        table.add_row(name_of(r.name, classes=classes), *cells, f"{r.cpu_s:.1f}", mark)
    console.print(table)
    console.print()
    for c in checked.constants:
        beside = (
            "" if c.beside is None else f"; beside what the law misses {c.beside[0]:.4g} ± {c.beside[1]:.2g}"
        )
        console.print(
            f"{c.name} = {c.alone[0]:.4g} ± {c.alone[1]:.2g} {c.unit}".rstrip() + beside, soft_wrap=True
        )
    console.print(f"{level(checked)}: {headline(checked)}", soft_wrap=True)
    console.print(at_a_glance(checked), soft_wrap=True)
    console.print(reason(checked), soft_wrap=True)
    for note in checked.notes[:_MOST_NOTES]:
        console.print(f"note: {note}", soft_wrap=True)
    if len(checked.notes) > _MOST_NOTES:
        console.print(f"note: {len(checked.notes) - _MOST_NOTES} more notes are on the page", soft_wrap=True)
    console.print(str(page), soft_wrap=True)
