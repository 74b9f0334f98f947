"""Metadata: which fields were filled, and whether their gaps have to do with the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.audit.finding import SIGNIFICANT, Finding, NotApplicableError, graded
from labctl_models.audit.statistics import auc, holm
from labctl_models.audit.table import coded, missing
from labctl_models.audit.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

FILLED = 0.95
MOST_COHORTS = 50
FEWEST_ROWS = 5
# Share of the required cells that is empty.
EMPTY_MEDIUM, EMPTY_HIGH = 0.3, 0.7
# How well a gap foretells the outcome: |2 AUC - 1|, which is also the difference of two shares.
TIED_MEDIUM, TIED_HIGH = 0.2, 0.5
NOT_WRITTEN = 0.15


def completeness(columns: dict[str, NDArray[np.bool_]]) -> dict[str, float]:
    """Share of rows filled, for each field given as (n,) True where missing."""
    return {name: 1.0 - float(np.mean(gone)) for name, gone in columns.items()}


@dataclass(frozen=True, slots=True)
class Tie:
    """A field whose gaps go with the outcome or with failure.

    Attributes:
        field: Its name, with those of fields that miss the same rows.
        what: "outcome" or "failure".
        effect: In [-1, 1]; P(outcome larger where missing) - P(smaller), or the difference in failure rates.
        missing: Median outcome, or share of failures, where the field is missing.
        filled: The same where it is filled.
        p: Adjusted after Holm over all fields and both kinds.
    """

    field: str
    what: str
    effect: float
    missing: float
    filled: float
    p: float


def gaps_tied_to_outcome(gaps: dict[str, NDArray[np.bool_]], y: Array, failed: Array) -> list[Tie]:
    """Test of each pattern of gaps (n,) against y (n, NaN where none) and failure (n, 0, 1 or NaN).

    Mann and Whitney's test for y, Fisher's for failure, adjusted together after Holm.
    """
    from scipy.stats import fisher_exact, mannwhitneyu  # noqa: PLC0415  used by this check alone

    same: dict[bytes, list[str]] = {}
    for name, gone in gaps.items():
        same.setdefault(gone.tobytes(), []).append(name)
    tests: list[tuple[str, str, float, float, float, float]] = []
    for names in same.values():
        gone, field = gaps[names[0]], " = ".join(names)
        for what, values in (("outcome", y), ("failure", failed)):
            known = np.isfinite(values)
            inside, outside = values[known & gone], values[known & ~gone]
            if min(len(inside), len(outside)) < FEWEST_ROWS or np.ptp(values[known]) == 0.0:
                continue
            if what == "outcome":
                p = float(mannwhitneyu(inside, outside).pvalue)
                effect = 2.0 * auc(values[known], gone[known]) - 1.0
                typical = float(np.median(inside)), float(np.median(outside))
            else:
                a, b = int(inside.sum()), int(outside.sum())
                p = float(fisher_exact([[a, len(inside) - a], [b, len(outside) - b]]).pvalue)
                typical = a / len(inside), b / len(outside)
                effect = typical[0] - typical[1]
            tests.append((field, what, effect, *typical, p))
    adjusted = holm(np.array([test[-1] for test in tests]))
    return [Tie(*test[:-1], float(p)) for test, p in zip(tests, adjusted, strict=True)]


@dataclass(frozen=True, slots=True)
class CompletenessCheck:
    """Which fields were not filled?"""

    name: str = "metadata.completeness"
    area: str = "metadata"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where a field is filled in fewer than 95 % of the rows."""
        del seed
        names = table.required or tuple(table.columns)
        if not names:
            return [self._nothing_logged()]
        gaps = {name: missing(table.columns[name]) for name in names}
        filled = completeness(gaps)
        if min(filled.values()) >= FILLED:
            return []
        cohorts = {}
        for cohort in table.cohorts:
            codes, labels = coded(table.columns[cohort])
            if 1 < len(labels) <= MOST_COHORTS:
                cohorts[cohort] = {
                    label: completeness({name: gone[codes == code] for name, gone in gaps.items()})
                    for code, label in enumerate(labels)
                }
        share = float(np.mean(list(filled.values())))
        poor = sorted((name for name in names if filled[name] < FILLED), key=filled.__getitem__)
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(1.0 - share, medium=EMPTY_MEDIUM, high=EMPTY_HIGH),
                title=_gaps_in_words(poor, names, filled),
                value=share,
                expected=1.0,
                meaning="What was not written down cannot explain a surprise later, nor tell two labs apart.",
                remedy="Let the controller ask for these fields from now on; keep them, empty, for old rows.",
                detail={"filled": filled, "by_cohort": cohorts},
            )
        ]

    def _nothing_logged(self) -> Finding:
        return Finding(
            id=self.name,
            area=self.area,
            severity=0.3,
            title="Nothing but recipe and outcome was written down",
            value=0.0,
            expected=None,
            meaning="No field says who measured, when, on what or with which batch, so no hidden influence "
            "can be found.",
            remedy="Log operator, instrument, batch, time and room conditions, whether or not they seem to "
            "matter.",
        )


@dataclass(frozen=True, slots=True)
class MissingnessCheck:
    """Do gaps go with the outcome?"""

    name: str = "metadata.missingness"
    area: str = "metadata"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding for each field whose gaps foretell the outcome or failure."""
        del seed
        gaps = {name: missing(column) for name, column in table.columns.items()}
        gaps = {name: gone for name, gone in gaps.items() if gone.any() and not gone.all()}
        if not gaps:
            raise NotApplicableError("no logged field has gaps in some rows only")
        y = np.where(table.measured, table.y, np.nan)
        failed = np.full(table.n, np.nan) if table.failed is None else table.failed.astype(np.float64)
        return [
            self._only_where_it_failed(tie, gaps, failed)
            if tie.what == "failure" and not np.any(gaps[_first(tie)] & (failed == 0.0))
            else self._tied(tie, gaps, classes=table.outcome == "classification")
            for tie in gaps_tied_to_outcome(gaps, y, failed)
            if tie.p <= SIGNIFICANT
        ]

    def _only_where_it_failed(self, tie: Tie, gaps: dict[str, NDArray[np.bool_]], failed: Array) -> Finding:
        """A field that is missing in failed rows alone: the gap follows the failure and foretells nothing."""
        k, m = int(gaps[_first(tie)].sum()), int(np.nansum(failed))
        several = " = " in tie.field
        return Finding(
            id=f"{self.name}:{_first(tie)}:{tie.what}",
            area=self.area,
            severity=NOT_WRITTEN,
            title=f"{tie.field} {'are' if several else 'is'} not written when a run fails: missing in "
            f"{'all' if k == m else f'{k:,} of the'} {m:,} failed rows and in no other",
            value=tie.missing,
            expected=tie.filled,
            meaning=f"The gap follows the failure and is no cause of it. Whether {tie.field} has to do with "
            "failing cannot be seen from this table.",
            remedy=f"Let the driver write {tie.field} before a run can fail.",
            detail={"p": tie.p, "filled": 1.0 - float(np.mean(gaps[_first(tie)]))},
        )

    def _tied(self, tie: Tie, gaps: dict[str, NDArray[np.bool_]], *, classes: bool) -> Finding:
        if tie.what == "failure":
            often = "more often" if tie.effect > 0 else "less often"
            title = (
                f"Rows fail {often} where {tie.field} is missing: {tie.missing:.0%} of them, against "
                f"{tie.filled:.0%} of the others"
            )
        elif classes:
            often = "more often" if tie.effect > 0 else "less often"
            title = f"Rows succeed {often} where {tie.field} is missing, by {abs(tie.effect):.0%} of the rows"
        else:
            title = (
                f"The outcome is {'larger' if tie.effect > 0 else 'smaller'} where {tie.field} is missing: "
                f"half of these rows are above {tie.missing:.4g}, half of the others above {tie.filled:.4g}"
            )
        failure = tie.what == "failure"
        return Finding(
            id=f"{self.name}:{_first(tie)}:{tie.what}",
            area=self.area,
            severity=graded(abs(tie.effect), medium=TIED_MEDIUM, high=TIED_HIGH),
            title=title,
            value=tie.missing if failure else tie.effect,
            expected=tie.filled if failure else 0.0,
            meaning="These gaps are no accident. Dropping the rows, or filling in a mean, would bias every "
            "model that uses this field.",
            remedy="Record the field for every experiment, failed ones too; until then keep 'missing' as a "
            "value of its own.",
            detail={"p": tie.p, "filled": 1.0 - float(np.mean(gaps[_first(tie)]))},
        )


def _first(tie: Tie) -> str:
    """The first of the fields that miss the same rows."""
    return tie.field.split(" = ", maxsplit=1)[0]


def _gaps_in_words(poor: list[str], names: Sequence[str], filled: dict[str, float]) -> str:
    k, share = len(poor), f"{filled[poor[0]]:.0%} of the rows"
    if k == 1:
        return f"{poor[0]} is filled in {share}"
    return f"{k} of {counted(len(names), 'field')} have gaps; the emptiest, {poor[0]}, is filled in {share}"
