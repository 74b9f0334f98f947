"""Figures of where measurements and predictions part: surprises, hidden causes and narrow intervals."""

from typing import TYPE_CHECKING

import numpy as np

from labctl.audit.charts.detail import MOST_BARS, Figure, numbers_of
from labctl.audit.drawing import EXPECTED, MOST_POINTS, boxes, dots, legend, line
from labctl.audit.run import Audited
from labctl.report.figures import plain
from labctl.report.look import with_unit

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding


def surprises(finding: "Finding", audited: Audited) -> Figure:
    """How far each row is off what was expected of it."""
    z = numbers_of(finding, "z")
    rows = np.asarray(finding.detail["rows"], dtype=np.intp)
    rest = np.setdiff1d(np.flatnonzero(np.isfinite(z)), rows)
    rest = rest[:: max(1, len(rest) // MOST_POINTS)]
    text = [f"{audited.study.ids[i]}: {z[i]:+.1f}" for i in rows]
    cross = {"symbol": "x", "size": 10, "color": "$failed"}
    return {
        "data": [
            dots(rest, z[rest], "as expected", {"color": "$bar", "size": 5}),
            {
                **dots(rows, z[rows], "surprising", cross),
                "text": text,
                "hovertemplate": "%{text}<extra></extra>",
            },
        ],
        "layout": {
            "xaxis": {"title": {"text": "row"}},
            "yaxis": {"title": {"text": "standard deviations off"}},
            **legend(),
        },
    }


def hidden(finding: "Finding", audited: Audited) -> Figure | None:
    """The model's error against a field that the recipe lacks."""
    residuals, field = np.asarray(finding.detail["residuals"]), finding.detail.get("field")
    if not isinstance(field, np.ndarray):
        return None
    known = np.isfinite(residuals)
    error = plain(with_unit("measured less predicted", audited.study.unit))
    if field.dtype.kind == "f":
        rows = np.flatnonzero(known & np.isfinite(field))[:MOST_POINTS]
        points = dots(field[rows], residuals[rows], "rows", {"color": "$accent", "size": 7, "opacity": 0.75})
        zero = [float(field[rows].min()), float(field[rows].max())]
        name = finding.id.split(":", 1)[-1]
        return {
            "data": [line(zero, [0.0, 0.0], "no error", EXPECTED), points],
            "layout": {"xaxis": {"title": {"text": plain(name)}}, "yaxis": {"title": {"text": error}}},
        }
    names, counts = np.unique(field[known], return_counts=True)
    some = names[np.argsort(-counts)][:MOST_BARS]
    return boxes({str(n) or "missing": residuals[known & (field == n)] for n in some}, error)


def evidence(finding: "Finding", _: Audited) -> Figure:
    """How evidence that intervals are too narrow grows with the results."""
    evidence = numbers_of(finding, "evidence")
    x = np.arange(1, len(evidence) + 1)
    return {
        "data": [
            line([1, len(evidence)], [20.0, 20.0], "alarm", EXPECTED),
            line(x, np.maximum(evidence, 1e-3), "evidence", {"color": "$failed", "width": 3, "shape": "hv"}),
        ],
        "layout": {
            "xaxis": {"title": {"text": "results with a prediction"}},
            "yaxis": {"title": {"text": "evidence that intervals are too narrow"}, "type": "log"},
            **legend(),
        },
    }
