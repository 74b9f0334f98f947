"""Several goals: the front of compromises as figures, how it grew, and the list of what is on it."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from labctl.config import CampaignConfig
from labctl.front import complete, value_in
from labctl.objective import Objective
from labctl.plural import verb
from labctl.report.beyond import Arrow, arrows
from labctl.report.figures import Figure, padded, plain, points
from labctl.report.goals import judged_title, quantity
from labctl.report.look import ARMS, number, pretty_unit, rounded
from labctl.scores import bound_in_words
from labctl.state import CampaignState, Experiment
from labctl.summary import Summary

MOST_PAIRS = 6
MOST_LISTED = 30
MOST_LINES = 60
_SETTINGS = 8
_TWO = 2


def pairs(config: CampaignConfig) -> list[tuple[str, str]]:
    """Two goals each: the pairs that are drawn."""
    return list(combinations(config.goals, 2))[:MOST_PAIRS]


def pair_figure(
    config: CampaignConfig, state: CampaignState, summary: Summary, two: tuple[str, str]
) -> Figure:
    """Every result in two goals, what the front dominates, and hollow those that break a limit."""
    done = complete(config, state)
    sides = [config.goals[name] for name in two]
    on_front = [state[c.experiment] for c in summary.front]

    def at(experiments: Sequence[Experiment]) -> dict[str, list[float | None]]:
        places = _places(experiments, two, sides)
        return {"x": [rounded(x) for x, _ in places], "y": [rounded(y) for _, y in places]}

    ranges = [
        padded([o.judged(value_in(e, n, o)) for e in done], 0.09) for n, o in zip(two, sides, strict=True)
    ]
    traces: list[Figure] = []
    if on_front and len(config.goals) == _TWO:
        traces += _dominated(stairs(_places(on_front, two, sides)), ranges, sides)
    for arm in ARMS:
        if some := [e for e in done if e.proposal.arm == arm]:
            traces.append({**points(arm, some, config), **at(some)})
    if on_front:
        star = {"symbol": "circle", "size": 13, "color": "$star", "line": {"color": "$ink", "width": 1.4}}
        rows = [e.number - 1 for e in on_front]
        shown = {"type": "scatter", "mode": "markers", "name": "front", "marker": star, "customdata": rows}
        traces.append({**shown, **at(on_front)})
    spots = [(e, *place) for e, place in zip(done, _places(done, two, sides), strict=True)]
    traces += arrows([(x, y, ways(e, two, sides), e) for e, x, y in spots])
    layout: Figure = {
        axis: {"title": {"text": plain(judged_title(name, o))}, "range": list(ends)}
        for axis, name, o, ends in zip(("xaxis", "yaxis"), two, sides, ranges, strict=True)
    }
    layout["annotations"] = [_better(*sides)]
    layout["shapes"] = [
        _limit(axis, limit)
        for axis, o in zip("xy", sides, strict=True)
        for limit in (o.at_least, o.at_most)
        if limit is not None and o.target is None
    ]
    return {"data": traces, "layout": layout}


def ways(experiment: Experiment, two: tuple[str, str], sides: Sequence[Objective]) -> Arrow:
    """Which way a result of two goals may lie from where it is drawn: to the better where it has a bound."""
    a, b = (
        int(o.direction) if bound_in_words(experiment, name, o) else 0
        for name, o in zip(two, sides, strict=True)
    )
    return a, b


def trade_figure(config: CampaignConfig, state: CampaignState, summary: Summary) -> Figure:
    """One line for each compromise over all goals, each axis with its best value on top."""
    done, goals = complete(config, state), config.goals
    on_front = {c.experiment for c in summary.front}
    ends = {}
    for name, o in goals.items():
        worths = [o.worth(value_in(e, name, o)) for e in done]
        ends[name] = (min(worths), max(worths) - min(worths) or 1.0)

    def heights(e: Experiment) -> list[float | None]:
        return [rounded((o.worth(value_in(e, n, o)) - ends[n][0]) / ends[n][1]) for n, o in goals.items()]

    others = [e for e in done if e.id not in on_front]
    axes: list[int | None] = [*range(len(goals))]
    faint: Figure = {
        "type": "scatter",
        "mode": "lines",
        "hoverinfo": "skip",
        "line": {"color": "$line", "width": 1},
    }
    traces = [
        {
            **faint,
            "x": [v for _ in others for v in (*axes, None)],
            "y": [v for e in others for v in (*heights(e), None)],
        }
    ]
    for c in summary.front[:MOST_LINES]:
        e = state[c.experiment]
        drawn = {"type": "scatter", "mode": "lines+markers", "name": e.id, "opacity": 0.85}
        marker = {"size": 10, "color": "$star", "line": {"color": "$ink", "width": 1.2}}
        line = {"color": "$accent", "width": 2.4}
        at = {"x": axes, "y": heights(e), "customdata": [e.number - 1] * len(goals)}
        traces.append({**drawn, "marker": marker, "line": line, **at})
    layout = {
        "xaxis": {
            "tickvals": axes,
            "ticktext": [plain(judged_title(name, o)) for name, o in goals.items()],
            "range": [-0.25, len(goals) - 0.75],
            "ticks": "",
            "gridcolor": "$line",
            "tickfont": {"size": 14, "color": "$ink"},
        },
        "yaxis": {"range": [-0.12, 1.12], "visible": False},
        "annotations": [
            _end(column, o, side, [o.judged(value_in(e, name, o)) for e in done])
            for column, (name, o) in enumerate(goals.items())
            for side in (0, 1)
        ],
    }
    return {"data": traces, "layout": layout}


def listed(config: CampaignConfig, summary: Summary) -> dict[str, Any]:
    """The compromises as a table: its heads, its rows, and how many more there are."""
    parameters, goals = config.model.parameters, config.goals
    names = list(parameters)[:_SETTINGS]
    rows = [
        (
            c.experiment,
            [f"{c.bounds.get(name, '')} {number(c.values[name])}".strip() for name in goals],
            [_setting(c.recipe.get(name)) for name in names],
        )
        for c in summary.front[:MOST_LISTED]
    ]
    return {
        "goals": [(name, pretty_unit(o.unit)) for name, o in goals.items()],
        "settings": [(name, pretty_unit(getattr(parameters[name], "unit", ""))) for name in names],
        "rows": rows,
        "more": max(0, len(summary.front) - MOST_LISTED),
        "more_settings": len(parameters) - len(names),
    }


def best_of_each(config: CampaignConfig, summary: Summary) -> list[tuple[str, str, str]]:
    """Goal by goal: its name, the best value on the front with its unit, and where that was measured."""
    found = []
    for name, o in config.goals.items():
        best = max(summary.front, key=lambda c: o.worth(c.values[name]), default=None)
        if best is not None:
            value = f"{best.bounds.get(name, '')} {quantity(best.values[name], o)}".strip()
            found.append((name, value, best.experiment))
    return found


def front_in_words(summary: Summary, state: CampaignState, incomplete: int) -> str:
    """How many compromises there are, and when the last of them came."""
    if not summary.front:
        return "No result has a value of every goal and keeps every limit yet."
    n, last = len(summary.front), max(state[c.experiment].number for c in summary.front)
    far = ", as far as bounds can tell" if summary.censored else ""
    said = f"One result, experiment {last}, is beaten by no other in any goal{far}."
    if n > 1:
        said = f"{n} results are beaten by no other in every goal{far}"
        said += f"; the last of them came with experiment {last}."
    lacking = f" {incomplete} more {verb(incomplete, 'lacks', 'lack')} a value of some goal."
    return said + (lacking if incomplete else "")


def _places(
    experiments: Sequence[Experiment], two: tuple[str, str], sides: Sequence[Objective]
) -> list[tuple[float, float]]:
    """What the results are judged by in two goals."""
    (a, b), (x, y) = two, sides
    return [(x.judged(value_in(e, a, x)), y.judged(value_in(e, b, y))) for e in experiments]


def _setting(value: object) -> str:
    return number(value) if isinstance(value, int | float) else str(value)


def stairs(front: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners of a front in the plane, from its best in x to its best in y."""
    corners: list[tuple[float, float]] = []
    for x, y in front:
        corners += [(x, corners[-1][1]), (x, y)] if corners else [(x, y)]
    return corners


def _dominated(
    stairs: list[tuple[float, float]], ranges: Sequence[tuple[float, float]], sides: Sequence[Objective]
) -> list[Figure]:
    worst = [ends[0] if o.direction > 0 else ends[1] for ends, o in zip(ranges, sides, strict=True)]
    outline = [(stairs[0][0], worst[1]), *stairs, (worst[0], stairs[-1][1])]
    region = [*outline, (worst[0], worst[1])]
    skip = {"type": "scatter", "mode": "lines", "hoverinfo": "skip"}
    filled = {"fill": "toself", "fillcolor": "$band", "line": {"width": 0}, "name": "dominated"}
    return [
        {**skip, **filled, "x": [x for x, _ in region], "y": [y for _, y in region]},
        {
            **skip,
            "name": "front line",
            "line": {"color": "$ink", "width": 2},
            "x": [x for x, _ in outline],
            "y": [y for _, y in outline],
        },
    ]


def _limit(axis: str, value: float) -> Figure:
    """A line at a limit on a goal."""
    across = {"xref": "x", "yref": "paper", "x0": value, "x1": value, "y0": 0, "y1": 1}
    along = {"xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": value, "y1": value}
    line = {"color": "$failed", "width": 1.8, "dash": "6px 4px"}
    return {"type": "line", **(across if axis == "x" else along), "line": line, "layer": "below"}


def _better(x: Objective, y: Objective) -> Figure:
    """A word in the corner where the best results would lie."""
    right, up = x.direction > 0, y.direction > 0
    arrow = {(True, True): "↗", (True, False): "↘", (False, True): "↖", (False, False): "↙"}[right, up]
    place = {"xref": "paper", "x": float(right), "yref": "paper", "y": float(up), "showarrow": False}
    text = f"better {arrow}" if right else f"{arrow} better"
    return {**place, "text": text, "font": {"color": "$muted", "size": 14}}


def _end(column: int, objective: Objective, side: int, judged: Sequence[float]) -> Figure:
    """The best value above an axis, or the worst below it."""
    best_first = sorted(judged, key=lambda v: -objective.direction * v)
    text = number(best_first[0] if side else best_first[-1])
    font = {"color": "$ink" if side else "$muted", "size": 13}
    place = {"x": column, "y": 1.03 if side else -0.03, "yanchor": "bottom" if side else "top"}
    return {**place, "text": text, "showarrow": False, "font": font}
