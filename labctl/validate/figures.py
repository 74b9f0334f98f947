"""The pictures of a validation as plotly figures: errors near and far, calibration, and kinds of split.

A colour that begins with ``$`` is a CSS variable of the page, as in the pages of campaigns.
"""

from typing import Any

import numpy as np

from labctl.report.figures import plain
from labctl.report.look import rounded
from labctl.validate.checked import Checked
from labctl.validate.words import error_name, kind_of, name_of, with_unit

Figure = dict[str, Any]
BASELINES = ("mean", "nearest")


def dumbbell(checked: Checked) -> Figure:
    """For each candidate its error on shuffled folds, and where whole clusters are held out."""
    reports = [r for r in checked.found.candidates if r.shuffled is not None and r.loco is not None]
    reports.sort(key=lambda r: -r.loco.over_clusters if r.loco else 0.0)
    names = [plain(name_of(r.name, classes=bool(checked.found.classes))) for r in reports]
    pairs = [(r.shuffled.over_clusters, r.loco.over_clusters) for r in reports if r.shuffled and r.loco]
    bars = {"type": "scatter", "mode": "lines", "line": {"color": "$bar", "width": 5}, "hoverinfo": "skip"}
    x: list[float | None] = []
    y: list[str | None] = []
    for name, (near, far) in zip(names, pairs, strict=True):
        x, y = [*x, rounded(near), rounded(far), None], [*y, name, name, None]
    traces: list[Figure] = [{**bars, "x": x, "y": y}]
    for i, (what, color, symbol) in enumerate(
        (("rows held out at random", "$near", "circle"), ("whole clusters held out", "$far", "diamond"))
    ):
        outline = {"color": "$paper", "width": 1.2}
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": what,
                "x": [rounded(pair[i]) for pair in pairs],
                "y": names,
                "hoverinfo": "text",
                "hovertext": [
                    f"<b>{n}</b><br>{what}: {plain(with_unit(checked, p[i]))}"
                    for n, p in zip(names, pairs, strict=True)
                ],
                "marker": {"color": color, "symbol": symbol, "size": 15 + 2 * i, "line": outline},
            }
        )
    shapes, notes = [], []
    for name, dash, label, height in (
        ("mean", "solid", "knowing nothing", 0),
        ("nearest", "4px 4px", "copying the nearest", 16),
    ):
        found = next((r.loco.over_clusters for r in reports if r.name == name and r.loco), None)
        if found is not None:
            line = {"color": "$muted", "width": 1.6, "dash": dash}
            shapes.append(
                {
                    "type": "line",
                    "xref": "x",
                    "x0": found,
                    "x1": found,
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "line": line,
                }
            )
            place = {"x": found, "yref": "paper", "y": 1, "yanchor": "bottom", "yshift": height}
            notes.append(
                {
                    **place,
                    "xanchor": "right",
                    "text": label,
                    "showarrow": False,
                    "font": {"color": "$muted", "size": 12.5},
                }
            )
    most = max((v for pair in pairs for v in pair), default=1.0)
    return {
        "data": traces,
        "layout": {
            "xaxis": {
                "title": {"text": plain(error_name(checked))},
                "range": [0, most * 1.06],
                **({"tickformat": ".0%"} if checked.found.classes else {}),
            },
            "yaxis": {"type": "category", "showgrid": False, "categoryarray": names, "ticks": ""},
            "shapes": shapes,
            "annotations": notes,
            "margin": {"l": 8, "r": 14, "t": 44, "b": 8},
        },
    }


def by_k(checked: Checked) -> Figure:
    """Error against the number of clusters, for the best candidate and the yardsticks."""
    traces: list[Figure] = []
    wanted = [*BASELINES, *([checked.found.best] if checked.found.best else [])]
    looks = {"mean": ("$muted", "solid", "line-ew"), "nearest": ("$muted", "4px 4px", "square-open")}
    for name in wanted:
        scores = checked.report(name).loco
        if scores is not None:
            color, dash, symbol = looks.get(name, ("$far", "solid", "diamond"))
            ks = list(scores.by_k)
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": name_of(name, classes=bool(checked.found.classes)),
                    "x": ks,
                    "y": [rounded(scores.by_k[k]) for k in ks],
                    "line": {"color": color, "width": 2.4 if name not in BASELINES else 1.6, "dash": dash},
                    "marker": {"color": color, "symbol": symbol, "size": 9},
                }
            )
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": "number of clusters k"}, "dtick": 1},
            "yaxis": {
                "title": {
                    "text": "share named wrongly" if checked.found.classes else plain(error_name(checked))
                },
                "rangemode": "tozero",
            },
            "showlegend": True,
            "legend": {"orientation": "h", "y": -0.28, "x": 0},
        },
    }


def calibration(checked: Checked) -> Figure:
    """Share of readings inside central intervals against the share that was promised, near and far."""
    found = checked.found.calibration
    fewest = min(c.rows for c in found.values())
    p = np.linspace(0.0, 1.0, 51)
    half = 1.96 * np.sqrt(p * (1 - p) / fewest)
    edge = {"type": "scatter", "mode": "lines", "line": {"width": 0, "color": "$band"}, "hoverinfo": "skip"}
    traces: list[Figure] = [
        {**edge, "x": p.round(3).tolist(), "y": np.clip(p - half, 0, 1).round(4).tolist()},
        {
            **edge,
            "x": p.round(3).tolist(),
            "y": np.clip(p + half, 0, 1).round(4).tolist(),
            "fill": "tonexty",
            "fillcolor": "$null",
        },
        {
            "type": "scatter",
            "mode": "lines",
            "x": [0, 1],
            "y": [0, 1],
            "line": {"color": "$muted", "width": 1.2, "dash": "4px 4px"},
            "hoverinfo": "skip",
        },
    ]
    for kind, color, dash in (("shuffled", "$near", "solid"), ("loco", "$far", "9px 3px")):
        if kind in found:
            scores = found[kind].scores
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": [rounded(float(v)) for v in scores.expected],
                    "y": [rounded(float(v)) for v in scores.observed],
                    "line": {"color": color, "width": 3, "dash": dash},
                    "hovertemplate": f"{kind_of(kind)}: promised %{{x:.0%}}, kept %{{y:.0%}}<extra></extra>",
                }
            )
    axis = {"range": [0, 1], "tickformat": ".0%", "dtick": 0.25}
    return {
        "data": traces,
        "layout": {
            "xaxis": {**axis, "title": {"text": "share of results that intervals promise to hold"}},
            "yaxis": {**axis, "title": {"text": "share that they hold"}},
        },
    }


def others(checked: Checked) -> Figure | None:
    """Errors on every further kind of split, of the best single candidate and the yardsticks."""
    judged = [r for r in checked.found.candidates if not r.baseline and r.others]
    if not judged:
        return None
    best = judged[0]
    shown = [checked.report("mean"), checked.report("nearest"), best]
    kinds: list[tuple[str, list[float]]] = []
    for kind in ("shuffled", "loco", *best.others):
        scores = [
            r.shuffled if kind == "shuffled" else r.loco if kind == "loco" else r.others.get(kind)
            for r in shown
        ]
        if all(s is not None for s in scores):
            kinds.append((kind, [s.over_clusters for s in scores if s is not None]))
    kinds.reverse()
    looks = (("$bar", ""), ("$muted", "/"), ("$far", ""))
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name_of(r.name, classes=bool(checked.found.classes)),
            "y": [plain(kind_of(kind)) for kind, _ in kinds],
            "x": [rounded(values[i]) for _, values in kinds],
            "marker": {"color": color, "pattern": {"shape": pattern, "size": 6}},
            "hoverinfo": "text",
            "hovertext": [
                f"{plain(kind_of(kind))}: {plain(with_unit(checked, values[i]))}" for kind, values in kinds
            ],
        }
        for i, (r, (color, pattern)) in enumerate(zip(shown, looks, strict=True))
    ]
    # Horizontal bars are stacked from below, so the best comes first in the picture and in the key.
    traces.reverse()
    return {
        "data": traces,
        "layout": {
            "barmode": "group",
            "bargap": 0.3,
            "xaxis": {
                "title": {"text": plain(error_name(checked))},
                **({"tickformat": ".0%"} if checked.found.classes else {}),
            },
            "yaxis": {"type": "category", "showgrid": False, "ticks": ""},
            "showlegend": True,
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        },
    }


def sanity(checked: Checked) -> Figure | None:
    """How far each split's folds are regions, beside chance; what was refused is crossed out."""
    splits = [
        s
        for s in checked.found.splits
        if s.sanity is not None and s.kind in ("shuffled", "loco", "kernel-loco")
    ]
    if not splits:
        return None
    traces: list[Figure] = []
    looks = (
        ("shuffled", "$near", "circle"),
        ("loco", "$far", "diamond"),
        ("kernel-loco", "$other", "square"),
    )
    for kind, color, symbol in looks:
        for accepted in (True, False):
            some = [s for s in splits if s.kind == kind and s.accepted is accepted]
            if some:
                shift = {"shuffled": 0.0, "loco": -0.12, "kernel-loco": 0.12}[kind]
                traces.append(
                    {
                        "type": "scatter",
                        "mode": "markers",
                        "x": [round(s.k + shift + 0.06 * (s.seed % 3 - 1), 3) for s in some],
                        "y": [rounded(s.sanity.share) for s in some if s.sanity],
                        "marker": {
                            "color": color,
                            "symbol": symbol if accepted else "x-thin",
                            "size": 10,
                            "line": {"color": color, "width": 0.5 if accepted else 2},
                        },
                        "hoverinfo": "text",
                        "hovertext": [
                            f"{kind_of(kind)}, {s.k}: {s.sanity.share:.0%}, by chance {s.sanity.chance:.0%}"
                            + ("" if s.accepted else "<br>refused")
                            for s in some
                            if s.sanity
                        ],
                    }
                )
    by_chance = sorted({(s.k, s.sanity.chance) for s in splits if s.sanity and s.kind == "loco"})
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": [k for k, _ in by_chance],
            "y": [rounded(c) for _, c in by_chance],
            "marker": {
                "symbol": "line-ew",
                "size": 12,
                "color": "$muted",
                "line": {"color": "$muted", "width": 2},
            },
            "hovertemplate": "chance %{y:.0%}<extra></extra>",
        }
    )
    line = {"color": "$muted", "width": 1.4, "dash": "4px 4px"}
    limit = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "yref": "y",
        "y0": 0.8,
        "y1": 0.8,
        "line": line,
    }
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": "number of folds"}, "dtick": 1},
            "yaxis": {
                "title": {"text": "nearest neighbour in the same fold"},
                "range": [0, 1.04],
                "tickformat": ".0%",
            },
            "shapes": [limit],
        },
    }
