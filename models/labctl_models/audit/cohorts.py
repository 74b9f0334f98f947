"""Cohorts: rows that share a lab, batch, operator, publication or year, and more than that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.audit.finding import SIGNIFICANT, Finding, NotApplicableError, graded
from labctl_models.audit.statistics import holm, permutations, upper_tail
from labctl_models.audit.table import coded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

PERMUTATIONS = 999
FEWEST_ROWS = 20
COHORT_ROWS = 10
MOST_COHORTS = 20
MOST_ROWS = 2000
TREES = 50
FOLDS = 5
# Share of the residual variance that lies between cohorts.
ICC_MEDIUM, ICC_HIGH = 0.1, 0.4
# Balanced accuracy above chance, 1 where every row's cohort can be told.
TOLD_MEDIUM, TOLD_HIGH = 0.3, 0.7


def cohort_effect(
    residuals: Array, codes: NDArray[np.intp], *, seed: int, count: int = PERMUTATIONS
) -> tuple[float, float]:
    """Share of the variance of residuals (n,) between cohorts (codes n), and its permutation p.

    The intraclass correlation s_b² / (s_b² + s_w²), with the estimates of one-way analysis of variance for
    groups of unequal size; s_b² = (MS_b - MS_w) / n_0, at least 0.
    """
    sizes = np.bincount(codes).astype(np.float64)
    n, k = len(codes), len(sizes)
    centred = residuals - residuals.mean()
    total = float(centred @ centred)
    if k < 2 or n <= k or total == 0.0:  # noqa: PLR2004  a difference needs two cohorts
        return 0.0, 1.0
    between = float((np.bincount(codes, weights=centred) ** 2 / sizes).sum())
    usual = (n - float((sizes**2).sum()) / n) / (k - 1)
    within = (total - between) / (n - k)
    variance = max(0.0, (between / (k - 1) - within) / usual)
    null = []
    for order in permutations(n, count, seed):
        places = codes + k * np.arange(len(order))[:, None]
        sums = np.bincount(places.ravel(), weights=centred[order].ravel(), minlength=k * len(order))
        null.append((sums.reshape(-1, k) ** 2 / sizes).sum(axis=1))
    icc = variance / (variance + within) if variance + within > 0.0 else 0.0
    return icc, upper_tail(between, np.concatenate(null))


def cohort_predictability(
    X: Array, codes: NDArray[np.intp], recipes: NDArray[np.intp], *, seed: int
) -> tuple[float, float, float]:
    """Balanced accuracy of telling the cohort (codes n) from the recipe X (n x d), that of chance, and a p.

    Extra trees in folds that keep rows of one recipe together; chance is one over the number of cohorts, and
    p is from shuffling the cohorts against the predictions, which were made without them.
    """
    from sklearn.ensemble import ExtraTreesClassifier  # noqa: PLC0415  takes a second to load
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415

    k = int(codes.max()) + 1
    if len(np.unique(recipes)) < FOLDS:
        raise NotApplicableError(f"fewer than {FOLDS} recipes, so cohorts cannot be told from them")
    told = np.empty(len(codes), dtype=np.intp)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for fold, (train, test) in enumerate(folds.split(X, codes, recipes)):
        forest = ExtraTreesClassifier(
            TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed + fold
        )
        told[test] = forest.fit(X[train], codes[train]).predict(X[test])
    sizes = np.bincount(codes).astype(np.float64)

    def balanced(labels: NDArray[np.intp]) -> Array:
        right = np.where(labels == told, 1.0 / (k * sizes[labels]), 0.0)
        return np.asarray(right.sum(axis=-1), dtype=np.float64)

    null = np.concatenate([balanced(codes[order]) for order in permutations(len(codes), PERMUTATIONS, seed)])
    found = float(balanced(codes))
    return found, 1.0 / k, upper_tail(found, null)


@dataclass(frozen=True, slots=True)
class CohortEffectCheck:
    """Do cohorts differ in what the model cannot explain?"""

    name: str = "metadata.cohort_effect"
    area: str = "metadata"
    needs: tuple[str, ...] = ("residuals",)

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding for each cohort column with an effect, p adjusted after Holm over the columns."""
        residuals = table.residuals if table.residuals is not None else np.full(table.n, np.nan)
        measured = []
        for name in table.cohorts:
            codes, labels = coded(table.columns[name])
            known = (codes >= 0) & np.isfinite(residuals)
            _, inside = np.unique(codes[known], return_inverse=True)
            if known.sum() >= FEWEST_ROWS and 1 < inside.max(initial=0) + 1 < known.sum():
                icc, p = cohort_effect(residuals[known], inside, seed=seed)
                measured.append((name, labels, codes, known, icc, p))
        if not measured:
            raise NotApplicableError("no cohort column parts at least 20 residuals into groups")
        adjusted = holm(np.array([entry[-1] for entry in measured]))
        found = []
        for (name, labels, codes, known, icc, _), p in zip(measured, adjusted, strict=True):
            if p > SIGNIFICANT:
                continue
            order = [c for c in range(len(labels)) if np.any(known & (codes == c))]
            found.append(
                Finding(
                    id=f"{self.name}:{name}",
                    area=self.area,
                    severity=graded(icc, medium=ICC_MEDIUM, high=ICC_HIGH),
                    title=f"{icc:.0%} of what the model leaves unexplained goes with {name}",
                    value=icc,
                    expected=0.0,
                    meaning=f"Rows of one {name} share an error, so they are fewer independent measurements "
                    "than they seem and random splits flatter the model.",
                    remedy=f"Hold out whole groups of {name} when judging a model; run the same recipes in "
                    "several of them.",
                    detail={
                        "p": float(p),
                        "cohorts": [labels[c] for c in order],
                        "mean_residual": [float(residuals[known & (codes == c)].mean()) for c in order],
                        "rows": [int(np.count_nonzero(known & (codes == c))) for c in order],
                    },
                )
            )
        return found


@dataclass(frozen=True, slots=True)
class CohortPredictableCheck:
    """Can the cohort be told from the recipe?"""

    name: str = "metadata.cohort_from_recipe"
    area: str = "metadata"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding for each cohort column that the recipe gives away."""
        recipes, _ = table.recipe_codes()
        rng = np.random.default_rng(seed)
        told = []
        for name in table.cohorts:
            codes, labels = coded(table.columns[name])
            sizes = np.bincount(codes[codes >= 0])
            large = np.argsort(-sizes, kind="stable")[:MOST_COHORTS]
            rows = np.flatnonzero(np.isin(codes, large[sizes[large] >= COHORT_ROWS]))
            kept, inside = np.unique(codes[rows], return_inverse=True)
            if len(kept) < 2 or len(rows) < FEWEST_ROWS:  # noqa: PLR2004  two cohorts to tell apart
                continue
            if len(rows) > MOST_ROWS:
                some = np.sort(rng.choice(len(rows), MOST_ROWS, replace=False))
                rows, inside = rows[some], inside[some]
                kept, inside = np.unique(inside, return_inverse=True)
            told.append(
                (
                    name,
                    len(kept),
                    len(labels),
                    *cohort_predictability(table.X[rows], inside, recipes[rows], seed=seed),
                )
            )
        if not told:
            raise NotApplicableError(f"no cohort column has two groups of {COHORT_ROWS} rows")
        adjusted = holm(np.array([entry[-1] for entry in told]))
        return [
            Finding(
                id=f"{self.name}:{name}",
                area=self.area,
                severity=graded((found - chance) / (1.0 - chance), medium=TOLD_MEDIUM, high=TOLD_HIGH),
                title=f"The recipe alone tells {name} in {found:.0%} of cases, where guessing would in "
                f"{chance:.0%}, among {_groups(k, every)}",
                value=found,
                expected=chance,
                meaning=f"Every {name} tried its own recipes, so an effect of {name} and an effect of the "
                "recipe cannot be told apart.",
                remedy=f"Repeat some recipes across groups of {name}; add it to the model only together "
                "with such a bridge.",
                detail={"p": float(p), "groups": k, "groups_in_all": every},
            )
            for (name, k, every, found, chance, _), p in zip(told, adjusted, strict=True)
            if p <= SIGNIFICANT
        ]


def _groups(k: int, every: int) -> str:
    return f"all {k} groups" if k == every else f"the {k} of {every} groups with {COHORT_ROWS} rows or more"
