"""From a study to the table that the checks look at: which class is success, what is compared with what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.audit.asked import Asked
from labctl.audit.pool import candidates_of
from labctl.errors import RequestError
from labctl.study import Study
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl_models.audit.table import AuditTable

Floats = NDArray[np.float64]

_SAME_ORDER = 0.9999
_FIRST_AMONG_COHORTS = ("doi", "lab", "batch", "operator")


@dataclass(frozen=True, eq=False)
class Prepared:
    """The table under audit, and what it was made of.

    Attributes:
        table: for the checks.
        pool: recipes in the order of the table's pool, or None where there is none.
        of_the_pool: what the pool is, in words; empty where there is none.
        why_no_pool: why there is none, where there is none.
        made_up: whether nobody named a pool, so that it is spread over the table's ranges.
        brought: whether a person brought the pool, so that nothing else may be proposed.
        notes: what was assumed or left out.
    """

    table: "AuditTable"
    pool: Sequence[Recipe] | None
    of_the_pool: str
    why_no_pool: str
    brought: bool
    made_up: bool
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
    pool = candidates_of(study, asked.candidates, seed=seed)
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
        pool=None if isinstance(pool, str) else pool.X,
        true_rate=asked.true_rate,
        label_values=values,
        label_range=asked.label_range,
        label_sd=asked.label_sd,
        z=z,
    )
    return Prepared(
        table=table,
        pool=None if isinstance(pool, str) else pool.recipes,
        of_the_pool="" if isinstance(pool, str) else pool.name,
        why_no_pool=pool if isinstance(pool, str) else "",
        brought=asked.candidates is not None,
        made_up=not isinstance(pool, str) and pool.made_up,
        notes=(*study.notes, *of_success, *same, *twins, *(() if isinstance(pool, str) else pool.notes)),
    )


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
