"""How experiments and summaries look in a terminal."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from labctl.config import CampaignConfig
from labctl.scores import value_of
from labctl.state import Experiment
from labctl.summary import Best, Summary
from labctl_drivers.protocol import Setting


def number(value: float) -> str:
    """A number as a person writes it: four digits that matter."""
    return f"{value:,.4g}" if abs(value) < 1e5 or value == 0 else f"{value:.4g}"  # noqa: PLR2004 - then exponents


def recipe_text(recipe: Mapping[str, Setting], units: Mapping[str, str] | None = None) -> str:
    """A recipe in one line."""
    units = units or {}
    parts = []
    for name, value in recipe.items():
        shown = value if isinstance(value, str) else number(value)
        unit = units.get(name, "")
        parts.append(f"{name} {shown}{' ' + unit if unit not in ('', 'dimensionless', 'unknown') else ''}")
    return ", ".join(parts)


def experiment_line(experiment: Experiment, config: CampaignConfig, best_before: float | None) -> str:
    """One finished experiment: what was expected, and what came."""
    goal, _ = config.goal
    head = f"{experiment.id}  {experiment.proposal.arm:<8}"
    predicted = experiment.proposal.predictions.get(goal)
    expected = (
        f"expected {number(predicted.mean)} ± {number(predicted.measurement_sd)}"
        if predicted
        else "no prediction yet"
    )
    outcome = experiment.outcome
    if outcome is None:
        reason = experiment.decision.reason if experiment.decision else ""
        return f"{head}  [yellow]rejected[/]  {_plain(reason)}"
    if outcome.status == "failed":
        return f"{head}  [red]{outcome.kind!s:<16}[/]  {_plain(outcome.message)}"
    value = value_of(experiment, goal)
    assert value is not None  # noqa: S101 - measured
    is_best = best_before is None or config.sign * (value - best_before) > 0
    mark = "[green]best so far[/]" if is_best else ""
    return f"{head}  {number(value):>12}  {expected}  {mark}"


def _plain(text: str) -> str:
    from rich.markup import escape  # noqa: PLC0415

    return escape(text if len(text) <= 110 else text[:107] + "...")  # noqa: PLR2004 - one line of a terminal


def _with_unit(best: Best) -> str:
    return number(best.value) + ("" if best.unit in ("unknown", "dimensionless") else f" {best.unit}")


def print_summary(summary: Summary, units: Mapping[str, str]) -> None:
    """A campaign's summary, on stdout."""
    # Nothing in a name, a message or a table's cell is markup: what reads like it is shown as it stands.
    console = Console(highlight=False, markup=False, emoji=False)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    failures = ", ".join(f"{n} {kind}" for kind, n in summary.failed.items()) or "none"
    table.add_row("campaign", summary.campaign)
    table.add_row("status", f"{summary.status}: {summary.why}")
    table.add_row("experiments", f"{summary.experiments}, of which {summary.measured} measured")
    table.add_row("failed", failures)
    if summary.waiting:
        table.add_row("waiting", f"{summary.waiting} for a result")
    if summary.rejected:
        table.add_row("rejected", str(summary.rejected))
    if summary.best is not None:
        table.add_row("best", f"{_with_unit(summary.best)} in {summary.best.experiment}")
        table.add_row("", recipe_text(summary.best.recipe, units))
    if summary.better_off_recipe is not None:
        better = summary.better_off_recipe
        table.add_row("off recipe", f"{better.experiment} gave {_with_unit(better)}, which is better, at")
        table.add_row("", recipe_text(better.recipe, units))
    if summary.calibration is not None:
        c = summary.calibration
        table.add_row(
            "predictions",
            f"{c.within_95:.0%} of {c.n} results lay inside the 95 % interval written before them "
            f"(rms z {c.rms_z:.2f}; 1 is right)",
        )
    if summary.verdict is not None:
        table.add_row("surrogate", f"{summary.verdict['verdict']}, by {summary.verdict['n']} results")
        table.add_row("", str(summary.verdict["reason"]))
    if summary.surprises:
        told = ", ".join(f"{s.experiment} ({s.replicate})" for s in summary.surprises)
        table.add_row("surprises", f"{told}: each is measured again before it is believed")
    table.add_row("computing", f"{summary.cpu_seconds:.1f} CPU s for choosing")
    if summary.ledger:
        table.add_row("ledger", summary.ledger)
    table.add_row("head", summary.head)
    console.print(table)
