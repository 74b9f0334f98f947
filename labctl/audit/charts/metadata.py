"""Figures of the fields around the recipes: what is filled in, and what cohorts differ by."""

from typing import TYPE_CHECKING

import numpy as np

from labctl.audit.charts.detail import MOST_BARS, Figure, list_of, numbers_of
from labctl.audit.drawing import bars, boxes, cut, numbers
from labctl.audit.run import Audited
from labctl.report.figures import plain
from labctl.report.look import with_unit

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding


def filled(finding: "Finding", _: Audited) -> Figure | None:
    """Completeness by field, and by cohort where there are cohorts."""
    filled: dict[str, float] = dict(finding.detail.get("filled", {}))  # type: ignore[call-overload]
    cohorts: dict[str, dict[str, dict[str, float]]] = dict(finding.detail.get("by_cohort", {}))  # type: ignore[call-overload]
    if not filled:
        return None
    names = sorted(filled, key=filled.__getitem__)[: MOST_BARS + 6]
    if not cohorts:
        return bars(names, np.array([filled[n] for n in names]), "share of rows filled", percent=True)
    cohort = next(iter(cohorts))
    groups = ["all rows", *list(cohorts[cohort])[:40]]
    rows = [[filled[n], *(cohorts[cohort][g][n] for g in groups[1:])] for n in names]
    trace = {
        "type": "heatmap",
        "x": [plain(g) for g in groups],
        "y": [plain(n) for n in names],
        "z": [numbers(np.array(row)) for row in rows],
        "zmin": 0,
        "zmax": 1,
        "colorscale": "Cividis",
        "xgap": 1,
        "ygap": 1,
        "colorbar": {"tickformat": ".0%", "thickness": 11, "outlinewidth": 0, "title": {"text": "filled"}},
        "hovertemplate": "%{y}, %{x}: %{z:.0%} filled<extra></extra>",
    }
    axis = {"title": {"text": plain(cohort)}, "type": "category", "showgrid": False}
    return {
        "data": [trace],
        "layout": {"xaxis": axis, "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False}},
    }


def gap_and_outcome(finding: "Finding", audited: Audited) -> Figure | None:
    """The outcome, or the share of failures, where a field is filled and where it is not."""
    from labctl_models.audit.table import missing  # noqa: PLC0415 - scipy takes a moment

    field = finding.id.split(":", 1)[1].rsplit(":", 1)[0]
    table = audited.prepared.table
    column = table.columns.get(field)
    if column is None or not table.measured.any():
        return None
    gone = missing(column)
    if finding.id.endswith(":failure") and table.failed is not None:
        names = [
            f"{field} is {how} ({int(rows.sum()):,} rows)"
            for how, rows in (("missing", gone), ("there", ~gone))
        ]
        failing = np.array([table.failed[rows].mean() for rows in (gone, ~gone)])
        return bars(names, failing, "share of these rows that failed", percent=True)
    known = table.measured
    goal = plain(with_unit(audited.study.goal_in_words, audited.study.unit))
    return boxes({f"{field} missing": table.y[known & gone], f"{field} filled": table.y[known & ~gone]}, goal)


def cohorts(finding: "Finding", _: Audited) -> Figure:
    """Mean error of the model in each cohort."""
    names = [str(n) for n in list_of(finding, "cohorts")]
    means, rows = numbers_of(finding, "mean_residual"), numbers_of(finding, "rows")
    order = np.argsort(-rows, kind="stable")[:MOST_BARS]
    order = order[np.argsort(means[order])]
    return bars(
        [f"{cut(names[i], 28)} ({rows[i]:.0f})" for i in order],
        means[order],
        "mean error of the model (rows of each in brackets)",
    )


def told(finding: "Finding", _: Audited) -> Figure:
    """How often a cohort can be told from the recipe, and by chance."""
    pair = np.array([finding.value, finding.expected or 0.0])
    return bars(["told from the recipe", "by chance"], pair, "groups told right", percent=True)
