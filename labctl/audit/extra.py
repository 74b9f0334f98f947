"""Checks that need to know what labctl knows: how failures were written, and which predictions came first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.plural import counted, verb
from labctl_models.audit.finding import Finding, NotApplicableError, graded
from labctl_models.audit.prospective import COVERAGE, Watch, watch
from labctl_models.audit.selection import corrected, score_needed
from labctl_models.audit.statistics import wilson
from labctl_models.audit.table import AuditTable

Floats = NDArray[np.float64]

KNOWN_ZEROS = 0.2
RATE_UNKNOWN = 0.35
SAYS_IT_AGAIN, LABEL_AGAIN = 0.5, 0.3
MUCH = 0.5
"""Above this share of successes among everything written down, a materials table was probably selected."""
EXAMPLE_RATE = 0.05
FEWEST_SCORED = 8
# Factor by which intervals were too narrow, less one.
NARROW_MEDIUM, NARROW_HIGH = 0.25, 1.0


@dataclass(frozen=True, slots=True)
class KnownZerosCheck:
    """Are there zeros that a card already counts as failures?"""

    name: str = "labels.known_zeros"
    area: str = "labels"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One low finding that says how many, because the rule is a person's and may be wrong."""
        del seed
        if table.failed is None:
            raise NotApplicableError("nobody wrote down which rows failed")
        zeros = table.failed & (table.y == 0.0) & (table.outcome == "regression")
        count = int(zeros.sum())
        if count == 0:
            return []
        kinds = [] if table.failure_kinds is None else sorted(set(table.failure_kinds[zeros].tolist()))
        said = " or ".join(kind.replace("_", " ") for kind in kinds if kind) or "failed"
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=KNOWN_ZEROS,
                title=f"{counted(count, 'value')} {verb(count, 'is', 'are')} exactly 0 and "
                f"{verb(count, 'counts', 'count')} as {said}, not as {verb(count, 'a reading', 'readings')}",
                value=float(count),
                expected=0.0,
                meaning="The surrogate never sees these zeros. If one of them was a true reading after all, "
                "it is missing from the table.",
                remedy="Ask for the detection limit and write it into the card as the bound of these rows.",
                detail={"share": count / table.n, "values": np.sort(table.y[np.isfinite(table.y)])},
            )
        ]


@dataclass(frozen=True, slots=True)
class ComputedCheck:
    """Does a column say the outcome again?

    Attributes:
        computed: names of the columns that do, which the table under audit no longer has.
        goal: the outcome.
    """

    computed: tuple[str, ...]
    goal: str
    name: str = "labels.computed"
    area: str = "labels"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding for each such column; a label in other words is small, since people know it for one."""
        del seed
        numbers = table.outcome == "regression"
        how = (
            "goes strictly with {}, as if computed from it"
            if numbers
            else "says the same as {} in other words"
        )
        return [
            Finding(
                id=f"{self.name}:{column}",
                area=self.area,
                severity=SAYS_IT_AGAIN if numbers else LABEL_AGAIN,
                title=f"{column} {how.format(self.goal)}",
                value=1.0,
                expected=None,
                meaning=f"A model that is given {column} has been given the answer, and every score of it "
                "looks splendid.",
                remedy=f"Keep {column} out of every model. This audit has left it out.",
                detail={"rows": table.n},
            )
            for column in self.computed
        ]


@dataclass(frozen=True, slots=True)
class UnstatedRateCheck:
    """Are most rows successes, while nobody knows how often recipes succeed?"""

    name: str = "selection.rate_unknown"
    area: str = "selection"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where classes are mostly successes and neither a person nor a random arm says more."""
        del seed
        success = table.success
        known = np.isfinite(success)
        n, k = int(known.sum()), int(np.nansum(success))
        if table.outcome != "classification" or k in {0, n}:
            raise NotApplicableError("the rows are not parted into successes and others")
        if table.true_rate is not None or (table.arms is not None and np.any(table.arms == "random")):
            raise NotApplicableError("the true rate is stated, or a random arm measures it")
        share = k / n
        if share <= MUCH:
            return []
        grid = np.linspace(0.0, 1.0, 101)
        meant = float(corrected(0.9, trained_rate=share, true_rate=EXAMPLE_RATE))
        needed = score_needed(0.5, trained_rate=share, true_rate=EXAMPLE_RATE)
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=RATE_UNKNOWN,
                title=f"{share:.1%} of the rows are successes, and nobody knows how many would be by chance",
                value=share,
                expected=None,
                meaning="Successes are reported more often than they happen. If one recipe in twenty "
                f"succeeded, a model of this table that says 0.9 would mean {meant:.2g}, and only a score "
                f"of {needed:.3f} an even chance.",
                remedy="Measure the true rate with a random arm, or state it with --true-rate; ask for one "
                "failed attempt for each success.",
                detail={
                    "successes": k,
                    "rows": n,
                    "interval": wilson(k, n),
                    "score": grid,
                    "corrected": corrected(grid, trained_rate=share, true_rate=EXAMPLE_RATE),
                    "example_rate": EXAMPLE_RATE,
                },
            )
        ]


@dataclass(frozen=True, slots=True)
class CalibrationCheck:
    """Were the predictions that were written before their results as sure as they could be?

    Attributes:
        scored: result, predicted mean and standard deviation of a reading (t x 3), in the order of results.
    """

    scored: Floats
    name: str = "predictions.calibration"
    area: str = "predictions"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> Sequence[Finding]:
        """One finding where the anytime-valid alarm rang."""
        del table, seed
        seen = self.watched()
        if seen is None:
            raise NotApplicableError(
                f"{len(self.scored)} results had a prediction written before them; {FEWEST_SCORED} are needed"
            )
        if seen.alarm_at is None:
            return []
        inside = int(seen.covered.sum())
        n = len(seen.covered)
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(seen.inflation - 1.0, medium=NARROW_MEDIUM, high=NARROW_HIGH),
                title=f"{inside} of {n} results lay in their {COVERAGE:.0%} interval; "
                f"the alarm rang at result {seen.alarm_at}",
                value=seen.coverage,
                expected=COVERAGE,
                meaning="The surrogate was too sure of itself: what it called nearly certain happened less "
                "often than it said.",
                remedy=f"The controller widens its intervals by itself, by {seen.inflation:.2g} here; "
                "measure surprising recipes again and give the explore arm a share.",
                detail={"evidence": seen.evidence, "z": seen.z, "inflation": seen.inflation},
            )
        ]

    def watched(self) -> Watch | None:
        """How the predictions fared, or None where they are too few."""
        if len(self.scored) < FEWEST_SCORED:
            return None
        return watch(self.scored[:, 0], self.scored[:, 1], np.maximum(self.scored[:, 2], 1e-300))
