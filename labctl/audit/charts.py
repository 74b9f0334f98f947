"""One figure for each kind of finding, in plain JSON types; colours that begin with ``$`` are the page's."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.audit.drawing import EXPECTED, MOST_POINTS, bars, boxes, cut, dots, legend, line, numbers
from labctl.audit.run import Audited
from labctl.audit.words import spelled
from labctl.report.figures import plain
from labctl.report.look import with_unit

if TYPE_CHECKING:
    from labctl_models.audit.finding import Finding

Figure = dict[str, Any]
Floats = NDArray[np.float64]

MOST_BARS = 14


def figure(finding: "Finding", audited: Audited) -> Figure | None:
    """The figure of a finding, or None where a picture would show no more than its number."""
    draw = _DRAWN.get(finding.id.split(":")[0])
    return None if draw is None else draw(finding, audited)


def _corrected(finding: "Finding", _: Audited) -> Figure:
    score, meant = (_numbers(finding, key) for key in ("score", "corrected"))
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


def _popular(finding: "Finding", _: Audited) -> Figure:
    names = [str(n) for n in _list(finding, "choices")][:MOST_BARS]
    counts = _numbers(finding, "counts")[:MOST_BARS]
    every = _numbers(finding, "all_counts")
    even = float(every.sum()) / len(every)
    return bars(names, counts, "rows", expected=even, note="if all were equally popular")


def _sweep(finding: "Finding", audited: Audited) -> Figure:
    t, share = (_numbers(finding, key) for key in ("thresholds", "positive"))
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


def _repeats(finding: "Finding", audited: Audited) -> Figure | None:
    """Each further reading of a recipe against its first one."""
    table = audited.prepared.table
    if table.outcome == "classification":
        return None
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
    goal = plain(with_unit(audited.study.goal, audited.study.unit))
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


def _spread_of(finding: "Finding", audited: Audited) -> Figure:
    values = _numbers(finding, "values")
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
            "xaxis": {"title": {"text": plain(with_unit(_what(finding, audited), ""))}},
            "yaxis": {"title": {"text": "rows"}},
            "barmode": "overlay",
            **legend(),
        },
    }


def _digits(finding: "Finding", _: Audited) -> Figure:
    counts = _numbers(finding, "digits")
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


def _units(finding: "Finding", audited: Audited) -> Figure:
    expected, values = _numbers(finding, "expected"), _numbers(finding, "values")
    cross = {"symbol": "x", "size": 9, "color": "$failed"}
    ends = [float(min(expected.min(), values.min())), float(max(expected.max(), values.max()))]
    return {
        "data": [
            line(ends, ends, "as the others", EXPECTED),
            dots(expected, values, "in another unit", cross),
        ],
        "layout": {
            "xaxis": {"title": {"text": "what similar rows say"}},
            "yaxis": {"title": {"text": plain(_what(finding, audited))}},
            **legend(),
        },
    }


def _filled(finding: "Finding", _: Audited) -> Figure | None:
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


def _gap_and_outcome(finding: "Finding", audited: Audited) -> Figure | None:
    """The outcome where a field is filled and where it is not."""
    from labctl_models.audit.table import missing  # noqa: PLC0415 - scipy takes a moment

    _, field, *_ = finding.id.split(":")
    table = audited.prepared.table
    column = table.columns.get(field)
    if column is None or not table.measured.any():
        return None
    gone = missing(column)
    known = table.measured
    goal = plain(with_unit(audited.study.goal, audited.study.unit))
    return boxes({f"{field} missing": table.y[known & gone], f"{field} filled": table.y[known & ~gone]}, goal)


def _cohorts(finding: "Finding", _: Audited) -> Figure:
    names = [str(n) for n in _list(finding, "cohorts")]
    means, rows = _numbers(finding, "mean_residual"), _numbers(finding, "rows")
    order = np.argsort(-rows, kind="stable")[:MOST_BARS]
    order = order[np.argsort(means[order])]
    return bars(
        [f"{cut(names[i], 28)} ({rows[i]:.0f})" for i in order],
        means[order],
        "mean error of the model (rows of each in brackets)",
    )


def _told(finding: "Finding", _: Audited) -> Figure:
    pair = np.array([finding.value, finding.expected or 0.0])
    return bars(["told from the recipe", "by chance"], pair, "groups told right", percent=True)


def _worth(finding: "Finding", _: Audited) -> Figure:
    keys = ("rows", "effective_if_spread", "effective")
    names = ["rows looked at", "different recipes that would fit", "different recipes they are worth"]
    return bars(names, np.array([float(str(finding.detail[k])) for k in keys]), "")


def _twins(finding: "Finding", _: Audited) -> Figure | None:
    names, counts = [str(n) for n in _list(finding, "commonest")], _numbers(finding, "counts")
    if not len(counts):
        return None
    return bars([spelled(n) for n in names[:MOST_BARS]], counts[:MOST_BARS], "rows of the same recipe")


def _surprises(finding: "Finding", audited: Audited) -> Figure:
    z = _numbers(finding, "z")
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


def _hidden(finding: "Finding", audited: Audited) -> Figure | None:
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


def _evidence(finding: "Finding", _: Audited) -> Figure:
    evidence = _numbers(finding, "evidence")
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


def _far(finding: "Finding", _: Audited) -> Figure:
    inside = finding.value
    names = ["near what was tried", "farther than that"]
    return bars(names, np.array([inside, 1.0 - inside]), "share of the candidates", percent=True)


_DRAWN: dict[str, Callable[["Finding", Audited], Figure | None]] = {
    "domain.coverage": _far,
    "domain.diversity": _worth,
    "selection.success_share": _corrected,
    "selection.rate_unknown": _corrected,
    "selection.popularity": _popular,
    "labels.threshold": _sweep,
    "labels.conflicts": _repeats,
    "labels.zeros": _spread_of,
    "labels.known_zeros": _spread_of,
    "labels.rounding": _digits,
    "labels.units": _units,
    "metadata.completeness": _filled,
    "metadata.missingness": _gap_and_outcome,
    "metadata.cohort_effect": _cohorts,
    "metadata.cohort_from_recipe": _told,
    "duplicates.twins": _twins,
    "anomalies.outcomes": _surprises,
    "hidden.screen": _hidden,
    "predictions.calibration": _evidence,
}


def _numbers(finding: "Finding", key: str) -> Floats:
    return np.asarray(finding.detail[key], dtype=np.float64)


def _list(finding: "Finding", key: str) -> list[Any]:
    return list(finding.detail[key])  # type: ignore[call-overload, no-any-return] # checks put lists there


def _what(finding: "Finding", audited: Audited) -> str:
    return finding.id.split(":", 1)[1] if ":" in finding.id else audited.study.goal
