"""Figures of how far candidates lie from the table: by distance, by leverage, and setting by setting."""

from typing import TYPE_CHECKING

import numpy as np

from labctl.audit.charts.chosen import parts_of
from labctl.audit.charts.detail import MOST_BARS, Figure, Floats, list_of, numbers_of
from labctl.audit.drawing import EXPECTED, bars, dots, legend, line
from labctl.audit.run import Audited

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding

_MOST_STEPS = 300
_NEAREST = 30.0
_MARGIN = 1.06


def leverage(finding: "Finding", _: Audited) -> Figure:
    """Share of rows and of candidates with at least a leverage, and Williams' warning value."""
    own, found = numbers_of(finding, "leverage_table"), numbers_of(finding, "leverage")
    warning = float(numbers_of(finding, "warning"))
    return _beyond(
        {"rows of the table": own, "candidates": found},
        warning,
        title="leverage on a straight-line model",
        limit="warning value",
        share=finding.value,
    )


def far(finding: "Finding", _: Audited) -> Figure:
    """Share of the candidates farther from the nearest row than a distance."""
    distance = numbers_of(finding, "distance")
    radius = float(numbers_of(finding, "radius"))
    return _beyond(
        {"candidates": distance / radius},
        1.0,
        title="distance to the nearest row (1: as far as rows reach)",
        limit="reach of the rows",
        share=1.0 - finding.value,
    )


def apart(finding: "Finding", _: Audited) -> Figure:
    """Settings in which tried recipes and candidates differ most; how well both are told apart, if none."""
    columns = list_of(finding, "columns")[:MOST_BARS]
    if not columns:
        pair = np.array([finding.value, 0.5])
        return bars(["told apart by a classifier", "by chance"], pair, "pairs told right", percent=True)
    names, sizes = [str(c[0]) for c in columns], np.array([float(c[1]) for c in columns])
    title = "share of recipes that lie elsewhere"
    return bars(names, sizes, title, percent=True)


def _beyond(groups: dict[str, Floats], limit_at: float, *, title: str, limit: str, share: float) -> Figure:
    """Share of each group beyond each value, with a limit and the share of candidates beyond it."""
    looks: dict[str, Figure] = {
        "rows of the table": {"color": "$accent", "width": 2.5, "dash": "8px 3px"},
        "candidates": {"color": "$failed", "width": 3},
    }
    # Everything far below the limit is equally near.
    least, most = limit_at / _NEAREST, max(limit_at, *(float(v.max()) for v in groups.values()))
    least = max(least, min(limit_at, *(float(v.min()) for v in groups.values())) / _MARGIN)
    data = []
    for name, values in groups.items():
        ordered = np.sort(np.maximum(values, least))
        left = 1.0 - np.arange(len(ordered)) / len(ordered)
        x, y = np.r_[least, ordered, ordered[-1]], np.r_[1.0, left, 0.0]
        data.append(line(parts_of(x, _MOST_STEPS), parts_of(y, _MOST_STEPS), name, looks[name]))
    dot = {"color": "$failed", "size": 12, "line": {"color": "$paper", "width": 1.5}}
    mark = {
        "type": "line",
        "x0": limit_at,
        "x1": limit_at,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": EXPECTED,
    }
    # Below the curves, which start at the top left.
    words = {
        "x": float(np.log10(limit_at)),
        "yref": "paper",
        "y": 0.02,
        "xanchor": "right",
        "yanchor": "bottom",
    }
    ticks = _ticks(least, most * _MARGIN)
    return {
        "data": [*data, dots([limit_at], [share], f"{share:.0%} of the candidates beyond", dot)],
        "layout": {
            "xaxis": {
                "title": {"text": title},
                "type": "log",
                "range": [float(np.log10(least)), float(np.log10(most * _MARGIN))],
                "tickvals": ticks,
                "ticktext": [f"{t:g}" for t in ticks],
            },
            "yaxis": {
                "title": {"text": "share that lies farther out"},
                "tickformat": ".0%",
                "range": [0, 1.03],
            },
            "shapes": [mark],
            "annotations": [
                {
                    **words,
                    "text": f"{limit} ",
                    "showarrow": False,
                    "bgcolor": "$paper",
                    "font": {"color": "$muted", "size": 12.5},
                }
            ],
            **legend(),
        },
    }


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers for a logarithmic axis: 1, 2 and 5 of each power of ten."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    return [float(f"{m}e{p}") for p in powers for m in (1, 2, 5) if low <= float(f"{m}e{p}") <= high]
