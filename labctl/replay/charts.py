"""The two curves of a comparison as plotly figures: best so far, and the best recipes found.

A colour that begins with ``$`` is a CSS variable of the page, as in the pages of campaigns.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labctl.replay.looks import DASHES
from labctl.replay.words import Results, with_unit
from labctl.report.figures import axis_type, padded, plain
from labctl.report.look import rounded
from labctl.report.look import with_unit as axis_title

Figure = dict[str, Any]

"""The line says the same as the colour, for eyes and printers that do not tell colours apart."""


def best(results: Results) -> Figure:
    """Median best reading by experiment, with quartiles and the whole range over seeds."""
    goal, pool = results["goal"], results["pool"]
    curves = {name: s["best"] for name, s in results["strategies"].items()}
    drawn = [v for c in curves.values() for key in ("lowest", "highest") for v in c[key] if v is not None]
    scale = axis_type([*drawn, pool["best_reading"]])
    kind = "reading" if results["replicates"] == "draw" else "mean"
    layout = {
        "xaxis": _experiments(results),
        "yaxis": {
            "title": {"text": plain(axis_title(f"best {goal['name']} so far", goal["unit"]))},
            "type": scale,
            **({"range": list(focus(results))} if scale == "linear" else {}),
        },
        "shapes": [_start(results), _level(pool["best_reading"])],
        "annotations": [
            _start_note(results),
            _note(results, f"best {kind} of the table: {with_unit(pool['best_reading'], results)}", scale),
        ],
    }
    hover = "%{y:,.4~g} after %{x} experiments"
    traces = [trace for name in reversed(curves) for trace in _curve(name, curves[name], hover)]
    return {"data": traces, "layout": layout}


def focus(results: Results) -> tuple[float, float]:
    """The range of values in which strategies differ: from the worst run at the end of the start to the best.

    What lies beyond is the way there, which all strategies share; it would press their differences flat.
    """
    after = results["start"]["experiments"] - 1
    seen = [
        value
        for strategy in results["strategies"].values()
        for key in ("lowest", "highest")
        for value in strategy["best"][key][after:]
        if value is not None
    ]
    return padded([*seen, results["pool"]["best_reading"]], 0.09)


def top(results: Results) -> Figure:
    """Share of the best recipes found by experiment, with the exact expectation of pure chance."""
    chance = results["random_share"]
    exact = {
        "type": "scatter",
        "mode": "lines",
        "x": [0, *range(1, len(chance) + 1)],
        "y": [0, *(rounded(v) for v in chance)],
        "line": {"color": "$ink", "width": 1.6, "dash": "2px 4px"},
        "name": "pure chance, exactly",
        "hovertemplate": "%{y:.1%} by chance after %{x}<extra></extra>",
    }
    curves = {name: s["top_share"] for name, s in results["strategies"].items()}
    hover = "%{y:.0%} after %{x} experiments"
    count = results["pool"]["top"]["recipes"]
    return {
        "data": [exact, *(trace for name in reversed(curves) for trace in _curve(name, curves[name], hover))],
        "layout": {
            "xaxis": _experiments(results),
            "yaxis": {
                "title": {"text": f"share of the best {count} recipes found"},
                "tickformat": ".0%",
                "rangemode": "tozero",
            },
            "shapes": [_start(results)],
            "annotations": [_start_note(results)],
        },
    }


def _curve(name: str, curve: Mapping[str, Sequence[float | None]], hover: str) -> list[Figure]:
    return [
        *_band(name, curve["lowest"], curve["highest"], "range"),
        *_band(name, curve["lower_quartile"], curve["upper_quartile"], "quartiles"),
        {
            "type": "scatter",
            "mode": "lines",
            "x": list(range(1, len(curve["median"]) + 1)),
            "y": [rounded(v) for v in curve["median"]],
            "line": {"color": f"${name}", "width": 3, "dash": DASHES[name], "shape": "hv"},
            "name": name,
            "hovertemplate": f"<b>{name}</b> {hover}<extra></extra>",
        },
    ]


def _band(name: str, low: Sequence[float | None], high: Sequence[float | None], kind: str) -> list[Figure]:
    known = [i for i, (a, b) in enumerate(zip(low, high, strict=True)) if a is not None and b is not None]
    line = {"width": 0, "shape": "hv", "color": f"${name}"}
    edge = {
        "type": "scatter",
        "mode": "lines",
        "x": [i + 1 for i in known],
        "line": line,
        "hoverinfo": "skip",
    }
    filled = {"fill": "tonexty", "fillcolor": f"${name}-{kind}"}
    return [
        {**edge, "y": [rounded(low[i]) for i in known]},
        {**edge, "y": [rounded(high[i]) for i in known], **filled},
    ]


def _experiments(results: Results) -> Figure:
    return {"title": {"text": "experiments"}, "range": [0, results["experiments"] + 0.5], "showgrid": False}


def _start(results: Results) -> Figure:
    end = results["start"]["experiments"] + 0.5
    box = {"type": "rect", "xref": "x", "x0": 0, "x1": end, "yref": "paper", "y0": 0, "y1": 1}
    return {**box, "fillcolor": "$band", "line": {"width": 0}, "layer": "below"}


def _start_note(results: Results) -> Figure:
    wide = results["start"]["experiments"] / results["experiments"] > 0.12  # noqa: PLR2004 - the words have to fit
    place = {"xref": "x", "x": 0.4, "xanchor": "left", "yref": "paper", "y": 0.02, "yanchor": "bottom"}
    text = "same start" if wide else ""
    return {**place, "text": text, "showarrow": False, "font": {"color": "$muted", "size": 12.5}}


def _level(value: float) -> Figure:
    line = {"color": "$muted", "width": 1.2, "dash": "4px 4px"}
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "yref": "y",
        "y0": value,
        "y1": value,
        "line": line,
    }


def _note(results: Results, text: str, scale: str) -> Figure:
    """Words at the line of the table's best, on the side where the curves are far from it."""
    value = results["pool"]["best_reading"]
    rising = results["goal"]["wanted"] == "maximize"
    side = {"x": 0.005, "xanchor": "left"} if rising else {"x": 1, "xanchor": "right"}
    y = math.log10(value) if scale == "log" else value
    place = {"xref": "paper", **side, "y": y, "yanchor": "bottom" if rising else "top"}
    return {**place, "text": plain(text), "showarrow": False, "font": {"color": "$muted", "size": 12.5}}
