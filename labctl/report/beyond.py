"""Results beyond a scale in figures: where their bound stands, and which way the true value may lie."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labctl.config import CampaignConfig
from labctl.report.look import number, pretty_unit, rounded
from labctl.scores import End, known, results, standing_value
from labctl.state import CampaignState, Experiment

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrow = tuple[int, int]
"""Which way a value may lie, along both axes of a figure: -1, 0 or 1 each."""
ARROWS: dict[Arrow, str] = {
    (0, 1): "↑",
    (0, -1): "↓",
    (1, 0): "→",
    (-1, 0): "←",
    (1, 1): "↗",
    (1, -1): "↘",
    (-1, 1): "↖",
    (-1, -1): "↙",
}
_SIDES = {0: "middle", 1: "top", -1: "bottom"}
_FLANKS = {0: "center", 1: "right", -1: "left"}
_AWAY = 10.0
"""How far from its mark an arrow stands, in points."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A result of the goal as a figure shows it.

    Attributes:
        experiment: which.
        value: what was measured, or the bound that stands in its place.
        way: 0 where it was measured; 1 or -1 where it may be larger or smaller than ``value``.
    """

    experiment: Experiment
    value: float
    way: int


def shown(config: CampaignConfig, state: CampaignState) -> list[Shown]:
    """Every result of the goal with a value or a bound, good or bad, in order."""
    goal, objective = config.goal
    found = []
    for e in results(config, state):
        low, high = known(e.outcome).get(goal, (-math.inf, math.inf))
        counts = standing_value(e, goal, objective)
        value = counts if counts is not None else low if math.isfinite(low) else high
        if math.isfinite(value):
            found.append(Shown(e, value, (high > value) - (low < value)))
    return found


def arrows(places: Sequence[tuple[float, float, Arrow, Experiment]]) -> list[dict[str, Any]]:
    """Arrows from x and y to where each value may lie, as traces of plotly; none without any."""
    some = [place for place in places if place[2] in ARROWS]
    if not some:
        return []
    return [
        {
            "type": "scatter",
            "mode": "text",
            "name": "beyond the scale",
            "x": [rounded(x) for x, _, _, _ in some],
            "y": [rounded(y) for _, y, _, _ in some],
            "text": [ARROWS[way] for _, _, way, _ in some],
            "textposition": [f"{_SIDES[way[1]]} {_FLANKS[way[0]]}" for _, _, way, _ in some],
            "textfont": {"color": "$ink", "size": 17},
            "customdata": [e.number - 1 for _, _, _, e in some],
            "showlegend": False,
        }
    ]


def draw_arrows(axes: "Axes", places: Sequence[tuple[float, float, Arrow]], colour: str) -> None:
    """The same in a still picture."""
    from matplotlib.transforms import ScaledTranslation  # noqa: PLC0415 - slow to import

    inch = 72.0
    for way, sign in ARROWS.items():
        some = [(x, y) for x, y, at in places if at == way]
        if not some:
            continue
        figure = axes.get_figure(root=True)
        away = _AWAY / math.hypot(*way) / inch
        aside = ScaledTranslation(way[0] * away, way[1] * away, figure.dpi_scale_trans)  # type: ignore[union-attr] # axes in use have a figure
        mark: Any = {"marker": f"${sign}$", "markersize": 9, "color": colour, "markeredgewidth": 0.3}
        axes.plot(
            [x for x, _ in some],
            [y for _, y in some],
            linestyle="none",
            transform=axes.transData + aside,
            zorder=3.5,
            **mark,
        )


def ends_in_words(ends: Sequence[End]) -> list[str]:
    """Where the scales of the goals seem to end, a sentence for each bound that several results share."""
    said = []
    for end in ends:
        unit = pretty_unit(end.unit)
        where = f"{'beyond' if end.side == 'above' else 'below'} {number(end.bound)} {unit}".rstrip()
        blind = ", so nobody can tell which of them is better" if end.good else ""
        said.append(f"{end.n} results of {end.goal} lie {where}: what measures it ends there{blind}.")
    return said
