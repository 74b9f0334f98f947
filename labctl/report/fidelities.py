"""Cheaper fidelities: what each told of the goal at the same recipe, and what each has cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from labctl.config import CampaignConfig
from labctl.cost import cost_of
from labctl.instrument import TARGET
from labctl.proposal import recipe_key
from labctl.report.figures import Figure, padded, plain, whole
from labctl.report.goals import quantity
from labctl.report.look import number, pretty_unit, rounded
from labctl.scores import value_of
from labctl.state import CampaignState, Experiment

COLOURS = ("$novelty", "$replicate", "$random", "$explore", "$expert", "$initial")
SHAPES = ("circle", "diamond", "square", "triangle-up", "pentagon", "hexagon")
_FEWEST_PAIRS = 3
"""With fewer pairs a mean difference says nothing."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What a cheaper fidelity and the target read of the goal at the same recipe."""

    fidelity: str
    cheap: Experiment
    target: Experiment
    read: float
    measured: float


def pairs(config: CampaignConfig, state: CampaignState) -> list[Pair]:
    """Every reading of a cheaper fidelity beside the last result of the target at its recipe."""
    goal, _ = config.goal
    results = {recipe_key(e.proposal.recipe): e for e in state.measured if value_of(e, goal) is not None}
    found = []
    for e in state.stand_ins:
        read, target = value_of(e, goal), results.get(recipe_key(e.proposal.recipe))
        if read is not None and target is not None:
            measured = value_of(target, goal)
            found.append(Pair(str(e.proposal.fidelity), e, target, read, measured or 0.0))
    return found


def agreement(config: CampaignConfig, found: Sequence[Pair]) -> Figure:
    """What the cheap readings said against what the target said; on the dashed line they agree."""
    goal, objective = config.goal
    ends = padded([v for p in found for v in (p.read, p.measured)])
    diagonal = {"type": "scatter", "mode": "lines", "x": list(ends), "y": list(ends), "hoverinfo": "skip"}
    traces: list[Figure] = [{**diagonal, "line": {"color": "$muted", "width": 1.2, "dash": "4px 4px"}}]
    for i, name in enumerate(config.model.fidelities):
        some = [p for p in found if p.fidelity == name]
        if some:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": plain(name),
                    "x": [rounded(p.read) for p in some],
                    "y": [rounded(p.measured) for p in some],
                    "customdata": [p.target.number - 1 for p in some],
                    "marker": _marker(i),
                }
            )
    unit = pretty_unit(objective.unit)
    unit = f" ({unit})" if unit else ""
    layout = {
        "xaxis": {"title": {"text": plain(f"{goal} by the cheaper reading{unit}")}, "range": list(ends)},
        "yaxis": {"title": {"text": plain(f"{goal} measured{unit}")}, "range": list(ends)},
    }
    return {"data": traces, "layout": layout}


def spending(config: CampaignConfig, state: CampaignState) -> Figure:
    """What each source has cost, added up over the experiments and stacked."""
    experiments = list(state)
    x = [e.number for e in experiments]
    costs = [cost_of(config, e) for e in experiments]
    traces: list[Figure] = []
    for name, colour in _sources(config):
        own = (c if e.proposal.fidelity == name else 0.0 for e, c in zip(experiments, costs, strict=True))
        called = plain(name or TARGET)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "stackgroup": "cost",
                "name": called,
                "x": x,
                "y": [rounded(v) for v in accumulate(own)],
                "line": {"width": 0.8, "color": "$paper"},
                "fillcolor": colour,
                "hovertemplate": f"{called} %{{y:,.4g}}<extra></extra>",
            }
        )
    layout = {
        "xaxis": {"title": {"text": "experiment"}, "range": [0.5, len(x) + 0.5], **whole([1, len(x)])},
        "yaxis": {"title": {"text": "cost so far"}, "rangemode": "tozero"},
    }
    return {"data": traces, "layout": layout}


def section(config: CampaignConfig, state: CampaignState) -> dict[str, Any] | None:
    """What the page says of the fidelities; None where there are none."""
    if not config.model.fidelities or not len(state):
        return None
    found = pairs(config, state)
    return {
        "figures": {
            "spending": spending(config, state),
            **({"agreement": agreement(config, found)} if found else {}),
        },
        "rows": [_row(config, state, name, colour, found) for name, colour in _sources(config)],
        "n_pairs": len(found),
        "standing": standing(state),
    }


def standing(state: CampaignState) -> tuple[str, str] | None:
    """What the guard said last of the fidelities, in its own words, and of which experiment."""
    for number_ in range(len(state), 0, -1):
        e = state.experiments[number_]
        if e.proposal.strategy == "improve_by_cost":
            return e.id, e.proposal.because.rpartition("; ")[2]
    return None


def _sources(config: CampaignConfig) -> list[tuple[str | None, str]]:
    """The target first, then the cheaper ones, each with its colour."""
    cheap = [(name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(config.model.fidelities)]
    return [(None, "$improve"), *cheap]


def _marker(i: int) -> Figure:
    outline = {"color": "$paper", "width": 0.8}
    return {
        "color": COLOURS[i % len(COLOURS)],
        "symbol": SHAPES[i % len(SHAPES)],
        "size": 10,
        "line": outline,
    }


def _row(
    config: CampaignConfig, state: CampaignState, name: str | None, colour: str, found: Sequence[Pair]
) -> dict[str, Any]:
    own = [e for e in state if e.proposal.fidelity == name and e.outcomes]
    costs = [cost_of(config, e) for e in own]
    total = sum(cost_of(config, e) for e in state)
    apart = [p.read - p.measured for p in found if p.fidelity == name]
    _, objective = config.goal
    told = ""
    if len(apart) >= _FEWEST_PAIRS:
        side = sum(apart) / len(apart)
        typical = sum(abs(v) for v in apart) / len(apart)
        where = "above" if side > 0 else "below"
        told = f"{quantity(abs(side), objective)} {where} on average, {quantity(typical, objective)} apart"
    about = "" if name is None else config.model.fidelities[name].about
    return {
        "name": name or TARGET,
        "colour": colour.removeprefix("$"),
        "about": about or ("the measurement that counts" if name is None else ""),
        "n": len(own),
        "failed": sum(e.status == "failed" for e in own),
        "each": number(sum(costs) / len(costs)) if costs else "",
        "cost": number(sum(costs)),
        "share": f"{sum(costs) / total:.0%}" if 0 < total < math.inf else "",
        "pairs": len(apart),
        "told": told,
    }
