"""The few shapes that figures of an audit are made of: lines, dots, bars and boxes, as plotly takes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.report.figures import plain
from labctl.report.look import rounded

Figure = dict[str, Any]
Floats = NDArray[np.float64]

MOST_POINTS = 2000
EXPECTED = {"color": "$muted", "width": 1.6, "dash": "5px 4px"}
"""How a line is drawn that shows what a sound table would give."""


def numbers(values: Floats | Sequence[float]) -> list[float | None]:
    """Numbers with the digits a picture can show; None where there is none."""
    return [rounded(float(v)) if np.isfinite(v) else None for v in values]


def cut(text: str, most: int = 34) -> str:
    """A text that fits beside a bar."""
    return text if len(text) <= most else text[: most - 1] + "…"


def legend() -> Figure:
    """A legend above the plot."""
    return {"showlegend": True, "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}}


def line(x: Any, y: Any, name: str, look: Figure) -> Figure:  # noqa: ANN401 - numbers in any sequence
    """A line through points."""
    base = {"type": "scatter", "mode": "lines", "name": name, "line": look}
    return {
        **base,
        "x": numbers(x),
        "y": numbers(y),
        "hovertemplate": "%{y:.3~g} at %{x:.3~g}<extra></extra>",
    }


def dots(x: Any, y: Any, name: str, marker: Figure) -> Figure:  # noqa: ANN401 - numbers in any sequence
    """Points."""
    base = {"type": "scatter", "mode": "markers", "name": name, "marker": marker}
    return {**base, "x": numbers(x), "y": numbers(y), "hovertemplate": "%{x:.4~g}, %{y:.4~g}<extra></extra>"}


def bars(
    names: Sequence[str],
    values: Floats,
    title: str,
    *,
    expected: float | None = None,
    note: str = "",
    percent: bool = False,
) -> Figure:
    """Bars that lie, with the first on top, so that long names can be read."""
    form = ".0%" if percent else ".4~g"
    shown = [plain(cut(name)) for name in names]
    bar = {"type": "bar", "orientation": "h", "x": numbers(values), "y": list(range(len(shown)))}
    layout: Figure = {
        "xaxis": {"title": {"text": title}, "tickformat": ".0%" if percent else ""},
        "yaxis": {
            "tickvals": list(range(len(shown))),
            "ticktext": shown,
            "autorange": "reversed",
            "showgrid": False,
            "ticks": "",
        },
        "bargap": 0.35,
    }
    if expected is not None:
        mark = {"type": "line", "x0": expected, "x1": expected, "yref": "paper", "y0": 0, "y1": 1}
        layout["shapes"] = [{**mark, "line": EXPECTED}]
        place = {"x": expected, "yref": "paper", "y": 0.02, "xanchor": "left", "yanchor": "bottom"}
        layout["annotations"] = [
            {**place, "text": f" {note}", "showarrow": False, "font": {"color": "$muted", "size": 12.5}}
        ]
    marker = {"marker": {"color": "$accent"}, "hovertemplate": f"%{{x:{form}}}<extra></extra>"}
    return {"data": [{**bar, **marker}], "layout": layout}


def boxes(groups: dict[str, Floats], title: str) -> Figure:
    """A box for each group of values."""
    rng = np.random.default_rng(0)
    traces = []
    for name, values in groups.items():
        known = values[np.isfinite(values)]
        some = known if len(known) <= MOST_POINTS else rng.choice(known, MOST_POINTS, replace=False)
        traces.append(
            {
                "type": "box",
                "name": plain(cut(name)),
                "y": numbers(some),
                "boxpoints": "outliers",
                "marker": {"color": "$accent", "size": 4},
                "line": {"color": "$accent"},
            }
        )
    return {"data": traces, "layout": {"yaxis": {"title": {"text": title}}, "xaxis": {"showgrid": False}}}
