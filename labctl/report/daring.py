"""How daring each experiment was and what came of it: known or radical ideas, expected or radical outcomes.

The two axes of Fig. 3 of Fujinuma, DeCost, Hattrick-Simpers and Lofland, Commun. Mater. 3, 59 (2022), as
far as a ledger can measure them:

- the idea: which share of the measured recipes lay nearer to their own nearest neighbour than this recipe
  did to its own, at the moment when it was proposed;
- the outcome: how far the result lay from the prediction written before it, as the share of results of an
  honest model that lie nearer. Distance from the prediction, and not gain over the best so far, because it
  does not depend on where the campaign began nor on the units, because a result that is worse than anybody
  thought teaches as much, and because it is a share as well: on both axes an ordinary campaign is spread
  evenly, so that a quarter of all results in each quarter of the figure is what chance gives.

With several goals the distance is that of all of them together. Predictions that are too sure of themselves
throughout, or too careful, would push every result to one side; so distances count in multiples of the
campaign's own median miss, and how honest the predictions are is said where they are scored.
"""

import math
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median
from typing import Any

from labctl.config import CampaignConfig
from labctl.export import z_scores
from labctl.proposal import Arm
from labctl.report.figures import Figure, failed_kinds, failure_marker, points
from labctl.report.look import ARMS, FAILURES, rounded
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
AGAINST = "in this campaign's own median misses"
"""What the upright axis counts in: beside it, nobody takes a quarter for an absolute measure."""
_LOW, _HIGH = -0.11, 1.12
"""Ends of the upright axis, with room for the names of the quarters where no result can lie."""
_MEDIAN_OF_NORMAL = NormalDist().inv_cdf(0.75)


@dataclass(frozen=True, slots=True)
class Daring:
    """One result: how radical its idea and its outcome were, from 0 to 1, and whether it was a new best."""

    experiment: Experiment
    idea: float
    outcome: float
    better: bool

    @property
    def quarter(self) -> str:
        """The name of the quarter that it lies in."""
        return QUARTERS[self.idea > MIDDLE, self.outcome > MIDDLE]


def daring(config: CampaignConfig, state: CampaignState, better: Container[str]) -> list[Daring]:
    """Every result with a prediction whose place was known, in order.

    Args:
        config: of the campaign.
        state: of the campaign.
        better: ids of the results that were better than all before them.
    """
    z = {e.id: {n: v for n, v in z_scores(e).items() if n in config.goals} for e in state.measured}
    typical = {
        name: median(abs(of[name]) for of in z.values() if name in of) / _MEDIAN_OF_NORMAL or 1.0
        for name in {name for of in z.values() for name in of}
    }
    return [
        Daring(
            e,
            min(1.0, max(0.0, e.proposal.domain.percentile)),
            share_nearer([v / typical[name] for name, v in z[e.id].items()]),
            e.id in better,
        )
        for e in state.measured
        if e.proposal.domain is not None and z[e.id]
    ]


def share_nearer(z: Sequence[float]) -> float:
    """The share of normal draws that lie nearer to 0 than these m numbers do, taken together.

    The distribution function of chi squared with m degrees of freedom, by its recursion from m - 2 to m.
    """
    half = sum(v * v for v in z) / 2.0
    m = len(z)
    share, below = (math.erf(math.sqrt(half)), 1) if m % 2 else (0.0 if m == 0 else -math.expm1(-half), 2)
    while below < m:
        if half > 0:
            share -= math.exp(below / 2 * math.log(half) - half - math.lgamma(below / 2 + 1))
        below += 2
    return share


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
    traces += [_rug(kind, some) for kind, some in failed_kinds(placed).items()]
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
            "range": [_LOW, _HIGH],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "tickformat": ".0%",
            "title": {"text": f"expected outcome  →  radical outcome<br><sub>{AGAINST}</sub>"},
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


def section(config: CampaignConfig, state: CampaignState, better: Container[str]) -> dict[str, Any] | None:
    """What the page says of it; None with too few results."""
    found = daring(config, state, better)
    if len(found) < FEWEST:
        return None
    return {
        "figures": {"daring": chart(found, state.failed)},
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
    tall = {False: (_LOW, MIDDLE), True: (MIDDLE, _HIGH)}
    shapes: list[Figure] = []
    for (idea, outcome), opacity in steps.items():
        (x0, x1), (y0, y1) = half[idea], tall[outcome]
        box = {"x0": x0, "x1": x1, "y0": y0, "y1": y1, "fillcolor": "$band", "opacity": opacity}
        shapes.append({**tint, **box})
    line = {"type": "line", "line": {"color": "$line", "width": 1.4}, "layer": "below"}
    shapes.append({**line, "x0": MIDDLE, "x1": MIDDLE, "y0": _LOW, "y1": _HIGH})
    shapes.append({**line, "x0": -0.03, "x1": 1.03, "y0": MIDDLE, "y1": MIDDLE})
    return shapes


def _name(idea: bool, outcome: bool, found: Sequence[Daring]) -> Figure:  # noqa: FBT001 - the key of a quarter
    name = QUARTERS[idea, outcome]
    n = sum(d.quarter == name for d in found)
    place = {"x": 1.015 if idea else -0.015, "xanchor": "right" if idea else "left"}
    high = {"y": 1.075 if outcome else -0.065, "yanchor": "middle"}
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
