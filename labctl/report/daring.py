"""How daring each experiment was and what came of it: from known to radical ideas, from expected to radical results.

The two axes of Fig. 3 of Fujinuma, DeCost, Hattrick-Simpers and Lofland, Commun. Mater. 3, 59 (2022), as
far as a ledger can measure them:

- the idea: which share of the measured recipes lay nearer to their own nearest neighbour than this recipe
  did to its own, at the moment when it was proposed;
- the outcome: how far the result lay from the prediction written before it, as the share of results of an
  honest model that lie nearer. Distance from the prediction, and not gain over the best so far, because it
  does not depend on where the campaign began nor on the units, because a result that is worse than anybody
  thought teaches as much, and because it is a share as well: on both axes an ordinary campaign is spread
  evenly, so that a quarter of all results in each quarter of the figure is what chance gives.

Where a campaign's predictions are too sure of themselves throughout, every result would look radical; then
distances count in multiples of their own median, as for surprises.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, median
from typing import Any

from labctl.config import CampaignConfig
from labctl.proposal import Arm
from labctl.report.figures import Figure, failure_marker, points
from labctl.report.look import ARMS, FAILURES, number, rounded
from labctl.scores import best_steps, scored, value_of
from labctl.state import CampaignState, Experiment
from labctl_drivers.protocol import FailureKind

FEWEST = 8
"""With fewer results than this there is no pattern to see."""
MIDDLE = 0.5
QUARTERS = {
    (False, False): "refinement",
    (True, False): "extension",
    (False, True): "surprise at home",
    (True, True): "new territory",
}
"""By whether the idea and the outcome were radical."""
_MEDIAN_OF_NORMAL = NormalDist().inv_cdf(0.75)


@dataclass(frozen=True, slots=True)
class Daring:
    """One result: how radical its idea and its outcome were, each from 0 to 1, and whether it was a new best."""

    experiment: Experiment
    idea: float
    outcome: float
    better: bool

    @property
    def quarter(self) -> str:
        """The name of the quarter that it lies in."""
        return QUARTERS[self.idea > MIDDLE, self.outcome > MIDDLE]


def scale(config: CampaignConfig, state: CampaignState) -> float:
    """How many times as far as they said the predictions missed, by the median; 1 where they kept their word."""
    z = [abs(r.z) for r in scored(config, state)]
    return max(1.0, median(z) / _MEDIAN_OF_NORMAL) if z else 1.0


def daring(config: CampaignConfig, state: CampaignState) -> list[Daring]:
    """Every result with a prediction whose place was known, in order."""
    goal, _ = config.goal
    measured = [(e, v) for e in state.measured if (v := value_of(e, goal)) is not None]
    better = {e.id for e, _ in best_steps(config, measured)}
    unit = scale(config, state)
    return [
        Daring(
            r.experiment,
            min(1.0, max(0.0, r.experiment.proposal.domain.percentile)),
            math.erf(abs(r.z) / unit / math.sqrt(2.0)),
            r.experiment.id in better,
        )
        for r in scored(config, state)
        if r.experiment.proposal.domain is not None
    ]


def chart(found: Sequence[Daring], failed: Sequence[Experiment]) -> Figure:
    """The figure: every result by its arm, a ring around each new best, and below it what failed."""
    traces: list[Figure] = []
    for arm in ARMS:
        if some := [d for d in found if d.experiment.proposal.arm == arm]:
            drawn = points(arm, [d.experiment for d in some])
            drawn["marker"]["size"] *= 1.35
            at = {"x": [rounded(d.idea) for d in some], "y": [rounded(d.outcome) for d in some]}
            traces.append({**drawn, **at})
    if best := [d for d in found if d.better]:
        ring = {"symbol": "circle-open", "size": 20, "color": "$star", "line": {"width": 2.4}}
        rows = [d.experiment.number - 1 for d in best]
        at = {"x": [rounded(d.idea) for d in best], "y": [rounded(d.outcome) for d in best]}
        shown = {"type": "scatter", "mode": "markers", "name": "better than all before", "customdata": rows}
        traces.append({**shown, "marker": ring, **at})
    placed = [e for e in failed if e.proposal.domain is not None]
    for kind in FailureKind:
        if some_failed := [e for e in placed if e.outcome and e.outcome.kind == kind]:
            traces.append(_rug(kind, some_failed))
    below = 0.1 if placed else 0.0
    layout: Figure = {
        "xaxis": {
            "range": [-0.03, 1.03],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "tickformat": ".0%",
            "title": {"text": "known idea  →  radical idea"},
            "showgrid": False,
            "anchor": "y2" if placed else "y",
        },
        "yaxis": {
            "range": [-0.04, 1.04],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "tickformat": ".0%",
            "title": {"text": "expected outcome  →  radical outcome"},
            "showgrid": False,
            "domain": [below + 0.03 if placed else 0, 1],
        },
        "shapes": _quarters(),
        "annotations": [_name(radical, outcome, found) for radical, outcome in QUARTERS],
    }
    if placed:
        layout["yaxis2"] = {
            "domain": [0, below],
            "range": [-1, 1],
            "tickvals": [0],
            "ticktext": ["failed"],
            "tickfont": {"color": "$failed"},
            "showgrid": False,
            "fixedrange": True,
            "ticks": "",
        }
    return {"data": traces, "layout": layout}


def section(config: CampaignConfig, state: CampaignState) -> dict[str, Any] | None:
    """What the page says of it; None with too few results."""
    found = daring(config, state)
    if len(found) < FEWEST:
        return None
    wide = scale(config, state)
    return {
        "figure": chart(found, state.failed),
        "n": len(found),
        "scale": number(wide) if wide > 1.05 else "",  # noqa: PLR2004 - not worth a sentence
        "quarters": list(QUARTERS.values()),
        "arms": by_arm(found),
    }


def by_arm(found: Sequence[Daring]) -> list[tuple[Arm, int, list[int]]]:
    """For each arm how many results it had and how many in each quarter."""
    table: list[tuple[Arm, int, list[int]]] = []
    for arm in ARMS:
        counts = Counter(d.quarter for d in found if d.experiment.proposal.arm == arm)
        if counts:
            table.append((arm, counts.total(), [counts[name] for name in QUARTERS.values()]))
    return table


def _quarters() -> list[Figure]:
    """A tint for each quarter, the deeper the more radical, and the lines between them."""
    tint = {"type": "rect", "xref": "x", "yref": "y", "line": {"width": 0}, "layer": "below"}
    steps = {(False, False): 0.0, (True, False): 0.35, (False, True): 0.35, (True, True): 1.0}
    half = {False: (-0.03, MIDDLE), True: (MIDDLE, 1.03)}
    tall = {False: (-0.04, MIDDLE), True: (MIDDLE, 1.04)}
    shapes: list[Figure] = []
    for (idea, outcome), opacity in steps.items():
        (x0, x1), (y0, y1) = half[idea], tall[outcome]
        box = {"x0": x0, "x1": x1, "y0": y0, "y1": y1, "fillcolor": "$band", "opacity": opacity}
        shapes.append({**tint, **box})
    line = {"type": "line", "line": {"color": "$line", "width": 1.4}, "layer": "below"}
    shapes.append({**line, "x0": MIDDLE, "x1": MIDDLE, "y0": -0.04, "y1": 1.04})
    shapes.append({**line, "x0": -0.03, "x1": 1.03, "y0": MIDDLE, "y1": MIDDLE})
    return shapes


def _name(idea: bool, outcome: bool, found: Sequence[Daring]) -> Figure:  # noqa: FBT001 - the key of a quarter
    name = QUARTERS[idea, outcome]
    n = sum(d.quarter == name for d in found)
    place = {"x": 1.015 if idea else -0.015, "xanchor": "right" if idea else "left"}
    high = {"y": 1.025 if outcome else -0.025, "yanchor": "top" if outcome else "bottom"}
    font = {"color": "$muted", "size": 16}
    return {**place, **high, "text": f"<b>{name}</b>  {n}", "showarrow": False, "font": font}


def _rug(kind: FailureKind, experiments: Sequence[Experiment]) -> Figure:
    at = [e.proposal.domain.percentile for e in experiments if e.proposal.domain is not None]
    return {
        "type": "scatter",
        "mode": "markers",
        "yaxis": "y2",
        "name": FAILURES[kind][2],
        "x": [rounded(v) for v in at],
        "y": [0] * len(at),
        "customdata": [e.number - 1 for e in experiments],
        "marker": failure_marker(kind, 8),
    }
