"""How the budget was shared among the arms by evidence: the shares as written, and what moved them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labctl.proposal import Arm
from labctl.report.figures import Figure, points, whole
from labctl.report.look import ARMS, rounded
from labctl.state import CampaignState, Experiment

ORDER = ("improve", "replicate", "explore", "gaps", "novelty", "random", "vetoed")
"""From the bottom of the figure to its top: from what is known to what is left to chance."""
COUSINS: Mapping[str, Arm] = {"gaps": "explore", "vetoed": "random"}
"""Strategies without an arm of their own: hatched, in the colour of the arm that their proposals go by."""
ABOUT = {"gaps": "fills the largest gaps", "vetoed": "tests a veto that people set"}
MOST_MOVES = 9


@dataclass(frozen=True, slots=True)
class Move:
    """A moment at which a reason came up, changed or fell away.

    Attributes:
        experiment: the first that was proposed by the new shares.
        came: reasons that were not given before, in the words of the ledger.
        went: reasons that were given before and no more, in those words.
        by: share of the budget that changed hands.
    """

    experiment: Experiment
    came: tuple[str, ...]
    went: tuple[str, ...]
    by: float


def shared(state: CampaignState) -> list[Experiment]:
    """The experiments whose arm was decided by evidence."""
    return [e for e in state if e.proposal.shares is not None]


def moves(experiments: Sequence[Experiment]) -> list[Move]:
    """What moved the shares, the largest moves only, in order.

    A reason that only counts on, such as one more result without a better one, is the same reason; each
    further surprise is news.
    """
    found: list[Move] = []
    before: dict[str, str] = {}
    shares: Mapping[str, float] = {}
    for e in experiments:
        reasons = {_kind(r): r for r in _reasons(e.proposal.evidence or "")}
        now = e.proposal.shares or {}
        came = tuple(r for kind, r in reasons.items() if kind not in before or _another(r, before[kind]))
        went = tuple(r for kind, r in before.items() if kind not in reasons and not r.startswith(_NO_DOUBT))
        if came or went:
            by = sum(abs(now.get(arm, 0.0) - shares.get(arm, 0.0)) for arm in {*now, *shares}) / 2
            found.append(Move(e, came, went, by))
        before, shares = reasons, now
    largest = sorted(found[1:], key=lambda m: -m.by)[: MOST_MOVES - 1]
    return sorted([*found[:1], *largest], key=lambda m: m.experiment.number)


def area(experiments: Sequence[Experiment], total: int) -> Figure:
    """The shares as a stacked area with numbered moves, and below it whose turn it really was."""
    x = [e.number for e in experiments]
    named = {name for e in experiments for name in e.proposal.shares or {}}
    names = [n for n in ORDER if n in named] + sorted(named - set(ORDER))
    traces: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines",
            "stackgroup": "shares",
            "name": name,
            "x": x,
            "y": [rounded((e.proposal.shares or {}).get(name, 0.0)) for e in experiments],
            "line": {"width": 0.8, "color": "$paper"},
            "hovertemplate": f"{name} %{{y:.0%}}<extra></extra>",
            **_fill(name),
        }
        for name in names
    ]
    for arm in ARMS:
        if some := [e for e in experiments if e.proposal.arm == arm]:
            drawn = points(arm, some)
            at = {"x": [e.number for e in some], "y": [0] * len(some), "yaxis": "y2"}
            traces.append({**drawn, **at})
    marks = moves(experiments)
    up = {"type": "line", "xref": "x", "yref": "y", "y0": 0, "y1": 1.02}
    line = {"color": "$ink", "width": 1.2, "dash": "2px 3px"}
    layout: Figure = {
        "xaxis": {
            "title": {"text": "experiment"},
            "range": [x[0] - 0.8, max(total, x[-1]) + 0.8],
            "anchor": "y2",
            "showgrid": False,
            **whole([x[0], x[-1]]),
        },
        "yaxis": {"domain": [0.13, 1], "range": [0, 1.12], "tickformat": ".0%", "tickvals": _QUARTERS},
        "yaxis2": {
            "domain": [0, 0.1],
            "range": [-1, 1],
            "fixedrange": True,
            "showgrid": False,
            "tickvals": [],
        },
        "shapes": [{**up, "x0": m.experiment.number, "x1": m.experiment.number, "line": line} for m in marks],
        "annotations": [_number(i, m) for i, m in enumerate(marks, start=1)],
    }
    return {"data": traces, "layout": layout}


_QUARTERS = [0, 0.25, 0.5, 0.75, 1]


def section(state: CampaignState) -> dict[str, Any] | None:
    """What the page says of the shares; None where no evidence decided on them."""
    experiments = shared(state)
    if not experiments:
        return None
    last = experiments[-1]
    named = {name for e in experiments for name in e.proposal.shares or {}}
    had = {name: sum(_turn(e) == name for e in experiments) for name in named}
    return {
        "figures": {"shares": area(experiments, len(state))},
        "moves": [(m.experiment.id, m.came, m.went) for m in moves(experiments)],
        "latest": (last.id, last.proposal.evidence or ""),
        "key": [
            (name, COUSINS.get(name, name), name in COUSINS, ABOUT.get(name, _about(name)), had[name])
            for name in (*(n for n in ORDER if n in named), *sorted(named - set(ORDER)))
        ],
    }


def _turn(experiment: Experiment) -> str:
    """Whose turn it was, by the names that shares go by."""
    proposal = experiment.proposal
    return str(proposal.strategy) if proposal.strategy in COUSINS else proposal.arm


def _about(name: str) -> str:
    return next((look.about for arm, look in ARMS.items() if arm == name), "")


def _reasons(evidence: str) -> list[str]:
    """The reasons behind the shares, which stand in the evidence after the shares themselves."""
    return [
        r
        for r in re.split(
            r"; | and (?=predictions widened|improvement was promised)", evidence.partition(": ")[2]
        )
        if r
    ]


_NO_DOUBT = "nothing speaks against"
"""How the evidence begins where there is no reason; that it ends is told by the reason that comes."""


def _another(now: str, before: str) -> bool:
    """Whether the number of surprises has changed."""
    return "surprise" in now and now != before


def _kind(reason: str) -> str:
    """A reason without its figures, so that 1 result and 2 results are the same."""
    return re.sub(r"[\d.,]+%?|s\b", "", reason)


def _fill(name: str) -> Figure:
    if name in COUSINS:
        colour = f"${COUSINS[name]}"
        return {
            "fillpattern": {"shape": "/", "fgcolor": colour, "bgcolor": "$paper", "size": 7, "solidity": 0.5}
        }
    return {"fillcolor": f"${name}" if name in ARMS else "$bar"}


def _number(i: int, move: Move) -> Figure:
    disc = {"bgcolor": "$ink", "bordercolor": "$ink", "borderpad": 3, "font": {"color": "$paper", "size": 12}}
    return {**disc, "x": move.experiment.number, "y": 1.06, "text": f"<b>{i}</b>", "showarrow": False}
