"""Labels: a threshold that labs set differently, and recipes whose labels contradict each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import ndtr, pdtrc

from labctl_models.audit.digits import chance_of_a_tie
from labctl_models.audit.domain import pca_map
from labctl_models.audit.finding import SIGNIFICANT, Finding, NotApplicableError, graded
from labctl_models.audit.statistics import benjamini_hochberg, nearest, two_sided, wilson
from labctl_models.audit.table import coded
from labctl_models.audit.wording import counted, verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

STEPS = 7
TOP = 10
BLOCK = 1000
SHOWN = 20
# Share of labels, or of the best ten candidates, that change with the threshold.
FLIP_MEDIUM, FLIP_HIGH = 0.1, 0.3
# Share of repeated recipes that contradict themselves; a label wrong in e of cases gives 2e(1 - e).
CONFLICT_MEDIUM, CONFLICT_HIGH = 0.1, 0.3
COPIED_MEDIUM, COPIED_HIGH = 0.2, 0.5
# Noise in standard deviations of the outcome, where no repeats that differ show it.
NOISE_UNKNOWN = 0.01
THRESHOLD_UNKNOWN = 0.3

Ranking: TypeAlias = "Callable[[Array, Array, Array], Array]"
"""(X n x d, labels n, candidates q x d) -> scores (q,), larger is better."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """What a threshold between `low` and `high` decides about n labels.

    Attributes:
        thresholds: (t,) thresholds from low to high.
        positive: (t,) share of values below each threshold.
        flipped: Share of values between low and high: their labels depend on who set the threshold.
        probability: (n,) that the label differs, given the values' standard deviation.
        top_lost: Share of the ten best candidates that change from low to high; None without candidates.
    """

    thresholds: Array
    positive: Array
    flipped: float
    probability: Array
    top_lost: float | None


def threshold_sweep(
    values: Array, low: float, high: float, *, sd: float = 0.0, X: Array | None = None,
    candidates: Array | None = None, rank: Ranking | None = None,
) -> Sweep:  # fmt: skip
    """Labels "value below threshold" of values (n,) for thresholds from low to high, and what they lead to.

    P(labels differ) = Φ((high - w)/sd) - Φ((low - w)/sd), the smoothed form of low <= w < high.
    """
    thresholds = np.linspace(low, high, STEPS)
    positive = np.array([np.mean(values < t) for t in thresholds])
    if sd > 0.0:
        probability = ndtr((high - values) / sd) - ndtr((low - values) / sd)
    else:
        probability = ((values >= low) & (values < high)).astype(np.float64)
    lost = None
    if X is not None and candidates is not None and len(candidates) > TOP:
        rank = rank or local_share
        best = [
            set(
                np.argsort(-rank(X, (values < t).astype(np.float64), candidates), kind="stable")[
                    :TOP
                ].tolist()
            )
            for t in (low, high)
        ]
        lost = 1.0 - len(best[0] & best[1]) / TOP
    return Sweep(thresholds, positive, float(positive[-1] - positive[0]), np.asarray(probability), lost)


def local_share(X: Array, labels: Array, candidates: Array) -> Array:
    """Share of positive labels (n,) about each candidate (q,), weighted by nearness in X (n x d).

    Nadaraya and Watson's estimate with a Gaussian as wide as the median distance to the fifth neighbour:
    no chance in it, so that rankings differ only where labels do.
    """
    width = max(float(np.median(nearest(X, None, 5)[0][:, -1])), 1e-12)
    found = np.empty(len(candidates))
    for begin in range(0, len(candidates), BLOCK):
        exponents = -0.5 * (cdist(candidates[begin : begin + BLOCK], X) / width) ** 2
        weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))
        found[begin : begin + BLOCK] = weights @ labels / weights.sum(axis=1)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Conflicts:
    """Recipes measured more than once.

    Attributes:
        repeated: Number of them.
        conflicting: Codes of those that contradict themselves.
        noise_sd: Standard deviation of one measurement, from repeats; NaN for classes.
    """

    repeated: int
    conflicting: NDArray[np.intp]
    noise_sd: float


def class_conflicts(codes: NDArray[np.intp], labels: Array) -> Conflicts:
    """Recipes (codes n) with both labels 0 and 1 (labels n); rows with NaN or code -1 say nothing."""
    codes, labels = _known(codes, labels)
    counts = np.bincount(codes)
    ones = np.bincount(codes, weights=labels)
    both = np.flatnonzero((ones > 0) & (ones < counts))
    return Conflicts(int(np.count_nonzero(counts > 1)), both, float("nan"))


def value_conflicts(codes: NDArray[np.intp], y: Array, *, rate: float = 0.05) -> Conflicts:
    """Recipes (codes n) whose values (n,) differ far more than those of other repeated recipes do.

    The noise is the median spread of the repeats, so that a few contradictions do not hide themselves; a
    recipe conflicts where its range stands out at the false discovery rate `rate`.
    """
    codes, y = _known(codes, y)
    counts = np.bincount(codes)
    low, high = np.full(len(counts), np.inf), np.full(len(counts), -np.inf)
    np.minimum.at(low, codes, y)
    np.maximum.at(high, codes, y)
    several = np.flatnonzero(counts > 1)
    ranges = high[several] - low[several]
    varying = ranges > 0.0
    if np.count_nonzero(varying) < 5:  # noqa: PLR2004  a median of fewer is no noise level
        return Conflicts(len(several), several[:0], float("nan"))
    # |a - b| of two normal readings has the median 0.954 sd; larger groups are wider, which only errs high.
    noise = float(np.median(ranges[varying])) / 0.9538725524
    pairs = counts[several] * (counts[several] - 1) / 2
    p = np.minimum(two_sided(ranges / (noise * np.sqrt(2.0))) * pairs, 1.0)
    return Conflicts(len(several), several[benjamini_hochberg(p) <= rate], noise)


def copied_rows(codes: NDArray[np.intp], y: Array) -> NDArray[np.intp]:
    """Rows (c,) that repeat an earlier row in recipe (codes n) and outcome (n,) to the last digit."""
    known = np.flatnonzero((codes >= 0) & np.isfinite(y))
    _, first = np.unique(np.column_stack([codes[known], y[known]]), axis=0, return_index=True)
    return np.setdiff1d(known, known[first])


def _known(codes: NDArray[np.intp], y: Array) -> tuple[NDArray[np.intp], Array]:
    known = (codes >= 0) & np.isfinite(y)
    return codes[known], y[known]


@dataclass(frozen=True, slots=True)
class ThresholdCheck:
    """How many labels hang on where a lab drew its line?"""

    name: str = "labels.threshold"
    area: str = "labels"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where labels flip within the range, or where classes come without their threshold."""
        del seed
        if table.label_values is None or table.label_range is None:
            if table.outcome == "regression":
                raise NotApplicableError("the outcome is a quantity, so no threshold made labels of it")
            return [self._unknown()]
        known = np.isfinite(table.label_values)
        if not known.any():
            return [self._unknown()]
        chart = pca_map(table.X)
        found = threshold_sweep(
            table.label_values[known],
            *table.label_range,
            sd=table.label_sd or 0.0,
            X=chart.scores[known],
            candidates=None if table.pool is None else chart.place(table.pool),
        )
        worst = max(found.flipped, found.top_lost or 0.0)
        if worst == 0.0:
            return []
        low, high = table.label_range
        top = "" if found.top_lost is None else f" and {found.top_lost:.0%} of the ten best candidates"
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(worst, medium=FLIP_MEDIUM, high=FLIP_HIGH),
                title=f"{found.flipped:.0%} of the labels{top} flip between thresholds {low:g} and {high:g}",
                value=found.flipped,
                expected=0.0,
                meaning="Rows from labs with different thresholds disagree on the same material; the model "
                "learns who measured.",
                remedy="Keep the measured quantity and its uncertainty, model it, and apply one threshold "
                "at the end.",
                detail={
                    "thresholds": found.thresholds,
                    "positive": found.positive,
                    "probability": found.probability,
                    "top_lost": found.top_lost,
                    "rows": np.flatnonzero(known),
                },
            )
        ]

    def _unknown(self) -> Finding:
        return Finding(
            id=f"{self.name}_unknown",
            area=self.area,
            severity=THRESHOLD_UNKNOWN,
            title="The threshold that made the labels, and the quantity behind them, are not in the table",
            value=0.0,
            expected=1.0,
            meaning="Nobody can say how many labels another lab would have set differently.",
            remedy="Add columns for the measured quantity, its uncertainty and the threshold, even if they "
            "stay empty for old rows.",
        )


@dataclass(frozen=True, slots=True)
class ConflictCheck:
    """Do rows of the same recipe contradict each other?"""

    name: str = "labels.conflicts"
    area: str = "labels"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where repeated recipes have several labels, or values that noise does not explain."""
        del seed
        codes, names = table.recipe_codes()
        classes = table.outcome == "classification"
        y = table.success if classes else np.where(table.measured, table.y, np.nan)
        found = class_conflicts(codes, y) if classes else value_conflicts(codes, y)
        if found.repeated == 0:
            raise NotApplicableError("no recipe was measured twice, so none can contradict itself")
        k = len(found.conflicting)
        if k == 0:
            return []
        share = k / found.repeated
        lowest = wilson(k, found.repeated, confidence=1 - SIGNIFICANT)[0]
        detail: dict[str, object] = {
            "repeated": found.repeated,
            "interval": wilson(k, found.repeated),
            "recipes": [names[c] for c in found.conflicting[:SHOWN]],
            "rows": np.flatnonzero(np.isin(codes, found.conflicting)),
            "noise_sd": found.noise_sd,
        }
        spelled = ""
        if classes and table.recipes is None and table.formulas is not None:
            by_text = class_conflicts(coded(table.formulas)[0], y)
            detail |= {"repeated_as_spelled": by_text.repeated, "as_spelled": len(by_text.conflicting)}
            if len(by_text.conflicting) != k:
                spelled = f" (as spelled, {len(by_text.conflicting)} of {by_text.repeated})"
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(lowest, medium=CONFLICT_MEDIUM, high=CONFLICT_HIGH),
                title=f"{k:,} of {counted(found.repeated, 'repeated recipe')} "
                f"{verb(k, 'contradicts itself', 'contradict themselves')}{spelled}",
                value=float(k),
                expected=0.0,
                meaning=f"The same recipe gave different answers in {share:.1%} of repeats: an unrecorded "
                "setting, another definition of success, or a wrong entry.",
                remedy="Read the sources of these rows, then replicate the recipes; keep both outcomes "
                "instead of choosing one.",
                detail=detail,
            )
        ]


@dataclass(frozen=True, slots=True)
class CopiedRowsCheck:
    """Are measurements in the table twice?"""

    name: str = "labels.copied_rows"
    area: str = "labels"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where more readings repeat another of the same recipe than rounding explains.

        Two honest readings agree to the last digit now and then: with a probability of about one unit of
        that digit over 3.5 times the noise, which the other repeats show.
        """
        del seed
        if table.outcome == "classification":
            raise NotApplicableError("two honest readings of a class often agree, so copies cannot be told")
        codes, _ = table.recipe_codes()
        # Zeros are told elsewhere: most of them are no readings at all.
        y = np.where(table.measured & (table.y != 0.0), table.y, np.nan)
        rows = copied_rows(codes, y)
        if len(rows) == 0:
            return []
        kept = y[np.isfinite(y)]
        noise = value_conflicts(codes, y).noise_sd
        tie = chance_of_a_tie(kept, noise if np.isfinite(noise) else NOISE_UNKNOWN * float(kept.std()))
        sizes = np.bincount(codes[np.isfinite(y)])
        expected = tie * float((sizes * (sizes - 1) / 2).sum())
        if pdtrc(len(rows) - 1, expected) > SIGNIFICANT:
            return []
        share = len(rows) / int(np.isfinite(y).sum())
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(share, medium=COPIED_MEDIUM, high=COPIED_HIGH),
                title=f"{counted(len(rows), 'row')} {verb(len(rows), 'repeats', 'repeat')} another row of "
                "the same recipe to the last digit",
                value=float(len(rows)),
                expected=expected,
                meaning="A copy is no second measurement: it makes noise look small and a random split leak.",
                remedy="Find out whether they were measured again; if not, keep one of each.",
                detail={"rows": rows, "share": share},
            )
        ]
