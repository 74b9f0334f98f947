"""Figures of which recipes a table holds: how many kinds, how popular, how far from the candidates."""

from typing import TYPE_CHECKING

import numpy as np

from labctl.audit.charts.detail import MOST_BARS, Figure, list_of, numbers_of
from labctl.audit.drawing import EXPECTED, bars, legend, line
from labctl.audit.run import Audited
from labctl.audit.words import spelled

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding


def corrected(finding: "Finding", _: Audited) -> Figure:
    """What a score of a model means, where the table were a fair sample and at the true rate."""
    score, meant = (numbers_of(finding, key) for key in ("score", "corrected"))
    return {
        "data": [
            line([0.0, 1.0], [0.0, 1.0], "if the table were a fair sample", EXPECTED),
            line(score, meant, "with the true rate", {"color": "$failed", "width": 3}),
        ],
        "layout": {
            "xaxis": {"title": {"text": "score of a model of this table"}, "tickformat": ".0%"},
            "yaxis": {"title": {"text": "probability that it works"}, "tickformat": ".0%"},
            **legend(),
        },
    }


def popular(finding: "Finding", _: Audited) -> Figure:
    """Rows of each of the most popular choices."""
    names = [str(n) for n in list_of(finding, "choices")][:MOST_BARS]
    counts = numbers_of(finding, "counts")[:MOST_BARS]
    every = numbers_of(finding, "all_counts")
    even = float(every.sum()) / len(every)
    return bars(names, counts, "rows", expected=even, note="if all were equally popular")


def worth(finding: "Finding", _: Audited) -> Figure:
    """Rows, and the different recipes that they are worth."""
    keys = ("rows", "effective_if_spread", "effective")
    names = ["rows looked at", "different recipes that would fit", "different recipes they are worth"]
    return bars(names, np.array([float(str(finding.detail[k])) for k in keys]), "")


def twins(finding: "Finding", _: Audited) -> Figure | None:
    """Rows of each of the commonest recipes."""
    names, counts = [str(n) for n in list_of(finding, "commonest")], numbers_of(finding, "counts")
    if not len(counts):
        return None
    return bars([spelled(n) for n in names[:MOST_BARS]], counts[:MOST_BARS], "rows of the same recipe")


def far(finding: "Finding", _: Audited) -> Figure:
    """Share of the candidates near what was tried, and farther off."""
    inside = finding.value
    names = ["near what was tried", "farther than that"]
    return bars(names, np.array([inside, 1.0 - inside]), "share of the candidates", percent=True)
