"""Selection: what a score means when successes were reported more often than they happen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.audit.finding import SIGNIFICANT, Finding, NotApplicableError, graded
from labctl_models.audit.shift import FEWEST_SCORES, estimated_rate, shifted_rate, unseen_scores
from labctl_models.audit.statistics import wilson

if TYPE_CHECKING:
    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

CONFIDENT = 0.9
# How far a score of 0.9 falls when it is corrected.
FALL_MEDIUM, FALL_HIGH = 0.2, 0.5
NO_FAILURES = 0.5
ONE_KIND = 0.85
"""Severity of a table of classes that holds one of them, or all but one row: nothing can be learned of it."""
FEWEST_OF_A_KIND = 2


def corrected(score: Array | float, *, trained_rate: float, true_rate: float) -> Array:
    """Probability of success where successes are as frequent as `true_rate`, from scores trained elsewhere.

    p' = (π/π_t) p / [(π/π_t) p + ((1 - π)/(1 - π_t)) (1 - p)], for calibrated scores and the same kinds of
    successes and failures in both places; Saerens, Latinne and Decaestecker, Neural Comput. 14, 21 (2002).

    Raises:
        ValueError: a rate is not strictly between 0 and 1.
    """
    for rate in (trained_rate, true_rate):
        if not 0.0 < rate < 1.0:
            raise ValueError(f"a rate of success is {rate}; it must lie strictly between 0 and 1")
    score = np.asarray(score, dtype=np.float64)
    yes = true_rate / trained_rate * score
    no = (1.0 - true_rate) / (1.0 - trained_rate) * (1.0 - score)
    return np.asarray(yes / (yes + no), dtype=np.float64)


def score_needed(posterior: float, *, trained_rate: float, true_rate: float) -> float:
    """Score that means the probability `posterior` after the correction: its inverse."""
    return float(corrected(posterior, trained_rate=true_rate, true_rate=trained_rate))


def precision(*, sensitivity: float, specificity: float, rate: float) -> float:
    """Share of true successes among those a classifier calls so, where successes have the given rate."""
    hits, alarms = rate * sensitivity, (1.0 - rate) * (1.0 - specificity)
    return hits / (hits + alarms) if hits + alarms > 0.0 else math.nan


@dataclass(frozen=True, slots=True)
class SuccessShareCheck:
    """Does the table hold more successes than happen?

    What happens is known from the user, else from the table's own random arm, else from the scores of the
    pool: those handed in are trusted to be calibrated, others are made here and judged by held-out rows.
    """

    name: str = "selection.success_share"
    area: str = "selection"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where the share of successes differs from the true one beyond chance."""
        success = table.success
        known = np.isfinite(success)
        n, k = int(known.sum()), int(np.nansum(success))
        if k in {0, n}:
            raise NotApplicableError("only successes or only failures are written down, so no share is known")
        rate, p, source = self._true_rate(table, k / n, seed)
        if p > SIGNIFICANT:
            return []
        trained = k / n
        fall = abs(CONFIDENT - float(corrected(CONFIDENT, trained_rate=trained, true_rate=rate)))
        needed = score_needed(0.5, trained_rate=trained, true_rate=rate)
        scores = np.linspace(0.0, 1.0, 101)
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(fall, medium=FALL_MEDIUM, high=FALL_HIGH),
                title=f"{trained:.1%} of the rows are successes, where {rate:.1%} would be ({source})",
                value=trained,
                expected=rate,
                meaning=f"A model of this table that says 0.9 means "
                f"{CONFIDENT + (-fall if trained > rate else fall):.2g}, and only a score of {needed:.3f} "
                "means an even chance.",
                remedy="Correct the scores for the true rate, write down one failure for each success, and "
                "measure the true rate with a random arm.",
                detail={
                    "successes": k,
                    "rows": n,
                    "interval": wilson(k, n),
                    "p": p,
                    "source": source,
                    "score": scores,
                    "corrected": corrected(scores, trained_rate=trained, true_rate=rate),
                    "score_needed_for_half": needed,
                    "precision_here": precision(sensitivity=0.9, specificity=0.9, rate=trained),
                    "precision_there": precision(sensitivity=0.9, specificity=0.9, rate=rate),
                },
            )
        ]

    @staticmethod
    def _true_rate(table: AuditTable, trained: float, seed: int) -> tuple[float, float, str]:
        """The rate that happens, the p of the table's share under it, and where the rate is from."""
        from scipy.stats import binomtest, fisher_exact  # noqa: PLC0415  used by this check alone

        success = table.success
        known = np.isfinite(success)
        n, k = int(known.sum()), int(np.nansum(success))
        if table.true_rate is not None:
            return table.true_rate, float(binomtest(k, n, table.true_rate).pvalue), "stated"
        if table.arms is not None and np.any(random := known & (table.arms == "random")):
            inside, hits = int(random.sum()), int(success[random].sum())
            others, found = n - inside, k - hits
            p = float(fisher_exact([[hits, inside - hits], [found, others - found]]).pvalue)
            low, high = wilson(hits, inside)
            rate = min(max(hits / inside, 0.5 / inside), 1.0 - 0.5 / inside)
            return rate, p, f"random arm, {hits} of {inside}, 95 % interval {low:.2g} to {high:.2g}"
        if table.pool_scores is not None and len(table.pool_scores) >= FEWEST_SCORES:
            of_pool = estimated_rate(table.pool_scores, trained_rate=trained, seed=seed)
        elif table.pool is not None:
            of_pool = shifted_rate(*unseen_scores(table, seed=seed), seed=seed)
        else:
            raise NotApplicableError(
                "nobody knows how often recipes succeed: no true rate is stated, no row was drawn at random, "
                "and there are no candidates to estimate it from"
            )
        interval = f"95 % interval {of_pool.low:.2g} to {of_pool.high:.2g}"
        return of_pool.value, of_pool.p, f"estimated from the scores of the candidates, {interval}"


@dataclass(frozen=True, slots=True)
class FailuresMissingCheck:
    """Are there any failures at all?"""

    name: str = "selection.no_failures"
    area: str = "selection"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where no row failed, or where a class has so few rows that nothing can be learned."""
        del seed
        success = table.success
        n, bad, good = table.n, int(np.sum(success == 0.0)), int(np.sum(success == 1.0))
        classes = table.outcome == "classification"
        if bad > 0 and not (classes and min(bad, good) < FEWEST_OF_A_KIND):
            return []
        if bad == 0:
            unknown = table.failed is None and not classes
            title = f"None of the {n:,} rows failed" + (", or nobody wrote down which did" if unknown else "")
            rarer, meaning = (
                "failed",
                "Recipes that make nothing are unknown to any model of this table, so it ",
            )
            meaning += "will propose them with confidence."
        else:
            rarer = "failed" if bad <= good else "succeeded"
            title = f"{'None' if good == 0 else 'Only one'} of the {n:,} rows {rarer}"
            meaning = f"So few rows say nothing about what makes a recipe {_VERB[rarer]}, and no score of a "
            meaning += "model of this table means anything."
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=ONE_KIND if classes else NO_FAILURES,
                title=title,
                value=float(min(bad, good)),
                expected=None,
                meaning=meaning,
                remedy=_REMEDY[rarer],
                detail={"rows": n, "highest_rate_of_failure": wilson(bad, n)[1]},
            )
        ]


_VERB = {"failed": "fail", "succeeded": "succeed"}
_REMEDY = {
    "failed": "Ask for the failed attempts, one for each success; from now on record every failure with its "
    "kind.",
    "succeeded": "Look for recipes that worked elsewhere, and see that the right class counts as success.",
}
