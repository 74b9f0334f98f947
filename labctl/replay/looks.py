"""How each strategy is drawn in a comparison: a colour that it has everywhere, and a dash of its own."""

from collections.abc import Mapping

from labctl.replay.runs import BY_EVIDENCE
from labctl.report.look import ARMS, Look

_INK = Look("#16191d", "#e8eaed", "circle", "o", "shares the budget among all arms by evidence")
LOOKS: Mapping[str, Look] = {
    **{str(arm): look for arm, look in ARMS.items()},
    "optimism": Look("#0072b2", "#56b4e9", "circle", "o", "takes the surrogate's doubts for promise"),
    "thompson": Look("#009e73", "#2ec79a", "circle", "o", "is best in one draw of the response"),
    "knowledge_gradient": Look("#4b3f72", "#b8a9e8", "circle", "o", "teaches most about the best"),
    "plugged": Look("#7a3b00", "#c98a4b", "circle", "o", "is suggested by an optimiser from outside"),
    "gaps": Look("#56b4e9", "#56b4e9", "square", "s", "fills the largest gaps"),
    "outcome_novelty": Look("#d55e00", "#ff7a29", "diamond", "D", "looks for outcomes unlike any known"),
    "learned_novelty": Look("#8a6d00", "#f0e442", "diamond", "D", "is new by a distance learned as it goes"),
    "cells": Look("#4b3f72", "#b8a9e8", "diamond", "D", "fills cells with their best"),
    BY_EVIDENCE: _INK,
}
"""By strategy. What shares a colour differs in its dash."""
DASHES: Mapping[str, str] = {
    "improve": "solid",
    "optimism": "9px 2px 2px 2px",
    "thompson": "4px 3px",
    "knowledge_gradient": "11px 4px 4px 4px",
    "plugged": "7px 3px 2px 3px 2px 3px",
    "novelty": "2px 3px",
    "random": "8px 4px",
    "explore": "12px 3px",
    "gaps": "5px 5px",
    "outcome_novelty": "2px 6px",
    "learned_novelty": "10px 3px 2px 3px",
    "cells": "6px 2px",
    BY_EVIDENCE: "14px 3px 3px 3px",
}
"""As CSS and plotly write them."""


def dash_of(name: str) -> "str | tuple[int, tuple[float, ...]]":
    """A strategy's dash as matplotlib takes it, for a line three points wide."""
    css = DASHES[name]
    return "-" if css == "solid" else (0, tuple(float(part.removesuffix("px")) / 2.0 for part in css.split()))
