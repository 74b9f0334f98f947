"""Anomalies: outcomes that surprise a model which had not seen them, to be replicated first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.audit.finding import SIGNIFICANT, Finding, NotApplicableError, graded
from labctl_models.audit.statistics import benjamini_hochberg, two_sided
from labctl_models.audit.wording import counted, verb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.gp import FittedGP
    from labctl_models.surrogates.protocol import Array

RATE = 0.1
ADVICE = "replicate first"
FEWEST_ROWS = 10
# Share of the rows that no noise explains.
ODD_MEDIUM, ODD_HIGH = 0.02, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Anomalies:
    """Surprising outcomes among n.

    Attributes:
        rows: (a,) those flagged, the most surprising first.
        z: (n,) standardised residuals; NaN where there is none.
        p: (n,) two-sided p of each.
        q: (n,) adjusted after Benjamini and Hochberg; flagged where at most the rate asked for.
        advice: What to do with a flagged row. None is ever deleted: if the replicate agrees, it is novelty
            or a hidden variable; if not, it was a fault of the measurement.
    """

    rows: NDArray[np.intp]
    z: Array
    p: Array
    q: Array
    advice: str = ADVICE


def leave_one_out_z(fitted: FittedGP) -> Array:
    """Each measurement (n,) minus its prediction from all others, in standard deviations of a new reading."""
    belief = fitted.leave_one_out()
    return np.asarray((fitted.y - belief.mean) / np.hypot(belief.sd, fitted.noise_sd), dtype=np.float64)


def anomalies(z: Array, *, rate: float = RATE) -> Anomalies:
    """Rows whose z (n, NaN where none) is too large for a normal one, at the false discovery rate `rate`.

    Prefer z of predictions that were written before their results: a model that was fitted to an outlier
    has bent towards it.
    """
    z = np.asarray(z, dtype=np.float64)
    known = np.isfinite(z)
    p, q = np.full(len(z), np.nan), np.full(len(z), np.nan)
    p[known] = two_sided(z[known])
    q[known] = benjamini_hochberg(p[known])
    rows = np.flatnonzero(known & (np.nan_to_num(q, nan=1.0) <= rate))
    return Anomalies(rows[np.argsort(-np.abs(z[rows]), kind="stable")], z, p, q)


@dataclass(frozen=True, slots=True)
class AnomalyCheck:
    """Which outcomes should be replicated before they are believed?"""

    name: str = "anomalies.outcomes"
    area: str = "anomalies"
    needs: tuple[str, ...] = ("z",)

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding with all flagged rows; above low only by rows that survive the stricter level too."""
        del seed
        z = table.z if table.z is not None else np.full(table.n, np.nan)
        known = int(np.isfinite(z).sum())
        if known < FEWEST_ROWS:
            raise NotApplicableError(f"{known} residuals are too few; {FEWEST_ROWS} are needed")
        found = anomalies(z)
        if len(found.rows) == 0:
            return []
        sure = int(np.count_nonzero(found.q[found.rows] <= SIGNIFICANT))
        first = found.rows[0]
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(sure / known, medium=ODD_MEDIUM, high=ODD_HIGH),
                title=f"{counted(len(found.rows), 'outcome')} "
                f"{verb(len(found.rows), 'surprises', 'surprise')} the model; row {first + 1} "
                f"{_how_far(table, found)}",
                value=float(len(found.rows)),
                expected=0.0,
                meaning="Each is a fault, an unrecorded influence or a discovery; at most a tenth of them "
                "should be chance.",
                remedy="Replicate first. If the replicate agrees, look for what was not recorded; if not, "
                "it was the measurement. Delete nothing.",
                detail={"rows": found.rows, "z": z, "q": found.q[found.rows], "sure": sure},
            )
        ]


def _how_far(table: AuditTable, found: Anomalies) -> str:
    """How surprising the first row is: in standard deviations, or how rarely its class would be recorded."""
    first = found.rows[0]
    if table.outcome == "classification":
        return f"has a class that one in {1.0 / max(found.p[first], 1e-9):,.0f} such rows should have"
    return f"lies {abs(float(found.z[first])):.1f} standard deviations off"
