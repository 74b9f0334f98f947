"""How the front of compromises grew: the volume that it dominates, experiment by experiment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.config import CampaignConfig
from labctl.report.figures import Figure, failed_kinds, failure_axis, failure_strip, points, whole
from labctl.report.look import ARMS, rounded
from labctl.scores import best_steps, keeps_limits, value_of
from labctl.state import CampaignState, Experiment

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array


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
    worths = np.array([[o.worth(value_in(e, name)) for name, o in goals.items()] for e in done])
    reference = reference_point(worths[kept])
    sides = worths[kept].max(axis=0) - reference
    # In sides of the box, so that neither very large nor very small numbers leave the range of a float.
    worths = (worths - reference) / np.where(sides > 0, sides, 1.0)
    corner = np.zeros(len(goals))
    front: Array = np.empty((0, len(goals)))
    volume, found = 0.0, []
    for experiment, worth, good in zip(done, worths, kept, strict=True):
        grew = good and bool((worth > corner).all()) and not (front >= worth).all(axis=1).any()
        if grew:
            others = np.minimum(front, worth)
            shared = dominated_volume(pareto(others), corner) if len(others) else 0.0
            volume += float(np.prod(worth)) - shared
            front = pareto(np.vstack([front, worth]))
        found.append(Growth(experiment, volume, grew))
    return found


def better(config: CampaignConfig, state: CampaignState) -> set[str]:
    """The results that were better than all before them; with several goals, those that the front grew by."""
    if len(config.goals) > 1:
        return {g.experiment.id for g in growth(config, state) if g.grew}
    goal, _ = config.goal
    steps = best_steps(config, [(e, v) for e in state.measured if (v := value_of(e, goal)) is not None])
    return {e.id for e, _ in steps}


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


def value_in(experiment: Experiment, name: str) -> float:
    """The value of a goal in a complete result."""
    return experiment.outcome.values[name] if experiment.outcome is not None else float("nan")
