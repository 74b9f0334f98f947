"""Figures of rows of one recipe: readings that agree to the last digit, and classes that do not agree."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labctl.audit.charts.detail import MOST_BARS, Figure, Floats
from labctl.audit.drawing import EXPECTED, bars, cut, legend, line, numbers
from labctl.audit.run import Audited
from labctl.audit.words import spelled
from labctl.report.figures import plain
from labctl.report.look import with_unit

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding

_BINS = 30
_MOST_SHOWN = 0.98


def differences(finding: "Finding", audited: Audited) -> Figure:
    """How far readings of one recipe lie from the nearest other one, with those that do not differ apart."""
    table = audited.prepared.table
    rows = np.flatnonzero(table.measured & (table.y != 0.0))
    apart = _to_the_nearest(table.recipe_codes()[0][rows], table.y[rows])
    goal = plain(with_unit(audited.study.goal_in_words, audited.study.unit))
    some = apart[apart > 0.0]
    # The few largest would press all others into one bar.
    end = float(np.quantile(some, _MOST_SHOWN)) if len(some) else 1.0
    counts, edges = np.histogram(some[some <= end], _BINS, (0.0, end))
    width = end / _BINS
    equal = int(np.count_nonzero(apart == 0.0))
    expected = finding.expected or 0.0
    return {
        "data": [
            {
                "type": "bar", "name": "not a digit of difference", "x": [-width], "y": [equal],
                "width": [1.3 * width], "marker": {"color": "$failed"},
                "hovertemplate": "%{y} rows<extra></extra>",
            },
            {
                "type": "bar", "name": "some difference", "x": numbers((edges[1:] + edges[:-1]) / 2),
                "y": counts.tolist(), "width": [0.92 * width] * _BINS, "marker": {"color": "$bar"},
                "hovertemplate": "%{y} rows<extra></extra>",
            },
            line([-2.0 * width, 0.0], [expected, expected], "by chance", {**EXPECTED, "color": "$ink"}),
        ],
        "layout": {
            "xaxis": {
                "title": {"text": f"difference to the nearest reading of the same recipe, {goal}"},
                "range": [-2.5 * width, end + width],
                "tickvals": [-width, *(float(f"{v:.2g}") for v in np.linspace(0.0, end, 5)[1:])],
                "ticktext": ["none", *(f"{v:.2g}" for v in np.linspace(0.0, end, 5)[1:])],
            },
            "yaxis": {"title": {"text": "rows"}},
            "barmode": "overlay",
            **legend(),
        },
    }  # fmt: skip


def _to_the_nearest(codes: NDArray[np.intp], y: Floats) -> Floats:
    """Distance of each reading from the nearest other one of its recipe; of repeated recipes only."""
    order = np.lexsort((y, codes))
    step = np.where(codes[order][1:] == codes[order][:-1], np.diff(y[order]), np.inf)
    nearest = np.minimum(np.r_[np.inf, step], np.r_[step, np.inf])
    return np.asarray(nearest[np.isfinite(nearest)], dtype=np.float64)


def contradictions(finding: "Finding", audited: Audited) -> Figure:
    """Successes and others among the rows of each recipe that contradicts itself, the commonest first."""
    table = audited.prepared.table
    codes, names = table.recipe_codes()
    rows = np.asarray(finding.detail["rows"], dtype=np.intp)
    rows = rows[np.isfinite(table.y[rows])]
    y = table.y[rows]
    yes = np.bincount(codes[rows], weights=y, minlength=len(names)).astype(np.float64)
    no = np.bincount(codes[rows], weights=1.0 - y, minlength=len(names)).astype(np.float64)
    shown = np.argsort(-(yes + no), kind="stable")[: min(MOST_BARS, int(np.count_nonzero(yes + no)))]
    ticks = list(range(len(shown)))
    form = {"type": "bar", "orientation": "h", "y": ticks, "hovertemplate": "%{x} rows<extra></extra>"}
    return {
        "data": [
            {**form, "name": "success", "x": numbers(yes[shown]), "marker": {"color": "$accent"}},
            {
                **form, "name": "no success", "x": numbers(no[shown]),
                "marker": {"color": "$failed", "pattern": {"shape": "/", "size": 6, "solidity": 0.25}},
            },
        ],
        "layout": {
            "xaxis": {"title": {"text": "rows of the same recipe"}},
            "yaxis": {
                "tickvals": ticks,
                "ticktext": [plain(cut(spelled(names[i]))) for i in shown],
                "autorange": "reversed",
                "showgrid": False,
                "ticks": "",
            },
            "barmode": "stack",
            "bargap": 0.35,
            **legend(),
        },
    }  # fmt: skip


def classes(_: "Finding", audited: Audited) -> Figure:
    """Rows on either side of the threshold that nobody wrote down."""
    y = audited.prepared.table.y
    pair = np.array([np.count_nonzero(y == 1.0), np.count_nonzero(y == 0.0)], dtype=np.float64)
    names = ["on the side of success", "on the other side"]
    return bars(names, pair, "rows whose label hangs on a threshold that nobody wrote down")
