"""The curve of the best so far, and predictions against results, as plotly figures in plain JSON types.

A colour that begins with ``$`` is a CSS variable of the page, which gives it its light and its dark value.
``customdata`` holds the row of each point in the page's table, from which the page writes what hovers.
"""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labctl.config import CampaignConfig
from labctl.objective import Objective
from labctl.proposal import Arm
from labctl.report.beyond import arrows, shown
from labctl.report.look import ARMS, FAILURES, pretty_unit, rounded, with_unit
from labctl.scores import Scored, best_steps, broken_limits, standing, value_of
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import FailureKind

Figure = dict[str, Any]
Z_95 = 1.959963984540054
FEW_POINTS = 400
"""With more points than this, they are drawn smaller."""
_FEW_TICKS = 5
_BINS = np.arange(-4.0, 4.01, 0.5)


def plain(text: str) -> str:
    """A user's text for a place where plotly understands tags."""
    return html.escape(text, quote=False)


def progress(config: CampaignConfig, state: CampaignState) -> Figure:
    """Every result of the goal, the best so far, and below the axis what failed and how.

    A result beyond the scale stands at its bound, with an arrow to where it may lie; small and grey are the
    readings of cheaper fidelities.
    """
    goal, objective = config.goal
    found = shown(config, state)
    traces = _stand_ins(config, state)
    traces += [
        {
            **points(arm, [r.experiment for r in of_arm], config),
            "x": [r.experiment.number for r in of_arm],
            "y": [rounded(r.value) for r in of_arm],
        }
        for arm in ARMS
        if (of_arm := [r for r in found if r.experiment.proposal.arm == arm])
    ]
    traces += arrows([(r.experiment.number, r.value, (0, r.way), r.experiment) for r in found])
    steps = best_steps(config, standing(config, state))
    if steps:
        x = [e.number for e, _ in steps]
        y = [rounded(v) for _, v in steps]
        line = {"color": "$ink", "width": 2.4, "shape": "hv"}
        curve = {"type": "scatter", "mode": "lines", "x": [*x, len(state)], "y": [*y, y[-1]], "line": line}
        traces.append({**curve, "name": "best so far", "hoverinfo": "skip"})
        star = {"symbol": "star", "size": 17, "color": "$star", "line": {"color": "$paper", "width": 1.2}}
        best = {"type": "scatter", "mode": "markers", "x": x[-1:], "y": y[-1:], "marker": star}
        traces.append({**best, "name": "best", "customdata": [steps[-1][0].number - 1]})
    drawn = {r.experiment.id for r in found}
    kinds = failed_kinds([e for e in state.failed if e.id not in drawn])
    traces += [failure_strip(kind, experiments) for kind, experiments in kinds.items()]
    strip = 0.075 * len(kinds) if found else 1.0
    layout: Figure = {
        "xaxis": {
            "title": {"text": "experiment"},
            "range": [0.2, max(len(state), 1) + 0.8],
            "anchor": "y2" if kinds else "y",
            **whole([1, len(state)]),
        },
        "yaxis": {
            "title": {"text": plain(with_unit(goal, objective.unit))},
            "domain": [min(strip + 0.04, 1) if kinds else 0, 1],
            "visible": bool(found),
            "type": axis_type([r.value for r in found]),
        },
    }
    if found:
        layout |= lines_across(objective)
    if kinds:
        layout["yaxis2"] = failure_axis(kinds, strip)
    return {"data": traces, "layout": layout}


def parity(config: CampaignConfig, results: Sequence[Scored]) -> Figure:
    """Predicted against measured, each with the 95 % interval that was written before the result."""
    goal, objective = config.goal
    low, high = range_with_intervals(results)
    diagonal = {"type": "scatter", "mode": "lines", "x": [low, high], "y": [low, high], "hoverinfo": "skip"}
    traces: list[Figure] = [
        {**diagonal, "line": {"color": "$muted", "width": 1.2, "dash": "4px 4px"}, "showlegend": False}
    ]
    for outside, name in ((False, "inside"), (True, "outside the 95 % interval")):
        some = [r for r in results if (abs(r.z) > Z_95) is outside]
        if some:
            traces.append(_with_intervals(some, outside=outside, name=name))
    unit = pretty_unit(objective.unit)
    unit = f" ({unit})" if unit else ""
    layout = {
        "xaxis": {
            "title": {"text": plain(f"measured {goal}{unit}")},
            "range": padded([r.measured for r in results]),
        },
        "yaxis": {"title": {"text": plain(f"predicted {goal}{unit}")}, "range": [low, high]},
    }
    return {"data": traces, "layout": layout}


def surprises(results: Sequence[Scored]) -> Figure:
    """How far each result lay from its prediction, in predicted standard deviations, in order and counted."""
    z = np.clip([r.z for r in results], -3.99, 3.99)
    counts, _ = np.histogram(z, _BINS)
    centres = (_BINS[:-1] + _BINS[1:]) / 2
    normal = len(results) * np.diff([0.5 * math.erfc(-edge / math.sqrt(2)) for edge in _BINS])
    by_arm = [
        {
            **points(arm, [r.experiment for r, _ in some]),
            "x": [r.experiment.number for r, _ in some],
            "y": [rounded(float(v)) for _, v in some],
            "showlegend": False,
        }
        for arm in ARMS
        if (some := [(r, v) for r, v in zip(results, z, strict=True) if r.experiment.proposal.arm == arm])
    ]
    bars = {"type": "bar", "orientation": "h", "xaxis": "x2", "y": centres.tolist(), "x": counts.tolist()}
    expected = {"type": "scatter", "mode": "lines", "xaxis": "x2", "y": centres.tolist()}
    band = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": -Z_95, "y1": Z_95}
    return {
        "data": [
            *by_arm,
            {
                **bars,
                "name": "results",
                "marker": {"color": "$bar"},
                "hoverinfo": "skip",
                "showlegend": False,
            },
            {
                **expected,
                "x": [rounded(float(v)) for v in normal],
                "line": {"color": "$ink", "width": 1.6, "shape": "spline"},
                "name": "what an honest model gives",
                "hoverinfo": "skip",
                "showlegend": False,
            },
        ],
        "layout": {
            "xaxis": {
                "title": {"text": "experiment"},
                "domain": [0, 0.72],
                "range": [results[0].experiment.number - 0.8, results[-1].experiment.number + 0.8],
                **whole([r.experiment.number for r in results]),
            },
            "xaxis2": {
                "domain": [0.78, 1],
                **whole([0, int(counts.max())]),
                "title": {"text": "results"},
                "showgrid": False,
                "rangemode": "tozero",
            },
            "yaxis": {"title": {"text": "surprise (predicted sd)"}, "range": [-4.2, 4.2], "dtick": 2},
            "bargap": 0.12,
            "shapes": [{**band, "fillcolor": "$band", "line": {"width": 0}, "layer": "below"}],
        },
    }


def lines_across(objective: Objective) -> Figure:
    """Lines across a figure at what the goal is to come close to, and at the limits it has to keep."""
    said = [(objective.target, "target", "$star")]
    said += [(objective.at_least, "at least", "$failed"), (objective.at_most, "at most", "$failed")]
    shapes, annotations = [], []
    for y, text, colour in said:
        if y is None:
            continue
        line = {"color": colour, "width": 1.8, "dash": "6px 4px"}
        across = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": y, "y1": y}
        shapes.append({**across, "line": line, "layer": "below"})
        at = {"xref": "paper", "x": 1, "xanchor": "right", "yref": "y", "y": y, "yanchor": "bottom"}
        annotations.append({**at, "text": text, "showarrow": False, "font": {"color": colour, "size": 13}})
    return {"shapes": shapes, "annotations": annotations} if shapes else {}


def _stand_ins(config: CampaignConfig, state: CampaignState) -> list[Figure]:
    """What cheaper fidelities read of the goal, small and grey."""
    goal, _ = config.goal
    traces: list[Figure] = []
    for name in config.model.fidelities:
        read = [
            (e, v)
            for e in state.stand_ins
            if e.proposal.fidelity == name and (v := value_of(e, goal)) is not None
        ]
        if read:
            at = {"x": [e.number for e, _ in read], "y": [rounded(v) for _, v in read]}
            marker = {"symbol": "circle", "size": 4.5, "color": "$muted", "opacity": 0.55}
            drawn = {"type": "scatter", "mode": "markers", "name": plain(name), "marker": marker}
            traces.append({**drawn, **at, "customdata": [e.number - 1 for e, _ in read]})
    return traces


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """A range with some room around the values."""
    low, high = min(values), max(values)
    room = share * (high - low) or abs(high) * share or 1.0
    return low - room, high + room


def whole(counts: Sequence[int]) -> Figure:
    """Ticks at whole numbers where plotly would put halves between the few that there are."""
    return {"dtick": 1} if max(counts) - min(counts) < _FEW_TICKS else {"nticks": 6}


def axis_type(values: Sequence[float]) -> str:
    """A log axis where positive values span three decades or more."""
    return "log" if values and min(values) > 0 and max(values) / min(values) >= 1e3 else "linear"  # noqa: PLR2004


def range_with_intervals(results: Sequence[Scored]) -> tuple[float, float]:
    """A range with every point in it, and with most intervals; the widest few may run out of the picture."""
    points = [v for r in results for v in (r.measured, r.predicted.mean)]
    lows = [r.predicted.mean - Z_95 * r.predicted.measurement_sd for r in results]
    highs = [r.predicted.mean + Z_95 * r.predicted.measurement_sd for r in results]
    room = 0.5 * (max(points) - min(points))
    low = max(float(np.quantile(lows, 0.05)), min(points) - room)
    high = min(float(np.quantile(highs, 0.95)), max(points) + room)
    return padded([*points, low, high], 0.04)


def points(arm: Arm, experiments: Sequence[Experiment], config: CampaignConfig | None = None) -> Figure:
    """How an arm's experiments are marked; with a config, hollow where a limit on an outcome is broken."""
    size = (8 if len(experiments) < FEW_POINTS else 5) * ARMS[arm].scale
    line: Figure = {"color": "$paper", "width": 0.8}
    marker: Figure = {"color": f"${arm}", "symbol": ARMS[arm].shape, "size": size, "opacity": 0.9}
    hollow = [config is not None and bool(broken_limits(config, e.outcome)) for e in experiments]
    if any(hollow):
        marker["symbol"] = [f"{ARMS[arm].shape}-open" if open_ else ARMS[arm].shape for open_ in hollow]
        line["width"] = [1.8 if open_ else 0.8 for open_ in hollow]
        line["color"] = f"${arm}"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": arm,
        "marker": {**marker, "line": line},
        "customdata": [e.number - 1 for e in experiments],
    }


def failure_marker(kind: FailureKind, size: int = 9) -> Figure:
    """How a failure of this kind is marked."""
    shape = FAILURES[kind][0]
    return {"symbol": shape, "size": size, "color": "$failed", "line": {"color": "$failed", "width": 1.8}}


def failed_kinds(failed: Sequence[Experiment]) -> dict[FailureKind, list[Experiment]]:
    """The failures by kind, the most frequent first."""
    found: dict[FailureKind, list[Experiment]] = {}
    for e in failed:
        if e.outcome is not None and e.outcome.kind is not None:
            found.setdefault(e.outcome.kind, []).append(e)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def failure_axis(kinds: Mapping[FailureKind, object], strip: float) -> Figure:
    """The axis of the strip below a figure, with a line for each kind of failure."""
    return {
        "domain": [0, strip],
        "type": "category",
        "categoryarray": [FAILURES[k][2] for k in reversed(list(kinds))],
        "range": [-0.6, len(kinds) - 0.4],
        "fixedrange": True,
        "showgrid": False,
        "tickfont": {"color": "$failed"},
    }


def failure_strip(kind: FailureKind, experiments: Sequence[Experiment]) -> Figure:
    """The failures of one kind, for that strip."""
    return {
        "type": "scatter",
        "mode": "markers",
        "yaxis": "y2",
        "name": FAILURES[kind][2],
        "marker": failure_marker(kind),
        "x": [e.number for e in experiments],
        "y": [FAILURES[kind][2]] * len(experiments),
        "customdata": [e.number - 1 for e in experiments],
        "showlegend": False,
    }


def _with_intervals(some: Sequence[Scored], *, outside: bool, name: str) -> Figure:
    color = "$failed" if outside else "$improve"
    bars = {"type": "data", "array": [rounded(Z_95 * r.predicted.measurement_sd) for r in some], "width": 0}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "opacity": 1 if len(some) < FEW_POINTS else 0.6,
        "x": [rounded(r.measured) for r in some],
        "y": [rounded(r.predicted.mean) for r in some],
        "error_y": {**bars, "color": color, "thickness": 1.1 if len(some) < FEW_POINTS else 0.5},
        "marker": {
            "color": color,
            "symbol": "diamond" if outside else "circle",
            "size": 8 if len(some) < FEW_POINTS else 5,
            "line": {"color": "$paper", "width": 0.8},
        },
        "customdata": [r.experiment.number - 1 for r in some],
    }
