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


def leverage(finding: "Finding", _: Audited) -> Figure:
    """Share of rows and of candidates with at least a leverage, and Williams' warning value."""
    own, found = numbers_of(finding, "leverage_table"), numbers_of(finding, "leverage")
    warning = float(numbers_of(finding, "warning"))
    return _beyond(
        {"rows of the table": own, "candidates": found},
        warning,
        title="leverage: how far a straight-line model has to reach",
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
        title="distance to the nearest row, in reaches of the table's own rows",
        limit="95 % of the rows are nearer to another",
        share=1.0 - finding.value,
    )


def apart(finding: "Finding", _: Audited) -> Figure:
    """Settings in which tried recipes and candidates differ most; how well both are told apart, if none."""
    columns = list_of(finding, "columns")[:MOST_BARS]
    if not columns:
        pair = np.array([finding.value, 0.5])
        return bars(["told apart by a classifier", "by chance"], pair, "pairs told right", percent=True)
    names, sizes = [str(c[0]) for c in columns], np.array([float(c[1]) for c in columns])
    title = "share of recipes that lie elsewhere in this setting (at the most)"
    return bars(names, sizes, title, percent=True)


def _beyond(groups: dict[str, Floats], limit_at: float, *, title: str, limit: str, share: float) -> Figure:
    """Share of each group beyond each value, with a limit and the share of candidates beyond it."""
    looks: dict[str, Figure] = {
        "rows of the table": {"color": "$accent", "width": 2.5, "dash": "8px 3px"},
        "candidates": {"color": "$failed", "width": 3},
    }
    least = min(float(v[v > 0.0].min(initial=limit_at)) for v in groups.values())
    data = []
    for name, values in groups.items():
        ordered = np.sort(np.maximum(values, least))
        left = 1.0 - np.arange(len(ordered)) / len(ordered)
        x, y = (parts_of(np.r_[column, end], _MOST_STEPS) for column, end in ((ordered, ordered[-1]), (left, 0)))
        data.append(line(x, y, name, looks[name]))
    dot = {"color": "$failed", "size": 12, "line": {"color": "$paper", "width": 1.5}}
    ends = [min(least, limit_at), max(*(float(v.max()) for v in groups.values()), limit_at)]
    mark = {"type": "line", "x0": limit_at, "x1": limit_at, "yref": "paper", "y0": 0, "y1": 1, "line": EXPECTED}
    text = {"x": float(np.log10(limit_at)), "yref": "paper", "showarrow": False, "xanchor": "left"}
    right = np.log10(limit_at / ends[0]) > np.log10(ends[1] / limit_at)
    side = {"xanchor": "right" if right else "left"}
    gap = ("", "  ") if right else ("  ", "")
    return {
        "data": [*data, dots([limit_at], [share], f"{share:.0%} of the candidates", dot)],
        "layout": {
            "xaxis": {"title": {"text": title}, "type": "log", "dtick": 1 if ends[1] > 10 * ends[0] else "D2"},
            "yaxis": {"title": {"text": "share that lies farther out"}, "tickformat": ".0%", "range": [0, 1.03]},
            "shapes": [mark],
            "annotations": [
                {
                    **text, **side, "y": 0.99, "yanchor": "top", "text": f"{gap[0]}{limit}{gap[1]}",
                    "font": {"color": "$muted", "size": 12.5},
                }
            ],
            **legend(),
        },
    }  # fmt: skip
