"""The goal against each parameter: which parameters matter most, and how the results lie along them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.config import CampaignConfig
from labctl.report.beyond import arrows, shown
from labctl.report.figures import FEW_POINTS, axis_type, failure_marker, padded, plain, points
from labctl.report.look import ARMS, FAILURES, rounded, with_unit
from labctl.scores import keeps_limits, standing, value_of
from labctl.space.parameters import NUMERIC, Continuous, Parameter
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import FailureKind, Setting

Floats = NDArray[np.float64]
MOST_PANELS = 12
MOST_CHOICES = 10
_GROUPS = 5


@dataclass(frozen=True, slots=True)
class Ranked:
    """A parameter with the share of the results' ranks that goes with it alone.

    Attributes:
        name: of the parameter.
        share: Kelley's epsilon squared, 0 to 1; None where there is too little to tell.
    """

    name: str
    share: float | None


def reached(experiment: Experiment, name: str) -> Setting | None:
    """The setting that was really reached where the instrument could tell, else the one asked for."""
    outcome = experiment.outcome
    actual = {} if outcome is None else outcome.actual
    return actual.get(name, experiment.proposal.recipe.get(name))


def ranked(config: CampaignConfig, state: CampaignState) -> list[Ranked]:
    """The parameters, those first that go most with the goal.

    The measure is epsilon squared of the ranks (Kelley, PNAS 21, 554 (1935)): the share of their variance
    that lies between groups, corrected for the number of groups. Groups are the choices of a category,
    and up to five equally filled ranges of a number, so that a hump in the middle counts as much as a slope.
    """
    goal, _ = config.goal
    pairs = [(e, v) for e in state.measured if (v := value_of(e, goal)) is not None]
    ranks = _ranks(np.array([v for _, v in pairs], dtype=np.float64))
    found = []
    for name, parameter in config.model.parameters.items():
        groups = _groups([reached(e, name) for e, _ in pairs], numeric=isinstance(parameter, NUMERIC))
        found.append(Ranked(name, epsilon_squared(ranks, groups)))
    return sorted(found, key=lambda r: -1.0 if r.share is None else -r.share)


def epsilon_squared(values: Floats, groups: NDArray[np.intp]) -> float | None:
    """Share of the variance of n values that lies between groups, corrected for chance."""
    n, k = len(values), len(set(groups.tolist()))
    if n - k < 2 or k < 1 or np.ptp(values) == 0:  # noqa: PLR2004 - two degrees of freedom at the least
        return None
    within = sum(_squares(values[groups == g]) for g in np.unique(groups))
    return max(0.0, 1.0 - (n - 1) / (n - k) * within / _squares(values))


def _squares(values: Floats) -> float:
    return float(((values - values.mean()) ** 2).sum())


def panel(config: CampaignConfig, state: CampaignState, name: str) -> dict[str, Any]:
    """The goal against one parameter, and below the axis where experiments failed."""
    parameter = config.model.parameters[name]
    goal, objective = config.goal
    numeric = isinstance(parameter, NUMERIC)
    choices = None if numeric else _choices(config, state, name)
    found = [r for r in shown(config, state) if _shown(reached(r.experiment, name), choices)]
    at = {r.experiment.id: _place(reached(r.experiment, name), choices, r.experiment.number) for r in found}
    traces: list[dict[str, Any]] = [
        {
            **points(arm, [r.experiment for r in some], config),
            "x": [at[r.experiment.id] for r in some],
            "y": [rounded(r.value) for r in some],
        }
        for arm in ARMS
        if (some := [r for r in found if r.experiment.proposal.arm == arm])
    ]
    traces += arrows([(at[r.experiment.id] or 0.0, r.value, (0, r.way), r.experiment) for r in found])
    failed = [e for e in state.failed if e.id not in at and _shown(reached(e, name), choices)]
    traces += _rug(failed, [_place(reached(e, name), choices, e.number) for e in failed])
    layout: dict[str, Any] = {
        "xaxis": _axis(parameter, choices, [t for trace in traces for t in trace["x"]]),
        "yaxis": {
            "title": {"text": plain(with_unit(goal, objective.unit))},
            "domain": [0.15, 1] if failed else [0, 1],
            "type": axis_type([r.value for r in found]),
            "visible": bool(found),
        },
        "showlegend": False,
    }
    layout["xaxis"]["anchor"] = "y2" if failed else "y"
    if failed:
        hidden = {"showticklabels": False, "showgrid": False, "fixedrange": True, "ticks": ""}
        layout["yaxis2"] = {"domain": [0, 0.1 if found else 1], "range": [-1, 1], **hidden}
    return {"data": traces, "layout": layout}


def chart(config: CampaignConfig, state: CampaignState, two: Sequence[str]) -> dict[str, Any]:
    """A map of two parameters: results by colour, failures by their marks."""
    goal, objective = config.goal
    measured = standing(config, state)
    # The best is drawn last, on top.
    measured.sort(key=lambda pair: (keeps_limits(config, pair[0]), config.worth(pair[1])))
    places = [[_number(reached(e, name)) for e, _ in measured] for name in two]
    traces: list[dict[str, Any]] = []
    if measured:
        bar = {"title": {"text": plain(with_unit(goal, objective.unit)), "side": "right"}, "thickness": 12}
        marker = {
            "color": [rounded(v) for _, v in measured],
            "colorscale": "Cividis",
            "reversescale": config.sign < 0,
            "showscale": True,
            "colorbar": {**bar, "outlinewidth": 0},
            "size": 10 if len(measured) < FEW_POINTS else 6,
            "line": {"color": "$muted", "width": 0.8},
        }
        rows = [e.number - 1 for e, _ in measured]
        points = {"type": "scatter", "mode": "markers", "x": places[0], "y": places[1], "customdata": rows}
        traces.append({**points, "name": "measured", "marker": marker, "showlegend": False})
        star = {"symbol": "star", "size": 22, "color": "$star", "line": {"color": "$ink", "width": 1.4}}
        best = {"x": places[0][-1:], "y": places[1][-1:], "customdata": rows[-1:]}
        traces.append({**points, **best, "name": "best", "marker": star})
    known = {e.id for e, _ in measured}
    for kind in FailureKind:
        some = [e for e in state.failed if e.id not in known and e.outcome and e.outcome.kind == kind]
        if some:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": FAILURES[kind][2],
                    "x": [_number(reached(e, two[0])) for e in some],
                    "y": [_number(reached(e, two[1])) for e in some],
                    "customdata": [e.number - 1 for e in some],
                    "marker": failure_marker(kind, 10),
                }
            )
    layout = {}
    for axis, name in zip(("xaxis", "yaxis"), two, strict=True):
        at = [v for trace in traces for v in trace[axis[0]] if v is not None]
        layout[axis] = _axis(config.model.parameters[name], None, at, named=name)
    return {"data": traces, "layout": layout}


def left_out_choices(config: CampaignConfig, state: CampaignState, name: str) -> int:
    """How many of the choices that were tried find no room in the panel."""
    return len({str(reached(e, name)) for e in state}) - len(_choices(config, state, name))


def _choices(config: CampaignConfig, state: CampaignState, name: str) -> list[str]:
    """The choices to show, the best results first: those tried most often, where there are many."""
    goal, _ = config.goal
    tried = Counter(str(reached(e, name)) for e in state if e.status in {"measured", "failed"})
    results: dict[str, list[float]] = {}
    for e in state.measured:
        if (v := value_of(e, goal)) is not None:
            results.setdefault(str(reached(e, name)), []).append(config.worth(v))
    best = {choice: max(values) for choice, values in results.items()}
    order = sorted(tried, key=lambda c: (-tried[c], -best.get(c, -np.inf)))[:MOST_CHOICES]
    return sorted(order, key=lambda c: -best.get(c, -np.inf))


def _shown(setting: Setting | None, choices: list[str] | None) -> bool:
    return _number(setting) is not None if choices is None else str(setting) in choices


def _number(setting: Setting | None) -> float | None:
    return rounded(float(setting)) if isinstance(setting, int | float) else None


def _place(setting: Setting | None, choices: list[str] | None, experiment: int) -> float | None:
    """Where a point stands on the axis; points of one choice stand beside each other, always the same way."""
    if choices is None:
        return _number(setting)
    return round(choices.index(str(setting)) + 0.36 * (2 * ((experiment * 0.6180339887) % 1) - 1), 4)


def _axis(
    parameter: Parameter, choices: list[str] | None, at: Sequence[float | None], named: str = ""
) -> dict[str, Any]:
    if choices is not None:
        labels = [plain(c if len(c) <= 16 else c[:15] + "…") for c in choices]  # noqa: PLR2004 - fits below an axis
        return {
            "tickvals": list(range(len(choices))),
            "ticktext": labels,
            "range": [-0.6, len(choices) - 0.4],
            "showgrid": False,
        }
    axis: dict[str, Any] = {}
    if named:
        axis["title"] = {"text": plain(with_unit(named, getattr(parameter, "unit", "")))}
    levels = getattr(parameter, "levels", None)
    ends = [levels[0], levels[-1]] if levels else [parameter.low, parameter.high]  # type: ignore[union-attr]
    known = [v for v in at if v is not None]
    if isinstance(parameter, Continuous) and parameter.scale == "log":
        low, high = padded([float(np.log10(v)) for v in (*ends, *known) if v > 0], 0.04)
        return {**axis, "type": "log", "range": [low, high], "dtick": 1 if high - low > 1.5 else None}  # noqa: PLR2004
    low, high = padded([float(v) for v in (*ends, *known)], 0.04)
    return {**axis, "range": [rounded(low), rounded(high)]}


def _rug(failed: Sequence[Experiment], at: Sequence[float | None]) -> list[dict[str, Any]]:
    traces = []
    for kind in FailureKind:
        some = [(e, x) for e, x in zip(failed, at, strict=True) if e.outcome and e.outcome.kind == kind]
        if some:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "yaxis": "y2",
                    "name": FAILURES[kind][2],
                    "x": [x for _, x in some],
                    "y": [0] * len(some),
                    "customdata": [e.number - 1 for e, _ in some],
                    "marker": failure_marker(kind, 8),
                }
            )
    return traces


def _ranks(values: Floats) -> Floats:
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to import

    return np.asarray(rankdata(values), dtype=np.float64)


def _groups(settings: Sequence[Setting | None], *, numeric: bool) -> NDArray[np.intp]:
    if not settings:
        return np.empty(0, dtype=np.intp)
    if numeric and all(isinstance(s, int | float) for s in settings):
        values = np.array(settings, dtype=np.float64)
        k = max(2, min(_GROUPS, len(values) // 5))
        if len(np.unique(values)) > k:
            return np.minimum((_ranks(values) - 0.5) / len(values) * k, k - 1).astype(np.intp)
        return np.unique(values, return_inverse=True)[1].astype(np.intp)
    return np.unique([str(s) for s in settings], return_inverse=True)[1].astype(np.intp)
