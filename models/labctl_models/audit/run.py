"""The audit as a whole: every check on one table, findings ranked by how much they can hurt."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl_models.audit.anomalies import AnomalyCheck
from labctl_models.audit.cohorts import CohortEffectCheck, CohortPredictableCheck
from labctl_models.audit.digits import RoundingCheck, ZerosCheck
from labctl_models.audit.domain import CoverageCheck, LeverageCheck
from labctl_models.audit.duplicates import DuplicatesCheck
from labctl_models.audit.finding import Check, Finding, NotApplicableError
from labctl_models.audit.hidden import HiddenVariableCheck
from labctl_models.audit.labels import ConflictCheck, CopiedRowsCheck, ThresholdCheck
from labctl_models.audit.likeness import DiversityCheck, LikenessCheck
from labctl_models.audit.metadata import CompletenessCheck, MissingnessCheck
from labctl_models.audit.popularity import PopularityCheck
from labctl_models.audit.residuals import with_residuals
from labctl_models.audit.selection import FailuresMissingCheck, SuccessShareCheck
from labctl_models.audit.units import UnitsCheck
from labctl_models.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labctl_models.audit.table import AuditTable

DEFAULT: tuple[Check, ...] = (
    CoverageCheck(),
    LeverageCheck(),
    LikenessCheck(),
    DiversityCheck(),
    SuccessShareCheck(),
    FailuresMissingCheck(),
    PopularityCheck(),
    ThresholdCheck(),
    ConflictCheck(),
    CopiedRowsCheck(),
    ZerosCheck(),
    RoundingCheck(),
    UnitsCheck(),
    CompletenessCheck(),
    MissingnessCheck(),
    CohortEffectCheck(),
    CohortPredictableCheck(),
    DuplicatesCheck(),
    AnomalyCheck(),
    HiddenVariableCheck(),
)
RESIDUALS = "residuals"

WHY_NOT: Mapping[str, str] = {
    "pool": "there is no pool of candidates to compare the table with",
    "residuals": "there are too few outcomes that vary for residuals of any model",
    "z": "there are too few outcomes, or too few of a class, to learn how far predictions may be off",
    "arms": "the table does not say why its recipes were chosen",
    "order": "the table does not say in which order it was measured",
}


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """What all checks found.

    Attributes:
        findings: The most severe first.
        seconds: Name of each check -> processor time; the model behind the residuals under "residuals".
        not_applicable: Name of each check that could say nothing -> why.
    """

    findings: tuple[Finding, ...]
    seconds: Mapping[str, float]
    not_applicable: Mapping[str, str]

    def as_json(self) -> dict[str, object]:
        """The audit as JSON values."""
        return {
            "findings": [finding.as_json() for finding in self.findings],
            "seconds": dict(self.seconds),
            "not_applicable": dict(self.not_applicable),
        }


def audit(
    table: AuditTable,
    *,
    seed: int,
    checks: Sequence[Check] = DEFAULT,
    progress: Callable[[str], None] | None = None,
) -> Audit:
    """Run the checks on a table; `progress` is told the name of each before it starts.

    Residuals are computed once if a check needs them and the table has none. Each check draws from its own
    stream of random numbers, so that adding or leaving out one changes no other's result.
    """
    findings: list[Finding] = []
    seconds: dict[str, float] = {}
    silent: dict[str, str] = {}
    told = progress or (lambda _: None)
    with one_thread():
        if any({"residuals", "z"} & set(check.needs) for check in checks):
            told(RESIDUALS)
            began = time.process_time()
            table = with_residuals(table, seed=seed)
            seconds[RESIDUALS] = time.process_time() - began
        for check in checks:
            told(check.name)
            began = time.process_time()
            lacking = [need for need in check.needs if getattr(table, need) is None]
            if lacking:
                silent[check.name] = WHY_NOT.get(lacking[0], f"the table has no {lacking[0]}")
                continue
            try:
                findings += check.run(table, seed=stream(seed, check.name))
            except NotApplicableError as reason:
                silent[check.name] = str(reason)
            seconds[check.name] = time.process_time() - began
    findings.sort(key=lambda finding: (-finding.severity, finding.id))
    return Audit(tuple(findings), seconds, silent)


def stream(seed: int, name: str) -> int:
    """A seed of its own for each check, the same in every process and on every machine."""
    return zlib.crc32(f"{seed}/{name}".encode())
