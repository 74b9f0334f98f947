"""Figures of whether labels hold: thresholds that flip them, and repeats that contradict each other."""

from typing import TYPE_CHECKING

import numpy as np

from labctl.audit.charts.copies import contradictions
from labctl.audit.charts.detail import Figure, numbers_of
from labctl.audit.drawing import EXPECTED, MOST_POINTS, dots, legend, line
from labctl.audit.run import Audited
from labctl.report.figures import plain
from labctl.report.look import with_unit

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding


def sweep(finding: "Finding", audited: Audited) -> Figure:
    """Share of the rows below a threshold, as the threshold moves."""
    t, share = (numbers_of(finding, key) for key in ("thresholds", "positive"))
    values = audited.prepared.table.label_values
    x = with_unit("threshold", "")
    data = [line(t, share, "share of rows below the threshold", {"color": "$failed", "width": 3})]
    if values is not None:
        known = np.sort(values[np.isfinite(values)])
        shown = known[np.linspace(0, len(known) - 1, min(len(known), 200)).astype(int)]
        share_at = np.searchsorted(known, shown, side="right") / len(known)
        data.insert(0, line(shown, share_at, "all rows", {"color": "$bar", "width": 2}))
    box = {"type": "rect", "x0": float(t[0]), "x1": float(t[-1]), "yref": "paper", "y0": 0, "y1": 1}
    return {
        "data": data,
        "layout": {
            "xaxis": {"title": {"text": x}},
            "yaxis": {"title": {"text": "share of rows below"}, "tickformat": ".0%", "range": [0, 1.02]},
            "shapes": [{**box, "fillcolor": "$band", "line": {"width": 0}, "layer": "below"}],
            **legend(),
        },
    }


def repeats(finding: "Finding", audited: Audited) -> Figure | None:
    """Each further reading of a recipe against its first one."""
    table = audited.prepared.table
    if table.outcome == "classification":
        return contradictions(finding, audited)
    codes, _ = table.recipe_codes()
    rows = np.flatnonzero(table.measured)
    first: dict[int, int] = {}
    pairs = []
    for row in rows.tolist():
        before = first.setdefault(int(codes[row]), row)
        if before != row:
            pairs.append((before, row))
    if not pairs:
        return None
    flagged = set(np.asarray(finding.detail["rows"]).tolist())
    at = table.y[np.array(pairs[:MOST_POINTS])]
    odd = np.array([a in flagged or b in flagged for a, b in pairs[:MOST_POINTS]])
    ends = [float(at.min()), float(at.max())]
    goal = plain(with_unit(audited.study.goal_in_words, audited.study.unit))
    cross = {"symbol": "x", "size": 8, "color": "$failed"}
    return {
        "data": [
            line(ends, ends, "no difference", EXPECTED),
            dots(
                at[~odd, 0],
                at[~odd, 1],
                "agree within noise",
                {"color": "$accent", "size": 6, "opacity": 0.7},
            ),
            dots(at[odd, 0], at[odd, 1], "contradict each other", cross),
        ],
        "layout": {
            "xaxis": {"title": {"text": f"first reading of {goal}"}},
            "yaxis": {"title": {"text": "another reading of the same recipe"}},
            **legend(),
        },
    }
