"""Several goals: the front of compromises as figures, how it grew, and the list of what is on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from labctl.config import CampaignConfig
from labctl.objective import Objective
from labctl.report.figures import (
    Figure,
    failed_kinds,
    failure_axis,
    failure_strip,
    padded,
    plain,
    points,
    whole,
)
from labctl.report.goals import judged_title, quantity
from labctl.report.look import ARMS, number, pretty_unit, rounded
from labctl.scores import keeps_limits
from labctl.state import CampaignState, Experiment
from labctl.summary import Summary

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

MOST_PAIRS = 6
MOST_LISTED = 30
MOST_LINES = 60
_SETTINGS = 8
_TWO = 2


@dataclass(frozen=True, slots=True)
class Growth:
    """How much of the box between the front's worst and best values it dominated after an experiment."""

    experiment: Experiment
    share: float
    grew: bool


def complete(config: CampaignConfig, state: CampaignState) -> list[Experiment]:
    """The results that have a value of every goal, in order."""
    return [e for e in state.measured if e.outcome and config.goals.keys() <= e.outcome.values.keys()]


def growth(config: CampaignConfig, state: CampaignState) -> list[Growth]:
    """The volume that the front dominates after each complete result, as a share of a fixed box.

    The box reaches from the reference point of all results to the best value of each goal; 1 would be one
    result that is best in everything. Volume is added result by result: what a new one adds is its own box
    less what the others dominate of it (While, Bradstreet and Barone, IEEE Trans. Evol. Comput. 16, 86
    (2012)). Empty with more goals than that can be counted for, and where nothing keeps the limits.
    """
    import numpy as np  # noqa: PLC0415 - with scipy, slow to import

    from labctl_models.acquisition.hypervolume import (  # noqa: PLC0415
        MOST_GOALS,
        dominated_volume,
        pareto,
        reference_point,
    )

    done, goals = complete(config, state), config.goals
    kept = [keeps_limits(config, e) for e in done]
    if not any(kept) or len(goals) > MOST_GOALS:
        return []
    worths = np.array([[o.worth(_value(e, name)) for name, o in goals.items()] for e in done])
    corner = reference_point(worths[kept])
    box = float(np.prod(worths[kept].max(axis=0) - corner))
    front: Array = np.empty((0, len(goals)))
    volume, found = 0.0, []
    for experiment, worth, good in zip(done, worths, kept, strict=True):
        grew = good and bool((worth > corner).all()) and not (front >= worth).all(axis=1).any()
        if grew:
            others = np.minimum(front, worth)
            shared = dominated_volume(pareto(others), corner) if len(others) else 0.0
            volume += float(np.prod(worth - corner)) - shared
            front = pareto(np.vstack([front, worth]))
        found.append(Growth(experiment, volume / box, grew))
    return found


def volume_figure(config: CampaignConfig, state: CampaignState, grown: Sequence[Growth]) -> Figure:
    """The dominated share after each result; results that made it grow are drawn full."""
    line = {"color": "$ink", "width": 2.4, "shape": "hv"}
    x, y = [g.experiment.number for g in grown], [rounded(g.share) for g in grown]
    curve = {"type": "scatter", "mode": "lines", "x": [*x, len(state)], "y": [*y, y[-1]], "line": line}
    traces: list[Figure] = [{**curve, "name": "dominated", "hoverinfo": "skip"}]
    for arm in ARMS:
        some = [g for g in grown if g.experiment.proposal.arm == arm]
        if some:
            drawn = points(arm, [g.experiment for g in some], config)
            drawn["marker"]["opacity"] = [1.0 if g.grew else 0.28 for g in some]
            at = {"x": [g.experiment.number for g in some], "y": [rounded(g.share) for g in some]}
            traces.append({**drawn, **at})
    kinds = failed_kinds(state.failed)
    traces += [failure_strip(kind, experiments) for kind, experiments in kinds.items()]
    strip = 0.075 * len(kinds)
    layout: Figure = {
        "xaxis": {
            "title": {"text": "experiment"},
            "range": [0.2, len(state) + 0.8],
            "anchor": "y2" if kinds else "y",
            **whole([1, len(state)]),
        },
        "yaxis": {
            "title": {"text": "dominated share"},
            "domain": [strip + 0.04, 1] if kinds else [0, 1],
            "range": [-0.03, max(y[-1] or 0.0, 0.01) * 1.1],
            "tickformat": ".0%",
        },
    }
    if kinds:
        layout["yaxis2"] = failure_axis(kinds, strip)
    return {"data": traces, "layout": layout}


def pairs(config: CampaignConfig) -> list[tuple[str, str]]:
    """Two goals each: the pairs that are drawn."""
    return list(combinations(config.goals, _TWO))[:MOST_PAIRS]


def pair_figure(
    config: CampaignConfig, state: CampaignState, summary: Summary, two: tuple[str, str]
) -> Figure:
    """Every result in two goals, what the front dominates, and hollow those that break a limit."""
    done = complete(config, state)
    sides = [config.goals[name] for name in two]
    on_front = [state[c.experiment] for c in summary.front]

    def at(experiments: Sequence[Experiment]) -> dict[str, list[float | None]]:
        return {
            axis: [rounded(o.judged(_value(e, name))) for e in experiments]
            for axis, name, o in zip("xy", two, sides, strict=True)
        }

    ranges = [padded([o.judged(_value(e, n)) for e in done], 0.09) for n, o in zip(two, sides, strict=True)]
    traces: list[Figure] = []
    if on_front and len(config.goals) == _TWO:
        traces += _dominated(_stairs(at(on_front)), ranges, sides)
    for arm in ARMS:
        if some := [e for e in done if e.proposal.arm == arm]:
            traces.append({**points(arm, some, config), **at(some)})
    if on_front:
        star = {"symbol": "circle", "size": 13, "color": "$star", "line": {"color": "$ink", "width": 1.4}}
        rows = [e.number - 1 for e in on_front]
        shown = {"type": "scatter", "mode": "markers", "name": "front", "marker": star, "customdata": rows}
        traces.append({**shown, **at(on_front)})
    layout: Figure = {
        axis: {"title": {"text": plain(judged_title(name, o))}, "range": list(ends)}
        for axis, name, o, ends in zip(("xaxis", "yaxis"), two, sides, ranges, strict=True)
    }
    layout["annotations"] = [_better(*sides)]
    return {"data": traces, "layout": layout}


def trade_figure(config: CampaignConfig, state: CampaignState, summary: Summary) -> Figure:
    """One line for each compromise over all goals, each axis with its best value on top."""
    done, goals = complete(config, state), config.goals
    on_front = {c.experiment for c in summary.front}
    ends = {}
    for name, o in goals.items():
        worths = [o.worth(_value(e, name)) for e in done]
        ends[name] = (min(worths), max(worths) - min(worths) or 1.0)

    def heights(e: Experiment) -> list[float | None]:
        return [rounded((o.worth(_value(e, n)) - ends[n][0]) / ends[n][1]) for n, o in goals.items()]

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
            _end(column, goals[name], side, [o.judged(_value(e, name)) for e in done])
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
            [number(c.values[name]) for name in goals],
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
            found.append((name, quantity(best.values[name], o), best.experiment))
    return found


def front_in_words(summary: Summary, state: CampaignState, incomplete: int) -> str:
    """How many compromises there are, and when the last of them came."""
    if not summary.front:
        return "No result has a value of every goal and keeps every limit yet."
    n, last = len(summary.front), max((c.experiment for c in summary.front), key=lambda e: state[e].number)
    said = (
        f"{n} results are beaten by no other in every goal; the last of them came with experiment {state[last].number}."
        if n > 1
        else f"One result, experiment {state[last].number}, is beaten by no other in any goal."
    )
    missing = (
        f" {incomplete} {'lacks' if incomplete == 1 else 'lack'} a value of some goal." if incomplete else ""
    )
    return said + missing


def _value(experiment: Experiment, name: str) -> float:
    return experiment.outcome.values[name] if experiment.outcome is not None else float("nan")


def _setting(value: object) -> str:
    return number(value) if isinstance(value, int | float) else str(value)


def _stairs(at: dict[str, list[float | None]]) -> list[tuple[float, float]]:
    """The corners of the front, from its best in x to its best in y."""
    corners: list[tuple[float, float]] = []
    for x, y in zip(at["x"], at["y"], strict=True):
        if x is not None and y is not None:
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
