"""Validates a study: its rows with an outcome, its cohorts, its order in time and its formulas."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.errors import RequestError
from labctl.law import WrittenLaw
from labctl.strategy import code_version
from labctl.study import Study
from labctl.tables import listed
from labctl.validate.checked import Checked, Constant

if TYPE_CHECKING:
    from labctl_models.surrogates.basis import Law
    from labctl_models.validation.race import Step

DEFAULT_BUDGET_S = 120.0
FEWEST_RESULTS = 20
NOT_STATED = "not stated"
_FEWEST_BEFORE = 10


def validate_study(
    study: Study,
    *,
    budget_s: float = DEFAULT_BUDGET_S,
    seed: int = 0,
    law: WrittenLaw | None = None,
    groups: Sequence[str] = (),
    progress: "Callable[[Step], None] | None" = None,
) -> Checked:
    """Validate every default candidate on a study within ``budget_s`` processor seconds.

    Rows that failed or have no outcome are left out and counted in a note. Columns that say where a row is
    from, and those named in ``groups``, are held out group by group; a column named year, or the order of
    a campaign's experiments, is held out in time; where there are formulas, chemical systems, elements,
    groups and periods are too.

    Raises:
        RequestError: there is nothing that a score could honestly be given for.
    """
    from labctl_models.validation.validate import validate  # noqa: PLC0415 - reads scipy

    rows = np.flatnonzero(study.measured)
    if len(rows) < FEWEST_RESULTS:
        raise RequestError(
            f"has {len(rows)} results of {study.goal}, and validation needs {FEWEST_RESULTS}; measure more",
            file=study.source,
        )
    y: NDArray[Any] = study.y[rows]
    if study.classes:
        y = np.array(study.classes)[y.astype(np.intp)]
    over = None
    if law is not None:
        if study.classes:
            raise RequestError(
                "a law is about numbers, and these are classes; leave --law out", file=study.source
            )
        over = law.over(study.space)
        _check(law, over, study, rows)
    order, column = _order(study, rows)
    try:
        found = validate(
            study.X[rows],
            y,
            classify=bool(study.classes),
            groups=_groups(study, rows, groups),
            order=None if order is None else order.tolist(),
            formulas=None if study.formulas is None else [str(f) for f in study.formulas[rows]],
            law=over,
            budget_s=budget_s,
            seed=seed,
            progress=progress,
        )
    except ValueError as error:
        raise RequestError(_with_names(str(error), study, rows), file=study.source) from None
    return Checked(
        study=study,
        rows=rows,
        found=found,
        law=law,
        constants=() if law is None or over is None else _constants(law, over, study, rows, seed),
        budget_s=budget_s,
        seed=seed,
        code=code_version(),
        notes=(*study.notes, *_left_out(study), *((f"in time by {column}",) if column else ())),
    )


def _left_out(study: Study) -> tuple[str, ...]:
    failed = 0 if study.failed is None else int(study.failed.sum())
    there = np.isinf(study.y) if study.failed is None else np.isinf(study.y) & ~study.failed
    infinite = int(there.sum())
    empty = len(study.y) - int(study.measured.sum()) - failed - infinite
    counts = (
        (failed, "that failed"),
        (infinite, "with an infinite outcome"),
        (empty, "without an outcome"),
    )
    parts = [f"{n} {what}" for n, what in counts if n]
    return (f"left out of {len(study.y)} rows: {' and '.join(parts)}",) if parts else ()


def _groups(study: Study, rows: NDArray[np.intp], asked: Sequence[str]) -> dict[str, list[str]]:
    """The columns in which something can be held out: two groups or more, and not one for each row.

    Raises:
        RequestError: a column that was asked for is not there, or nothing can be held out by it.
    """
    found = {}
    for name in dict.fromkeys((*asked, *study.cohorts)):
        if name not in study.columns:
            there = listed(tuple(study.columns), 30) or "none beside the recipes"
            raise RequestError(f"has no column {name!r}; it has {there}", file=study.source, key="--group")
        texts = [_text(value) for value in study.columns[name][rows].tolist()]
        count = len(set(texts))
        if 1 < count < len(texts):
            found[name] = texts
        elif name in asked:
            why = "the same in every row" if count == 1 else "different in every row"
            raise RequestError(
                f"{name} is {why}, so no group of rows can be held out by it; name another column",
                file=study.source,
                key="--group",
            )
    return found


def _text(value: object) -> str:
    if isinstance(value, float):
        return NOT_STATED if np.isnan(value) else f"{value:g}"
    return str(value) or NOT_STATED


def _order(study: Study, rows: NDArray[np.intp]) -> tuple[NDArray[np.float64] | None, str]:
    """When each row was measured, and by which column we know."""
    if study.order is not None:
        return study.order[rows], "the order of the experiments"
    for name in study.cohorts:
        if "year" in name.casefold():
            column = study.columns[name][rows]
            numbers = column.dtype.kind == "f" and bool(np.isfinite(column).all())
            if numbers and int((column < column.max()).sum()) >= _FEWEST_BEFORE:
                return column, name
    return None, ""


def _check(law: WrittenLaw, over: "Law", study: Study, rows: NDArray[np.intp]) -> None:
    """Refuse a law that has no value at a row, or whose constants these rows cannot tell apart."""
    H = np.asarray(over.basis(study.X[rows]), dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(H).all(axis=1))
    if bad.size:
        values = ", ".join(f"{name} = {_value(study, name, rows[bad[0]]):g}" for name in law.parameters)
        raise RequestError(
            f"has no finite value at {study.ids[rows[bad[0]]]} ({values}); keep it within its range",
            file=study.source,
            key="law",
        )
    size = np.sqrt(np.mean(H**2, axis=0))
    if (size == 0.0).any() or np.linalg.matrix_rank(H / size) < H.shape[1]:
        raise RequestError(
            f"its constants {', '.join(law.constants)} cannot be told apart by these rows; leave one out",
            file=study.source,
            key="law",
        )


def _value(study: Study, name: str, row: int) -> float:
    cell = study.X[row : row + 1, study.space.slices[name]]
    return float(study.space.parameters[name].decode(cell)[0])


def _constants(
    law: WrittenLaw, over: "Law", study: Study, rows: NDArray[np.intp], seed: int
) -> tuple[Constant, ...]:
    """The constants from all rows, with and without a Gaussian process of what the law misses."""
    from labctl_models.surrogates.basis import least_squares  # noqa: PLC0415
    from labctl_models.surrogates.mechanistic import MechanisticGaussianProcess  # noqa: PLC0415
    from labctl_models.validation.candidates import MOST_ROWS_OF_A_GP  # noqa: PLC0415

    X, y = study.X[rows], study.y[rows]
    alone = least_squares(over, over.values(X), y)
    beside = None
    if len(rows) <= MOST_ROWS_OF_A_GP:
        beside = MechanisticGaussianProcess(over, starts=1).fit(X, y, seed=seed).constants
    return tuple(
        Constant(
            name=name,
            unit=law.units.get(name, ""),
            alone=(float(alone.mean[i]), float(alone.sd[i])),
            beside=None if beside is None else (float(beside.mean[i]), float(beside.sd[i])),
        )
        for i, name in enumerate(law.constants)
    )


def _with_names(sentence: str, study: Study, rows: NDArray[np.intp]) -> str:
    """A sentence of the models with the study's own names for the rows and columns that it counts."""
    kind, _, rest = sentence.partition(" ")
    number, _, tail = rest.partition(" ")
    if not number.isdecimal():
        return f"{study.goal}: {sentence}"
    if kind == "row":
        return f"{study.ids[rows[int(number) - 1]]} {tail}"
    if kind == "column":
        return f"{study.feature_names[int(number) - 1]} {tail}"
    return f"{study.goal}: {sentence}"
