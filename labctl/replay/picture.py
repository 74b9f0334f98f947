"""The two curves of a comparison as one wide picture for slides."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labctl.replay.charts import focus
from labctl.replay.looks import LOOKS, dash_of
from labctl.replay.words import Results, with_unit
from labctl.report.look import with_unit as axis_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MUTED, _FAINT = "#5d6670", "#e4e7e6"
_STYLE: Any = {  # matplotlib types its keys one by one
    "font.family": "sans-serif",
    "font.size": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#b9c0c4",
    "axes.labelcolor": "#16191d",
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": _FAINT,
    "axes.axisbelow": True,
}


def picture(results: Results) -> bytes:
    """A PNG of 1920 x 1080 pixels: best so far on the left, the best recipes found on the right."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415 - drawn without pyplot, so that no window can open

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(12.8, 7.2), dpi=150)
        left, right = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.08, right=0.905, bottom=0.1, top=0.86, wspace=0.44)
        _best(left, results)
        _top(right, results)
        *most, last = results["strategies"]
        names = f"{', '.join(most)} and {last}" if most else last
        figure.suptitle(
            f"{results['campaign']}: {names} on {results['pool']['recipes']} recipes of the past, "
            f"{len(results['seeds'])} seeds",
            x=0.015,
            y=0.965,
            ha="left",
            fontsize=19,
            fontweight="bold",
            parse_math=False,
        )
        made = io.BytesIO()
        figure.savefig(made, format="png", metadata={"Software": None})
    return made.getvalue()


def _best(axes: "Axes", results: Results) -> None:
    goal, best = results["goal"], results["pool"]["best_reading"]
    kind = "reading" if results["replicates"] == "draw" else "mean"
    axes.axhline(best, color=_MUTED, linewidth=1.2, linestyle=(0, (3, 3)))
    above = goal["wanted"] == "maximize"
    axes.annotate(
        f"best {kind} of the table: {with_unit(best, results)}",
        (0, best),
        (2, 5 if above else -5),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="bottom" if above else "top",
        color=_MUTED,
        fontsize=12,
        parse_math=False,
    )
    axes.set_ylabel(axis_title(f"best {goal['name']} so far", goal["unit"]), parse_math=False)
    axes.set_ylim(*focus(results))
    _curves(axes, results, "best")


def _top(axes: "Axes", results: Results) -> None:
    chance = [0.0, *results["random_share"]]
    axes.plot(range(len(chance)), chance, color="#16191d", linewidth=1.5, linestyle=(0, (1, 2)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.set_ylabel(f"share of the best {results['pool']['top']['recipes']} recipes found")
    _curves(axes, results, "top_share", others={"chance": (chance[-1], "#16191d")})


def _curves(
    axes: "Axes", results: Results, what: str, others: Mapping[str, tuple[float, str]] | None = None
) -> None:
    ends: dict[str, tuple[float, str]] = dict(others or {})
    for name, strategy in reversed(results["strategies"].items()):
        curve, colour = strategy[what], LOOKS[name].light
        x = range(1, results["experiments"] + 1)
        for low, high, opacity in (("lowest", "highest", 0.09), ("lower_quartile", "upper_quartile", 0.22)):
            axes.fill_between(
                x,
                _numbers(curve[low]),
                _numbers(curve[high]),
                color=colour,
                alpha=opacity,
                linewidth=0,
                step="post",
            )
        median = _numbers(curve["median"])
        axes.plot(x, median, color=colour, linewidth=3, linestyle=dash_of(name), drawstyle="steps-post")
        ends[name] = (median[-1], colour)
    if what == "top_share":
        axes.set_ylim(bottom=0)
    n, start = results["experiments"], results["start"]["experiments"]
    axes.axvspan(0, start + 0.5, color="#0072b2", alpha=0.06, linewidth=0)
    axes.text(0.4, 0.015, "same start", transform=axes.get_xaxis_transform(), color=_MUTED, fontsize=12)
    axes.set_xlabel("experiments")
    axes.set_xlim(0, n)
    _label(axes, ends, n)


def _label(axes: "Axes", ends: Mapping[str, tuple[float, str]], n: int) -> None:
    """Name the lines where they end, each at least a line of text apart from the next."""
    low, high = axes.get_ylim()
    known = sorted((name for name in ends if ends[name][0] == ends[name][0]), key=lambda name: ends[name][0])
    place = -1.0
    for name in known:
        value, colour = ends[name]
        place = max(place + 0.05, (value - low) / (high - low))
        axes.annotate(
            name,
            (n, place),
            (6, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=14,
            fontweight="bold",
            annotation_clip=False,
        )


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if v is None else v for v in values]
