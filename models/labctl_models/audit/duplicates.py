"""Duplicates: recipes that are there more than once, and what that does to a random split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from scipy.special import gammaln

from labctl_models.audit.finding import Finding, NotApplicableError, graded
from labctl_models.audit.statistics import CHUNK_ENTRIES
from labctl_models.audit.wording import counted, verb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labctl_models.audit.table import AuditTable
    from labctl_models.surrogates.protocol import Array

NEAR = 1e-3
TRAINING = 0.8
SHOWN = 20
FEWEST_TWINS = 3
# Share of the rows of a random test part that the model has seen already.
TWINS_MEDIUM, TWINS_HIGH = 0.1, 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Twins:
    """Rows that have others of the same recipe, or nearly so.

    Attributes:
        exact: (n,) other rows of exactly the same recipe.
        near: (n,) other rows of the same recipe or within eps in every column; at least `exact`.
        groups: (n,) number of the group of rows linked by such steps.
        leak: Expected share of test rows with a twin in training, in a random 80/20 split.
    """

    exact: NDArray[np.intp]
    near: NDArray[np.intp]
    groups: NDArray[np.intp]
    leak: float

    @property
    def redundant(self) -> float:
        """Share of the rows that could go if each group kept one."""
        return 1.0 - (int(self.groups.max()) + 1) / len(self.groups)


def twins(X: Array, recipes: NDArray[np.intp], *, eps: float = NEAR) -> Twins:
    """Exact and near duplicates among rows of X (n x d) with recipe codes (n,).

    Rows without any difference in X are twins for a model even if their keys differ.
    """
    _, rows = np.unique(X, axis=0, return_inverse=True)
    _, first, kind, sizes = np.unique(
        np.column_stack([rows.reshape(-1), recipes]),
        axis=0, return_index=True, return_inverse=True, return_counts=True,
    )  # fmt: skip
    kind = kind.reshape(-1)
    # From here on one row for each distinct pair of features and key, however often it was measured.
    key = recipes[first]
    a, b = _near_pairs(X[first], eps)
    other = key[a] != key[b]
    near = np.bincount(key, weights=sizes)[key] - 1.0
    near += np.bincount(a[other], weights=sizes[b[other]], minlength=len(first))
    near += np.bincount(b[other], weights=sizes[a[other]], minlength=len(first))
    linked = _chain(key)
    graph = coo_matrix(
        (np.ones(len(a) + len(linked[0])), (np.r_[a, linked[0]], np.r_[b, linked[1]])),
        (len(first), len(first)),
    )
    _, groups = connected_components(graph, directed=False)
    exact = np.bincount(recipes)[recipes] - 1
    found = near[kind].astype(np.intp)
    return Twins(exact, found, groups[kind].astype(np.intp), leak(found, len(X)))


def leak(near: NDArray[np.intp], n: int, *, training: float = TRAINING) -> float:
    """Expected share of test rows with at least one of their `near` twins (n,) in a random training part.

    Of the n - 1 other rows t are in training; a row with g twins has none there with probability
    C(n-1-g, t) / C(n-1, t).
    """
    t = round(training * n)
    if n < 2 or t >= n:  # noqa: PLR2004  a split needs two rows
        return 0.0
    left = n - 1 - near.astype(np.float64)
    possible = left >= t
    log_none = (
        gammaln(np.maximum(left, t) + 1)
        - gammaln(np.maximum(left - t, 0.0) + 1)
        - gammaln(n)
        + gammaln(n - t)
    )
    return float(np.mean(1.0 - np.where(possible, np.exp(log_none), 0.0)))


def _near_pairs(X: Array, eps: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of rows, each once, that differ by at most eps in every column.

    Rows are sorted along the column that varies most, so that only those within eps there are compared.
    """
    n = len(X)
    eps *= 1.0 + 1e-9
    column = int(np.argmax([len(np.unique(np.floor(x / eps))) for x in X.T])) if X.shape[1] else 0
    order = np.argsort(X[:, column], kind="stable") if X.shape[1] else np.arange(n)
    S = X[order]
    ends = np.searchsorted(S[:, column], S[:, column] + eps, side="right") if X.shape[1] else np.full(n, n)
    first, second = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    begin = 0
    while begin < n:
        # As many rows at once as fit a block of distances.
        end = begin + 1
        while end < n and (end + 1 - begin) * (ends[end] - begin) <= CHUNK_ENTRIES:
            end += 1
        close = cdist(S[begin:end], S[begin : ends[end - 1]], "chebyshev") <= eps
        a, b = np.nonzero(np.triu(close, 1))
        first.append(order[a + begin])
        second.append(order[b + begin])
        begin = end
    return np.concatenate(first), np.concatenate(second)


def _chain(codes: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs that link all rows of equal code, one to the next."""
    order = np.argsort(codes, kind="stable")
    linked = codes[order][1:] == codes[order][:-1]
    return order[:-1][linked], order[1:][linked]


@dataclass(frozen=True, slots=True)
class DuplicatesCheck:
    """How much of a random test part has the model seen already?"""

    name: str = "duplicates.twins"
    area: str = "duplicates"
    needs: tuple[str, ...] = ()

    def run(self, table: AuditTable, *, seed: int) -> list[Finding]:
        """One finding where rows have twins."""
        del seed
        if table.n < 2:  # noqa: PLR2004  a twin needs another
            raise NotApplicableError("the table has one row")
        codes, names = table.recipe_codes()
        found = twins(table.X, codes)
        if int(np.count_nonzero(found.near)) < FEWEST_TWINS:
            return []
        sizes = np.bincount(codes, minlength=len(names))
        repeated = int(np.count_nonzero(sizes > 1))
        order = np.argsort(-sizes, kind="stable")[:SHOWN]
        spelled = ""
        if table.recipes is None and table.formulas is not None:
            as_spelled = int(np.count_nonzero(np.unique(table.formulas, return_counts=True)[1] > 1))
            spelled = f" ({as_spelled} as spelled)" if as_spelled != repeated else ""
        with_twin = int(np.count_nonzero(found.near))
        return [
            Finding(
                id=self.name,
                area=self.area,
                severity=graded(found.leak, medium=TWINS_MEDIUM, high=TWINS_HIGH),
                title=f"{counted(repeated, 'recipe')}{spelled} {verb(repeated, 'is', 'are')} there more than "
                f"once; {found.leak:.0%} of a random test part has a twin in training",
                value=found.leak,
                expected=0.0,
                meaning="On those rows a random split tests memory, not prediction, so its score flatters.",
                remedy="Keep the repeats, they measure noise; but put all rows of a recipe into one fold.",
                detail={
                    "repeated_recipes": repeated,
                    "rows_with_exact_twin": int(np.count_nonzero(found.exact)),
                    "rows_with_twin": with_twin,
                    "redundant": found.redundant,
                    "commonest": [names[c] for c in order if sizes[c] > 1],
                    "counts": [int(sizes[c]) for c in order if sizes[c] > 1],
                    "groups": found.groups,
                    "sizes": sizes,
                },
            )
        ]
