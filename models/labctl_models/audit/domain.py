"""The domain of a table: how much of what may be proposed lies near what was tried, and where it does not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labctl_models.audit.finding import SIGNIFICANT, Finding, NotApplicableError, graded
from labctl_models.audit.statistics import nearest, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

VARIANCE_KEPT = 0.95
NEAR_SHARE = 0.95
GAPS = 20
RIDGE = 1e-3
FEWEST_ROWS = 20
# Medium once a fifth of the candidates is beyond the table, high once half of them are.
BEYOND_MEDIUM, BEYOND_HIGH = 0.2, 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Principal axes of a table, on standardised columns.

    Attributes:
        scores: (n x m) the rows on the m axes that hold 95 % of the variance.
        axes: (d x m) columns to axes; 0 for a column that does not vary.
        centre: (d,) mean of each column.
        scale: (d,) standard deviation of each column, 1 where it does not vary.
        explained: (m,) share of the variance on each axis.
    """

    scores: Array
    axes: Array
    centre: Array
    scale: Array
    explained: Array

    def place(self, X: Array) -> Array:
        """Rows of X (q x d) on the axes (q x m)."""
        return np.asarray((X - self.centre) / self.scale @ self.axes, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """How much of a pool of m candidates lies near n tried recipes.

    Attributes:
        share: Share of candidates within `radius` of a tried recipe.
        radius: 95 % of the tried recipes have another within this distance.
        distance: (m,) from each candidate to the nearest tried recipe, on the map.
        log_density: (m,) logarithm of the density of tried recipes at each candidate, up to a constant.
        gaps: Rows of the pool, at most 20: each the farthest from everything tried and from earlier gaps.
    """

    share: float
    radius: float
    distance: Array
    log_density: Array
    gaps: NDArray[np.intp]


def pca_map(X: Array) -> Map:
    """Principal axes of X (n x d) that hold 95 % of the variance of its standardised columns."""
    centre, scale = X.mean(axis=0), X.std(axis=0)
    # A constant column leaves rounding errors, which standardisation would blow up to a feature.
    varies = scale > 1e-12 * np.maximum(1.0, np.abs(centre))
    scale = np.where(varies, scale, 1.0)
    Z = np.where(varies, (X - centre) / scale, 0.0)
    # Eigenvectors of d x d, or of n x n where rows are fewer, are quicker than singular vectors of n x d.
    if len(Z) >= Z.shape[1]:
        values, vectors = np.linalg.eigh(Z.T @ Z)
    else:
        values, left = np.linalg.eigh(Z @ Z.T)
        vectors = Z.T @ left / np.sqrt(np.maximum(values, np.finfo(np.float64).tiny))
    values = np.maximum(values[::-1], 0.0)
    total = float(values.sum())
    kept = 1 if total == 0.0 else int(np.searchsorted(np.cumsum(values) / total, VARIANCE_KEPT) + 1)
    axes = np.where(varies[:, None], vectors[:, ::-1][:, :kept], 0.0)
    return Map(Z @ axes, axes, centre, scale, values[:kept] / max(total, np.finfo(np.float64).tiny))


def coverage(tried: Array, pool: Array, *, gaps: int = GAPS) -> Coverage:
    """Coverage of the pool (m x a) by tried recipes (n x a), both on a map; replicates count once.

    The density is that of k nearest neighbours, log p = -a log d_k, with k = max(5, √n).
    """
    known = np.unique(tried, axis=0)
    if len(known) < 2:  # noqa: PLR2004  distances between recipes need two
        raise NotApplicableError("all rows are one recipe, so there is no distance to compare with")
    own = np.sort(nearest(known)[0][:, 0])
    # The conformal rank: a further recipe from where these are from lies within with at least that chance.
    radius = float(own[min(len(own), math.ceil(NEAR_SHARE * (len(own) + 1))) - 1])
    k = max(5, math.isqrt(len(known)))
    distances, _ = nearest(pool, known, k)
    density = -pool.shape[1] * np.log(np.maximum(distances[:, -1], np.finfo(np.float64).tiny))
    distance = distances[:, 0]
    share = float(np.mean(distance <= radius))
    return Coverage(share, radius, distance, density, _farthest_points(pool, distance, radius, gaps))


def _farthest_points(pool: Array, distance: Array, radius: float, count: int) -> NDArray[np.intp]:
    left = distance.copy()
    chosen: list[int] = []
    while len(chosen) < min(count, len(pool)):
        row = int(np.argmax(left))
        if left[row] <= radius:
            break
        chosen.append(row)
        np.minimum(left, np.linalg.norm(pool - pool[row], axis=1), out=left)
    return np.array(chosen, dtype=np.intp)


def leverage(X: Array, at: Array) -> tuple[Array, float]:
    """Leverage (q,) of the rows of `at` (q x d) for a linear model of X (n x d), and Williams' warning 3p/n.

    h = x'(X'X + λI)⁻¹x on standardised columns with an intercept; λ = n/1000 keeps it finite for columns that
    repeat each other, and p is then the effective number of parameters, the sum of the leverages of X.
    """
    n = len(X)
    centre, scale = X.mean(axis=0), X.std(axis=0)
    varies = scale > 1e-12 * np.maximum(1.0, np.abs(centre))
    scale = np.where(varies, scale, 1.0)
    A, B = (np.where(varies, (matrix - centre) / scale, 0.0) for matrix in (X, at))
    inverse = np.linalg.inv(A.T @ A + RIDGE * n * np.eye(A.shape[1]))
    own = 1.0 / n + np.einsum("ij,jk,ik->i", A, inverse, A, optimize=True)
    found = 1.0 / n + np.einsum("ij,jk,ik->i", B, inverse, B, optimize=True)
    return np.asarray(found, dtype=np.float64), 3.0 * float(own.sum()) / n


@dataclass(frozen=True, slots=True)
class CoverageCheck:
    """Is the candidate pool near what was tried? Where is it not?"""

    name: str = "domain.coverage"
    area: str = "domain"
    needs: tuple[str, ...] = ("pool",)

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where clearly fewer than 95 % of the candidates lie near the table."""
        del seed
        pool = _enough(table)
        chart = pca_map(table.X)
        placed = chart.place(pool)
        found = coverage(chart.scores, placed)
        covered, m = int(np.count_nonzero(found.distance <= found.radius)), len(pool)
        # The radius itself is an estimate from n rows, hence both shares are uncertain.
        error = math.sqrt(NEAR_SHARE * (1 - NEAR_SHARE) * (1 / m + 1 / table.n))
        if found.share >= NEAR_SHARE - 3.0 * error:
            return []
        low, high = wilson(covered, m)
        title = f"{1 - found.share:.0%} of the candidates lie farther from the table than its own rows do"
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(NEAR_SHARE - found.share, medium=BEYOND_MEDIUM, high=BEYOND_HIGH),
                title=title,
                value=found.share,
                expected=NEAR_SHARE,
                meaning="A model of this table has to guess there; its scores in cross-validation do not say "
                "how wrong that guess is.",
                remedy="Run the recipes listed as gaps, the farthest first, and give the explore and random "
                "arms a share of the budget.",
                detail={
                    "interval": (low, high),
                    "radius": found.radius,
                    "gaps": found.gaps,
                    "gap_distance": found.distance[found.gaps],
                    "distance": found.distance,
                    "log_density": found.log_density,
                    "map_table": chart.scores[:, :2],
                    "map_pool": placed[:, :2],
                    "axes": len(chart.explained),
                    "explained": chart.explained,
                },
            )
        ]


@dataclass(frozen=True, slots=True)
class LeverageCheck:
    """How many candidates lie outside Williams' domain of applicability of a linear model?"""

    name: str = "domain.leverage"
    area: str = "domain"
    needs: tuple[str, ...] = ("pool",)

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where more candidates than rows of the table exceed the warning leverage."""
        del seed
        pool = _enough(table)
        own, warning = leverage(table.X, table.X)
        found, _ = leverage(table.X, pool)
        beyond, m = int(np.count_nonzero(found > warning)), len(pool)
        share, usual = beyond / m, float(np.mean(own > warning))
        if wilson(beyond, m, confidence=1 - SIGNIFICANT)[0] <= max(usual, 1 - NEAR_SHARE):
            return []
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(share - usual, medium=BEYOND_MEDIUM, high=BEYOND_HIGH),
                title=f"{share:.0%} of the candidates combine settings as hardly any row does, against "
                f"{usual:.0%} of the rows themselves",
                value=share,
                expected=usual,
                meaning="For these candidates even a straight-line model extrapolates: their leverage is "
                f"above the warning value {warning:.2g}, three times that of a usual row.",
                remedy="Vary those settings in the next experiments before trusting a prediction there.",
                detail={"leverage": found, "leverage_table": own, "warning": warning},
            )
        ]


def _enough(table: AuditTable) -> Array:
    if table.pool is None or len(table.pool) == 0:
        raise NotApplicableError("there is no pool of candidates to compare the table with")
    if table.n < FEWEST_ROWS:
        raise NotApplicableError(f"{table.n} rows are too few; {FEWEST_ROWS} are needed to speak of a domain")
    return table.pool
