"""Where a campaign stands, in one flat value that commands, reports and pages all show."""

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from labctl.config import CampaignConfig
from labctl.scores import Scored, scored, value_of
from labctl.state import CampaignState
from labctl.surprises import Surprise, surprises
from labctl.widening import widening
from labctl_drivers.protocol import Setting


@dataclass(frozen=True, slots=True)
class Best:
    """The best single measurement of the goal."""

    recipe: dict[str, Setting]
    value: float
    unit: str
    experiment: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """How predictions that were written before their result compare with it.

    Attributes:
        n: results that had a prediction.
        within_95: share of them inside the predicted 95 % interval.
        rms_z: root mean square of (measured - predicted) / predicted sd; 1 is right, above 1 overconfident.
    """

    n: int
    within_95: float
    rms_z: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Where a campaign stands."""

    campaign: str
    status: str
    why: str
    experiments: int
    measured: int
    failed: dict[str, int]
    waiting: int
    rejected: int
    best: Best | None
    calibration: Calibration | None
    verdict: dict[str, Any] | None
    widened: float
    surprises: tuple[Surprise, ...]
    cpu_seconds: float
    ledger: str | None
    head: str
    seed: int | None

    def as_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def summarise(
    config: CampaignConfig, state: CampaignState, *, status: str, why: str, ledger: str | None
) -> Summary:
    """Count and compare what the state holds."""
    statuses = Counter(e.status for e in state)
    failed = Counter(
        str(e.outcome.kind.value) for e in state if e.status == "failed" and e.outcome and e.outcome.kind
    )
    return Summary(
        campaign=config.name,
        status=status,
        why=why,
        experiments=len(state) - statuses["rejected"],
        measured=statuses["measured"],
        failed=dict(sorted(failed.items())),
        waiting=len(state.pending),
        rejected=statuses["rejected"],
        best=best(config, state),
        calibration=calibration(scored(config, state)),
        verdict=None if state.verdict is None else dict(state.verdict),
        widened=round(widening(config, state), 4),
        surprises=surprises(config, state),
        cpu_seconds=round(sum(e.proposal.cpu_seconds for e in state), 3),
        ledger=ledger,
        head=state.head,
        seed=None if state.campaign is None else int(state.campaign["seed"]),
    )


def best(config: CampaignConfig, state: CampaignState) -> Best | None:
    """The best measurement so far; the earliest of equals."""
    goal, objective = config.goal
    measured = [(value_of(e, goal), e) for e in state.measured]
    found = [(value, e) for value, e in measured if value is not None]
    if not found:
        return None
    value, experiment = max(found, key=lambda pair: config.sign * pair[0])
    return Best(dict(experiment.proposal.recipe), value, objective.unit, experiment.id)


def calibration(results: list[Scored]) -> Calibration | None:
    """Score predictions by their results; None without any."""
    if not results:
        return None
    z = [r.z for r in results]
    inside = sum(abs(v) <= 1.959963984540054 for v in z) / len(z)  # noqa: PLR2004 - normal 97.5 % quantile
    return Calibration(len(z), round(inside, 4), round(math.sqrt(sum(v * v for v in z) / len(z)), 4))
