"""One still picture of a campaign: the best so far with its failures, and predictions against results."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.errors import RequestError
from labctl.files import write_whole
from labctl.report import panels
from labctl.report.arms import shared
from labctl.report.beyond import draw_arrows, shown
from labctl.report.daring import FEWEST, daring
from labctl.report.figures import Z_95, axis_type, padded, range_with_intervals
from labctl.report.growth import Growth, better, growth
from labctl.report.key import FAINT, INK, MUTED, STAR, explain
from labctl.report.look import ARMS, FAILED_LIGHT, FAILURES, number, pretty_unit, with_unit
from labctl.report.panels import OUTLINE
from labctl.scores import best_steps, bound_in_words, scored, standing, value_of
from labctl.state import Experiment
from labctl.view import View
from labctl_drivers.protocol import FailureKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLE: Any = {  # matplotlib types its keys one by one
    "font.family": "sans-serif",
    "font.size": 12,
    "axes.edgecolor": "#b7bec4",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 15,
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.color": INK,
    "svg.hashsalt": "labctl",
}


_PLANE = 2
_CHEAP: Any = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 3.5,
    "color": MUTED,
    "alpha": 0.55,
    "markeredgewidth": 0,
    "zorder": 1.5,
}


def picture(view: View, path: Path) -> None:
    """Draw a campaign for a talk or a README; the same campaign gives the same picture.

    Raises:
        RequestError: the suffix is neither .png nor .svg, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in {".png", ".svg"}:
        raise RequestError("cannot be told from its suffix; end it in .png or .svg", file=path)
    from matplotlib import rc_context  # noqa: PLC0415 - slow to import

    sink = io.BytesIO()
    metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
    with rc_context(_STYLE):
        draw(view).savefig(sink, format=suffix[1:], dpi=160, metadata=metadata)
    write_whole(path, sink.getvalue())


def draw(view: View) -> "Figure":
    """The picture as matplotlib's figure, which belongs to no window."""
    # Figure without pyplot: no window system is asked for, and no state is left behind.
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    grown = growth(view.config, view.state) if len(view.config.goals) > 1 else []
    bold = daring(view.config, view.state, better(view.config, view.state, grown))
    lower = bool(shared(view.state)) and len(bold) >= FEWEST
    figure = Figure(figsize=(13.5, 11.9 if lower else 6.1), layout="constrained", facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.14, h_pad=0.14)
    axes = figure.subplots(1 + lower, 2, width_ratios=(7, 5.4), squeeze=False)
    _first(axes[0][0], view, grown)
    _parity(axes[0][1], view)
    if lower:
        panels.shares(axes[1][0], view)
        panels.daring(axes[1][1], bold)
    explain(
        figure,
        view,
        arrows=len(view.config.goals) <= _PLANE and _has_arrows(view),
        cheap=bool(view.state.stand_ins) and not grown,
        turns=lower,
        rings=lower and any(d.better for d in bold),
    )
    return figure


def _has_arrows(view: View) -> bool:
    goals = view.config.goals.keys()
    return any(e.outcome and not goals.isdisjoint(e.outcome.bounds) for e in view.state.failed)


def _first(axes: "Axes", view: View, grown: list[Growth]) -> None:
    """The best so far; of two goals the front, and of more how it grew."""
    if not grown:
        _progress(axes, view)
    elif len(view.config.goals) == _PLANE:
        panels.front(axes, view)
    else:
        panels.volume(axes, view, grown)


def _progress(axes: "Axes", view: View) -> None:
    config, state = view.config, view.state
    goal, objective = config.goal
    found = shown(config, state)
    axes.set_title(f"{config.name}: best so far", parse_math=False)
    axes.set_xlabel("experiment")
    axes.set_ylabel(with_unit(goal, objective.unit), parse_math=False)
    axes.set_xlim(0.2, max(len(state), 1) + 0.8)
    axes.locator_params(axis="x", integer=True)
    cheap = [(e.number, v) for e in state.stand_ins if (v := value_of(e, goal)) is not None]
    axes.plot([n for n, _ in cheap], [v for _, v in cheap], **_CHEAP)
    panels.results(axes, view, [(r.experiment, r.experiment.number, r.value) for r in found])
    draw_arrows(axes, [(r.experiment.number, r.value, (0, r.way)) for r in found], INK)
    panels.wished(axes, view)
    steps = best_steps(config, standing(config, state))
    if steps:
        x = [*(e.number for e, _ in steps), len(state)]
        y = [*(v for _, v in steps), steps[-1][1]]
        axes.step(x, y, where="post", color=INK, linewidth=2, zorder=2)
        axes.scatter(x[-2], y[-2], marker="*", s=330, color=STAR, edgecolor="white", linewidth=1, zorder=4)
        bound = bound_in_words(steps[-1][0], goal, objective)
        said = f"{'better than ' if bound else ''}{number(y[-1])} {pretty_unit(objective.unit)}".strip()
        above = config.direction > 0
        axes.annotate(
            said,
            (x[-2], y[-2]),
            xytext=(0, (13 if above else -13) * (1.7 if bound else 1.0)),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            weight="bold",
            parse_math=False,
        )
    if found:
        axes.set_yscale(axis_type([r.value for r in found]))
        axes.margins(y=0.16)
    else:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "nothing measured", transform=axes.transAxes, ha="center", color=MUTED)
    drawn = {r.experiment.id for r in found}
    _failures(axes, [e for e in state.failed if e.id not in drawn])


def _failures(axes: "Axes", failed: list[Experiment]) -> None:
    """Below the axis, a line for each kind of failure."""
    kinds = {kind: [e.number for e in failed if e.outcome and e.outcome.kind == kind] for kind in FailureKind}
    kinds = dict(sorted(((k, v) for k, v in kinds.items() if v), key=lambda item: -len(item[1])))
    if not kinds:
        return
    axes.tick_params(axis="x", pad=4 + 19 * len(kinds))
    for line, (kind, numbers) in enumerate(kinds.items()):
        height = -0.042 - 0.052 * line
        axes.plot(
            numbers,
            [height] * len(numbers),
            linestyle="none",
            marker=FAILURES[kind][1],
            color=FAILED_LIGHT,
            markersize=8,
            markeredgewidth=1.8,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )
        style: Any = {"ha": "right", "va": "center", "color": FAILED_LIGHT, "fontsize": 10.5}
        axes.text(-0.012, height, FAILURES[kind][2], transform=axes.transAxes, **style)


def _parity(axes: "Axes", view: View) -> None:
    goal, objective = view.config.goal
    results = scored(view.config, view.state)
    axes.set_title("predicted before, measured after")
    unit = pretty_unit(objective.unit)
    unit = f" ({unit})" if unit else ""
    axes.set_xlabel(f"measured {goal}{unit}", parse_math=False)
    axes.set_ylabel(f"predicted {goal}{unit}, 95 % interval", parse_math=False)
    if not results:
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no result had a prediction", transform=axes.transAxes, ha="center", color=MUTED)
        return
    low, high = range_with_intervals(results)
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1.2, linestyle=(0, (4, 4)), zorder=1)
    for outside, colour, mark in ((False, ARMS["improve"].light, "o"), (True, FAILED_LIGHT, "D")):
        some = [r for r in results if (abs(r.z) > Z_95) is outside]
        x, y = [r.measured for r in some], [r.predicted.mean for r in some]
        bars = [Z_95 * r.predicted.measurement_sd for r in some]
        axes.errorbar(x, y, bars, fmt="none", ecolor=colour, elinewidth=1.1, alpha=0.65, zorder=2)
        axes.scatter(x, y, color=colour, marker=mark, s=40, zorder=3, **OUTLINE)
    axes.set_xlim(padded([r.measured for r in results]))
    axes.set_ylim(low, high)
    inside = sum(abs(r.z) <= Z_95 for r in results)
    said = f"{inside} of {len(results)} inside"
    behind: Any = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 3}
    place: Any = {"transform": axes.transAxes, "ha": "right", "va": "bottom", "zorder": 5}
    axes.text(0.98, 0.03, said, weight="bold", bbox=behind, **place)
