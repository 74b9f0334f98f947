"""The gate: when a campaign validates its own surrogate, and the verdict it then writes down."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.config import CampaignConfig
from labctl.space import Space
from labctl.state import CampaignState
from labctl.strategies.surrogate import SURROGATES, maker
from labctl.study import of_campaign

if TYPE_CHECKING:
    from labctl_models.validation.candidates import Candidate

LOOP_CLUSTERS = (2, 3, 4, 5)
USUAL_SURROGATE = "gp-ard"
_AVERAGED_ROWS = 280
"""So many rows may a surrogate that averages over its hyperparameters have, to be judged in 30 seconds."""


def due(config: CampaignConfig, state: CampaignState) -> bool:
    """Whether the surrogate is to be validated again before the next proposal."""
    plan = config.model.validation
    results = len(state.measured)
    if plan.every == 0 or results < plan.start:
        return False
    last = -plan.every if state.verdict is None else int(state.verdict["n"])
    return results - last >= plan.every


def judge(config: CampaignConfig, space: Space, state: CampaignState, seed: int) -> dict[str, Any]:
    """Validate cheaply what the campaign has measured so far, as the body of a verdict event.

    Whole clusters of recipes are held out (k = 2 to 5, one seed); the candidates are the mean and the
    nearest neighbour as yardsticks, the very surrogates that the campaign can fit, and a forest. Beyond some
    280 rows averaging takes too long for the usual 30 s: then the reason says that the most probable
    hyperparameters stood in for it. What cannot be judged, such as a constant outcome, is "lookup table" with
    that reason.
    """
    from labctl_models.validation.validate import validate  # noqa: PLC0415

    study = of_campaign(config, space, state)
    rows = study.measured
    body: dict[str, Any] = {"n": int(rows.sum())}
    seconds = config.model.validation.cpu_seconds
    averaged = rows.sum() <= _AVERAGED_ROWS * math.sqrt(seconds / 30.0)
    try:
        found = validate(
            study.X[rows],
            study.y[rows],
            classify=False,
            candidates=_candidates(averaged=bool(averaged)),
            budget_s=seconds,
            ks=LOOP_CLUSTERS,
            seeds=(seed,),
            seed=seed,
            keep_twins_together=True,
        )
    except ValueError as error:
        return body | {"verdict": "lookup table", "reason": f"it cannot be judged: {error}", "inflation": 1.0}
    reason = found.verdict.reason
    if not averaged:
        reason += f" {USUAL_SURROGATE} was judged by its most probable hyperparameters, to save time."
    return body | {
        "verdict": found.verdict.level,
        "undecided": found.verdict.undecided,
        "reason": reason,
        "winner": found.verdict.winner,
        "surrogate": surrogate_of(found.verdict.winner),
        "inflation": round(found.inflation, 4) if np.isfinite(found.inflation) else 1.0,
        "evidence": {k: float(v) for k, v in found.verdict.evidence.items() if np.isfinite(v)},
        "cpu_seconds": round(found.cpu_s, 3),
    }


def _candidates(*, averaged: bool) -> "list[Candidate]":
    """Yardsticks, a forest, and the surrogates that a campaign fits; averaged ones only if that is wanted."""
    from labctl_models.validation.candidates import default_candidates  # noqa: PLC0415

    wanted = {"random-forest", *SURROGATES}
    usual = [c for c in default_candidates() if c.baseline or c.name in wanted]
    if not averaged:
        return usual
    return [replace(c, maker=maker(c.name)) if c.name in SURROGATES else c for c in usual]


def surrogate_of(winner: str | None) -> str:
    """Which surrogate a campaign fits after this candidate won; the default one unless another is better."""
    return winner if winner is not None and winner in SURROGATES else USUAL_SURROGATE
