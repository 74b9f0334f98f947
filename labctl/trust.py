"""The gate: when a campaign validates its own surrogate, and the verdict it then writes down."""

from typing import Any

import numpy as np

from labctl.config import CampaignConfig
from labctl.space import Space
from labctl.state import CampaignState
from labctl.strategies.surrogate import SURROGATES
from labctl.study import of_campaign

LOOP_CLUSTERS = (2, 3, 4, 5)
USUAL_SURROGATE = "gp-ard"


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
    nearest neighbour as yardsticks, the two Gaussian processes and a forest. What cannot be judged, such
    as a constant outcome, is "lookup table" with that reason.
    """
    from labctl_models.validation.candidates import default_candidates  # noqa: PLC0415
    from labctl_models.validation.validate import validate  # noqa: PLC0415

    study = of_campaign(config, space, state)
    rows = study.measured
    body: dict[str, Any] = {"n": int(rows.sum())}
    wanted = ("mean", "nearest", "gp-isotropic", "gp-ard", "random-forest")
    try:
        found = validate(
            study.X[rows],
            study.y[rows],
            classify=False,
            candidates=[c for c in default_candidates() if c.name in wanted],
            budget_s=config.model.validation.cpu_seconds,
            ks=LOOP_CLUSTERS,
            seeds=(seed,),
            seed=seed,
            keep_twins_together=True,
        )
    except ValueError as error:
        return body | {"verdict": "lookup table", "reason": f"it cannot be judged: {error}", "inflation": 1.0}
    return body | {
        "verdict": found.verdict.level,
        "reason": found.verdict.reason,
        "winner": found.verdict.winner,
        "surrogate": surrogate_of(found.verdict.winner),
        "inflation": round(found.inflation, 4) if np.isfinite(found.inflation) else 1.0,
        "evidence": {k: float(v) for k, v in found.verdict.evidence.items() if np.isfinite(v)},
        "cpu_seconds": round(found.cpu_s, 3),
    }


def surrogate_of(winner: str | None) -> str:
    """Which surrogate a campaign fits after this candidate won; the default one unless another is better."""
    return winner if winner is not None and winner in SURROGATES else USUAL_SURROGATE
