"""The table under audit: arrays and names, checked once, so that no check has to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from labctl_models.formulas import SYMBOLS, amounts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from labctl_models.surrogates.protocol import Array

Column: TypeAlias = "NDArray[Any]"
"""(n,) float64 with NaN where missing, or (n,) text with "" where missing."""


@dataclass(frozen=True, slots=True, eq=False)
class AuditTable:
    """A table of n experiments, as a model would see it and as a lab wrote it down.

    Attributes:
        X: (n x d) features of every recipe, failed ones too, in the unit cube or standardised.
        y: (n,) outcome; NaN where there is none. For classes 1.0 is success and 0.0 is not.
        outcome: Whether y is a quantity or a class.
        feature_names: d names of the columns of X; empty for "x1", "x2", ...
        recipes: (n,) keys; equal keys are the same recipe. Without them formulas, else the rows of X, decide.
        formulas: (n,) chemical formulas.
        failed: (n,) True where an experiment failed; None where nobody wrote down whether any did.
        failure_kinds: (n,) how it failed, "" where it did not.
        columns: Name -> (n,) logged values, as numbers or as text.
        cohorts: Names of columns that say where a row is from (lab, batch, operator, doi, year).
        modelled: Names of columns that are already within X, hence not hidden.
        readings: Names of columns that an instrument read, as opposed to settings.
        temperatures: Those of the readings that are temperatures; "outcome" stands for y.
        required: Names of columns that every row should fill; empty for all of them.
        order: (n,) when each experiment was run; only its order counts.
        arms: (n,) why each recipe was chosen; "random" marks the random arm.
        pool: (m x d) candidates, in the scale of X.
        pool_scores: (m,) a classifier's probability of success of each candidate.
        true_rate: Share of successes among recipes drawn from the whole domain, as stated by the user.
        label_values: (n,) the quantity from which labels were made by a threshold.
        label_range: Lowest and highest threshold in use.
        label_sd: Standard deviation of label_values.
        residuals: (n,) outcome minus prediction by a model that had not seen the row.
        z: (n,) such residuals divided by their predicted standard deviation.
    """

    X: Array
    y: Array
    outcome: Literal["regression", "classification"] = "regression"
    feature_names: tuple[str, ...] = ()
    recipes: Column | None = None
    formulas: Column | None = None
    failed: NDArray[np.bool_] | None = None
    failure_kinds: Column | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)
    cohorts: tuple[str, ...] = ()
    modelled: tuple[str, ...] = ()
    readings: tuple[str, ...] = ()
    temperatures: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    order: Array | None = None
    arms: Column | None = None
    pool: Array | None = None
    pool_scores: Array | None = None
    true_rate: float | None = None
    label_values: Array | None = None
    label_range: tuple[float, float] | None = None
    label_sd: float | None = None
    residuals: Array | None = None
    z: Array | None = None

    def __post_init__(self) -> None:
        """Bring every column into its one form.

        Raises:
            ValueError: shapes do not match, X is not finite, a name is unknown or a class is not 0 or 1.
        """
        X = _matrix(self.X, "X")
        n = len(X)
        if n == 0:
            raise ValueError("the table has no rows; there is nothing to audit")
        object.__setattr__(self, "X", X)
        for name in ("y", "order", "label_values", "residuals", "z"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _column(getattr(self, name), n, name, np.float64))
        for name in ("recipes", "formulas", "failure_kinds", "arms"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, texts(_column(getattr(self, name), n, name, np.object_)))
        if self.failed is not None:
            object.__setattr__(self, "failed", _column(self.failed, n, "failed", np.bool_))
        columns = {
            name: as_column(_column(values, n, f"column {name!r}", None))
            for name, values in self.columns.items()
        }
        object.__setattr__(self, "columns", columns)
        self._check_pool()
        self._check_meaning()

    def _check_pool(self) -> None:
        if self.pool is not None:
            pool = _matrix(self.pool, "the candidate pool")
            if pool.shape[1] != self.X.shape[1]:
                raise ValueError(
                    f"the candidate pool has {pool.shape[1]} columns and the table {self.X.shape[1]}"
                )
            object.__setattr__(self, "pool", pool)
        if self.pool_scores is not None:
            scores = np.asarray(self.pool_scores, dtype=np.float64)
            if scores.ndim != 1 or not ((scores >= 0) & (scores <= 1)).all():
                raise ValueError("scores of the pool must be one probability in [0, 1] for each candidate")
            object.__setattr__(self, "pool_scores", scores)

    def _check_meaning(self) -> None:
        for role in ("cohorts", "modelled", "readings", "temperatures", "required"):
            for name in getattr(self, role):
                if name not in self.columns and (role, name) != ("temperatures", "outcome"):
                    raise ValueError(f"{role} names the column {name!r}, which the table does not have")
        if self.feature_names and len(self.feature_names) != self.X.shape[1]:
            raise ValueError(f"{len(self.feature_names)} feature names for {self.X.shape[1]} columns of X")
        if self.outcome == "classification" and not np.isin(self.y[np.isfinite(self.y)], (0.0, 1.0)).all():
            raise ValueError("the classes in y must be 1 for success and 0 for anything else")
        if self.true_rate is not None and not 0.0 < self.true_rate < 1.0:
            raise ValueError(f"the true rate of success is {self.true_rate}; it must lie between 0 and 1")
        if self.label_range is not None and not self.label_range[0] < self.label_range[1]:
            raise ValueError(f"the range of thresholds is {self.label_range}; its first must be the smaller")

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.X)

    @property
    def measured(self) -> NDArray[np.bool_]:
        """(n,) rows with an outcome that did not fail."""
        found = np.isfinite(self.y)
        return found if self.failed is None else found & ~self.failed

    @property
    def success(self) -> Array:
        """(n,) 1.0 for success, 0.0 for failure, NaN where nobody knows: the class, or whether it failed."""
        known = np.full(self.n, np.nan) if self.failed is None else (~self.failed).astype(np.float64)
        if self.outcome == "classification":
            # A failed experiment made no sample of the wanted class, whatever the label column holds.
            known = np.where(known == 0.0, 0.0, self.y)
        return known

    def recipe_codes(self) -> tuple[NDArray[np.intp], list[str]]:
        """Number of the recipe of each row (n,), and a name for each recipe."""
        if self.recipes is not None:
            return coded(self.recipes)
        if self.formulas is not None:
            return coded(formula_keys(self.formulas))
        _, first, codes = np.unique(self.X, axis=0, return_index=True, return_inverse=True)
        return codes.reshape(-1), [f"row {row + 1}" for row in first]

    def recipe_partition(self) -> bytes:
        """How recipes part the rows; see `partition`."""
        return _by_first_row(self.recipe_codes()[0])


def as_column(values: Column) -> Column:
    """Numbers as float64 with NaN, anything else as text with "" where missing."""
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    return texts(values)


def texts(values: Column) -> Column:
    """The values as stripped text; None, NaN and blanks become ""."""
    return np.array(["" if v is None or v != v else str(v).strip() for v in values.tolist()], dtype=np.str_)  # noqa: PLR0124  NaN alone differs from itself


def missing(column: Column) -> NDArray[np.bool_]:
    """(n,) True where a column of the table holds nothing."""
    return np.asarray(np.isnan(column) if column.dtype.kind == "f" else column == "")


def coded(column: Column) -> tuple[NDArray[np.intp], list[str]]:
    """Number of the category of each row (n,), -1 where missing, and the categories' names."""
    gone = missing(column)
    values, inverse = np.unique(column[~gone], return_inverse=True)
    codes = np.full(len(column), -1, dtype=np.intp)
    codes[~gone] = inverse
    return codes, [f"{value:g}" if column.dtype.kind == "f" else str(value) for value in values]


def partition(column: Column) -> bytes:
    """How a column parts the rows, whatever it calls the parts: equal for columns that part them alike."""
    return _by_first_row(coded(column)[0])


def _by_first_row(codes: NDArray[np.intp]) -> bytes:
    """Codes (n,) numbered anew by their first row, -1 among them, as bytes."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.intp).tobytes()


def formula_keys(formulas: Sequence[str] | Column) -> Column:
    """One spelling (n,) for each composition: "Zr1 Hf1", "Hf50Zr50" and "HfZr" all become "HfZr".

    Elements in alphabetical order, amounts relative to the smallest with four digits; what is no formula
    keeps its own spelling without spaces.
    """
    known: dict[str, str] = {}
    for formula in dict.fromkeys(str(f) for f in formulas):
        known[formula] = _formula_key(formula)
    return np.array([known[str(f)] for f in formulas], dtype=np.str_)


def _formula_key(formula: str) -> str:
    try:
        amounts = amounts_of(formula)
    except ValueError:
        return "".join(formula.split())
    least = min(amounts.values())
    parts = sorted((SYMBOLS[z - 1], amount / least) for z, amount in amounts.items())
    return "".join(symbol + (f"{ratio:.4g}" if f"{ratio:.4g}" != "1" else "") for symbol, ratio in parts)


def _matrix(values: Array, name: str) -> Array:
    values = np.ascontiguousarray(values, dtype=np.float64)
    if values.ndim != 2:  # noqa: PLR2004  a matrix has 2 axes
        raise ValueError(f"{name} must be a matrix with one row for each recipe; its shape is {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds a value that is not a finite number; impute it or drop its column")
    return values


def _column(values: object, n: int, name: str, dtype: type[np.generic] | None) -> Column:
    found = np.asarray(values, dtype=dtype)
    if found.shape != (n,):
        raise ValueError(f"{name} has shape {found.shape}; the table has {n} rows")
    return found
