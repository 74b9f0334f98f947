"""How experiments and summaries look in a terminal."""

from collections.abc import Iterator, Mapping
from itertools import chain

from rich.console import Console
from rich.table import Table

from labctl.config import CampaignConfig
from labctl.evidence import level_in_words
from labctl.plural import counted, verb
from labctl.scores import End, bound_in_words, breaks_limits, keeps_limits, standing_value
from labctl.space import Parameter
from labctl.space.shown import recipe_text
from labctl.state import Experiment
from labctl.summary import Best, Summary


def number(value: float) -> str:
    """A measured number as a person writes it: four digits that matter."""
    return f"{value:,.4g}" if abs(value) < 1e5 or value == 0 else f"{value:.4g}"  # noqa: PLR2004 - then exponents


def experiment_line(experiment: Experiment, config: CampaignConfig, best_before: float | None) -> str:
    """One finished experiment: what was expected, and what came."""
    goal, objective = config.goal
    stamp = experiment.proposal.domain
    where = "" if stamp is None or stamp.where == "inside" else stamp.where
    arm, strategy = experiment.proposal.arm, experiment.proposal.strategy
    # How the start is laid out, and that a choice weighed costs, is not what a line is read for.
    chosen_by = arm if arm in ("initial", "improve") or strategy is None else strategy
    head = f"{experiment.id}  {_plain(chosen_by):<15}  [dim]{where:<7}[/]"
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
    value = standing_value(experiment, goal, objective)
    if outcome.status == "failed" and value is None:
        return f"{head}  [red]{outcome.kind!s:<16}[/]  {_plain(outcome.message)}"
    if value is None:
        return f"{head}  {'-':>12}  {expected}  {_plain(outcome.message)}"
    bound = bound_in_words(experiment, goal, objective)
    shown = number(value) if bound is None else f"{bound} {number(value)}"
    return f"{head}  {shown:>12}  {expected}  {_mark(experiment, config, value, best_before)}"


def _mark(experiment: Experiment, config: CampaignConfig, value: float, best_before: float | None) -> str:
    if experiment.proposal.fidelity is not None:
        return f"[dim]by {_plain(experiment.proposal.fidelity)}[/]"
    if not keeps_limits(config, experiment):
        broken = breaks_limits(config, experiment)
        return f"[yellow]{'breaks a limit on its outcome' if broken else 'a limited quantity is missing'}[/]"
    is_best = best_before is None or config.worth(value) > config.worth(best_before)
    return "[green]best so far[/]" if is_best else ""


def _plain(text: str) -> str:
    from rich.markup import escape  # noqa: PLC0415

    return escape(text if len(text) <= 110 else text[:107] + "...")  # noqa: PLR2004 - one line of a terminal


_MOST_OF_FRONT = 8
_MOST_UNSETTLED = 10
_MOST_ENDS = 4


def _with_unit(best: Best) -> str:
    value = _quantity(best.value, best.unit)
    return value if best.bound is None else f"better than {value}"


def _quantity(value: float, unit: str) -> str:
    return number(value) + ("" if unit in ("unknown", "dimensionless") else f" {unit}")


def print_summary(
    summary: Summary, parameters: Mapping[str, Parameter], *, campaign: str = "CAMPAIGN.yaml"
) -> None:
    """A campaign's summary, on stdout; ``campaign`` is how a command line names it."""
    # Nothing in a name, a message or a table's cell is markup: what reads like it is shown as it stands.
    console = Console(highlight=False, markup=False, emoji=False)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    # A command that is cut short cannot be typed: a long path goes on in the next line.
    table.add_column(overflow="fold")
    found = _found(summary, parameters)
    parts = (_counts(summary, campaign), found, _tried(summary), _trust(summary), _record(summary))
    for label, text in chain.from_iterable(parts):
        table.add_row(label, text)
    console.print(table)


def end_in_words(summary: Summary) -> str | None:
    """That a campaign has ended, for a person who goes on with it by hand; None if it has not."""
    if summary.status not in ("finished", "halted", "exhausted"):
        return None
    waiting = summary.waiting
    left = f"; {counted(waiting, 'experiment')} {verb(waiting, 'waits', 'wait')} for a result"
    how = "is halted" if summary.status == "halted" else "has ended"
    return f"the campaign {how}: {summary.why}{left if waiting else ''}"


Rows = Iterator[tuple[str, str]]


def _counts(summary: Summary, campaign: str) -> Rows:
    yield "campaign", summary.campaign
    yield "status", f"{summary.status}: {summary.why}"
    cheaper = f" and {summary.stand_ins} by a cheaper fidelity" if summary.stand_ins else ""
    yield "experiments", f"{summary.experiments}, of which {summary.measured} measured{cheaper}"
    yield "failed", ", ".join(f"{n} {kind}" for kind, n in summary.failed.items()) or "none"
    if summary.waiting:
        yield "waiting", f"{summary.waiting} for a result"
    if summary.rejected:
        yield "rejected", str(summary.rejected)
    yield from _for_a_person(summary, campaign)


def _for_a_person(summary: Summary, campaign: str) -> Rows:
    """What waits for a person, and how they say what they found."""
    if summary.halted is not None and summary.status != "halted":
        halt = summary.halted
        yield "halted", f"{halt['instrument']} on {halt['lane']} by interlock {halt['reason']}"
    for suspect in summary.suspects:
        yield "suspect", f"{suspect['instrument']} on {suspect['lane']}: {suspect['reason']}"
    if (summary.halted is not None or summary.suspects) and summary.status != "halted":
        yield "", f"look at it; `labctl resume {campaign} --by NAME --because TEXT` lets it go on"
    if summary.unsettled:
        shown = ", ".join(summary.unsettled[:_MOST_UNSETTLED])
        more = len(summary.unsettled) - _MOST_UNSETTLED
        yield (
            "unknown",
            f"what became of {shown}{f' and {more} more' if more > 0 else ''}; look, and say it with",
        )
        for name in summary.unsettled[:_MOST_UNSETTLED]:
            yield "", f"`labctl settle {campaign} {name} --as measured|failed|never --by NAME`"


def _found(summary: Summary, parameters: Mapping[str, Parameter]) -> Rows:
    if summary.best is not None:
        rivals = summary.best.rivals
        more = f"; {counted(rivals, 'result')} beyond the scale may be better" if rivals else ""
        yield "best", f"{_with_unit(summary.best)} in {summary.best.experiment}{more}"
        yield "", recipe_text(summary.best.recipe, parameters)
    if summary.beyond_limits or summary.limits_unknown:
        yield "outcome limits", _limits(summary)
    label = "beyond"
    for end in summary.ends[:_MOST_ENDS]:
        yield label, _end(end)
        label = ""
    label = "front"
    for compromise in summary.front[:_MOST_OF_FRONT]:
        said = {name: f"{words} " for name, words in compromise.bounds.items()}
        values = ", ".join(f"{name} {said.get(name, '')}{number(v)}" for name, v in compromise.values.items())
        yield label, f"{values} in {compromise.experiment}"
        label = ""
    if len(summary.front) > _MOST_OF_FRONT:
        yield "", f"and {len(summary.front) - _MOST_OF_FRONT} more; `labctl report` shows them all"
    if summary.better_off_recipe is not None:
        better = summary.better_off_recipe
        yield "off recipe", f"{better.experiment} gave {_with_unit(better)}, which is better, at"
        yield "", recipe_text(better.recipe, parameters)


def _end(end: End) -> str:
    where = f"{'beyond' if end.side == 'above' else 'below'} {_quantity(end.bound, end.unit)}"
    blind = ", and which of them is better nobody can tell" if end.good else ""
    return f"{counted(end.n, 'result')} of {end.goal} lie {where}: what measures it ends there{blind}"


def _limits(summary: Summary) -> str:
    broken, unknown = summary.beyond_limits, summary.limits_unknown
    results = counted(summary.measured + summary.censored, "result")
    said = f"{broken} of {results} {verb(broken, 'breaks', 'break')} a limit"
    return f"{said}; of {unknown} it is not known" if unknown else said


def _tried(summary: Summary) -> Rows:
    """What came of the vetoed recipes that were tried all the same, and of cheaper fidelities."""
    if summary.vetoed is not None:
        v = summary.vetoed
        best = "" if v.best is None else f", best {_with_unit(v.best)}"
        others = "" if v.best is None or v.others is None else f" against {_with_unit(v.others)}"
        yield "vetoed", f"{v.tried} tried, {v.failed} failed{best}{others}"
    label = "cheaper"
    for c in summary.cheaper:
        said = f"; {c.standing}" if c.standing else ""
        yield label, f"{c.name}: {counted(c.readings, 'reading')}, {100 * c.share:.0f} % of the cost{said}"
        label = ""


def _trust(summary: Summary) -> Rows:
    if summary.calibration is not None:
        c = summary.calibration
        yield (
            "predictions",
            (
                f"{c.within_95:.0%} of {c.n} results lay inside the 95 % interval written before them "
                f"(rms z {c.rms_z:.2f}; 1 is right)"
            ),
        )
    if summary.verdict is not None:
        yield "surrogate", f"{level_in_words(summary.verdict)}, by {summary.verdict['n']} results"
        yield "", str(summary.verdict["reason"])
    if summary.evidence is not None:
        yield "arms", f"at the last proposal: {summary.evidence}"
    if summary.surprises:
        told = ", ".join(f"{s.experiment} ({s.replicate})" for s in summary.surprises)
        yield "surprises", f"{told}: each is measured again, where that can be, before it is believed"


def _record(summary: Summary) -> Rows:
    if summary.cost is not None:
        most = "" if summary.cost_budget is None else f" of {number(summary.cost_budget)}"
        yield "cost", f"{number(summary.cost)}{most}"
    yield "computing", f"{summary.cpu_seconds:.1f} CPU s for choosing"
    if summary.ledger:
        yield "ledger", summary.ledger
    yield "head", summary.head
