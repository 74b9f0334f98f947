"""From a study to the table that the checks look at: which class is success, what is compared with what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.audit.asked import Asked
from labctl.audit.enough import FEWEST_ROWS, refuse_too_little
from labctl.audit.pool import candidates_of
from labctl.errors import RequestError
from labctl.study import Study
from labctl_drivers.protocol import Recipe

if TYPE_CHECKING:
    from labctl_models.audit.table import AuditTable

Floats = NDArray[np.float64]

_FEWEST_LEVELS = 10
"""With fewer different values two columns may agree by chance."""
_SAME_ORDER = 0.9999
_OF_TEMPERATURES = frozenset({"degC", "kelvin", "K", "degF"})
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
        computed: columns that say the same as the outcome, and were left out.
        notes: what was assumed or left out.
    """

    table: "AuditTable"
    pool: Sequence[Recipe] | None
    of_the_pool: str
    why_no_pool: str
    brought: bool
    made_up: bool
    computed: tuple[str, ...]
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

    refuse_too_little(study)
    y, of_success = _outcome(study, asked)
    columns, same = _told_apart(study, skipped=outcomes)
    cohorts, twins = _cohorts(study, columns)
    values = _label_values(study, asked)
    skipped = {*study.modelled, *outcomes, *([asked.label_values] if asked.label_values else [])}
    readings = _readings(study, columns, {*cohorts, *outcomes})
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
        readings=readings,
        temperatures=_temperatures(study, readings),
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
        computed=same,
        notes=(*study.notes, *of_success, *twins, *(() if isinstance(pool, str) else pool.notes)),
    )


def _outcome(study: Study, asked: Asked) -> tuple[Floats, tuple[str, ...]]:
    """The outcome, with 1 for the class that is success and 0 for every other."""
    if study.outcome == "regression":
        if asked.success is not None:
            raise RequestError(
                f"{study.goal} is a quantity and has no classes; leave it out", key="--success"
            )
        if asked.true_rate is not None and study.failed is None:
            raise RequestError(
                f"{study.goal} is a quantity, and nothing says which rows failed; leave it out",
                key="--true-rate",
            )
        return study.y, ()
    known = ", ".join(study.classes)
    if asked.success is None and study.classes != ("0", "1") and len(study.classes) > 1:
        raise RequestError(f"say which of {known} is a success with --success CLASS", file=study.source)
    # Where every row says the same, that is what people reported, hence what they count as success.
    wanted = asked.success or ("1" if study.classes == ("0", "1") else study.classes[0])
    if wanted not in study.classes:
        raise RequestError(f"{wanted!r} is none of {known}; name one of these", key="--success")
    code = study.classes.index(wanted)
    y = np.where(np.isfinite(study.y), (study.y == code).astype(np.float64), np.nan)
    if study.classes == ("0", "1") and wanted == "1":
        return y, ()
    return y, (f"{study.goal} = {wanted} counts as success, every other class as none",)


def _told_apart(study: Study, *, skipped: Sequence[str]) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """The logged columns without those that are the outcome under another name, and the names of those."""
    same = tuple(
        name
        for name, column in study.columns.items()
        if name not in study.modelled and name not in skipped and _is_the_outcome(study, column)
    )
    return {name: column for name, column in study.columns.items() if name not in same}, same


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
    if known.sum() < FEWEST_ROWS or len(np.unique(y[known])) < _FEWEST_LEVELS or np.ptp(other[known]) == 0.0:
        return False
    if abs(float(np.corrcoef(y[known], other[known])[0, 1])) > _SAME_ORDER:
        return True
    return _goes_strictly_with(other[known], y[known])


def _goes_strictly_with(other: Floats, y: Floats) -> bool:
    """Whether one always rises, or always falls, with the other."""
    levels, rank = np.unique(y, return_inverse=True)
    theirs, order = np.unique(other, return_inverse=True)
    if len(theirs) != len(levels):
        return False
    return np.array_equal(order, rank) or np.array_equal(order, len(levels) - 1 - rank)


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


def _temperatures(study: Study, readings: Sequence[str]) -> tuple[str, ...]:
    """Readings that are temperatures: the goal by its unit, a column by its name, which is all it has."""
    named = tuple(name for name in readings if "temperature" in name.casefold())
    return ("outcome", *named) if study.unit in _OF_TEMPERATURES else named


def _label_values(study: Study, asked: Asked) -> Floats | None:
    name = asked.label_values
    if name is None:
        return None
    if name == study.goal and study.outcome == "classification":
        raise RequestError(
            f"{name} holds the labels; name the quantity that they were made from", key="--label-values"
        )
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
