"""What a campaign has shown so far, as far as it bears on which arm should choose next."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl.config import CampaignConfig
from labctl.ground import Ground
from labctl.space import Space, sample
from labctl.state import CampaignState
from labctl.stopping import promises, stagnation
from labctl.surprises import Surprise
from labctl_drivers.protocol import FailureKind

PLACES = 200
"""Recipes on which coverage is estimated: its standard error is then below 4 %."""
_LAST = 10
_PATIENCE, _LEAST_PATIENCE = 0.25, 8
_PROMISES = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """What has been seen, in numbers; each with what it would be if there were nothing to worry about.

    Attributes:
        results: how many results there are.
        verdict: on the surrogate: trusted, interpolation only or lookup table; None before the first, and
            while the results are too few to tell.
        since_better: results since the last better one; 0 is best.
        patience: after how many of them a campaign of this length stagnates.
        promise: mean chance of a better result that the last recipes chosen for improvement had; None if
            too few were chosen, or for several goals.
        let_down: chance that none of the recipes chosen since the last better result would be better; 1 is
            best, and a small one says that the surrogate promised what did not come.
        surprises: results that surprised their prediction and were not refuted by a replicate; 0 is best.
        widened: factor in the predictions because they were too sure of themselves; 1 is best.
        failed: how many of the ``last`` experiments made no sample; 0 is best.
        last: ten, or as many as there are.
        covered: share of what may be proposed that lies in the domain of the results; None if unknown.
    """

    results: int
    verdict: str | None = None
    since_better: int = 0
    patience: int = _LEAST_PATIENCE
    promise: float | None = None
    let_down: float = 1.0
    surprises: int = 0
    widened: float = 1.0
    failed: int = 0
    last: int = 10
    covered: float | None = None


def evidence(
    config: CampaignConfig,
    state: CampaignState,
    space: Space,
    *,
    ground: Ground | None,
    surprises: tuple[Surprise, ...],
    widened: float,
    seed: int,
) -> Evidence:
    """Gather the evidence; a pure function of its arguments."""
    results, since = len(state.measured), stagnation(config, state)
    failed, last = _failing(state)
    latest = promises(config, state, most=_PROMISES)
    return Evidence(
        results=results,
        verdict=standing(state),
        since_better=since,
        patience=max(_LEAST_PATIENCE, round(_PATIENCE * results)),
        promise=float(np.mean(latest)) if len(latest) == _PROMISES else None,
        let_down=float(np.prod([1.0 - p for p in promises(config, state, since=since)])),
        surprises=sum(s.replicate != "disagrees" for s in surprises),
        widened=widened,
        failed=failed,
        last=last,
        covered=None if ground is None else _covered(space, ground, seed),
    )


def standing(state: CampaignState) -> str | None:
    """The last verdict on the surrogate; None before the first, and where it could not decide.

    A gain that was seen but cannot be told from chance, as of a dozen results, says no more than no verdict.
    """
    if state.verdict is None or state.verdict.get("undecided", False):
        return None
    return str(state.verdict["verdict"])


def level_in_words(verdict: Mapping[str, Any]) -> str:
    """The level of a verdict, and that it may change where results were too few to decide."""
    level = str(verdict["verdict"])
    return f"not decided yet, so far {level}" if verdict.get("undecided", False) else level


def _failing(state: CampaignState) -> tuple[int, int]:
    """How many of the last ten experiments made no sample, and of how many where there are not ten yet."""
    last = sorted((*state.measured, *state.failed), key=lambda e: e.number)[-_LAST:]
    none = sum(e.outcome is not None and e.outcome.kind == FailureKind.INFEASIBLE for e in last)
    return none, len(last)


def _covered(space: Space, ground: Ground, seed: int) -> float:
    """Share of what may be proposed that does not lie outside the domain; always asked at the same places."""
    rng = np.random.default_rng(seed)
    if space.pool is None:
        places = space.encode(sample(space, PLACES, rng))
    elif len(space.pool) <= PLACES:
        places = space.pool.X
    else:
        places = space.pool.X[rng.choice(len(space.pool), PLACES, replace=False)]
    return float(np.mean(ground.inside(places)))
