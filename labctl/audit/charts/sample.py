"""Figures of what a table is worth as a sample: its scores, its kinds of recipes, its repeats."""

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


def worth(finding: "Finding", _: Audited) -> Figure:
    """Rows, and the different recipes that they are worth."""
    keys = ("rows", "effective_if_spread", "effective")
    names = ["rows looked at", "different recipes that would fit", "different recipes they are worth"]
    return bars(names, np.array([float(str(finding.detail[k])) for k in keys]), "")


def twins(finding: "Finding", _: Audited) -> Figure:
    """Rows of each of the commonest recipes."""
    names, counts = [str(n) for n in list_of(finding, "commonest")], numbers_of(finding, "counts")
    if not len(counts):
        # Recipes of different names that a model cannot tell apart.
        twin = float(numbers_of(finding, "rows_with_twin"))
        rows = len(numbers_of(finding, "groups"))
        return bars(["rows with a twin", "rows on their own"], np.array([twin, rows - twin]), "rows")
    return bars([spelled(n) for n in names[:MOST_BARS]], counts[:MOST_BARS], "rows of the same recipe")
