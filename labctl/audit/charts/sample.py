"""Figures of what a table is worth as a sample: its scores, its kinds of recipes, its repeats."""

from typing import TYPE_CHECKING

import numpy as np

from labctl.audit.charts.chosen import parts_of
from labctl.audit.charts.detail import MOST_BARS, Figure, list_of, numbers_of
from labctl.audit.drawing import EXPECTED, bars, legend, line
from labctl.audit.run import Audited
from labctl.audit.words import spelled

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding

_MOST_ROWS = 1000
_STEPS = 300
_OFTEN = 5
_TIMES = {1: "once", 2: "twice"}


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


def worth(_: "Finding", audited: Audited) -> Figure:
    """How near its nearest neighbour a row lies, and would if the rows were spread over their ranges."""
    from labctl_models.audit.domain import pca_map  # noqa: PLC0415 - scipy takes a moment
    from labctl_models.audit.statistics import nearest  # noqa: PLC0415

    rng = np.random.default_rng(audited.seed)
    rows = pca_map(audited.prepared.table.X).scores
    rows = rows if len(rows) <= _MOST_ROWS else rows[rng.choice(len(rows), _MOST_ROWS, replace=False)]
    spread = np.column_stack([rng.permutation(column) for column in rows.T])
    own, free = (np.sort(nearest(points)[0][:, 0]) for points in (rows, spread))
    usual = float(np.median(free)) or 1.0
    share = np.arange(1, len(rows) + 1) / len(rows)
    end = float(np.quantile(free, 0.98)) / usual
    return {
        "data": [
            line(parts_of(free / usual, _STEPS), parts_of(share, _STEPS), "if they were spread", EXPECTED),
            line(
                parts_of(own / usual, _STEPS), parts_of(share, _STEPS), "the rows as they are",
                {"color": "$failed", "width": 3},
            ),
        ],
        "layout": {
            "xaxis": {
                "title": {"text": "distance to the most similar row (1: usual if spread)"}, "range": [0, end],
            },
            "yaxis": {
                "title": {"text": "share of rows with one that near"},
                "tickformat": ".0%", "range": [0, 1.03],
            },
            **legend(),
        },
    }  # fmt: skip


def twins(finding: "Finding", _: Audited) -> Figure:
    """Rows of each of the commonest recipes."""
    names, counts = [str(n) for n in list_of(finding, "commonest")], numbers_of(finding, "counts")
    if not len(counts):
        # Recipes of different names that a model cannot tell apart.
        twin = float(numbers_of(finding, "rows_with_twin"))
        rows = len(numbers_of(finding, "groups"))
        return bars(["rows with a twin", "rows on their own"], np.array([twin, rows - twin]), "rows")
    if counts[0] < _OFTEN:
        # Where none stands out, how many are repeated says more than which.
        sizes = np.bincount(numbers_of(finding, "sizes").astype(int))
        times = [k for k in range(1, len(sizes)) if sizes[k]]
        shown = np.array([float(sizes[k]) for k in times])
        return bars([_TIMES.get(k, f"{k} times") for k in times], shown, "recipes that are there so often")
    return bars([spelled(n) for n in names[:MOST_BARS]], counts[:MOST_BARS], "rows of the same recipe")
