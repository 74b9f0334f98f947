"""Figures of how values were written down: zeros, last digits and units."""

from typing import TYPE_CHECKING

import numpy as np

from labctl.audit.charts.detail import Figure, numbers_of, what_of
from labctl.audit.drawing import EXPECTED, dots, legend, line, numbers
from labctl.audit.run import Audited
from labctl.report.figures import plain
from labctl.report.look import with_unit

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding


def spread_of(finding: "Finding", audited: Audited) -> Figure:
    """How values are spread, with those that are exactly zero set apart."""
    values = numbers_of(finding, "values")
    zero = values == 0.0
    edges = np.histogram_bin_edges(values, bins=min(40, max(10, int(np.sqrt(len(values))))))
    counts, _ = np.histogram(values[~zero], edges)
    middles = (edges[1:] + edges[:-1]) / 2
    others = {"type": "bar", "name": "other values", "x": numbers(middles), "y": counts.tolist()}
    width = float(edges[1] - edges[0])
    at_zero = {"type": "bar", "name": "exactly 0", "x": [0.0], "y": [int(zero.sum())], "width": [width * 0.8]}
    return {
        "data": [
            {**others, "marker": {"color": "$bar"}, "width": [width * 0.92] * len(middles)},
            {**at_zero, "marker": {"color": "$failed"}},
        ],
        "layout": {
            "xaxis": {"title": {"text": plain(with_unit(what_of(finding, audited), ""))}},
            "yaxis": {"title": {"text": "rows"}},
            "barmode": "overlay",
            **legend(),
        },
    }


def digits(finding: "Finding", _: Audited) -> Figure:
    """How often each last digit occurs."""
    counts = numbers_of(finding, "digits")
    share = counts / max(float(counts.sum()), 1.0)
    round_ones, others = np.array([0, 5]), np.array([1, 2, 3, 4, 6, 7, 8, 9])
    digits = [
        {"type": "bar", "name": name, "x": x.tolist(), "y": numbers(share[x]), "marker": {"color": colour}}
        for name, x, colour in (("0 and 5", round_ones, "$failed"), ("other digits", others, "$bar"))
    ]
    return {
        "data": [*digits, line([-0.5, 9.5], [0.1, 0.1], "if read off a scale", EXPECTED)],
        "layout": {
            "xaxis": {"title": {"text": "last digit"}, "dtick": 1, "showgrid": False},
            "yaxis": {"title": {"text": "share of the values"}, "tickformat": ".0%"},
            "barmode": "overlay",
            **legend(),
        },
    }


def units(finding: "Finding", audited: Audited) -> Figure:
    """Values that look to be in another unit against what similar rows say."""
    expected, values = numbers_of(finding, "expected"), numbers_of(finding, "values")
    cross = {"symbol": "x", "size": 9, "color": "$failed"}
    ends = [float(min(expected.min(), values.min())), float(max(expected.max(), values.max()))]
    return {
        "data": [
            line(ends, ends, "as the others", EXPECTED),
            dots(expected, values, "in another unit", cross),
        ],
        "layout": {
            "xaxis": {"title": {"text": "what similar rows say"}},
            "yaxis": {"title": {"text": plain(what_of(finding, audited))}},
            **legend(),
        },
    }
