"""Is the table like the pool, and how many different recipes is it worth?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from labctl_models.audit.domain import FEWEST_ROWS, pca_map
from labctl_models.audit.finding import SIGNIFICANT, Finding, NotApplicableError, graded
from labctl_models.audit.statistics import auc, holm, nearest
from labctl_models.audit.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

MOST_ROWS = 1000
TREES = 50
FOLDS = 5
MOST_LEVELS, LEVEL_ROWS = 20, 5
# AUC above one half: medium where two of three pairs are told apart, high where four of five are.
APART_MEDIUM, APART_HIGH = 0.17, 0.3
# Diversity lost against as many rows spread over the same ranges.
LOST_MEDIUM, LOST_HIGH = 0.5, 0.8
WORTH_SAYING = 0.3


@dataclass(frozen=True, slots=True)
class TwoSample:
    """A classifier's attempt to tell table from pool: AUC in cross-validation and its one-sided p.

    `sd` is the standard deviation of the AUC where both are alike.
    """

    auc: float
    sd: float
    p: float


def two_sample(table: Array, pool: Array, *, seed: int) -> TwoSample:
    """Classifier two-sample test of n and m distinct recipes (Lopez-Paz and Oquab, ICLR 2017), with AUC.

    Extra trees in 5 folds; the AUC is taken within each fold, because scores of different forests do not
    compare. Without difference a fold's AUC is that of Mann and Whitney, with variance
    (n + m + 1) / (12 n m).
    """
    from sklearn.ensemble import ExtraTreesClassifier  # noqa: PLC0415  takes a second to load
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415

    X = np.vstack([table, pool])
    label = np.repeat([1, 0], [len(table), len(pool)])
    found, variances = [], []
    for fold, (train, test) in enumerate(
        StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(X, label)
    ):
        forest = ExtraTreesClassifier(
            TREES, min_samples_leaf=5, class_weight="balanced", random_state=seed + fold
        )
        scores = forest.fit(X[train], label[train]).predict_proba(X[test])[:, 1]
        found.append(auc(scores, label[test] == 1))
        n, m = int(label[test].sum()), int((1 - label[test]).sum())
        variances.append((n + m + 1) / (12 * n * m))
    mean, sd = float(np.mean(found)), math.sqrt(sum(variances)) / FOLDS
    return TwoSample(mean, sd, float(ndtr((0.5 - mean) / sd)))


def vendi(X: Array, width: float) -> float:
    """Effective number of different rows of X (n x d): exp of the entropy of the eigenvalues of K/n.

    Friedman and Dieng, Trans. Mach. Learn. Res. (2023), with a Gaussian similarity of the given width:
    1 where all rows are equal, n where none is similar to another.
    """
    squares = np.einsum("ij,ij->i", X, X)
    K = np.exp(-np.maximum(squares[:, None] + squares - 2.0 * X @ X.T, 0.0) / (2.0 * width**2))
    values = np.linalg.eigvalsh(K / len(X))
    values = values[values > np.finfo(np.float64).eps]
    return math.exp(-float(values @ np.log(values)))


def diversity(X: Array, *, seed: int) -> tuple[float, float]:
    """Effective number of different rows of X (n x a, on a map), and that of rows with the same ranges.

    The comparison shuffles each axis on its own: the same values on every axis, without clusters or
    repetition. The similarity is as wide as the median distance between neighbours there.
    """
    rng = np.random.default_rng(seed)
    free = np.column_stack([rng.permutation(column) for column in X.T])
    width = float(np.median(nearest(free)[0][:, 0]))
    if width <= 0.0:
        raise NotApplicableError("the settings take so few values that any design repeats its recipes")
    return vendi(X, width), vendi(free, width)


def shifted_columns(table: Array, pool: Array, names: Sequence[str]) -> list[tuple[str, float, float]]:
    """Columns of table (n x d) and pool (m x d) that differ: name, Kolmogorov-Smirnov distance, Holm's p.

    The most different first; those above the level are left out.
    """
    from scipy.stats import ks_2samp  # noqa: PLC0415  used by this check alone

    tests = [ks_2samp(a, b, method="asymp") for a, b in zip(table.T, pool.T, strict=True)]
    adjusted = holm(np.array([float(test.pvalue) for test in tests]))
    found = [
        (name, float(test.statistic), float(p))
        for name, test, p in zip(names, tests, adjusted, strict=True)
        if p <= SIGNIFICANT
    ]
    return sorted(found, key=lambda column: -column[1])


def snapped(pool: Array, table: Array) -> Array:
    """The pool (m x d) with every column that has few levels in the table (n x d) moved to its nearest level.

    Otherwise a table measured on a grid is told from a continuous pool by its digits, which says nothing
    about where it lies.
    """
    moved = pool.copy()
    for j, column in enumerate(table.T):
        levels = np.unique(column)
        if 1 < len(levels) <= MOST_LEVELS and LEVEL_ROWS * len(levels) <= len(column):
            moved[:, j] = levels[np.abs(pool[:, j, None] - levels).argmin(axis=1)]
    return moved


@dataclass(frozen=True, slots=True)
class LikenessCheck:
    """Can a classifier tell the table's recipes from the pool's?"""

    name: str = "domain.likeness"
    area: str = "domain"
    needs: tuple[str, ...] = ("pool",)

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where it can."""
        rng = np.random.default_rng(seed)
        known = np.unique(table.X, axis=0)
        other = np.unique(table.pool if table.pool is not None else known[:0], axis=0)
        # A pool that holds the tried recipes would give a classifier the same row on both sides.
        tried = {row.tobytes() for row in known}
        other = other[[row.tobytes() not in tried for row in other]]
        if min(len(known), len(other)) < FEWEST_ROWS:
            raise NotApplicableError(f"it needs {FEWEST_ROWS} distinct recipes in the table and beyond it")
        known, other = _some(known, rng), snapped(_some(other, rng), table.X)
        test = two_sample(known, other, seed=int(rng.integers(2**31)))
        if test.p > SIGNIFICANT:
            return []
        names = table.feature_names or tuple(f"x{j + 1}" for j in range(table.X.shape[1]))
        shifted = shifted_columns(known, other, names)
        most = ", ".join(name for name, _, _ in shifted[:3])
        where = f" They differ most in {most}." if most else " They differ in how settings go together."
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(test.auc - 0.5, medium=APART_MEDIUM, high=APART_HIGH),
                title=f"A classifier tells tried recipes from candidates in {test.auc:.0%} of pairs",
                value=test.auc,
                expected=0.5,
                meaning="The table is no fair sample of what may be proposed, so errors measured on the "
                f"table are too small for the candidates.{where}",
                remedy="Reserve a random arm: its recipes are the only fair sample. Judge models on "
                "held-out clusters meanwhile.",
                detail={
                    "p": test.p,
                    "null_sd": test.sd,
                    "rows": len(known),
                    "candidates": len(other),
                    "columns": shifted,
                },
            )
        ]


@dataclass(frozen=True, slots=True)
class DiversityCheck:
    """How many different recipes is the table worth?"""

    name: str = "domain.diversity"
    area: str = "domain"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where the rows huddle together far more than their ranges require."""
        if table.n < FEWEST_ROWS:
            raise NotApplicableError(f"{table.n} rows are too few; {FEWEST_ROWS} are needed")
        rows = _some(pca_map(table.X).scores, np.random.default_rng(seed))
        own, free = diversity(rows, seed=seed)
        lost = 1.0 - own / free
        if lost < WORTH_SAYING:
            return []
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(lost, medium=LOST_MEDIUM, high=LOST_HIGH),
                title=f"{_how_many(len(rows), table.n)} are worth {counted(round(own), 'different recipe')}; "
                f"spread over their ranges they would be worth {free:,.0f}",
                value=own / free,
                expected=1.0,
                meaning="Most rows repeat what their neighbours say; the table is smaller than it looks and "
                "random splits of it test memory.",
                remedy="Count clusters instead of rows when judging a model, and spend experiments on what "
                "is not there yet.",
                detail={"effective": own, "effective_if_spread": free, "rows": len(rows)},
            )
        ]


def _how_many(looked_at: int, n: int) -> str:
    return counted(n, "row") if looked_at == n else f"{looked_at:,} of the {n:,} rows, drawn at random,"


def _some(rows: Array, rng: np.random.Generator) -> Array:
    """At most 1,000 rows, drawn without replacement: more do not change the answer, only the time."""
    return rows if len(rows) <= MOST_ROWS else rows[rng.choice(len(rows), MOST_ROWS, replace=False)]
