"""From a study to the table that the checks look at: which class is success, what is compared with what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.audit.asked import Asked
from labctl.errors import RequestError
from labctl.space import Formula, NoRecipeError, sample
from labctl.study import Study
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl_models.audit.table import AuditTable

Floats = NDArray[np.float64]

CANDIDATES = 2000
"""Recipes drawn from a space that is no finite pool."""
FEWEST_OF_EACH = 10
_SAME_ORDER = 0.9999
_FIRST_AMONG_COHORTS = ("doi", "lab", "batch", "operator")


@dataclass(frozen=True, eq=False)
class Prepared:
    """The table under audit, and what it was made of.

    Attributes:
        table: for the checks.
        pool: recipes in the order of the table's pool, or None where there is none.
        of_the_pool: what the pool is, in words.
        notes: what was assumed or left out.
    """

    table: "AuditTable"
    pool: Sequence[Recipe] | None
    of_the_pool: str
    notes: tuple[str, ...]


def prepare(
    study: Study, asked: Asked, *, seed: int, z: Floats | None = None, outcomes: Sequence[str] = ()
) -> Prepared:
    """The table that the checks look at.

    Args:
        study: of a table or a campaign.
        asked: what a person said beside it.
        seed: for the recipes drawn from a space that is no finite pool.
        z: prospective scores of the rows, NaN where there is none.
        outcomes: other columns that were measured with the goal; they explain nothing, since they are
            results themselves.

    Raises:
        RequestError: there is nothing to audit, or an option names something the table does not have.
    """
    from labctl_models.audit.table import AuditTable  # noqa: PLC0415 - scipy takes a moment

    if len(study.y) == 0:
        raise RequestError("nothing was done yet, so there is nothing to audit", file=study.source)
    if not study.measured.any():
        raise RequestError(
            f"no row has a value of {study.goal}; name another column with --target COL", file=study.source
        )
    y, of_success = _outcome(study, asked)
    columns, same = _told_apart(study)
    cohorts, twins = _cohorts(study, columns)
    values = _label_values(study, asked)
    skipped = {*study.modelled, *outcomes, *([asked.label_values] if asked.label_values else [])}
    recipes, pool, of_the_pool = _pool(study, seed)
    only_formula = study.formulas is not None and len(study.space.parameters) == 1
    table = AuditTable(
        X=study.X,
        y=y,
        outcome=study.outcome,
        feature_names=study.feature_names,
        # A formula on its own is compared by its composition, however it is spelled.
        recipes=None if only_formula else study.recipes,
        formulas=study.formulas,
        failed=study.failed,
        failure_kinds=study.kinds,
        columns=columns,
        cohorts=cohorts,
        modelled=tuple(name for name in columns if name in skipped),
        readings=_readings(study, columns, {*cohorts, *outcomes}),
        order=study.order,
        arms=study.arms,
        pool=pool,
        true_rate=asked.true_rate,
        label_values=values,
        label_range=asked.label_range,
        label_sd=asked.label_sd,
        z=z,
    )
    table = replace(table, pool_scores=_pool_scores(table, seed))
    return Prepared(table, recipes, of_the_pool, (*study.notes, *of_success, *same, *twins))


def _pool_scores(table: "AuditTable", seed: int) -> Floats | None:
    """What a classifier of this table says each candidate's chance of success is, or None.

    Logistic regression, since its scores are near enough to probabilities for the shift of the rate to be
    estimated from them; ten successes and ten failures are the least that it can be fitted to.
    """
    success = table.success
    known = np.isfinite(success)
    labels = success[known].astype(np.intp)
    if table.pool is None or min(labels.sum(), len(labels) - labels.sum()) < FEWEST_OF_EACH:
        return None
    from labctl_models.surrogates.classes import LogisticRidge  # noqa: PLC0415 - sklearn takes a moment

    fitted = LogisticRidge().fit(table.X[known], labels, classes=2, seed=seed)
    return np.asarray(fitted.probability(table.pool)[:, 1], dtype=np.float64)


def _outcome(study: Study, asked: Asked) -> tuple[Floats, tuple[str, ...]]:
    """The outcome, with 1 for the class that is success and 0 for every other."""
    if study.outcome == "regression":
        if asked.success is not None:
            raise RequestError(
                f"{study.goal} is a quantity and has no classes; leave it out", key="--success"
            )
        return study.y, ()
    known = ", ".join(study.classes)
    if asked.success is None and study.classes != ("0", "1"):
        raise RequestError(f"say which of {known} is a success with --success CLASS", file=study.source)
    wanted = asked.success or "1"
    if wanted not in study.classes:
        raise RequestError(f"{wanted!r} is none of {known}; name one of these", key="--success")
    code = study.classes.index(wanted)
    y = np.where(np.isfinite(study.y), (study.y == code).astype(np.float64), np.nan)
    if study.classes == ("0", "1") and wanted == "1":
        return y, ()
    return y, (f"{study.goal} = {wanted} counts as success, every other class as none",)


def _told_apart(study: Study) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """The logged columns without those that are the outcome under another name."""
    kept, notes = {}, []
    for name, column in study.columns.items():
        if name not in study.modelled and _is_the_outcome(study, column):
            notes.append(f"{name} says the same as {study.goal} and was left out")
        else:
            kept[name] = column
    return kept, tuple(notes)


def _is_the_outcome(study: Study, column: NDArray[Any]) -> bool:
    rows = study.measured
    y = study.y[rows]
    if study.outcome == "classification":
        levels, codes = np.unique(column[rows].astype(str), return_inverse=True)
        if not 1 < len(levels) <= max(12, len(study.classes)):
            return False
        return all(len(np.unique(y[codes == code])) == 1 for code in range(len(levels)))
    if column.dtype.kind != "f":
        return False
    other = column[rows]
    known = np.isfinite(other)
    if known.sum() < 20 or len(np.unique(y[known])) < 10 or np.ptp(other[known]) == 0.0:  # noqa: PLR2004 - a handful agrees by chance
        return False
    return abs(float(np.corrcoef(y[known], other[known])[0, 1])) > _SAME_ORDER


def _cohorts(study: Study, columns: Mapping[str, NDArray[Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cohort columns; of those that part the rows alike, one."""
    from labctl_models.audit.table import as_column, partition  # noqa: PLC0415

    order = {name: i for i, name in enumerate(_FIRST_AMONG_COHORTS)}
    ranked = sorted((c for c in study.cohorts if c in columns), key=lambda c: order.get(c, len(order)))
    kept: dict[bytes, str] = {}
    notes = []
    for name in ranked:
        key = partition(as_column(columns[name]))
        if key in kept:
            notes.append(f"{name} groups the rows exactly as {kept[key]} does, so only that was judged")
        else:
            kept[key] = name
    return tuple(c for c in study.cohorts if c in kept.values()), tuple(notes)


def _readings(study: Study, columns: Mapping[str, NDArray[Any]], others: set[str]) -> tuple[str, ...]:
    """Columns that look read off an instrument: numbers with decimals that are neither set nor a name."""
    return tuple(
        name
        for name, column in columns.items()
        if name not in study.modelled
        and name not in others
        and name not in study.cohorts
        and column.dtype.kind == "f"
        and bool(np.any(np.mod(column[np.isfinite(column)], 1.0)))
    )


def _label_values(study: Study, asked: Asked) -> Floats | None:
    name = asked.label_values
    if name is None:
        return None
    column = study.y if name == study.goal else study.columns.get(name)
    if column is None:
        raise RequestError(
            f"has no column {name!r}; it has {', '.join((study.goal, *study.columns))}",
            file=study.source,
            key="--label-values",
        )
    if column.dtype.kind != "f" or not np.isfinite(column).any():
        raise RequestError(f"{name} holds no numbers; name the measured quantity", key="--label-values")
    return np.asarray(column, dtype=np.float64)


def _pool(study: Study, seed: int) -> tuple[Sequence[Recipe] | None, Floats | None, str]:
    """What the table is compared with, as recipes and as rows of the unit cube."""
    from labctl_models.audit.likeness import snapped  # noqa: PLC0415

    space = study.space
    if space.pool is not None:
        rows = range(len(space.pool))
        return [space.pool.recipe(i) for i in rows], space.pool.X, "the campaign's own candidates"
    if any(isinstance(p, Formula) for p in space.parameters.values()):
        return None, None, ""
    of_a_table = study.arms is None
    if of_a_table and _bound_by_a_law(study.X):
        return None, None, ""
    try:
        recipes = sample(space, CANDIDATES, np.random.default_rng(seed))
    except NoRecipeError:
        return None, None, ""
    X = space.encode(recipes)
    if of_a_table:
        # Between the levels of a designed grid nobody meant to go, so that nothing is missing there.
        X = np.unique(snapped(X, study.X), axis=0)
        recipes = [space.canonical(recipe) for recipe in space.decode(X)]
        return recipes, X, f"{len(X):,} recipes spread evenly over the ranges that the table spans"
    return recipes, X, f"{CANDIDATES:,} recipes drawn evenly from the campaign's space"


def _bound_by_a_law(X: Floats) -> bool:
    """Whether the settings obey a law that nobody stated, such as parts that add up to one hundred."""
    varying = X[:, np.ptp(X, axis=0) > 0.0]
    if varying.shape[1] < 2:  # noqa: PLR2004 - a law ties two
        return False
    Z = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    values = np.linalg.eigvalsh(Z.T @ Z / len(Z))
    return bool(values[0] < 1e-6)  # noqa: PLR2004 - rounding of percentages, not noise
