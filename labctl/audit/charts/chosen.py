"""Figures of what people chose: how popular a few choices are, and how many failures they wrote down."""

from typing import TYPE_CHECKING

import numpy as np

from labctl.audit.charts.detail import Figure, Floats, list_of, numbers_of
from labctl.audit.drawing import EXPECTED, cut, dots, legend, line, numbers
from labctl.audit.run import Audited
from labctl.report.figures import plain

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding

_TOP = 0.17
_MOST_STEPS = 400
_ASSUMED = (0.95, 0.8, 0.5, 0.2, 0.05)


def popular(finding: "Finding", _: Audited) -> Figure:
    """Share of the rows, or of all mentions of elements, that the most popular choices hold together."""
    counts = numbers_of(finding, "all_counts")
    what = "the mentions" if finding.id.endswith(":element") else "the rows"
    k = len(counts)
    rows = np.r_[0.0, np.cumsum(counts) / counts.sum()]
    steps = np.unique(np.linspace(0, k, min(k + 1, _MOST_STEPS)).astype(int))
    name, first = cut(str(list_of(finding, "choices")[0]), 26), float(counts[0] / counts.sum())
    few = max(1, int(np.ceil(_TOP * k - 1e-9)))
    mark = {"color": "$failed", "size": 12, "line": {"color": "$paper", "width": 1.5}}
    at = {"xref": "x", "yref": "y", "showarrow": False, "font": {"size": 13, "color": "$ink"}}
    # Where the curve is steep, words stand to the right of it and below.
    words = [
        {
            **at, "x": few / k + 0.03, "y": finding.value - 0.02, "xanchor": "left", "yanchor": "top",
            "align": "left",
            "text": f"{few} of {k} choices<br>hold {finding.value:.0%} of {what}",
        },
        {
            **at, "x": 0.99, "y": 0.03, "xanchor": "right", "yanchor": "bottom", "font": {"color": "$muted"},
            "text": f"the most popular: {plain(name)}, {first:.0%} of {what}",
        },
    ]  # fmt: skip
    curve = {"color": "$accent", "width": 3}
    return {
        "data": [
            line([0.0, 1.0], [0.0, 1.0], "if all were equally popular", EXPECTED),
            {**line(steps / k, rows[steps], "this table", curve), "fill": "tonexty", "fillcolor": "$band"},
            {**dots([few / k], [finding.value], "top 17 % of the choices", mark), "cliponaxis": False},
        ],
        "layout": {
            "xaxis": {
                "title": {"text": "share of the choices, the most popular first"},
                "tickformat": ".0%",
                "range": [0, 1.01],
            },
            "yaxis": {"title": {"text": f"share of {what}"}, "tickformat": ".0%", "range": [0, 1.03]},
            "annotations": words,
            **legend(),
        },
    }


def all_succeeded(finding: "Finding", audited: Audited) -> Figure:
    """The table's share of successes beside what as many rows would show if attempts failed at times."""
    from scipy.stats import binom  # noqa: PLC0415 - slow to import

    n = int(numbers_of(finding, "rows"))
    stated = audited.prepared.table.true_rate
    rates = np.array(_ASSUMED if stated is None else (stated,))
    low, high = (np.asarray(binom.ppf(q, n, rates), dtype=np.float64) / n for q in (0.025, 0.975))
    names = ["this table", *(f"if {_percent(r)} worked" for r in rates)]
    places = np.arange(1.0, len(rates) + 1.0)
    bars = {
        "type": "data",
        "symmetric": False,
        "array": numbers(high - rates),
        "arrayminus": numbers(rates - low),
        "color": "$accent",
        "thickness": 5,
        "width": 0,
    }
    cross = {"symbol": "x", "size": 13, "color": "$failed"}
    what = "at the stated rate" if stated is not None else "at a rate that may be true"
    return {
        "data": [
            {**dots(rates, places, f"{what}, 95 % range", _dot()), "error_x": bars},
            {**dots([1.0], [0.0], "successes written down", cross), "cliponaxis": False},
        ],
        "layout": {
            "xaxis": {
                "title": {"text": f"share of successes among {n:,} rows"},
                "tickformat": ".0%",
                "range": [0, 1.03],
            },
            "yaxis": {
                "tickvals": list(range(len(names))),
                "ticktext": names,
                "range": [len(names) - 0.5, -0.5],
                "showgrid": False,
                "ticks": "",
            },
            **legend(),
        },
    }


def _dot() -> Figure:
    return {"color": "$accent", "size": 11}


def _percent(rate: float) -> str:
    return f"{100 * rate:.3g} %"


def parts_of(values: Floats, most: int) -> Floats:
    """At most so many of ordered values, evenly spread, with both ends."""
    rows = np.unique(np.linspace(0, len(values) - 1, min(len(values), most)).astype(int))
    return np.asarray(values[rows], dtype=np.float64)
