"""How the front of compromises grew: the volume that it dominates, experiment by experiment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.config import CampaignConfig
from labctl.front import complete, value_in
from labctl.report.figures import Figure, failed_kinds, failure_axis, failure_strip, points, whole
from labctl.report.look import ARMS, rounded
from labctl.scores import best_steps, keeps_limits, standing
from labctl.state import CampaignState, Experiment

if TYPE_CHECKING:
    from labctl_models.surrogates.protocol import Array

PLACES = 2**14
"""Points of the box on which the dominated share is counted; a power of 2, as the sequence wants."""


@dataclass(frozen=True, slots=True)
class Growth:
    """How much of the box between the front's worst and best values it dominated after an experiment."""

    experiment: Experiment
    share: float
    grew: bool


def growth(config: CampaignConfig, state: CampaignState) -> list[Growth]:
    """The volume that the front dominates after each complete result, as a share of a fixed box.

    The box reaches from the reference point of all results to the best value of each goal; 1 would be one
    result that is best in everything. The share is counted on points that fill the box evenly, which is
    right to a few thousandths whatever the number of goals, where the exact volume of a large front in
    three goals takes minutes. Empty where no result keeps the limits.
    """
    import numpy as np  # noqa: PLC0415 - with scipy, slow to import

    from labctl_models.acquisition.hypervolume import reference_point  # noqa: PLC0415
    from labctl_models.design import sobol  # noqa: PLC0415

    done, goals = complete(config, state), config.goals
    kept = [keeps_limits(config, e) for e in done]
    if not any(kept):
        return []
    worths = np.array([[o.worth(value_in(e, name, o)) for name, o in goals.items()] for e in done])
    reference = reference_point(worths[kept])
    sides = worths[kept].max(axis=0) - reference
    # In sides of the box, so that neither very large nor very small numbers leave the range of a float.
    worths = (worths - reference) / np.where(sides > 0, sides, 1.0)
    free = sobol(PLACES, len(goals), seed=0)
    front: Array = np.empty((0, len(goals)))
    found = []
    for experiment, worth, good in zip(done, worths, kept, strict=True):
        grew = good and not (front >= worth).all(axis=1).any()
        if grew:
            front = np.vstack([front[~(front <= worth).all(axis=1)], worth])
            free = free[~(free <= worth).all(axis=1)]
        found.append(Growth(experiment, 1.0 - len(free) / PLACES, bool(grew)))
    return found


def better(config: CampaignConfig, state: CampaignState, grown: Sequence[Growth]) -> set[str]:
    """The results that were better than all before them; with several goals, those that the front grew by."""
    if len(config.goals) > 1:
        return {g.experiment.id for g in grown if g.grew}
    return {e.id for e, _ in best_steps(config, standing(config, state))}


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
    counted = {g.experiment.id for g in grown}
    kinds = failed_kinds([e for e in state.failed if e.id not in counted])
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
