"""Pictures of single rows: predicted against measured, and the clusters that were held out."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.report.figures import padded, plain
from labctl.report.look import rounded, with_unit
from labctl.validate.checked import Checked

if TYPE_CHECKING:
    from labctl_models.validation.folds import Split
    from labctl_models.validation.heldout import HeldOut

Figure = dict[str, Any]
Floats = NDArray[np.float64]
MOST_POINTS = 1_500
CLUSTER_SHAPES = (
    "circle",
    "diamond",
    "square",
    "triangle-up",
    "cross",
    "star",
    "pentagon",
    "hexagon",
    "triangle-down",
    "bowtie",
)
"""With the colour, one for each cluster; the page gives ``--cluster-0`` and so on their values."""


def shown_split(checked: Checked) -> "Split | None":
    """The clustering that is drawn: of those that the best candidate predicted, the one of middle k."""
    entry = checked.entry(checked.found.best)
    splits = [] if entry is None else [s for s in entry.held_out if s.kind == "loco"]
    ks = sorted({s.k for s in splits})
    return next((s for s in splits if s.k == ks[len(ks) // 2]), None) if ks else None


def parity(checked: Checked) -> dict[str, Figure]:
    """Predicted against measured with rows and with clusters held out, on the same axes."""
    entry = checked.entry(checked.found.best)
    if entry is None or checked.found.classes:
        return {}
    y = checked.study.y[checked.rows]
    near = next((s for s in entry.held_out if s.kind == "shuffled"), None)
    picked = {"near": near, "far": shown_split(checked)}
    predicted = {name: entry.held_out[s] for name, s in picked.items() if s is not None}
    # Single wild predictions must not press all others flat.
    means = np.concatenate([p.mean for p in predicted.values()])
    room = 0.4 * float(np.ptp(y))
    low = max(float(min(y.min(), means.min())), float(y.min()) - room)
    high = min(float(max(y.max(), means.max())), float(y.max()) + room)
    ends = {"x": padded([float(y.min()), float(y.max())], 0.04), "y": padded([low, high], 0.04)}
    return {
        f"parity-{name}": _parity(checked, found, y, ends, clusters=name == "far")
        for name, found in predicted.items()
    }


def _parity(
    checked: Checked, found: "HeldOut", y: Floats, ends: dict[str, tuple[float, float]], *, clusters: bool
) -> Figure:
    keep = _some(len(found.rows), checked.seed)
    rows, fold, mean = found.rows[keep], found.fold[keep], np.clip(found.mean[keep], *ends["y"])
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": list(ends["x"]),
        "y": list(ends["x"]),
        "hoverinfo": "skip",
    }
    traces: list[Figure] = [{**line, "line": {"color": "$muted", "width": 1.2, "dash": "4px 4px"}}]
    for j in np.unique(fold) if clusters else (None,):
        inside = np.ones(len(rows), dtype=bool) if j is None else fold == j
        look = ("$near", "circle") if j is None else _look(int(j))
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [rounded(float(v)) for v in y[rows[inside]]],
                "y": [rounded(float(v)) for v in mean[inside]],
                "marker": _marker(look, len(rows)),
                "hoverinfo": "text",
                "hovertext": [
                    f"<b>{plain(_called(checked, int(r)))}</b><br>measured {y[r]:.4g}, predicted {m:.4g}"
                    for r, m in zip(rows[inside], found.mean[keep][inside], strict=True)
                ],
            }
        )
    unit = checked.study.unit
    return {
        "data": traces,
        "layout": {
            "xaxis": {
                "title": {"text": plain(with_unit(f"measured {checked.study.goal_in_words}", unit))},
                "range": list(ends["x"]),
            },
            "yaxis": {
                "title": {"text": plain(with_unit(f"predicted {checked.study.goal_in_words}", unit))},
                "range": list(ends["y"]),
            },
        },
    }


def cluster_map(checked: Checked) -> Figure | None:
    """The rows in their two widest directions, by the cluster that each is held out with."""
    split = shown_split(checked)
    if split is None:
        return None
    fold = np.empty(checked.found.n, dtype=np.intp)
    for j, (_, test) in enumerate(split.folds):
        fold[test] = j
    at, shares = principal(checked.study.X[checked.rows])
    keep = _some(len(at), checked.seed)
    traces: list[Figure] = []
    labels: list[Figure] = []
    for j in np.unique(fold):
        inside = keep[fold[keep] == j]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"cluster {j + 1}",
                "x": [rounded(float(v)) for v in at[inside, 0]],
                "y": [rounded(float(v)) for v in at[inside, 1]],
                "marker": _marker(_look(int(j)), len(keep)),
                "hoverinfo": "text",
                "hovertext": [f"<b>{plain(_called(checked, int(r)))}</b><br>cluster {j + 1}" for r in inside],
            }
        )
    for j in np.unique(fold):
        middle = np.median(at[fold == j], axis=0)
        place = {"x": rounded(float(middle[0])), "y": rounded(float(middle[1])), "showarrow": False}
        font = {"color": "$ink", "size": 15}
        labels.append(
            {**place, "text": f"<b>{j + 1}</b>", "bgcolor": "$paper", "opacity": 0.85, "font": font}
        )
    titles = [
        f"{'first' if i == 0 else 'second'} direction ({s:.0%} of the variance)" for i, s in enumerate(shares)
    ]
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": titles[0]}},
            "yaxis": {"title": {"text": titles[1]}},
            "annotations": labels,
        },
    }


def principal(X: Floats) -> tuple[Floats, Floats]:
    """Two principal components of the standardised columns of X (n x d): scores n x 2 and shares (2,)."""
    from labctl_models.surrogates.clusters import standardised  # noqa: PLC0415 - reads scipy

    Z = standardised(X)
    left, size, _ = np.linalg.svd(Z, full_matrices=False)
    scores, total = left * size, float(np.sum(size**2)) or 1.0
    wide = np.zeros((len(X), 2))
    wide[:, : min(2, scores.shape[1])] = scores[:, :2]
    shares = np.zeros(2)
    shares[: min(2, len(size))] = size[:2] ** 2 / total
    return wide, shares


def _called(checked: Checked, row: int) -> str:
    whole = int(checked.rows[row])
    formulas = checked.study.formulas
    return str(checked.study.ids[whole] if formulas is None else formulas[whole])


def _some(n: int, seed: int) -> NDArray[np.intp]:
    """All of n rows, or as many of them, drawn evenly, as a page can show."""
    if n <= MOST_POINTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MOST_POINTS, replace=False))


def _look(cluster: int) -> tuple[str, str]:
    return f"$cluster-{cluster % 10}", CLUSTER_SHAPES[cluster % len(CLUSTER_SHAPES)]


def _marker(look: tuple[str, str], n: int) -> Figure:
    size = 8 if n < 400 else 6  # noqa: PLR2004 - with more points they are drawn smaller
    return {
        "color": look[0],
        "symbol": look[1],
        "size": size,
        "opacity": 0.8,
        "line": {"color": "$paper", "width": 0.5},
    }
