"""The map of a table: its rows on their two widest axes, with density, failures, candidates and gaps."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.audit.run import Audited
from labctl.report.figures import plain
from labctl.report.look import rounded
from labctl.space import Categorical

if TYPE_CHECKING:
    from labctl_models.audit.domain import Map

Figure = dict[str, Any]
Floats = NDArray[np.float64]

MOST_POINTS = 1500
FEW_POINTS = 400
_MOST_STRIPS = 8
_PARTED = 0.95
"""Share of the rows that lie nearest to the middle of their own strip."""


def chart(audited: Audited) -> Figure | None:
    """Rows by how crowded it is about them, failures, candidates and gaps; None where all are one recipe."""
    from labctl_models.audit.domain import pca_map  # noqa: PLC0415 - scipy takes a moment

    table = audited.prepared.table
    fitted = pca_map(table.X)
    if not len(table.X) or float(np.ptp(fitted.scores[:, 0])) == 0.0:
        return None
    places = _two(fitted.scores)
    rng = np.random.default_rng(audited.seed)
    traces: list[Figure] = []
    pool = table.pool
    if pool is not None:
        at = _two(fitted.place(pool))
        some = _some(len(at), rng)
        traces.append(
            _points(at[some], "candidates", {"color": "$bar", "size": 4, "opacity": 0.55}, "a candidate")
        )
    failed = np.zeros(len(places), dtype=bool) if table.failed is None else table.failed
    some = _some(len(places), rng)
    fine = some[~failed[some]]
    density = _density(fitted.scores)
    if len(fine):
        marker = {
            "color": [rounded(float(v)) for v in density[fine]],
            "colorscale": "Cividis",
            "size": 8 if len(fine) < FEW_POINTS else 5,
            "line": {"color": "$paper", "width": 0.5},
            "colorbar": {
                "title": {"text": "how crowded", "side": "right"},
                "tickvals": [float(density[fine].min()), float(density[fine].max())],
                "ticktext": ["sparse", "dense"],
                "thickness": 11,
                "outlinewidth": 0,
                "len": 0.7,
            },
        }
        traces.append(_points(places[fine], "rows", marker, [audited.study.ids[i] for i in fine]))
    lost = some[failed[some]]
    if len(lost):
        cross = {
            "symbol": "x-thin",
            "size": 8,
            "color": "$failed",
            "line": {"color": "$failed", "width": 1.6},
        }
        names = [f"{audited.study.ids[i]} failed" for i in lost]
        traces.append(_points(places[lost], "failed", cross, names))
    if audited.gaps and pool is not None:
        at = _two(fitted.place(pool[[gap.row for gap in audited.gaps]]))
        ring = {
            "symbol": "diamond-open",
            "size": 13,
            "color": "$star",
            "line": {"color": "$star", "width": 2.4},
        }
        numbers = [str(i + 1) for i in range(len(at))]
        beside = {
            "mode": "markers+text",
            "textposition": "top right",
            "textfont": {"size": 12, "color": "$ink"},
        }
        hover = {"hovertemplate": "gap %{text}<extra></extra>"}
        traces.append({**_points(at, "gaps", ring, numbers), **beside, **hover})
    shares = fitted.explained
    titles = [
        f"{word} axis of the recipes ({shares[k]:.0%} of their differences)" if k < len(shares) else ""
        for k, word in enumerate(("widest", "second widest"))
    ]
    bare = {"showticklabels": False, "ticks": "", "showgrid": True}
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": titles[0]}, **bare},
            "yaxis": {"title": {"text": titles[1]}, **bare, "visible": len(shares) > 1},
            "annotations": _names_of_strips(audited, fitted),
        },
    }


def _names_of_strips(audited: Audited, fitted: "Map") -> list[Figure]:
    """Names above the strips into which the choices of a category part the rows, where they do."""
    space = audited.study.space
    categories = [n for n, p in space.parameters.items() if isinstance(p, Categorical)]
    if len(categories) != 1:
        return []
    parameter = space.parameters[categories[0]]
    choices = parameter.choices if isinstance(parameter, Categorical) else ()
    table = audited.prepared.table
    X = table.X if table.pool is None else np.vstack([table.X, table.pool])
    places, of = _two(fitted.place(X)), X[:, space.slices[categories[0]]].argmax(axis=1)
    present = np.unique(of)
    if not 1 < len(present) <= _MOST_STRIPS:
        return []
    middles = np.array([np.median(places[of == i], axis=0) for i in present])
    nearest = present[((places[:, None] - middles) ** 2).sum(axis=2).argmin(axis=1)]
    if np.mean(nearest == of) < _PARTED:
        return []
    look = {
        "showarrow": False,
        "yanchor": "bottom",
        "yshift": 16,
        "bgcolor": "$paper",
        "font": {"size": 13.5},
    }
    return [
        {
            "x": rounded(float(places[of == i, 0][places[of == i, 1].argmax()])),
            "y": rounded(float(places[of == i, 1].max())),
            "text": f"<b>{plain(choices[i])}</b>",
            **look,
        }
        for i in present.tolist()
    ]


def _two(scores: Floats) -> Floats:
    """The first two axes (n x 2); the second is 0 where there is none."""
    return np.column_stack([scores[:, 0], scores[:, 1] if scores.shape[1] > 1 else np.zeros(len(scores))])


def _some(n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """At most so many rows that a browser draws them at once."""
    rows = np.arange(n) if n <= MOST_POINTS else np.sort(rng.choice(n, MOST_POINTS, replace=False))
    return rows.astype(np.intp)


def _density(scores: Floats) -> Floats:
    """Logarithm of the density of rows about each row, by its fifth neighbour or the √n-th, in ranks.

    Ranks, because a few repeated recipes are infinitely dense and would leave one colour for the rest.
    """
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to import

    from labctl_models.audit.statistics import nearest  # noqa: PLC0415

    k = min(len(scores) - 1, max(5, int(np.sqrt(len(scores)))))
    if k < 1:
        return np.zeros(len(scores))
    distances, _ = nearest(scores, None, k)
    return np.asarray(rankdata(-distances[:, -1], method="average") / len(scores), dtype=np.float64)


def _points(at: Floats, name: str, marker: Figure, text: str | list[str]) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [rounded(float(v)) for v in at[:, 0]],
        "y": [rounded(float(v)) for v in at[:, 1]],
        "marker": marker,
        "text": text,
        "hovertemplate": "%{text}<extra></extra>",
    }
